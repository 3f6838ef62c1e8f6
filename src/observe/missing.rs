//! What the hosts' lists lack is asked for by itself: a remembered runner by its container's id, then
//! by its name, and the owner of anything that would be swept by its name.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt, stream};

use super::host::read_logs;
use super::reads::PATIENCE;
use super::{Host, Observed};
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, RunnerList, Sighting};
use crate::spec::{HostName, InstanceName};
use crate::world::{
    Absence, HostState, Look, Question, RunnerName, SystemId, WorkloadId, questions,
};

/// Runners that one host is asked for in one look; the rest counts as not told. Far more than die
/// between two looks, and soon answered.
const ASKED_MAX: usize = 64;
/// At the same time: enough to hide the latency of ssh, few for an engine.
const ASKED_AT_ONCE: usize = 16;

/// The runners that each host had, by which a list that lacks one is found out.
#[derive(Debug, Default)]
pub(super) struct Remembered(BTreeMap<HostName, BTreeMap<WorkloadId, (SystemId, RunnerName)>>);

/// A runner to be asked for: the containers that are remembered of it, and its name.
#[derive(Debug, Default)]
struct Asked {
    ids: Vec<WorkloadId>,
    name: Option<RunnerName>,
}

/// What became of a question.
enum Answer {
    There(Vec<Sighting>),
    Not(Absence),
}

impl Remembered {
    /// Asks for all that the lists of `look` lack, and puts what is there after all into it;
    /// `before` is what was seen last.
    pub(super) async fn complete(
        &mut self,
        engines: &BTreeMap<HostName, std::sync::Arc<dyn Engine>>,
        look: &mut Look,
        before: &BTreeMap<HostName, Host>,
        clock: &Clock,
    ) {
        let mut questions = questions(look);
        let wanted: BTreeSet<(HostName, SystemId)> = questions
            .iter()
            .flat_map(|(host, all)| all.iter().map(|it| (host.clone(), it.system_id.clone())))
            .collect();
        let instance = &look.spec.instance;
        let hosts = look.hosts.iter_mut().filter_map(|(name, host)| {
            let Observed::Known { value, .. } = &mut host.state else { return None };
            let asked = self.asked(name, value, questions.remove(name).unwrap_or_default());
            let last = before.get(name).and_then(|host| host.state.last());
            Some((engines.get(name)?, value, asked, last))
        });
        let patience = clock.sleep(PATIENCE).shared();
        let asking = hosts.map(|(engine, state, asked, last)| {
            let patience = patience.clone();
            async move {
                complete(engine.as_ref(), instance, state, (asked, last), patience).await;
            }
        });
        join_all(asking).await;
        for (name, host) in &look.hosts {
            if let Some(state) = host.state.known() {
                let is_wanted = |id: &SystemId| wanted.contains(&(name.clone(), id.clone()));
                self.remember(name, state, |id, its| {
                    look.memory.runners.get(id).is_some_and(|it| it.at_work.is_some())
                        || is_wanted(its)
                });
            }
        }
    }

    fn asked(
        &self,
        host: &HostName,
        state: &HostState,
        questions: Vec<Question>,
    ) -> BTreeMap<SystemId, Asked> {
        let mut asked: BTreeMap<SystemId, Asked> = BTreeMap::new();
        for Question { system_id, name } in questions {
            asked.insert(system_id, Asked { ids: Vec::new(), name });
        }
        let runners = state.runners.iter().map(|runner| &runner.id);
        let listed: BTreeSet<&WorkloadId> =
            runners.chain(state.aside.iter().map(|aside| &aside.id)).collect();
        for (id, (system_id, name)) in self.0.get(host).into_iter().flatten() {
            if !listed.contains(id) {
                let asked = asked.entry(system_id.clone()).or_default();
                asked.ids.push(id.clone());
                asked.name.get_or_insert_with(|| name.clone());
            }
        }
        asked
    }

    /// Remembers those that are there, those that the host did not tell of, and those that are
    /// missing as long as something of theirs is there.
    fn remember(
        &mut self,
        host: &HostName,
        state: &HostState,
        is_wanted: impl Fn(&WorkloadId, &SystemId) -> bool,
    ) {
        let remembered = self.0.entry(host.clone()).or_default();
        remembered.retain(|id, (system_id, _)| match state.missing.get(system_id) {
            Some(Absence::Unsaid(_)) => true,
            Some(Absence::Gone { .. } | Absence::Nameless) | None => is_wanted(id, system_id),
        });
        for runner in &state.runners {
            let known = (runner.system_id.clone(), runner.name.clone());
            remembered.insert(runner.id.clone(), known);
        }
        for aside in &state.aside {
            if let Some(system_id) = &aside.system_id {
                remembered.insert(aside.id.clone(), (system_id.clone(), aside.name.clone()));
            }
        }
    }
}

async fn complete(
    engine: &dyn Engine,
    instance: &InstanceName,
    state: &mut HostState,
    (asked, last): (BTreeMap<SystemId, Asked>, Option<&HostState>),
    patience: impl Future<Output = ()> + Clone,
) {
    let mut found = RunnerList::default();
    let (now, later): (Vec<_>, Vec<_>) =
        asked.into_iter().enumerate().partition(|(place, _)| *place < ASKED_MAX);
    let answers = now.into_iter().map(|(_, (system_id, asked))| {
        let patience = patience.clone();
        async move {
            let answer = tokio::select! {
                biased;
                answer = ask(engine, instance, &system_id, asked) => answer,
                () = patience => Answer::Not(Absence::Unsaid("no answer came in time".into())),
            };
            (system_id, answer)
        }
    });
    let answers: Vec<_> = answers.collect();
    let mut answers = stream::iter(answers).buffered(ASKED_AT_ONCE);
    while let Some((system_id, answer)) = answers.next().await {
        match answer {
            Answer::There(sightings) => sightings.into_iter().for_each(|it| found.add(it)),
            Answer::Not(missing) => drop(state.missing.insert(system_id, missing)),
        }
    }
    for (_, (system_id, _)) in later {
        let unsaid = Absence::Unsaid("others are asked for first".into());
        state.missing.insert(system_id, unsaid);
    }
    read_logs(engine, &mut found.runners, last).await;
    add(state, found);
}

/// Asks by the remembered ids, and if none of them is there, by the name.
async fn ask(
    engine: &dyn Engine,
    instance: &InstanceName,
    system_id: &SystemId,
    asked: Asked,
) -> Answer {
    match look(engine, instance, system_id, &asked).await {
        Ok(found) if !found.is_empty() => Answer::There(found),
        Ok(_) => Answer::Not(match asked.name {
            Some(name) => Absence::Gone { name },
            None => Absence::Nameless,
        }),
        Err(error) => {
            let error = error.to_string();
            let error = error.lines().next().unwrap_or_default();
            Answer::Not(Absence::Unsaid(error.into()))
        }
    }
}

async fn look(
    engine: &dyn Engine,
    instance: &InstanceName,
    system_id: &SystemId,
    asked: &Asked,
) -> Result<Vec<Sighting>, EngineError> {
    let mut found = Vec::new();
    for id in &asked.ids {
        found.extend(engine.find(instance, id.as_str()).await?);
    }
    if let Some(name) = asked.name.as_ref().filter(|_| found.is_empty()) {
        let named = engine.find(instance, name.as_str()).await?;
        // One whose own label cannot be read may be anybody's: its name says that it is this one.
        found.extend(named.filter(|it| it.system_id().is_none_or(|its| its == system_id)));
    }
    Ok(found)
}

/// Adds what was found, once, where it was not listed.
fn add(state: &mut HostState, found: RunnerList) {
    let listed = |state: &HostState, id: &WorkloadId| {
        state.runners.iter().any(|runner| runner.id == *id)
            || state.aside.iter().any(|aside| aside.id == *id)
    };
    for runner in found.runners {
        if !listed(state, &runner.id) {
            state.runners.push(runner);
        }
    }
    for aside in found.aside {
        if !listed(state, &aside.id) {
            state.aside.push(aside);
        }
    }
    state.runners.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    state.aside.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
}
