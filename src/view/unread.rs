//! Containers that are there and are left alone, for they cannot be told: each with the reason.

use std::collections::BTreeMap;

use super::View;
use crate::world::lingering;

impl View {
    /// What is left alone and why, by its name and host.
    pub(crate) fn unread_containers(&self) -> BTreeMap<String, String> {
        let mut unread = BTreeMap::new();
        for (name, host) in &self.world.hosts {
            for aside in host.state.last().into_iter().flat_map(|state| &state.aside) {
                let sweeps = if aside.system_id.is_none() {
                    "; it may be the runner of any job there, so nothing there is swept"
                } else {
                    ""
                };
                let why = format!("{}; it is kept and counted{sweeps}", aside.why);
                unread.insert(format!("container {} on {name}", aside.name), why);
            }
        }
        for (name, container, why) in lingering(&self.world) {
            let id = container.id.as_str();
            let id = id.get(..12).unwrap_or(id);
            let job = container.job.map(|job| format!(" of job {job}")).unwrap_or_default();
            let what = format!("container {id}{job} on {name}");
            unread.insert(what, format!("it runs, and {why}; it is not stopped"));
        }
        unread
    }

    /// The same as lines.
    pub(crate) fn unread_lines(&self) -> Vec<String> {
        let unread = self.unread_containers().into_iter();
        unread.map(|(what, why)| format!("{what}: {why}")).collect()
    }
}
