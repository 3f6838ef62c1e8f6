//! Files and folders of this machine, and the address of the API.

use std::fs::{Metadata, symlink_metadata};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::check::Check;
use super::finding::{Finding, Fix};
use crate::operate::private_file::closed_of;
use crate::source::{InstanceLock, LockError, Origin, Warning};
use crate::spec::{Missing, Spec};
use crate::tokens::is_cache_file;

/// Rights of others to read.
const OTHERS_READ: u32 = 0o044;
/// Rights of others to anything.
const OTHERS: u32 = 0o077;

/// The files that may hold a secret: those that the spec names are read and warned of by its loader.
pub fn modes(
    origin: &Origin,
    text: &str,
    env_files: &[PathBuf],
    warnings: &[Warning],
) -> Vec<Finding> {
    let check = Check::FileModes;
    let named = warnings.iter().filter_map(|warning| match warning {
        Warning::Exposed { field, path, .. } => Some((path.clone(), format!("`{field}`"))),
        Warning::Spec { .. }
        | Warning::Weak { .. }
        | Warning::Proxy { .. }
        | Warning::Unprotected { .. }
        | Warning::MountedAlone { .. } => None,
    });
    let here = !origin.is_remote() && has_literal_secret(text);
    let specs = origin.files().into_iter().filter(|_| here);
    let specs = specs.map(|path| (path, "the spec, which has a secret in it".to_owned()));
    let env_files = env_files.iter().map(|path| (path.clone(), "`--env-file`".to_owned()));
    let exposed = named.chain(specs).chain(env_files).filter_map(|(path, what)| {
        let metadata = std::fs::metadata(&path).ok()?;
        (metadata.mode() & OTHERS_READ != 0).then(|| exposed(&path, &what, &metadata))
    });
    let exposed: Vec<Finding> = exposed.collect();
    if exposed.is_empty() {
        return vec![Finding::ok(check, "no file with a secret may be read by others")];
    }
    exposed
}

fn exposed(path: &Path, what: &str, metadata: &Metadata) -> Finding {
    let (shown, mode) = (path.display(), metadata.mode() & 0o7777);
    let finding =
        Finding::warning(Check::FileModes, format!("others may read it: {what} (mode {mode:04o})"))
            .about(&format!("`{shown}`"))
            .remedy(format!("chmod 600 {shown}"));
    match closed_of(metadata) {
        closed if closed == mode => finding,
        mode => finding.fix(Fix::CloseToOthers { path: path.to_owned(), mode }),
    }
}

/// A credential stands in the text itself, and not as a variable or a file's name.
fn has_literal_secret(text: &str) -> bool {
    let Ok(parsed) = Spec::parse("", text, &|_| None, Missing::Accept) else { return false };
    let spec = &parsed.spec;
    let (gitlab, api) = (&spec.gitlab, &spec.api);
    let fixed = [
        ("/gitlab/token", Some(&gitlab.token)),
        ("/gitlab/registration_token", gitlab.registration_token.as_ref()),
        ("/gitlab/webhook_secret", gitlab.webhook_secret.as_ref()),
        ("/api/token", api.token.as_ref()),
        ("/api/read_token", api.read_token.as_ref()),
    ];
    let fixed = fixed.into_iter().map(|(pointer, secret)| (pointer.to_owned(), secret));
    let pools = spec
        .pools
        .iter()
        .map(|pool| (format!("/pools/{}/runner_token", pool.name), pool.runner_token.as_ref()));
    let mut secrets = fixed.chain(pools);
    secrets.any(|(pointer, secret)| {
        let written = secret.is_some_and(|secret| secret.value().is_some());
        written && !parsed.variables.contains_key(&pointer)
    })
}

/// The folder in which runner tokens are kept over restarts.
pub fn token_cache(folder: Option<&Path>) -> Vec<Finding> {
    let check = Check::TokenCache;
    let Some(folder) = folder else {
        return vec![Finding::ok(check, "none: tokens are found again in the runners' containers")];
    };
    let shown = folder.display();
    let metadata = match symlink_metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return vec![to_be_made(folder)],
        Err(error) => {
            return vec![
                Finding::failed(check, format!("`{shown}`: {error}"))
                    .remedy("make `gitlab.token_cache` a folder that this user may write"),
            ];
        }
    };
    if !metadata.is_dir() {
        return vec![
            Finding::failed(check, format!("`{shown}` is no folder"))
                .remedy("make `gitlab.token_cache` a folder that this user may write"),
        ];
    }
    let mut findings = vec![writable(folder)];
    findings.extend(open_to_others(folder));
    findings
}

fn to_be_made(folder: &Path) -> Finding {
    let above = folder.ancestors().skip(1).find(|above| above.is_dir());
    let above = above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let finding = writable(above);
    if finding.verdict == super::Verdict::Ok {
        return Finding::ok(
            Check::TokenCache,
            format!("`{}` is not there yet; AutoGit makes it", folder.display()),
        );
    }
    finding
}

/// A file can be made there, which only making one shows.
fn writable(folder: &Path) -> Finding {
    let (check, shown) = (Check::TokenCache, folder.display());
    let probe = folder.join(format!(".autogit-doctor-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe);
    match made.and_then(|_| std::fs::remove_file(&probe)) {
        Ok(()) => Finding::ok(check, format!("`{shown}` can be written")),
        Err(error) => Finding::failed(check, format!("`{shown}` cannot be written: {error}"))
            .remedy("make `gitlab.token_cache` a folder that this user may write"),
    }
}

/// What AutoGit lays out there: a folder for each instance, with files of records. The folder above
/// may be anybody's, as `/var/lib` is, and so may all else in it.
fn open_to_others(folder: &Path) -> Vec<Finding> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let mut found = Vec::new();
    for instance in below(folder) {
        let Ok(metadata) = symlink_metadata(&instance) else { continue };
        let files = if metadata.is_dir() { below(&instance) } else { Vec::new() };
        let files: Vec<PathBuf> = files.into_iter().filter(|path| is_cache_file(path)).collect();
        if files.is_empty() {
            continue;
        }
        found.extend(files.into_iter().filter_map(|path| {
            let metadata = symlink_metadata(&path).ok()?;
            metadata.is_file().then_some((path, metadata))
        }));
        found.push((instance, metadata));
    }
    let open = found.into_iter().filter(|(_, metadata)| metadata.mode() & OTHERS != 0);
    open.map(|(path, metadata)| {
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        let (shown, is) = (path.display(), metadata.mode() & 0o7777);
        Finding::warning(Check::TokenCache, format!("others may use it (mode {is:04o})"))
            .about(&format!("`{shown}`"))
            .remedy(format!("chmod {mode:o} {shown}"))
            .fix(Fix::CloseToOthers { path: path.clone(), mode })
    })
    .collect()
}

/// The lock of the instance: had for a moment, or had by the AutoGit that runs.
pub fn lock(spec: &Spec, folders: &[PathBuf]) -> (Finding, bool) {
    let (check, instance) = (Check::Lock, &spec.instance);
    match InstanceLock::acquire(instance, folders) {
        Ok(_) => {
            (Finding::ok(check, format!("no AutoGit of instance `{instance}` runs here")), false)
        }
        Err(LockError::Held { pid, .. }) => {
            let pid = pid.map(|pid| format!(" as pid {pid}")).unwrap_or_default();
            (Finding::ok(check, format!("AutoGit runs here{pid}")), true)
        }
        Err(error @ (LockError::NotOurs { .. } | LockError::NoFolder { .. })) => {
            (Finding::failed(check, error.to_string()), false)
        }
    }
}

/// The address of the API, which the AutoGit that runs has already.
pub fn api(listen: SocketAddr, standard: bool, runs: bool) -> Finding {
    let check = Check::Api;
    if runs {
        return Finding::ok(
            check,
            format!("AutoGit that runs has {listen}, or says in its log why not"),
        );
    }
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok(check, format!("{listen} is free")),
        Err(error) if standard => {
            let found =
                format!("{listen} cannot be had: {error}; AutoGit would run without its API");
            Finding::warning(check, found).remedy("set `api.listen` to another address")
        }
        Err(error) => Finding::failed(check, format!("{listen} cannot be had: {error}"))
            .remedy("set `api.listen` to another address, or stop what listens there (`ss -ltnp`)"),
    }
}

#[cfg(test)]
mod tests {
    use super::has_literal_secret;

    #[test]
    fn a_secret_counts_as_written_only_where_it_stands_itself() {
        let text = |token: &str, rest: &str| {
            format!(
                "gitlab: {{url: 'http://git.lan', {token}}}\npools: {{a: {{tags: [x]{rest}}}}}\n"
            )
        };
        assert!(has_literal_secret(&text("token: glpat-abc", "")));
        assert!(!has_literal_secret(&text("token: '${GITLAB_TOKEN}'", "")));
        assert!(!has_literal_secret(&text("token_file: token", "")));
        assert!(has_literal_secret(&text("token_file: token", ", runner_token: glrt-abc")));
    }
}
