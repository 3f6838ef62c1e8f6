//! The GPUs of a host: what its engine was seen to have, and what of it runners may get.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Host, Look};
use crate::spec::{Gpu, GpuBudget, HostName, HostSpec, Vendor};

/// GPUs that an engine can hand to containers, as far as AutoGit can see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpusSeen {
    /// In the order in which they are given.
    pub gpus: Vec<Gpu>,
    /// Why there are none of a vendor's, or not all, where something is in the way.
    pub missing: BTreeMap<Vendor, Arc<str>>,
}

impl GpusSeen {
    /// None can be seen, for that reason.
    pub fn unseen(why: &str) -> Self {
        let vendors = [Vendor::Nvidia, Vendor::Amd, Vendor::Intel];
        let missing = vendors.map(|vendor| (vendor, why.into()));
        Self { gpus: Vec::new(), missing: missing.into() }
    }
}

/// The GPUs that runners of a host may get.
#[derive(Debug, Clone)]
pub struct GpusOffered<'a> {
    /// Those.
    pub seen: Cow<'a, GpusSeen>,
    /// How many of them at a time.
    pub most: Option<u32>,
}

impl Look {
    /// The GPUs that runners of that host may get.
    pub fn gpus_of(&self, name: &HostName) -> GpusOffered<'_> {
        let budget = self.spec.hosts.get(name).map(|host| &host.budget.gpus);
        let most = match budget {
            None | Some(GpuBudget::Auto) => None,
            Some(GpuBudget::AtMost(most)) => Some(*most),
            Some(GpuBudget::These(gpus)) => {
                let seen = GpusSeen { gpus: gpus.clone(), missing: BTreeMap::new() };
                return GpusOffered { seen: Cow::Owned(seen), most: None };
            }
        };
        let engine = self.hosts.get(name).and_then(Host::engine);
        let seen = match self.first_here(name) {
            Some(first) => Cow::Owned(GpusSeen::unseen(&format!(
                "the GPUs of AutoGit's own machine are given by host `{first}`; hint: declare them, \
                 each on one host, as in `hosts.{name}.budget.gpus: [{{vendor: nvidia, id: \"0\"}}]`"
            ))),
            None => engine.map(|engine| Cow::Borrowed(&engine.gpus)).unwrap_or_default(),
        };
        GpusOffered { seen, most }
    }

    /// Two engines of one machine would both give its GPUs, so the first host alone does: that is
    /// told by the spec, whatever can be seen.
    fn first_here(&self, name: &HostName) -> Option<&HostName> {
        let here = |host: &HostSpec| {
            host.docker.as_deref().is_none_or(|address| address.starts_with("unix://"))
        };
        let mut all = self.spec.hosts.iter().filter(|(_, host)| here(host));
        let (first, _) = all.next()?;
        let is_here = self.spec.hosts.get(name).is_some_and(here);
        (is_here && first != name).then_some(first)
    }
}
