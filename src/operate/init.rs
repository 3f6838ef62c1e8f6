//! `autogit init`: from nothing to a spec that works, by questions or by flags.
//!
//! It looks first and writes last: nothing is written before all answers are known and the spec that
//! follows from them is fine. A second run finds what the first one wrote, and keeps it.

mod ask;
mod files;
mod hook;
mod pools;
mod reach;
mod rights;
mod text;
mod token;
mod way;

pub(crate) use ask::{Ask, Nobody, Question};
pub(crate) use files::{Became, Rights, Written};
pub(crate) use hook::Hooked;

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;

use super::adapters::Adapters;
use super::process::Process;
use super::{Failure, SpecPlace};
use crate::engine::setup::Surveyed;
use crate::source::{LoadError, Loaded, TokenPlace, load};
use crate::spec::HostSpec;
use files::Folder;
use pools::{Machine, proposal};
use reach::Reached;
use text::{Answers, Webhook};
use token::Proved;

/// Whose jobs are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Everybody's.
    Instance,
    /// Those of a group, by full path.
    Group(String),
    /// Those of a project, by full path.
    Project(String),
}

/// What is given without being asked for.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// The spec, and the env files that are read with it.
    pub(crate) spec: SpecPlace,
    /// GitLab's address.
    pub(crate) url: Option<String>,
    /// GitLab's token.
    pub(crate) token: Option<SecretString>,
    /// A token that lies where an earlier set-up left one, and that file.
    pub(crate) left_token: Option<(PathBuf, SecretString)>,
    /// Where containers reach GitLab.
    pub(crate) runner_url: Option<String>,
    /// Whose jobs are served.
    pub(crate) place: Option<Place>,
    /// Where GitLab reaches AutoGit's API.
    pub(crate) external_url: Option<String>,
    /// The SHA-256 of the certificate that is trusted as itself.
    pub(crate) fingerprint: Option<String>,
    /// A spec that says something else is replaced.
    pub(crate) force: bool,
    /// How long a GitLab that starts is waited for.
    pub(crate) wait: Duration,
}

/// All that a set-up works with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) wishes: &'a Wishes,
    pub(crate) ask: &'a dyn Ask,
    pub(crate) process: &'a Process,
    pub(crate) adapters: Adapters,
}

/// What a set-up came to.
#[derive(Debug)]
pub(crate) struct Done {
    /// GitLab's address.
    pub(crate) url: String,
    /// GitLab's version.
    pub(crate) version: String,
    /// The token's user.
    pub(crate) user: String,
    /// The token's last day.
    pub(crate) ends_on: Option<Date>,
    /// Whose jobs are served; `None`: as the spec that stayed says.
    pub(crate) place: Option<Place>,
    /// What goes without, with this token.
    pub(crate) lost: Vec<String>,
    /// The files, in the order in which they were written.
    pub(crate) files: Vec<Written>,
    /// What became of the webhook.
    pub(crate) hooked: Hooked,
    /// GitLab's container on this engine.
    pub(crate) container: Option<String>,
}

/// Sets AutoGit up.
pub(crate) async fn init(setting: Setting<'_>) -> Result<Done, Failure> {
    let path = &setting.wishes.spec.path;
    if path.to_string_lossy().contains("://") {
        return Err(Failure::Usage(format!(
            "error: `{}` is no file, and a set-up writes one\n\
             hint: write `autogit.yaml` here, and put it into that project by git",
            path.display()
        )));
    }
    let folder = Folder::of(path);
    folder.prove()?;
    match setting.existing().await? {
        Existing::Fine(loaded) if setting.keeps(Some(&loaded)).await? => {
            setting.confirm(&folder, &loaded).await
        }
        Existing::LacksCredentials if setting.keeps(None).await? => {
            setting.begin(&folder, Spec::Stays).await
        }
        Existing::Fine(_) | Existing::LacksCredentials | Existing::Nothing => {
            setting.begin(&folder, Spec::IsWritten).await
        }
    }
}

/// The spec that is there.
enum Existing {
    /// There is none, or it is to be replaced.
    Nothing,
    /// It is fine.
    Fine(Box<Loaded>),
    /// It would be fine with the variables that are written here.
    LacksCredentials,
}

/// What becomes of the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    Stays,
    IsWritten,
}

/// Values that stand in for those that are not known yet.
const STAND_INS: [(&str, &str); 2] =
    [("GITLAB_URL", "http://gitlab.invalid"), ("GITLAB_TOKEN", "glpat-stands-in-for-one")];

impl Setting<'_> {
    async fn existing(&self) -> Result<Existing, Failure> {
        let place = &self.wishes.spec;
        let origin = place.origin(self.process, self.adapters)?;
        let now = self.process.clock().now();
        let environment = self.process.environment(&place.env_files);
        let stand_ins = STAND_INS.map(|(name, value)| (name, value.to_owned()));
        let completed = self.process.with_variables(stand_ins).environment(&place.env_files);
        match load(&origin, &environment, now).await {
            Ok(loaded) => Ok(Existing::Fine(Box::new(loaded))),
            Err(LoadError::Missing { .. }) => Ok(Existing::Nothing),
            Err(_) if self.wishes.force => Ok(Existing::Nothing),
            Err(_) if load(&origin, &completed, now).await.is_ok() => {
                Ok(Existing::LacksCredentials)
            }
            Err(error) => {
                let faults = Failure::spec(&error);
                Err(Failure::Usage(format!(
                    "{faults}\nhint: `--force` puts a new file in the place of `{}`, and keeps this one \
                     beside it",
                    place.path.display()
                )))
            }
        }
    }

    /// The spec that is there stays. Flags that say something else are no reason to lose it.
    async fn keeps(&self, loaded: Option<&Loaded>) -> Result<bool, Failure> {
        if self.wishes.force {
            return Ok(false);
        }
        let path = self.wishes.spec.path.display();
        let Some(loaded) = loaded else {
            let question = format!("`{path}` is there and lacks credentials alone. Keep it");
            return self.ask.agrees(&question, true).await;
        };
        let url = self.wishes.url.as_ref().map(|url| reach::cleaned(url)).transpose()?;
        if url.is_some_and(|url| url != loaded.spec.gitlab.url) && !self.ask.is_somebody() {
            return Err(Failure::Usage(format!(
                "error: `{path}` is of another GitLab, {}\n\
                 hint: `--force` puts a new file in its place, and keeps this one beside it",
                loaded.spec.gitlab.url
            )));
        }
        self.ask.agrees(&format!("`{path}` is there and fine. Keep it"), true).await
    }

    /// Sees that what is there works.
    async fn confirm(&self, folder: &Folder, loaded: &Loaded) -> Result<Done, Failure> {
        let ca = loaded.ca.as_deref().map(|pem| String::from_utf8_lossy(pem).into_owned());
        let at = Reached { url: loaded.spec.gitlab.url.clone(), ca };
        let at = Reached { url: at.url.clone(), ca: self.reach(&at.url, at.ca).await?.ca };
        let held = loaded.spec.gitlab.token.value().cloned();
        let proved = self.token(&at, held, None).await?;
        let mut files = Vec::new();
        files.extend(folder.ignore()?);
        if proved.is_new {
            files.push(self.put_token(loaded, &proved.token)?);
        } else {
            files.extend(folder.credentials()?);
        }
        files.push(Written::kept(&folder.spec));
        let place = match loaded.spec.pools.first().map(|pool| &pool.scope) {
            Some(crate::spec::Scope::Group(path)) => Place::Group(path.clone()),
            Some(crate::spec::Scope::Project(path)) => Place::Project(path.clone()),
            Some(crate::spec::Scope::Instance) | None => Place::Instance,
        };
        let external = loaded.spec.api.external_url.clone();
        let secret = loaded.spec.gitlab.webhook_secret.as_ref().and_then(|secret| secret.value());
        let webhook = external.zip(secret.cloned());
        let webhook = webhook.map(|(external_url, secret)| Webhook { external_url, secret });
        let hooked = self.hook(&at, &proved, &place, webhook.as_ref()).await;
        Ok(done(at, proved, None, files, hooked, None))
    }

    /// A new token, where the old one was.
    fn put_token(&self, loaded: &Loaded, token: &SecretString) -> Result<Written, Failure> {
        let environment = self.process.environment(&self.wishes.spec.env_files);
        let place = loaded.token_place(&environment);
        let Some(file) = place.file() else {
            let elsewhere = match &place {
                TokenPlace::Process { variable } => format!("the variable `{variable}`"),
                TokenPlace::File(_) | TokenPlace::Line { .. } | TokenPlace::Spec => {
                    format!("`{}`", self.wishes.spec.path.display())
                }
            };
            return Err(Failure::Failed(format!(
                "the old token stands in {elsewhere}, which is not changed here\n\
                 hint: put the new one there"
            )));
        };
        token::put(&place, file, token)
    }

    async fn begin(&self, folder: &Folder, spec: Spec) -> Result<Done, Failure> {
        let variables = folder.variables()?;
        let surveyed = self.survey().await;
        let found = surveyed.as_ref().and_then(|surveyed| surveyed.gitlabs.first());
        let url = self.url(variables.get("GITLAB_URL"), found).await?;
        let at = self.reach(&url, folder.ca()?).await?;
        let held = variables.get("GITLAB_TOKEN").map(|token| SecretString::from(token.clone()));
        let proved = self.token(&at, held, found.map(|found| found.name.as_str())).await?;
        let container = found.map(|found| found.name.clone());
        if spec == Spec::Stays {
            let files = folder.write_credentials(&at.url, &proved.token)?;
            return Ok(done(at, proved, None, files, Hooked::NotWished, container));
        }
        let place = self.place(&proved).await?;
        let ways = self.ways(&at.url, found).await?;
        let webhook = self.webhook(variables.get("GITLAB_WEBHOOK_SECRET")).await?;
        let machine = surveyed.as_ref().map(|surveyed| Machine {
            arch: surveyed.arch,
            cpus: surveyed.cpus,
            memory: surveyed.memory,
            has_gitlab: !surveyed.gitlabs.is_empty(),
        });
        let answers = Answers {
            url: at.url.clone(),
            token: proved.token.clone(),
            runner_url: ways.runner_url,
            network: ways.network,
            ca: at.ca.clone(),
            webhook,
            pool: proposal(machine.as_ref(), place.clone()),
            remarks: remarks(surveyed.as_ref()),
        };
        let files = folder.write(&answers)?;
        let hooked = self.hook(&at, &proved, &place, answers.webhook.as_ref()).await;
        Ok(done(at, proved, Some(place), files, hooked, container))
    }

    /// The engine of this machine; what it is not known of is left at the least.
    async fn survey(&self) -> Option<Surveyed> {
        let engine = (self.adapters.survey)(&HostSpec::default(), self.process);
        let surveyed = match engine {
            Ok(engine) => engine.survey().await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match surveyed {
            Ok(surveyed) => {
                let root = if surveyed.rootless { ", without root" } else { "" };
                self.ask.tell(&format!(
                    "Docker {} at {}{root}: {}, {} cpus, {} GiB",
                    surveyed.version,
                    surveyed.endpoint,
                    surveyed.arch,
                    surveyed.cpus,
                    surveyed.memory >> 30
                ));
                Some(surveyed)
            }
            Err(error) => {
                self.ask.tell(&format!(
                    "Docker does not answer, so one runner at most is written for now: {error}"
                ));
                None
            }
        }
    }

    /// Where GitLab reports to, if that is wanted.
    async fn webhook(&self, secret: Option<&String>) -> Result<Option<Webhook>, Failure> {
        let mut wished = self.wishes.external_url.clone();
        if wished.is_none() && self.ask.is_somebody() {
            let question = Question {
                text: "Where GitLab reaches AutoGit's API, for a webhook that starts runners within a \
                       second (without one it takes up to ten)",
                default: Some("no webhook"),
                flag: "`--external-url`",
            };
            wished = Some(self.ask.line(question).await?).filter(|answer| answer != "no webhook");
        }
        let Some(url) = wished else { return Ok(None) };
        let secret = match secret {
            Some(secret) => secret.clone().into(),
            None => new_secret()?,
        };
        Ok(Some(Webhook { external_url: reach::cleaned(&url)?, secret }))
    }
}

fn new_secret() -> Result<SecretString, Failure> {
    let mut bytes = [0_u8; 24];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Failure::Failed("the system has no random bytes".to_owned()))?;
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.concat().into())
}

/// What was seen of the machine, for the reader of the spec.
fn remarks(surveyed: Option<&Surveyed>) -> Vec<String> {
    let Some(surveyed) = surveyed else {
        return vec![
            "Docker did not answer when this was written: raise `max` to what it has room for."
                .to_owned(),
        ];
    };
    let (cpus, memory) = (surveyed.cpus, surveyed.memory >> 30);
    let mut remarks =
        vec![format!("For a machine with {cpus} cpus and {memory} GiB, {}.", surveyed.arch)];
    if !surveyed.gpus.is_empty() {
        let vendors: Vec<&str> = surveyed.gpus.iter().map(String::as_str).collect();
        remarks.push(format!(
            "It has GPUs ({}): a pool with `gpu: {{vendor: …}}` hands them to its jobs.",
            vendors.join(", ")
        ));
    }
    remarks
}

fn done(
    at: Reached,
    proved: Proved,
    place: Option<Place>,
    files: Vec<Written>,
    hooked: Hooked,
    container: Option<String>,
) -> Done {
    let identity = proved.identity;
    Done {
        url: at.url,
        version: identity.version,
        user: identity.user,
        ends_on: identity.token.and_then(|token| token.ends_on),
        place,
        lost: proved.rights.lost,
        files,
        hooked,
        container,
    }
}
