//! Whose view a command shows: that of the AutoGit that runs, or of a look of its own. Decided here
//! once, so that all commands agree, and said in the first line of each.

use std::path::PathBuf;

use super::adapters::Adapters;
use super::failure::Failure;
use super::own_look::OwnLook;
use super::process::Process;
use super::running::{Running, Whose};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::source::{InstanceLock, LoadError, Loaded, LockError, NoOrigin, Origin, load};
use crate::spec::InstanceName;
use crate::view::{MemoryOutput, PlanOutput, StatusOutput, words};
use crate::world::Memory;

/// Where the spec is.
#[derive(Debug, Clone)]
pub(crate) struct SpecPlace {
    /// As it was named, or the standard one.
    pub(crate) path: PathBuf,
    /// Somebody named it.
    pub(crate) is_named: bool,
    /// Files with variables.
    pub(crate) env_files: Vec<PathBuf>,
}

impl SpecPlace {
    /// The place, with the way to it. Nothing is read yet.
    pub(crate) fn origin(&self, process: &Process, adapters: Adapters) -> Result<Origin, NoOrigin> {
        adapters.origin(&self.path, &self.env_files, process)
    }

    /// The spec that is there.
    pub(crate) async fn load(
        &self,
        process: &Process,
        adapters: Adapters,
    ) -> Result<Loaded, Failure> {
        let origin = self.origin(process, adapters)?;
        let environment = process.environment(&self.env_files);
        let loaded = load(&origin, &environment, process.clock().now()).await;
        loaded.map_err(|error| Failure::spec(&error))
    }
}

/// Who is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asking {
    /// GitLab and the engines, even if a running AutoGit could answer.
    pub(crate) direct: bool,
    /// The AutoGit at this address instead of the one that runs here.
    pub(crate) server: Option<String>,
    /// The token that the AutoGit at that address takes; else the file's own.
    pub(crate) token: Option<SecretString>,
}

/// What a command asks for.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) place: SpecPlace,
    pub(crate) asking: Asking,
    pub(crate) about: About,
}

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// What the file asks for: another file than the one in force is planned anew.
    File,
    /// The same, but where the file is faulty, the spec in force will do.
    FileOrForce,
    /// What is there.
    Present,
}

/// The view that a command shows, and what is said of it first.
pub(crate) struct ChosenView {
    head: Vec<String>,
    /// What is worth a word about the file.
    warnings: Vec<String>,
    pub(crate) whose: WhoseView,
}

/// Whose view.
pub(crate) enum WhoseView {
    /// That of the AutoGit that runs.
    Running(Box<RunningView>),
    /// That of this process.
    Own(Box<OwnLook>),
}

/// The AutoGit that runs, and what it sees.
pub(crate) struct RunningView {
    pub(crate) running: Running,
    pub(crate) status: StatusOutput,
    /// The file, where it can be read here.
    pub(crate) loaded: Option<Loaded>,
}

impl ChosenView {
    /// Decides whose view is shown.
    pub(crate) async fn choose(
        question: &Question,
        process: &Process,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let Question { place, asking, about } = question;
        let origin = &place.origin(process, adapters)?;
        let environment = process.environment(&place.env_files);
        let read = || load(origin, &environment, process.clock().now());
        if asking.direct {
            let loaded = usable(read().await)?;
            let head = match lock_holder(&loaded.spec.instance, process).await {
                Some(pid) => {
                    format!("AutoGit runs{pid}; looked directly, without its memory, as asked")
                }
                None => not_running(&loaded),
            };
            return Self::own(&loaded, vec![head], None, process, adapters).await;
        }
        let (running, file) = if let Some(url) = &asking.server {
            let running = Running::named(url, process, adapters).await;
            let silent = || Failure::Failed(format!("no AutoGit answers at {url}"));
            // Whoever names a server alone means that one, whatever lies in this folder.
            let running = running.ok_or_else(silent)?.with_token(asking.token.clone());
            (Some(running), if place.is_named { Some(read().await) } else { None })
        } else {
            let file = read().await;
            let whose = match &file {
                Ok(loaded) => Whose::Spec(&loaded.spec),
                Err(_) => Whose::File(origin),
            };
            let found = Running::find(&whose, process, adapters).await;
            // Who names a file that is not there means no AutoGit but the one that had it.
            let running = match &file {
                Err(LoadError::Missing { .. }) if place.is_named => {
                    found.ok().flatten().filter(|running| running.is_of(origin))
                }
                Ok(_) | Err(_) => found?,
            };
            (running, Some(file))
        };
        let Some(running) = running else {
            let file = match file {
                Some(file) => file,
                None => read().await,
            };
            return Self::alone(&usable(file)?, process, adapters).await;
        };
        if let Some(Ok(loaded)) = &file
            && loaded.spec.instance.as_str() != running.instance()
        {
            let (its, ours) = (running.instance(), &loaded.spec.instance);
            return Err(Failure::Usage(format!(
                "error: that AutoGit is of instance `{its}`, and the file's is `{ours}`"
            )));
        }
        let running = match &file {
            Some(Ok(loaded)) => running.with_token_of(&loaded.spec),
            Some(Err(_)) | None => running,
        };
        Self::beside(running, file, (origin, place.is_named, *about), process, adapters).await
    }

    /// The AutoGit that runs; a look of this process will not do.
    pub(crate) async fn running(
        question: &Question,
        process: &Process,
        adapters: Adapters,
    ) -> Result<RunningView, Failure> {
        match Self::choose(question, process, adapters).await?.whose {
            WhoseView::Running(there) => Ok(*there),
            WhoseView::Own(_) => Err(Failure::Failed(
                "no AutoGit that has looked answers here\n\
                 hint: `autogit status` looks by itself; `--server URL` names one elsewhere"
                    .to_owned(),
            )),
        }
    }

    /// No AutoGit answers.
    async fn alone(
        loaded: &Loaded,
        process: &Process,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let head = match lock_holder(&loaded.spec.instance, process).await {
            Some(pid) => format!(
                "AutoGit runs{pid} and its API does not answer; looked directly, without its memory"
            ),
            None => not_running(loaded),
        };
        Self::own(loaded, vec![head], None, process, adapters).await
    }

    /// One answers, and the file may say something else than what is in force there.
    async fn beside(
        running: Running,
        file: Option<Result<Loaded, LoadError>>,
        (origin, named, about): (&Origin, bool, About),
        process: &Process,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let mut head = vec![running.head()];
        if !running.has_looked() {
            let loaded = match file {
                Some(file) => usable(file)?,
                None => return Err(Failure::Failed(running.head())),
            };
            head.push("looked directly".to_owned());
            return Self::own(&loaded, head, None, process, adapters).await;
        }
        let status: StatusOutput = running.get("/status").await?;
        let loaded = match file {
            None => None,
            Some(Ok(loaded)) if about == About::Present || loaded.hash == status.spec.hash => {
                Some(loaded)
            }
            Some(Ok(loaded)) => {
                let memory: Option<MemoryOutput> = running.get("/memory").await.ok();
                let with = if memory.is_some() { "with" } else { "without" };
                let (file, hash, its) = (&loaded.source, &loaded.hash, &status.spec.hash);
                head.insert(
                    0,
                    format!(
                        "{file}@{hash} is not the spec in force (@{its}): planned again, by a look \
                         from here {with} the memory of the AutoGit that runs"
                    ),
                );
                let memory = memory.map(|memory| memory.memory()).unwrap_or_default();
                return Self::own(&loaded, head, Some(memory), process, adapters).await;
            }
            Some(Err(LoadError::Missing { .. })) if !named => None,
            Some(Err(error)) => {
                let elsewhere = status.spec.valid && running.is_of(origin);
                if about == About::File && !elsewhere {
                    return Err(Failure::spec(&error));
                }
                let words = error.to_string();
                let words = words.lines().next().unwrap_or_default();
                head.push(if elsewhere {
                    format!("this shell cannot read that AutoGit's spec as it does: {words}")
                } else {
                    format!("the file is refused, and this is about the spec in force: {words}")
                });
                None
            }
        };
        let whose = WhoseView::Running(Box::new(RunningView { running, status, loaded }));
        Ok(Self { head, warnings: Vec::new(), whose })
    }

    async fn own(
        loaded: &Loaded,
        head: Vec<String>,
        lent: Option<Memory>,
        process: &Process,
        adapters: Adapters,
    ) -> Result<Self, Failure> {
        let warnings = loaded.warnings.iter().map(|warning| format!("warning: {warning}"));
        let warnings = warnings.collect();
        let another = lent.is_some() || lock_holder(&loaded.spec.instance, process).await.is_some();
        let mut own = OwnLook::open(loaded, another, process, adapters)?;
        if let Some(memory) = lent {
            own.borrow_memory(memory);
        }
        Ok(Self { head, warnings, whose: WhoseView::Own(Box::new(own)) })
    }

    /// What is said first: whose view this is.
    pub(crate) fn head(&self) -> &[String] {
        &self.head
    }

    /// What is worth a word about the file.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The plan as it is seen, or what it would be were it that time for the schedules.
    pub(crate) async fn plan(&mut self, at: Option<Timestamp>) -> Result<PlanOutput, Failure> {
        match &mut self.whose {
            WhoseView::Running(there) => {
                let plan = there.running.get(&plan_page(at)).await?;
                is_planned_for(&plan, at)?;
                Ok(plan)
            }
            WhoseView::Own(own) => Ok(own.plan(at).await),
        }
    }
}

/// Where a running AutoGit tells its plan.
pub(crate) fn plan_page(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "/plan".to_owned(), |at| format!("/plan?at={}", words::instant(at)))
}

/// An AutoGit that knows nothing of schedules tells the plan of now.
pub(crate) fn is_planned_for(plan: &PlanOutput, at: Option<Timestamp>) -> Result<(), Failure> {
    if at.is_some() && plan.schedules_at.is_none() {
        let words = "the AutoGit that runs plans for no other time\nhint: it is of an older version; \
                     `--direct` looks and plans from here";
        return Err(Failure::Failed(words.to_owned()));
    }
    Ok(())
}

fn usable(file: Result<Loaded, LoadError>) -> Result<Loaded, Failure> {
    file.map_err(|error| Failure::spec(&error))
}

fn not_running(loaded: &Loaded) -> String {
    format!("no AutoGit of instance {} runs on this machine; looked directly", loaded.spec.instance)
}

/// Who holds the instance's lock on this machine, in words; `None`: nobody. Other commands hold it
/// for a moment, so it is looked at again before it counts.
async fn lock_holder(instance: &InstanceName, process: &Process) -> Option<String> {
    const TRIES: u32 = 3;
    let mut holder = None;
    for _ in 0..TRIES {
        match InstanceLock::acquire(instance, &process.lock_folders()) {
            Err(LockError::Held { pid, .. }) => {
                holder = Some(pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default());
            }
            Ok(_) | Err(LockError::NotOurs { .. } | LockError::NoFolder { .. }) => return None,
        }
        process.clock().sleep(std::time::Duration::from_millis(20)).await;
    }
    holder
}
