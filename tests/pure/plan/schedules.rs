//! Warm runners by the time of the week: which number holds when, and until when.

use autogit::plan::{Action, RunnerHold, plan};
use autogit::spec::{Arch, Schedule, Warm};
use autogit::world::{Look, World};
use jiff::{SignedDuration, Timestamp};

use crate::plan::harness::{Doing, NOW, add_runner, look, spec};
use crate::plan::words::spot;

/// The schedule of these entries, with nobody outside of them.
fn schedule(entries: &str) -> Schedule {
    let text = format!("pools: {{linux: {{tags: [docker], warm: {{schedule: [{entries}]}}}}}}");
    let Warm::Scheduled(schedule) = &spec(&text).pools[0].warm else { panic!("{entries}") };
    schedule.clone()
}

fn judged(look: &Look) -> World {
    World::of(look.clone())
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// All changes of the number between two times, as the schedule tells of each the next.
fn changes(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let mut at = instant(from);
    let mut said = vec![format!("{} at first", schedule.number(at))];
    while let Some((next, number)) = schedule.next(at).filter(|(next, _)| *next < instant(to)) {
        assert!(next > at, "{next} comes after {at}");
        let before = next - SignedDuration::from_secs(1);
        assert_eq!(schedule.number(before), schedule.number(at), "{before} is as {at}");
        assert_eq!(schedule.number(next), number, "at {next}");
        said.push(format!("{number} from {next}"));
        at = next;
    }
    said
}

const OFFICE: &str =
    "{days: mon-fri, from: '08:00', to: '18:00', timezone: Europe/Berlin, warm: 2}";

#[test]
fn an_office_day_keeps_to_its_clock_when_summer_ends() {
    // On 25 October 2026 at 03:00 the clocks of Berlin go back to 02:00.
    assert_eq!(
        changes(&schedule(OFFICE), "2026-10-23T12:00:00Z", "2026-10-27T00:00:00Z"),
        [
            "2 at first",
            "0 from 2026-10-23T16:00:00Z",
            "2 from 2026-10-26T07:00:00Z",
            "0 from 2026-10-26T17:00:00Z"
        ]
    );
}

#[test]
fn an_office_day_keeps_to_its_clock_when_summer_begins() {
    // On 29 March 2026 at 02:00 the clocks of Berlin go on to 03:00.
    assert_eq!(
        changes(&schedule(OFFICE), "2026-03-27T12:00:00Z", "2026-03-31T00:00:00Z"),
        [
            "2 at first",
            "0 from 2026-03-27T17:00:00Z",
            "2 from 2026-03-30T06:00:00Z",
            "0 from 2026-03-30T16:00:00Z"
        ]
    );
}

#[test]
fn a_night_ends_on_the_day_after_the_last_of_its_days() {
    let night = "{days: fri, from: '22:00', to: '06:00', timezone: UTC, warm: 1}";
    assert_eq!(
        changes(&schedule(night), "2026-01-01T00:00:00Z", "2026-01-09T00:00:00Z"),
        ["0 at first", "1 from 2026-01-02T22:00:00Z", "0 from 2026-01-03T06:00:00Z"]
    );
}

#[test]
fn a_night_is_an_hour_longer_when_summer_ends_and_shorter_when_it_begins() {
    let night = "{days: sat, from: '22:00', to: '06:00', timezone: Europe/Berlin, warm: 1}";
    let hours = |from: &str, to: &str| changes(&schedule(night), from, to);
    assert_eq!(
        hours("2026-10-24T00:00:00Z", "2026-10-26T00:00:00Z"),
        ["0 at first", "1 from 2026-10-24T20:00:00Z", "0 from 2026-10-25T05:00:00Z"]
    );
    assert_eq!(
        hours("2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z"),
        ["0 at first", "1 from 2026-03-28T21:00:00Z", "0 from 2026-03-29T04:00:00Z"]
    );
}

#[test]
fn of_a_time_that_the_clock_shows_twice_the_first_is_meant() {
    let early = "{from: '02:30', to: '03:30', timezone: Europe/Berlin, warm: 1}";
    assert_eq!(
        changes(&schedule(early), "2026-10-25T00:00:00Z", "2026-10-25T12:00:00Z"),
        ["0 at first", "1 from 2026-10-25T00:30:00Z", "0 from 2026-10-25T02:30:00Z"]
    );
    let late = "{from: '01:00', to: '02:30', timezone: Europe/Berlin, warm: 1}";
    assert_eq!(
        changes(&schedule(late), "2026-10-24T22:00:00Z", "2026-10-25T12:00:00Z"),
        ["0 at first", "1 from 2026-10-24T23:00:00Z", "0 from 2026-10-25T00:30:00Z"]
    );
}

#[test]
fn a_time_that_the_clock_jumps_over_is_as_much_later_as_it_jumps() {
    let across = "{from: '01:30', to: '02:30', timezone: Europe/Berlin, warm: 1}";
    assert_eq!(
        changes(&schedule(across), "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z"),
        ["0 at first", "1 from 2026-03-29T00:30:00Z", "0 from 2026-03-29T01:30:00Z"]
    );
    // What lies in the jump as a whole is as long as on any day, and an hour later.
    let within = "{from: '02:10', to: '02:40', timezone: Europe/Berlin, warm: 1}";
    assert_eq!(
        changes(&schedule(within), "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z"),
        ["0 at first", "1 from 2026-03-29T01:10:00Z", "0 from 2026-03-29T01:40:00Z"]
    );
    // What begins in it and ends after it: from 02:30 to 03:30 is no time on that day.
    let ends_after = "{from: '02:30', to: '03:30', timezone: Europe/Berlin, warm: 1}";
    assert_eq!(
        changes(&schedule(ends_after), "2026-03-28T02:00:00Z", "2026-03-30T12:00:00Z"),
        [
            "1 at first",
            "0 from 2026-03-28T02:30:00Z",
            "1 from 2026-03-30T00:30:00Z",
            "0 from 2026-03-30T01:30:00Z"
        ]
    );
}

#[test]
fn a_whole_day_goes_over_into_the_next() {
    let week = "{days: mon-sun, from: '00:00', to: '24:00', timezone: Europe/Berlin, warm: 3}";
    let schedule = schedule(week);
    assert_eq!(schedule.next(instant("2026-10-24T00:00:00Z")), None);
    assert_eq!(schedule.number(instant("2026-10-25T01:30:00Z")), 3);
}

#[test]
fn the_first_entry_that_is_on_counts() {
    let two = "{days: fri, from: '09:00', to: '10:00', timezone: UTC, warm: 4}, \
               {days: mon-fri, from: '08:00', to: '18:00', timezone: UTC, warm: 2}";
    let schedule = schedule(two);
    assert_eq!(
        changes(&schedule, "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
        [
            "0 at first",
            "2 from 2026-01-02T08:00:00Z",
            "4 from 2026-01-02T09:00:00Z",
            "2 from 2026-01-02T10:00:00Z",
            "0 from 2026-01-02T18:00:00Z"
        ]
    );
    assert_eq!(schedule.entry(instant("2026-01-02T09:30:00Z")), Some(0));
    assert_eq!(schedule.entry(instant("2026-01-02T10:30:00Z")), Some(1));
    assert_eq!(schedule.entry(instant("2026-01-03T10:30:00Z")), None);
}

#[test]
fn entries_of_two_time_zones_have_clocks_of_their_own() {
    let two = "{days: fri, from: '08:00', to: '12:00', timezone: Europe/Berlin, warm: 2}, \
               {days: fri, from: '08:00', to: '12:00', timezone: America/New_York, warm: 1}";
    assert_eq!(
        changes(&schedule(two), "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
        [
            "0 at first",
            "2 from 2026-01-02T07:00:00Z",
            "0 from 2026-01-02T11:00:00Z",
            "1 from 2026-01-02T13:00:00Z",
            "0 from 2026-01-02T17:00:00Z"
        ]
    );
}

/// 03:04:05 in UTC on a Friday is [`NOW`].
const UNTIL_SOON: &str = "\
pools:
  linux: {tags: [docker], cooldown: 10m, warm: {schedule: [{days: fri, from: '03:00', to: '03:05', timezone: UTC, warm: 2}]}}
";

#[test]
fn the_end_of_a_schedule_takes_idle_runners_alone() {
    let mut look = look(spec(UNTIL_SOON), |_| Arch::Amd64);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(7_200));
    add_runner(&mut look, &spot("linux/1"), Doing::Busy(8001, 60));
    let kept = plan(&judged(&look));
    assert!(kept.held_runners.iter().any(|held| matches!(held.hold, RunnerHold::Warm)));
    look.now += SignedDuration::from_mins(1);
    let decisions = plan(&judged(&look)).decisions;
    let drained: Vec<String> = decisions
        .iter()
        .filter(|one| matches!(one.action, Action::Drain { .. }))
        .filter_map(|one| Some(one.action.runner()?.to_string()))
        .collect();
    assert_eq!(drained, ["autogit-runner-linux-amd64-0"]);
}

#[test]
fn a_clock_that_is_set_back_behind_a_schedule_drains_nobody_for_it() {
    let mut look = look(spec(UNTIL_SOON), |_| Arch::Amd64);
    add_runner(&mut look, &spot("linux/0"), Doing::Idle(30));
    add_runner(&mut look, &spot("linux/1"), Doing::Idle(30));
    // At 02:04:05 the schedule is not on, and both became idle an hour later.
    look.now = NOW - SignedDuration::from_hours(1);
    let plan = plan(&judged(&look));
    assert_eq!(plan.decisions.len(), 0, "{:?}", plan.decisions);
    let Warm::Scheduled(schedule) = &look.spec.pools[0].warm else { panic!() };
    assert_eq!(schedule.next(look.now), Some((instant("2026-01-02T03:00:00Z"), 2)));
}
