//! Whether a file is mounted by itself into a container: then an editor outside that replaces the
//! file changes nothing here, and nothing here can tell.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The path is a mount point of its own, as `docker run -v ./autogit.yaml:/etc/autogit.yaml` makes
/// it. Where the system has no mount table to read (it is Linux's), the answer is no.
pub(crate) fn is_mounted_alone(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    let Ok(table) = std::fs::read("/proc/self/mountinfo") else { return false };
    mount_points(&table).any(|point| point == real)
}

/// The fifth column of `mountinfo`, see proc(5).
fn mount_points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|column| PathBuf::from(OsString::from_vec(unescaped(column))))
}

/// White space and backslashes stand there as `\` and three octal digits.
fn unescaped(column: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(column.len());
    let mut rest = column;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let code = after.get(..3).filter(|_| *first == b'\\').and_then(octal);
        plain.push(code.unwrap_or(*first));
        if code.is_some() {
            rest = after.get(3..).unwrap_or_default();
        }
    }
    plain
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_escapes() {
        let table = b"21 1 0:20 / / rw - ext4 /dev/vda rw\n\
            36 35 98:0 /x /etc/my\\040spec.yaml rw,noatime master:1 - ext3 /dev/root rw\n";
        let points: Vec<_> = mount_points(table).collect();
        assert_eq!(points, [Path::new("/"), Path::new("/etc/my spec.yaml")]);
    }

    #[test]
    fn a_file_in_a_folder_is_not_mounted_alone() {
        assert!(!is_mounted_alone(Path::new(file!())));
    }
}
