//! GPUs: what a pool asks for, what of a host runners may get, and which ones a runner has.

use std::fmt;

use super::Vendor;

/// GPUs for each job of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuSpec {
    /// Whose.
    pub vendor: Vendor,
    /// How many.
    pub count: u32,
}

impl fmt::Display for GpuSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {} GPU{plural}", self.count, self.vendor.as_str())
    }
}

/// One GPU of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Whose it is.
    pub vendor: Vendor,
    /// What it is told apart by: what NVIDIA's tools take, else the path of its first device.
    pub id: String,
    /// The device nodes that make it up; none: the engine knows it by its id.
    pub devices: Vec<String>,
}

/// The node that all GPUs of AMD share.
pub const KFD: &str = "/dev/kfd";

/// The node by which a program uses what draws or computes.
pub fn render_node(number: &str) -> String {
    format!("/dev/dri/renderD{number}")
}

impl Gpu {
    /// One that device nodes make up; `None`: there is none of its own among them.
    pub fn of_devices(vendor: Vendor, devices: Vec<String>) -> Option<Self> {
        let id = devices.iter().find(|device| *device != KFD)?.clone();
        Some(Self { vendor, id, devices })
    }

    /// The same GPU may be meant by the other id: they are of different kinds, which nobody can
    /// compare.
    pub fn may_be(&self, other_id: &str) -> bool {
        self.id == other_id || kind(&self.id) != kind(other_id)
    }

    /// It can be written into a label, a TOML file and a list of Docker's, and is told apart by its
    /// text: an index, the whole UUID of a GPU or of a part of one, or a path.
    pub fn is_id(word: &str) -> bool {
        match kind(word) {
            Kind::Path => is_device(word),
            Kind::Index => {
                let canonical = word == "0" || !word.starts_with('0');
                let digits = word.bytes().all(|byte| byte.is_ascii_digit());
                digits && canonical && (1..=4).contains(&word.len())
            }
            Kind::Uuid | Kind::Part => is_uuid(word.get(4..).unwrap_or_default()),
        }
    }
}

/// The path of a device node that Docker and gitlab-runner take as it stands.
pub fn is_device(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let parts = path.strip_prefix('/').unwrap_or_default();
    !parts.is_empty()
        && path.len() <= 200
        && path.bytes().all(plain)
        && parts.split('/').all(|part| !["", ".", ".."].contains(&part))
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let digits = |byte: u8| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(digits)
}

#[derive(PartialEq, Eq)]
enum Kind {
    Index,
    Uuid,
    /// A part of a GPU (MIG).
    Part,
    Path,
}

fn kind(id: &str) -> Kind {
    match id.get(..4) {
        Some("GPU-") => Kind::Uuid,
        Some("MIG-") => Kind::Part,
        _ if id.starts_with('/') => Kind::Path,
        _ => Kind::Index,
    }
}

/// Which of a host's GPUs runners may get.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GpuBudget {
    /// Those that the host is seen to have.
    #[default]
    Auto,
    /// So many of these at a time.
    AtMost(u32),
    /// These.
    These(Vec<Gpu>),
}

impl GpuBudget {
    /// How many of that vendor there are at most; `None`: only the host can tell.
    pub fn most_of(&self, vendor: Vendor) -> Option<u32> {
        match self {
            Self::Auto => None,
            Self::AtMost(most) => Some(*most),
            Self::These(gpus) => {
                let its = gpus.iter().filter(|gpu| gpu.vendor == vendor).count();
                Some(u32::try_from(its).unwrap_or(u32::MAX))
            }
        }
    }
}

/// Ids of GPUs that somebody has, each as often as it is had.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GpuIds(Vec<String>);

impl GpuIds {
    /// Those.
    pub fn of(mut ids: Vec<String>) -> Self {
        ids.sort();
        Self(ids)
    }

    /// As a label has them: with commas; `None`: one of them is no id.
    pub fn parse(text: &str) -> Option<Self> {
        let ids: Vec<String> = text.split(',').map(str::to_owned).collect();
        ids.iter().all(|id| Gpu::is_id(id)).then(|| Self::of(ids))
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self::of(self.iter().chain(other.iter()).map(str::to_owned).collect())
    }

    /// Without the other's, each once.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        let mut left = self.0.clone();
        for id in &other.0 {
            if let Some(index) = left.iter().position(|it| it == id) {
                left.remove(index);
            }
        }
        Self(left)
    }
}

impl fmt::Display for GpuIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_apart_by_its_text() {
        let uuid = "GPU-1a2b3c4d-0000-1111-2222-1a2b3c4d5e6f";
        for id in ["0", "17", uuid, "MIG-1a2b3c4d-0000-1111-2222-1a2b3c4d5e6f", "/dev/dri/card0"] {
            assert!(Gpu::is_id(id), "{id}");
        }
        let upper = uuid.to_uppercase();
        let all = ["", "00", "01", "all", "0,1", "GPU-1a2b", &upper, "/dev/", "/dev/../x", "/a:b"];
        for id in all {
            assert!(!Gpu::is_id(id), "{id}");
        }
    }

    #[test]
    fn ids_of_two_kinds_may_mean_one_gpu() {
        let gpu = Gpu { vendor: Vendor::Nvidia, id: "0".to_owned(), devices: Vec::new() };
        assert!(gpu.may_be("0") && gpu.may_be("GPU-x") && gpu.may_be("/dev/nvidia0"));
        assert!(!gpu.may_be("1"));
    }

    #[test]
    fn ids_are_had_as_often_as_they_are_counted() {
        let ids = |text| GpuIds::parse(text).unwrap();
        assert_eq!(ids("1,0").plus(&ids("0")).to_string(), "0,0,1");
        assert_eq!(ids("1,0").plus(&ids("0")).less(&ids("0")).to_string(), "0,1");
        assert!(ids("0").less(&ids("0,1")).is_empty());
        assert!(GpuIds::parse("").is_none() && GpuIds::parse("0,,1").is_none());
    }
}
