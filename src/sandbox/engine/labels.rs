//! Labels on the simulated engine's objects: AutoGit's are written and read as the Docker adapter
//! does, gitlab-runner's are read.

use std::sync::Arc;

use super::container::{Container, Odd};
use crate::engine::NewRunner;
use crate::sandbox::runner::{Labels, PREFIX};
use crate::spec::{Arch, Cost, Cpus, GpuIds, InstanceName, PoolName};
use crate::world::{
    ContainerId, JobContainer, JobId, ProjectId, RecordId, RunnerName, SetAside, Slot, SpecHash,
    SystemId, Variant, VolumeKind,
};

const OURS: &str = "io.autogit.";

/// What a runner's labels say.
pub(super) struct RunnerLabels {
    pub(super) variant: Variant,
    pub(super) slot: Slot,
    pub(super) system_id: SystemId,
    pub(super) record: RecordId,
    pub(super) spec: SpecHash,
    pub(super) cost: Option<Cost>,
}

impl RunnerLabels {
    /// `None`: not a runner of ours, or of a schema that is not ours.
    pub(super) fn read(labels: &Labels) -> Option<Self> {
        let label = |name| ours(labels, name);
        let pool = PoolName::new(label("pool")?).ok()?;
        Some(Self {
            variant: Variant::new(&pool, Arch::parse(label("arch")?)?),
            slot: Slot(label("slot")?.parse().ok()?),
            system_id: SystemId::from_observed(label("system-id")?),
            record: RecordId(label("record")?.parse().ok()?),
            spec: SpecHash::labelled(label("schema")?, label("spec")?)?,
            cost: cost(label),
        })
    }
}

/// What is known of a container of ours that cannot be read.
pub(super) fn set_aside(id: &ContainerId, container: &Container, why: Arc<str>) -> SetAside {
    let odd = match &container.odd {
        Some(Odd::Label(name)) => Some(name.as_str()),
        Some(Odd::State(_)) | None => None,
    };
    let label = |name| ours(&container.labels, name).filter(|_| odd != Some(name));
    let pool = label("pool").and_then(|pool| PoolName::new(pool).ok());
    let arch = label("arch").and_then(Arch::parse);
    SetAside {
        id: id.clone().into(),
        name: RunnerName::from_observed(&container.name),
        variant: pool.zip(arch).map(|(pool, arch)| Variant::new(&pool, arch)),
        slot: label("slot").and_then(|slot| slot.parse().ok()).map(Slot),
        system_id: label("system-id").map(SystemId::from_observed),
        record: label("record").and_then(|record| record.parse().ok()).map(RecordId),
        cost: cost(label).filter(|_| odd != Some("gpus")),
        why,
    }
}

/// What a runner was made with, if its labels tell.
fn cost<'a>(label: impl Fn(&'static str) -> Option<&'a str>) -> Option<Cost> {
    let number = |name| label(name)?.parse().ok();
    let gpus = label("gpus").map_or_else(|| Some(GpuIds::default()), GpuIds::parse)?;
    let cpus = Cpus::of_thousandths(number("cpus")?);
    Some(Cost { cpus, memory: number("memory")?, gpus })
}

/// The labels of a runner to be made.
pub(super) fn of_runner(runner: &NewRunner) -> Labels {
    let mut labels = runner.labels.clone();
    labels.extend(of_instance(&runner.instance));
    let mut set = |name: &str, value: String| labels.insert(format!("{OURS}{name}"), value);
    set("pool", runner.variant.pool.to_string());
    set("arch", runner.variant.arch.to_string());
    set("slot", runner.slot.to_string());
    set("system-id", runner.system_id.to_string());
    set("record", runner.record.to_string());
    set("cpus", runner.cost.cpus.thousandths().to_string());
    set("memory", runner.cost.memory.to_string());
    if !runner.cost.gpus.is_empty() {
        set("gpus", runner.cost.gpus.to_string());
    }
    set("spec", runner.spec.to_string());
    set("schema", runner.spec.schema().to_owned());
    labels
}

/// The label that makes an object an instance's.
pub(super) fn of_instance(instance: &InstanceName) -> Labels {
    Labels::from([(format!("{OURS}instance"), instance.to_string())])
}

/// Whose an object is.
pub(super) fn instance(labels: &Labels) -> Option<&str> {
    ours(labels, "instance")
}

/// The system id that AutoGit put on a container.
pub(super) fn our_system_id(labels: &Labels) -> Option<&str> {
    ours(labels, "system-id")
}

/// The system id that gitlab-runner put on an object of a job.
pub(super) fn job_system_id(labels: &Labels) -> Option<SystemId> {
    if theirs(labels, "managed")? != "true" {
        return None;
    }
    theirs(labels, "runner.system_id").map(SystemId::from_observed)
}

/// What a job's volume is for.
pub(super) fn kind(name: &str, labels: &Labels) -> VolumeKind {
    VolumeKind::of(name, theirs(labels, "reusable"))
}

/// What a job's container is, if it is one.
pub(super) fn job_container(id: &ContainerId, container: &Container) -> Option<JobContainer> {
    let labels = &container.labels;
    Some(JobContainer {
        id: id.clone(),
        system_id: job_system_id(labels)?,
        job: theirs(labels, "job.id").and_then(|id| id.parse().ok()).map(JobId),
        job_url: theirs(labels, "job.url").map(str::to_owned),
        project: theirs(labels, "project.id").and_then(|id| id.parse().ok()).map(ProjectId),
        runner: ours(labels, "runner").map(RunnerName::from_observed),
        kind: theirs(labels, "type").unwrap_or_default().to_owned(),
        running: container.runs(),
    })
}

fn ours<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    labels.get(&format!("{OURS}{name}")).map(String::as_str)
}

fn theirs<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    labels.get(&format!("{PREFIX}{name}")).map(String::as_str)
}
