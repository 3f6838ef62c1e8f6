//! Which spec is in force, and what is wrong with the one that should be.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::environment::Environment;
use super::error::LoadError;
use super::load::{Loaded, Noted, load_text};
use super::origin::{Origin, Text};
use crate::clock::Clock;
use crate::spec::{self, InstanceName, Spec, shown_changes};

/// Why a file does not come into force.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// It cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It is another instance's. Taking it would leave every runner, record and network of the
    /// present one without an owner, and the lock of the other one was never taken.
    #[error(
        "`instance` is `{asked}` in the file and `{running}` in the AutoGit that runs\nhint: set it back, or restart AutoGit; what `{running}` owns stays until it is swept under that name"
    )]
    Instance {
        /// The running instance.
        running: InstanceName,
        /// The file's.
        asked: InstanceName,
    },
    /// It does not fit whoever runs with it.
    #[error("{0}")]
    Unfit(String),
    /// No connection can be made with it.
    #[error("{0}")]
    Unusable(String),
}

/// What a spec has to fulfil beyond being right; the error is in words, with a hint.
pub type Condition = dyn Fn(&Spec) -> Result<(), String> + Send;

/// No condition, or one.
struct Fitness(Option<Box<Condition>>);

impl Fitness {
    fn check(&self, spec: &Spec) -> Result<(), Refusal> {
        self.0.as_ref().map_or(Ok(()), |condition| condition(spec).map_err(Refusal::Unfit))
    }
}

impl fmt::Debug for Fitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fitness").field(&self.0.is_some()).finish()
    }
}

impl Refusal {
    /// As [`LoadError::in_words`].
    pub fn in_words(&self) -> String {
        match self {
            Self::Load(error) => error.in_words(),
            Self::Instance { .. } | Self::Unfit(_) | Self::Unusable(_) => self.to_string(),
        }
    }
}

/// What is wrong with a file that should be in force and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingFault {
    /// All of it, by place and with hints; logs and pages show it, so no value of the file is in
    /// it.
    pub text: String,
    /// When the file was first found to be wrong; another fault in between does not count.
    pub since: Timestamp,
}

/// What the file says otherwise than what is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// Of a refused file, by path. What may be a secret is not compared.
    pub changes: Vec<String>,
    /// The fields whose present value waits for a restart.
    pub after_restart: Vec<&'static str>,
}

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// Nothing is new; nothing needs to be said.
    Unchanged,
    /// The file is again the one in force, and its fault is gone.
    Recovered,
    /// Another commit has the text that is in force; its fault, if there was one, is gone.
    OtherCommit,
    /// A new spec is in force.
    Changed {
        /// What is different, in the operator's terms, secrets as `***`. Empty when it is only
        /// how the file is written.
        diff: Vec<String>,
        /// The fields whose present value waits for a restart.
        after_restart: Vec<&'static str>,
    },
    /// The spec in force stays, as the file cannot take its place.
    Refused {
        /// What is wrong with the file, or with a file that it names.
        fault: PendingFault,
        /// The same as was said of the last reload.
        repeated: bool,
    },
}

/// The spec in force and the place it comes from.
#[derive(Debug)]
pub struct SpecSource {
    origin: Origin,
    environment: Environment,
    clock: Clock,
    loaded: Arc<Loaded>,
    /// The files of the spec in force.
    noted: Noted,
    /// Those of the last one that was read.
    noted_last: Noted,
    fault: Option<PendingFault>,
    pending: Arc<Pending>,
    fitness: Fitness,
    /// Where the API listens: what the first spec said.
    listening: std::net::SocketAddr,
}

impl SpecSource {
    /// Loads the first spec: without one, there is nothing to fall back to.
    pub async fn open(
        origin: Origin,
        environment: Environment,
        clock: Clock,
    ) -> Result<Self, LoadError> {
        let mut noted = Noted::default();
        let read = origin.read().await;
        let loaded = Arc::new(load_text(&origin, read, &environment, clock.now(), &mut noted)?);
        let noted_last = noted.clone();
        let listening = loaded.spec.api.listen;
        Ok(Self {
            origin,
            environment,
            clock,
            loaded,
            noted,
            noted_last,
            fault: None,
            pending: Arc::default(),
            fitness: Fitness(None),
            listening,
        })
    }

    /// Takes only specs that fulfil `condition`, from this first one on.
    pub fn only_if(self, condition: Box<Condition>) -> Result<Self, Refusal> {
        let fitness = Fitness(Some(condition));
        fitness.check(&self.loaded.spec)?;
        Ok(Self { fitness, ..self })
    }

    /// Every file whose change may make another spec: its own, and tokens, certificates and env
    /// files, also of a text that was refused.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let beside = self.noted.0.union(&self.noted_last.0).cloned();
        beside.chain(self.origin.files()).collect()
    }

    /// The spec in force.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// The place it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What is wrong with the file since it was last good.
    pub fn fault(&self) -> Option<&PendingFault> {
        self.fault.as_ref()
    }

    /// What the file says otherwise than what is in force.
    pub fn pending(&self) -> &Arc<Pending> {
        &self.pending
    }

    /// The fields whose present value waits for a restart.
    ///
    /// `api.listen` alone: the socket is bound once. All else is taken up by the next tick.
    pub fn after_restart(&self) -> Vec<&'static str> {
        let moved = self.loaded.spec.api.listen != self.listening;
        if moved { vec!["api.listen"] } else { Vec::new() }
    }

    /// Takes up what was read at its origin, with the env files and all files that it names, and puts
    /// it in force if it is good and `usable`; else says why it is not.
    ///
    /// Guarantees: a text that is not good changes nothing but the fault.
    pub fn reload(
        &mut self,
        read: Result<Text, LoadError>,
        usable: impl FnOnce(&Loaded) -> Result<(), String>,
    ) -> Reloaded {
        let text = read.as_ref().ok().map(|text| text.as_str().to_owned());
        let reloaded = self.take_up(read, usable);
        let refused = matches!(reloaded, Reloaded::Refused { .. });
        let text = text.filter(|_| refused);
        let changes = text.and_then(|text| shown_changes(self.loaded.written.text(), &text));
        let changes = changes.unwrap_or_default();
        self.pending = Arc::new(Pending { changes, after_restart: self.after_restart() });
        reloaded
    }

    fn take_up(
        &mut self,
        read: Result<Text, LoadError>,
        usable: impl FnOnce(&Loaded) -> Result<(), String>,
    ) -> Reloaded {
        let loaded = match self.candidate(read) {
            Ok(loaded) => loaded,
            Err(refusal) => return self.refuse(refusal.in_words()),
        };
        if loaded.inputs == self.loaded.inputs {
            let faulty = self.fault.take().is_some();
            if loaded.commit != self.loaded.commit {
                let in_force = Loaded::clone(&self.loaded);
                self.loaded = Arc::new(Loaded { commit: loaded.commit, ..in_force });
                return Reloaded::OtherCommit;
            }
            return if faulty { Reloaded::Recovered } else { Reloaded::Unchanged };
        }
        if let Err(why) = usable(&loaded) {
            return self.refuse(Refusal::Unusable(why).in_words());
        }
        self.fault = None;
        self.noted.clone_from(&self.noted_last);
        let diff = spec::diff(&self.loaded.spec, &loaded.spec);
        self.loaded = Arc::new(loaded);
        Reloaded::Changed { diff, after_restart: self.after_restart() }
    }

    fn candidate(&mut self, read: Result<Text, LoadError>) -> Result<Loaded, Refusal> {
        let (mut noted, now) = (Noted::default(), self.clock.now());
        let loaded = load_text(&self.origin, read, &self.environment, now, &mut noted);
        self.noted_last = noted;
        let loaded = loaded?;
        self.fitness.check(&loaded.spec)?;
        let (running, asked) = (&self.loaded.spec.instance, &loaded.spec.instance);
        if running == asked {
            return Ok(loaded);
        }
        Err(Refusal::Instance { running: running.clone(), asked: asked.clone() })
    }

    fn refuse(&mut self, text: String) -> Reloaded {
        let known = self.fault.take();
        let since = known.as_ref().map_or_else(|| self.clock.now(), |known| known.since);
        let fault = PendingFault { text, since };
        let repeated = known.as_ref() == Some(&fault);
        self.fault = Some(fault.clone());
        Reloaded::Refused { fault, repeated }
    }
}
