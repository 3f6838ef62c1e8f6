//! What an action does to the world. What it is about and what is not seen stays as it is.

use super::process::{Process, Step};
use super::{Model, later};
use crate::plan::Action;
use crate::spec::{Cost, HostName};
use crate::world::{
    ContainerState, HostState, ImageKey, ImageState, KeptImage, Leftover, Look, NetworkState,
    Observed, Origin, Record, RecordId, Runner, RunnerName, Slot, SystemId, Token, Variant,
    WorkloadId, record_settings,
};

impl Model {
    pub(super) fn act(&mut self, action: &Action) {
        match action {
            Action::VerifyToken { variant } => self.make_record(variant, Origin::Given),
            Action::CreateRecord { variant } => self.make_record(variant, Origin::Ours),
            Action::CreateNetwork { host } => {
                let network = NetworkState { id: format!("net-{host}"), ours: true, containers: 1 };
                self.on_host(host, |state| state.network = Some(network));
            }
            Action::PullImage { host, image, .. } => self.pull(host, image),
            Action::KeepImage { host, image, .. } => self.keep_image(host, image),
            Action::UpdateRecord { record, settings, .. } => {
                let mut records = records(&mut self.look).into_iter().flatten();
                if let Some(record) = records.find(|one| one.id == *record) {
                    record.settings.clone_from(settings);
                }
            }
            Action::DeleteRecord { record, .. } => self.delete_record(*record),
            Action::Start { host, runner, variant, slot, system_id, cost } => {
                self.start(host, runner, (variant, *slot, system_id, cost));
            }
            Action::Drain { host, id, runner, .. } => {
                self.ask(&(host.clone(), runner.clone(), id.clone()));
            }
            Action::Reap { host, runner, discard_cache, .. } => {
                self.reap(host, runner, !*discard_cache);
            }
            Action::Sweep { leftover } => self.sweep(leftover),
        }
    }

    pub(super) fn pull(&mut self, host: &HostName, image: &str) {
        self.on_host(host, |state| {
            drop(state.images.insert(image.to_owned(), Ok(ImageState::Here)));
        });
    }

    pub(super) fn keep_image(&mut self, host: &HostName, image: &str) {
        self.pull(host, image);
        let (image, pulled_at) = (ImageKey::of(image), self.look.now);
        self.on_host(host, |state| {
            let found = state.newest_mark(&image).is_some_and(|mark| mark.found);
            let marks = state.kept_images.get_or_insert_default();
            marks.push(KeptImage { image, pulled_at, found });
        });
    }

    fn on_host(&mut self, host: &HostName, change: impl FnOnce(&mut HostState)) {
        if let Some(host) = self.look.hosts.get_mut(host)
            && let Observed::Known { value: state, .. } = &mut host.state
        {
            change(state);
        }
    }

    /// A record with all that the spec asks of it; nobody made contact with its token yet.
    fn make_record(&mut self, variant: &Variant, origin: Origin) {
        let Some(pool) = self.look.spec.pool(&variant.pool) else { return };
        let Ok(place) = self.look.place(&pool.scope) else { return };
        let now = self.look.now;
        let settings = record_settings(pool, variant.arch, self.look.is_first(pool, variant.arch));
        let id = RecordId(self.count());
        if origin == Origin::Ours {
            self.memory.own_records.answered(variant, Some(id), now);
        }
        let made = Record {
            id,
            variant: variant.clone(),
            origin,
            settings,
            owner: place.owner(),
            created_at: Some(now),
            token_expires_at: None,
            token: Token::AtHand,
            managers: Observed::Known { at: now, value: Vec::new() },
            unseen: None,
        };
        if let Some(records) = records(&mut self.look) {
            records.push(made);
        }
    }

    fn delete_record(&mut self, id: RecordId) {
        if let Some(records) = records(&mut self.look) {
            records.retain(|record| record.id != id);
        }
    }

    /// The container runs at once; its process is in contact after a while.
    fn start(
        &mut self,
        host: &HostName,
        name: &RunnerName,
        of: (&Variant, Slot, &SystemId, &Cost),
    ) {
        let (variant, slot, system_id, cost) = of;
        let look = &self.look;
        let Some(pool) = look.spec.pool(&variant.pool) else { return };
        let Some(record) = look.current_record(variant, pool).map(|record| record.id) else {
            return;
        };
        let Some(spec) = look.spec_hash(host, pool) else { return };
        let now = look.now;
        let id = WorkloadId::from_observed(&format!("{host}-{name}-{}", self.count()));
        let runner = Runner {
            id: id.clone(),
            name: name.clone(),
            variant: variant.clone(),
            slot,
            system_id: system_id.clone(),
            record,
            spec,
            cost: Some(cost.clone()),
            created_at: now,
            state: ContainerState::Running { started_at: now },
            paused: false,
            log: None,
        };
        self.on_host(host, |state| {
            state.runners.push(runner);
            state.runners.sort_by(|one, other| one.name.cmp(&other.name));
        });
        let contact = (later(now, self.durations.start), Step::Contact);
        let process = Process { variant: variant.clone(), in_contact: false, next: Some(contact) };
        self.processes.insert((host.clone(), name.clone(), id), process);
    }

    /// The container goes with its row, and with what its jobs left.
    fn reap(&mut self, host: &HostName, runner: &Runner, keeps_cache: bool) {
        let Runner { id, name, system_id, .. } = runner;
        self.on_host(host, |state| {
            state.runners.retain(|one| one.id != *id);
            let jobs = &mut state.jobs;
            jobs.containers.retain(|one| one.system_id != *system_id);
            jobs.volumes.retain(|one| one.system_id != *system_id || !one.kind.goes(keeps_cache));
            jobs.networks.retain(|one| one.system_id != *system_id);
        });
        self.drop_row(system_id);
        self.memory.runner_mut(id).at_work = None;
        self.processes.remove(&(host.clone(), name.clone(), id.clone()));
    }

    fn sweep(&mut self, leftover: &Leftover) {
        match leftover {
            Leftover::JobContainer(host, id) => {
                self.on_host(host, |state| state.jobs.containers.retain(|one| one.id != *id));
            }
            Leftover::JobVolume(host, name) => {
                self.on_host(host, |state| state.jobs.volumes.retain(|one| one.name != *name));
            }
            Leftover::JobNetwork(host, id) => {
                self.on_host(host, |state| state.jobs.networks.retain(|one| one.id != *id));
            }
            Leftover::Network(host, id) => self.on_host(host, |state| {
                state.network.take_if(|network| network.id == *id);
                state.old_networks.retain(|network| network.id != *id);
            }),
            Leftover::KeptImage(host, mark) => self.on_host(host, |state| {
                if let Some(marks) = &mut state.kept_images {
                    marks.retain(|one| one != mark);
                }
            }),
            Leftover::Manager(_, system_id) => self.drop_row(system_id),
            Leftover::Record(id) => self.delete_record(*id),
        }
    }

    fn drop_row(&mut self, system_id: &SystemId) {
        for record in records(&mut self.look).into_iter().flatten() {
            if let Observed::Known { value: rows, .. } = &mut record.managers {
                rows.retain(|row| row.system_id != *system_id);
            }
        }
    }

    /// A number that nothing else has.
    fn count(&mut self) -> u64 {
        self.newest = self.newest.saturating_add(1);
        self.newest
    }
}

fn records(look: &mut Look) -> Option<&mut Vec<Record>> {
    match &mut look.records {
        Observed::Known { value, .. } => Some(value),
        Observed::Unknown { .. } => None,
    }
}
