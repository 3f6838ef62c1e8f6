//! Whose log is meant, and the engine that has it.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::adapters::Adapters;
use super::chosen_view::SpecPlace;
use super::failure::Failure;
use super::process::Process;
use crate::engine::Engine;
use crate::engine::own_log::OwnLog;
use crate::source::Loaded;
use crate::spec::{HostName, HostSpec, InstanceName};
use crate::view::nearest;
use crate::world::{ContainerState, WorkloadId};

/// What all names of runners begin with.
const BEGIN: &str = "autogit-runner-";

/// A runner that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Its name.
    pub(crate) name: String,
    /// Its host.
    pub(crate) host: HostName,
    /// Its container.
    pub(crate) id: WorkloadId,
    /// Its container runs.
    pub(crate) runs: bool,
}

/// The runner that `word` names on any declared host, by its name or a part that begins no other's,
/// and the way to its log.
pub(crate) async fn runner_log(
    place: &SpecPlace,
    word: &str,
    process: &Process,
    adapters: Adapters,
) -> Result<(Found, Arc<dyn OwnLog>), Failure> {
    let loaded = place.load(process, adapters).await?;
    let found = find(&loaded, word, process, adapters).await?;
    let host = loaded.spec.hosts.get(&found.host).cloned().unwrap_or_default();
    let log = (adapters.own_log)(&host, process).map_err(Failure::Failed)?;
    Ok((found, log))
}

/// Asks the engines alone: a log is read most when GitLab or AutoGit is what does not answer.
async fn find(
    loaded: &Loaded,
    word: &str,
    process: &Process,
    adapters: Adapters,
) -> Result<Found, Failure> {
    let instance = &loaded.spec.instance;
    let ask = async |(name, host): (&HostName, &HostSpec)| {
        let connected = (adapters.engine)(host, process);
        let listed = match connected {
            Ok(engine) => list(engine.as_ref(), name, instance).await,
            Err(error) => Err(error),
        };
        (name.clone(), listed)
    };
    let mut asked: FuturesUnordered<_> = loaded.spec.hosts.iter().map(ask).collect();
    let (mut runners, mut unread) = (Vec::new(), Vec::new());
    while let Some((host, listed)) = asked.next().await {
        match listed {
            Ok(listed) => runners.extend(listed),
            Err(error) => unread.push(format!("host `{host}` cannot be read: {error}")),
        }
        // The whole name is nobody else's; a host that is slow to fail is not waited for.
        if let Some(found) = runners.iter().find(|one: &&Found| one.name == word && one.runs) {
            return Ok(found.clone());
        }
    }
    runners.sort_by(|one, other| (!one.runs, &one.name).cmp(&(!other.runs, &other.name)));
    named(word, &runners, &unread).map_err(Failure::Failed)
}

async fn list(
    engine: &dyn Engine,
    host: &HostName,
    instance: &InstanceName,
) -> Result<Vec<Found>, String> {
    let list = engine.runners(instance).await.map_err(|error| error.to_string())?;
    let found = |name: String, id: WorkloadId, runs| Found { name, host: host.clone(), id, runs };
    let aside = list.aside.into_iter().map(|one| found(one.name.to_string(), one.id, false));
    let runners = list.runners.into_iter().map(|one| {
        let runs = matches!(one.state, ContainerState::Running { .. });
        found(one.name.to_string(), one.id, runs)
    });
    Ok(runners.chain(aside).collect())
}

/// The one that is meant, of `runners`, those that run first.
fn named(word: &str, runners: &[Found], unread: &[String]) -> Result<Found, String> {
    if let Some(found) = runners.iter().find(|one| one.name == word) {
        return Ok(found.clone());
    }
    let begins = |one: &&Found| {
        one.name.starts_with(word)
            || one.name.strip_prefix(BEGIN).is_some_and(|rest| rest.starts_with(word))
    };
    let meant: Vec<&Found> = runners.iter().filter(begins).collect();
    let names = |found: &[&Found]| {
        let names: Vec<String> = found.iter().map(|one| format!("`{}`", one.name)).collect();
        names.join(", ")
    };
    match meant.as_slice() {
        [one] => return Ok((*one).clone()),
        [] => {}
        several => {
            return Err(format!(
                "`{word}` begins the names of several runners\nhint: write more of it: {}",
                names(several)
            ));
        }
    }
    let near = nearest(word, runners.iter().map(|one| one.name.as_str()));
    let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    let hint = match (near.as_slice(), runners) {
        ([], []) => {
            "no runner is there now; they come with jobs, and `autogit job-log JOB` has what \
                     a job wrote"
                .to_owned()
        }
        ([], _) => format!("these are there: {}", names(&runners.iter().collect::<Vec<_>>())),
        (near, _) => format!("did you mean {}?", near.join(" or ")),
    };
    let mut told = vec![format!("no runner is called `{word}`")];
    told.extend(unread.iter().cloned());
    Err(format!("{}\nhint: {hint}", told.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runners(names: &[&str]) -> Vec<Found> {
        let host = HostName::new("local").unwrap();
        let found = |name: &&str| Found {
            name: (*name).to_owned(),
            host: host.clone(),
            id: WorkloadId::from_observed(name),
            runs: true,
        };
        names.iter().map(found).collect()
    }

    #[test]
    fn a_runner_is_named_by_what_begins_no_other_name() {
        let runners = runners(&[
            "autogit-runner-linux-amd64-1",
            "autogit-runner-linux-amd64-10",
            "autogit-runner-cuda-amd64-0",
        ]);
        let name = |word: &str| named(word, &runners, &[]).map(|found| found.name);
        for word in ["cuda", "autogit-runner-c", "autogit-runner-cuda-amd64-0"] {
            assert_eq!(name(word).unwrap(), "autogit-runner-cuda-amd64-0", "{word}");
        }
        assert_eq!(name("linux-amd64-10").unwrap(), "autogit-runner-linux-amd64-10");
        let whole = "autogit-runner-linux-amd64-1";
        assert_eq!(name(whole).unwrap(), whole, "though it begins another's");
        let several = name("linux").unwrap_err();
        assert!(several.contains("hint: write more of it: `autogit-runner-linux-amd64-1`, "));
        let near = name("autogit-runner-cuda-amd64-1").unwrap_err();
        assert!(near.contains("hint: did you mean `autogit-runner-cuda-amd64-0`"), "{near}");
    }

    #[test]
    fn where_a_host_is_silent_the_name_may_be_there() {
        let told = named("linux", &[], &["host `rack` cannot be read: no".to_owned()]);
        let told = told.unwrap_err();
        assert!(told.starts_with("no runner is called `linux`\nhost `rack` cannot be read: no\n"));
    }
}
