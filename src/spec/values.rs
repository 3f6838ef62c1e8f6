//! Words of the file that hold a value of their own: durations, sizes, addresses, images.

mod address;
mod image;
mod times;

pub(super) use address::{base_url, endpoint, host_of, is_local, is_private, listen};
pub(crate) use image::{RUNNER_VERSION_MIN, registry_in, runner_release, runner_version};
pub(super) use image::{image, image_of_a_job};
pub(super) use times::{days, end_time, time, timezone};

use std::time::Duration;

/// A word that cannot be read, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// What the word is not: "no duration".
    pub(super) is: &'static str,
    pub(super) hint: &'static str,
}

/// Longer than any of our durations may be: an `M` that was meant as minutes is caught.
const DURATION_MAX: Duration = Duration::from_hours(90 * 24);

/// A duration as humantime writes it.
pub(super) fn duration(word: &str) -> Result<Duration, Unreadable> {
    let parsed = humantime::parse_duration(word).map_err(|_| Unreadable {
        is: "no duration",
        hint: "a duration has a unit, as in `90s`, `5m` or `1h 30m`",
    })?;
    if parsed > DURATION_MAX {
        let hint = "at most `90days`; minutes are `m`, and `M` is months";
        return Err(Unreadable { is: "too long a duration", hint });
    }
    Ok(parsed)
}

const NO_SIZE: Unreadable =
    Unreadable { is: "no size", hint: "a size has a unit, as in `512MiB` or `4GiB`" };

/// Units by what they are called, and their bytes.
const UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// A size in bytes, exactly: a fraction has to come out even.
pub(super) fn size(word: &str) -> Result<u64, Unreadable> {
    let at = word.find(|c: char| c.is_ascii_alphabetic()).ok_or(NO_SIZE)?;
    let (number, unit) = word.split_at(at);
    let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or(NO_SIZE)?.1;
    let number = number.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || number.ends_with('.') {
        return Err(NO_SIZE);
    }
    exact(whole, fraction, unit).ok_or(Unreadable {
        is: "no whole number of bytes",
        hint: "write a smaller unit without a fraction",
    })
}

fn exact(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let bytes = digits.checked_mul(unit.into())?;
    if bytes % scale != 0 {
        return None;
    }
    u64::try_from(bytes / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::{duration, size};
    use std::time::Duration;

    #[test]
    fn sizes_are_exact_binary_and_decimal() {
        assert_eq!(size("512MiB"), Ok(536_870_912));
        assert_eq!(size("4 GiB"), Ok(4_294_967_296));
        assert_eq!(size("1.5GB"), Ok(1_500_000_000));
        assert_eq!(size("0.1KiB").map_err(|bad| bad.is), Err("no whole number of bytes"));
        assert_eq!(size("99999999TiB").map_err(|bad| bad.is), Err("no whole number of bytes"));
        for word in ["", "5", "4g", "GiB", "-1GiB", "1.GiB", ".5GiB", "1e3GiB", "4GiBB"] {
            assert_eq!(size(word).map_err(|bad| bad.is), Err("no size"), "{word}");
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert!(duration("5").is_err());
        assert!(duration("5M").is_err(), "months are no cooldown");
    }
}
