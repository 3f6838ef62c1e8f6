//! Records name the engines of all hosts in their notes, whichever of them comes first.

use std::collections::BTreeSet;

use autogit::plan::{Action, Facts, plan};
use autogit::spec::{Arch, HostName, PoolName};
use autogit::world::{
    EngineId, JobVolume, Leftover, Look, Manager, Mark, Observed, Question, RecordId,
    RecordSettings, RunnerName, Slot, SystemId, Variant, VolumeKind, World, questions,
};

use super::harness::{
    Doing, Spot, add_runner, ago, host_spec, look, lose, record, records_of, spec, state_of,
};

type Change = fn(&mut Look);

fn name(host: &str) -> HostName {
    HostName::new(host).unwrap()
}

/// As the harness has it.
fn engine(host: &str) -> EngineId {
    EngineId::from_observed(&format!("engine-of-{host}"))
}

fn marks(hosts: &[&str]) -> BTreeSet<Mark> {
    hosts.iter().map(|host| engine(host).mark()).collect()
}

fn linux() -> Variant {
    Variant::new(&PoolName::new("linux").unwrap(), Arch::Amd64)
}

/// A look with these hosts and one record, whose note names `noted`.
fn marked(hosts: &[&str], noted: &[&str]) -> Look {
    let mut spec = spec("pools: {linux: {tags: [docker]}}");
    spec.hosts = hosts.iter().map(|host| (name(host), host_spec())).collect();
    let mut look = look(spec, |_| Arch::Amd64);
    records_of(&mut look)[0].settings.marks = marks(noted);
    look
}

/// What a runner of an older version is called anywhere, or one of this version on the former host.
fn of_attic() -> SystemId {
    SystemId::new(&spec("pools: {}").instance, &engine("attic"), &linux(), Slot(0))
}

fn row(hours_ago: i64) -> Manager {
    Manager {
        system_id: of_attic(),
        contacted_at: Some(ago(hours_ago * 3600)),
        busy: false,
        job: None,
        caller: None,
    }
}

fn rows(look: &mut Look, rows: Vec<Manager>) {
    records_of(look)[0].managers = Observed::Known { at: ago(0), value: rows };
}

/// What the notes of the records get, by record.
fn corrected(look: &Look) -> Vec<(RecordId, RecordSettings)> {
    let decisions = plan(&World::of(look.clone())).decisions.into_iter();
    let changes = decisions.filter_map(|decision| match decision.action {
        Action::UpdateRecord { record, settings, .. } => {
            assert_eq!(decision.facts, Facts::Drift { settings: vec!["maintenance_note"] });
            Some((record, settings))
        }
        _ => None,
    });
    changes.collect()
}

/// The note that the one record gets.
fn note_of(look: &Look) -> Option<BTreeSet<Mark>> {
    let [(_, settings)] = corrected(look).try_into().ok()?;
    Some(settings.marks)
}

#[test]
fn a_note_of_one_host_is_made_one_of_all_hosts() {
    let mut look = marked(&["attic", "local", "rack"], &["local"]);
    let before = records_of(&mut look)[0].settings.clone();
    let id = records_of(&mut look)[0].id;
    let all = RecordSettings { marks: marks(&["attic", "local", "rack"]), ..before };
    assert_eq!(corrected(&look), [(id, all.clone())]);
    records_of(&mut look)[0].settings = all;
    assert_eq!(corrected(&look), []);
}

/// It would be another installation's as soon as its only host went, and hold up its variant.
#[test]
fn a_record_that_serves_no_more_is_marked_too() {
    let mut look = marked(&["attic", "local"], &["attic", "local"]);
    let mut older = record(&look, RecordId(3), &linux());
    older.settings.marks = marks(&["local"]);
    records_of(&mut look).push(older);
    let ids: Vec<RecordId> = corrected(&look).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [RecordId(3)]);
    look.memory.leftovers.insert(Leftover::Record(RecordId(3)));
    assert_eq!(corrected(&look), [], "it is deleted");
}

#[test]
fn a_note_without_a_mark_is_left_alone() {
    assert_eq!(corrected(&marked(&["attic", "local"], &[])), []);
}

#[test]
fn a_former_hosts_mark_goes_when_nothing_is_named_after_it() {
    let look = marked(&["local"], &["attic", "local"]);
    assert_eq!(note_of(&look), Some(marks(&["local"])));
}

#[test]
fn a_former_hosts_mark_stays_while_something_may_be_left_there() {
    let cases: [(&str, Change); 6] = [
        ("a row in contact", |look| rows(look, vec![row(23)])),
        ("a row that never told", |look| {
            rows(look, vec![Manager { contacted_at: None, ..row(0) }]);
        }),
        ("unknown rows", |look| lose(&mut records_of(look)[0].managers, 5, "502")),
        ("a host that is away", |look| {
            lose(&mut look.hosts.get_mut(&name("local")).unwrap().state, 5, "timed out");
        }),
        ("a runner of an older version", |look| {
            let spot = Spot { variant: linux(), slot: Slot(0), host: name("local") };
            add_runner(look, &spot, Doing::Idle(5));
            state_of(look, &name("local")).runners[0].system_id = of_attic();
        }),
        ("what is left of its job", |look| leave_volume(look, of_attic())),
    ];
    for (what, change) in cases {
        let mut look = marked(&["local"], &["attic", "local"]);
        change(&mut look);
        assert_eq!(note_of(&look), None, "{what}");
    }
    let mut look = marked(&["local"], &["attic", "local"]);
    rows(&mut look, vec![row(25)]);
    assert_eq!(note_of(&look), Some(marks(&["local"])), "a row that is silent for a day");
}

/// Any mark that is not known may be its.
#[test]
fn while_a_host_was_never_reached_marks_come_and_none_goes() {
    let mut look = marked(&["attic", "local", "rack"], &["attic", "former"]);
    let unknown = Observed::Unknown { since: ago(9), error: "timed out".into(), last: None };
    look.hosts.get_mut(&name("attic")).unwrap().state = unknown;
    assert_eq!(note_of(&look), Some(marks(&["attic", "former", "local", "rack"])));
}

/// Until then all hosts' runners were named after the first host.
#[test]
fn what_an_older_version_named_after_the_first_host_is_swept_as_ours() {
    let mut look = marked(&["attic", "local"], &["attic"]);
    let instance = look.spec.instance.clone();
    let new = SystemId::new(&instance, &engine("local"), &linux(), Slot(1));
    let rest = new.as_str().strip_prefix(&*SystemId::prefix(&instance, &engine("local").mark()));
    let of_old = SystemId::prefix(&instance, &engine("attic").mark()) + rest.unwrap();
    let old = SystemId::from_observed(&of_old);
    leave_volume(&mut look, old.clone());
    let asked = questions(&look).remove(&name("local")).unwrap();
    let runner = Some(RunnerName::from_observed("autogit-runner-linux-amd64-1"));
    assert_eq!(asked, [Question { system_id: old, name: runner }]);
}

fn leave_volume(look: &mut Look, system_id: SystemId) {
    let volume = JobVolume { name: "left".to_owned(), system_id, kind: VolumeKind::Temporary };
    state_of(look, &name("local")).jobs.volumes.push(volume);
}
