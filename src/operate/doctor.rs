//! Whether everything is there that AutoGit needs, check by check, each with its remedy; and what of
//! it may be put right without asking.
//!
//! What was told and what it means are apart: each area asks its ports first, changing nothing, and
//! its judgement of the answers is pure.

mod check;
mod clock;
mod engine;
mod files;
mod finding;
mod fix;
mod gitlab;
mod images;
mod instance;
mod networks;
mod webhook;

pub use check::{Area, Check};
pub use engine::HostFacts;
pub use finding::{Finding, Fix, Verdict};
pub use fix::Done;
pub use gitlab::GitlabFacts;
pub use webhook::Hooks;

/// What answers mean, area by area: pure, so that tests can ask.
pub mod judgement {
    pub use super::files::{api, lock, modes, token_cache};
    pub use super::images::architectures;
    pub use super::instance::{leftovers, notices};
    pub use super::networks::gitlab_from_runners;
    pub use super::webhook::judge as webhook;
}

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::adapters::Adapters;
use super::chosen_view::SpecPlace;
use super::failure::Failure;
use super::own_look::OwnLook;
use super::process::Process;
use crate::engine::inspection::Inspection as EngineInspection;
use crate::gitlab::inspection::Inspection as GitlabInspection;
use crate::gitlab::setup::{SetupGitlab, Way};
use crate::observe::Ports;
use crate::source::{LoadError, Loaded, Warning, load};
use crate::spec::{ApiSpec, HostName, Spec};
use crate::view::{View, words};

/// What an examination found, and what was done.
#[derive(Debug)]
pub(crate) struct Report {
    /// The file as it was named.
    pub(crate) file: String,
    /// The spec that it was about; `None`: it does not load, which is the only finding then.
    pub(crate) loaded: Option<Loaded>,
    /// By check, as they are shown.
    pub(crate) findings: Vec<Finding>,
    /// What `--fix` did, in order.
    pub(crate) done: Vec<Done>,
}

/// Examines the spec at `place` and all that it names; with `fix`, puts right what is safe, and
/// examines again.
pub(crate) async fn examine(
    place: &SpecPlace,
    fix: bool,
    process: &Process,
    adapters: Adapters,
) -> Result<Report, Failure> {
    let origin = place.origin(process, adapters)?;
    let file = origin.to_string();
    let environment = process.environment(&place.env_files);
    let refused = |finding: Finding| Report {
        file: file.clone(),
        loaded: None,
        findings: vec![finding],
        done: Vec::new(),
    };
    let loaded = match load(&origin, &environment, process.clock().now()).await {
        Ok(loaded) => loaded,
        Err(error) => return Ok(refused(does_not_load(&error))),
    };
    let subject = match Subject::connect(place, &loaded, process, adapters) {
        Ok(subject) => subject,
        Err(problem) => return Ok(refused(Finding::failed(Check::Spec, problem))),
    };
    let mut findings = subject.findings().await?;
    let mut done = Vec::new();
    if fix {
        let fixes: Vec<Fix> = findings.iter().filter_map(|finding| finding.fix.clone()).collect();
        let setup = subject.setup().map_err(Failure::Failed)?;
        for fix in fixes {
            done.push(fix::carry_out(fix, &loaded.spec, &subject.ports, &setup).await);
        }
        if !done.is_empty() {
            // The modes that the load saw are among what was changed.
            let again = load(&origin, &environment, process.clock().now()).await;
            let again = again.unwrap_or_else(|_| loaded.clone());
            findings = Subject { loaded: &again, ..subject }.findings().await?;
        }
    }
    Ok(Report { file, loaded: Some(loaded), findings, done })
}

/// Who is examined.
struct Subject<'a> {
    place: &'a SpecPlace,
    loaded: &'a Loaded,
    process: &'a Process,
    adapters: Adapters,
    ports: Ports,
    gitlab: Arc<dyn GitlabInspection>,
    engines: BTreeMap<HostName, Arc<dyn EngineInspection>>,
}

impl<'a> Subject<'a> {
    /// Errors: as `check` refuses such a spec.
    fn connect(
        place: &'a SpecPlace,
        loaded: &'a Loaded,
        process: &'a Process,
        adapters: Adapters,
    ) -> Result<Self, String> {
        let ports = adapters.connect(loaded, process)?;
        let gitlab = (adapters.gitlab_inspection)(loaded, process)?;
        let hosts = loaded.spec.hosts.iter();
        let engines = hosts
            .map(|(name, host)| Ok((name.clone(), (adapters.engine_inspection)(host, process)?)));
        let engines = engines.collect::<Result<_, String>>()?;
        Ok(Self { place, loaded, process, adapters, ports, gitlab, engines })
    }

    /// All findings, in the order of [`Check::ALL`].
    async fn findings(&self) -> Result<Vec<Finding>, Failure> {
        let spec: &Spec = &self.loaded.spec;
        let now = self.process.clock().now();
        let mut findings = of_spec(self.loaded);
        let (lock, runs) = files::lock(spec, &self.process.lock_folders());
        findings.push(lock);
        findings.push(files::api(
            spec.api.listen,
            spec.api.listen == ApiSpec::STANDARD_ADDRESS,
            runs,
        ));
        findings.extend(files::token_cache(spec.gitlab.token_cache.as_deref()));
        findings.extend(files::modes(
            &self.place.origin(self.process, self.adapters)?,
            self.loaded.written.text(),
            &self.place.env_files,
            &self.loaded.warnings,
        ));
        let (gitlab, hosts) = tokio::join!(
            GitlabFacts::ask(&self.ports.gitlab, &self.gitlab, spec),
            self.hosts(spec)
        );
        findings.extend(gitlab.judge(spec, now));
        findings.extend(hosts.iter().flat_map(|(host, facts)| facts.judge(host, spec)));
        findings.extend(images::architectures(spec, &hosts));
        let (view, hooks) = match gitlab.first_failure() {
            None => (Ok(self.look(runs).await?), webhook::ask(self.gitlab.as_ref(), spec).await),
            Some(first) => (Err(first), Hooks::new()),
        };
        let view = view.as_ref().map_err(|first| *first);
        findings.extend(networks::gitlab_from_runners(spec, view));
        findings.extend(instance::notices(view));
        findings.push(instance::leftovers(view));
        findings.extend(webhook::judge(spec, &hooks));
        findings.sort_by_key(|finding| finding.check);
        Ok(findings)
    }

    /// GitLab as who sets AutoGit up asks it.
    fn setup(&self) -> Result<Arc<dyn SetupGitlab>, String> {
        let Loaded { spec, ca, .. } = self.loaded;
        let token = spec.gitlab.token.value().cloned();
        let way = Way { url: spec.gitlab.url.clone(), token, ca: ca.clone() };
        (self.adapters.setup_gitlab)(&way, self.process)
    }

    async fn hosts(&self, spec: &Spec) -> BTreeMap<HostName, HostFacts> {
        let asked = self.engines.iter().filter_map(|(name, inspection)| {
            let engine = self.ports.engines.get(name)?;
            Some(async move { (name.clone(), HostFacts::ask(engine, inspection, spec).await) })
        });
        join_all(asked).await.into_iter().collect()
    }

    /// A look as `autogit plan` takes it.
    async fn look(&self, beside: bool) -> Result<View, Failure> {
        Ok(OwnLook::open(self.loaded, beside, self.process, self.adapters)?.look().await)
    }
}

/// All faults at once, by their places; some have hints of their own.
fn does_not_load(error: &LoadError) -> Finding {
    match error {
        LoadError::Spec(_) | LoadError::Both { .. } => Finding {
            remedy: Some("`autogit check` shows the lines".to_owned()),
            ..Finding::all_of(Check::Spec, error.in_words())
        },
        LoadError::Missing { .. }
        | LoadError::File(_)
        | LoadError::EnvFile(_)
        | LoadError::Remote(_)
        | LoadError::Named(_) => Finding::failed(Check::Spec, error.to_string()),
    }
}

/// The file itself, and what its load is worth a word about; modes of files have a check of their own.
fn of_spec(loaded: &Loaded) -> Vec<Finding> {
    let Loaded { source, spec, warnings, .. } = loaded;
    let words = warnings.iter().filter_map(|warning| match warning {
        Warning::Exposed { .. } => None,
        Warning::Spec { .. }
        | Warning::Weak { .. }
        | Warning::Proxy { .. }
        | Warning::Unprotected { .. }
        | Warning::MountedAlone { .. } => Some(warning.to_string()),
    });
    let mut findings: Vec<Finding> =
        words.map(|words| Finding::warning(Check::Spec, words)).collect();
    if findings.is_empty() {
        let pools = words::count(spec.pools.len(), "pool");
        let hosts = words::count(spec.hosts.len(), "host");
        let found = format!("{source} loads: {pools}, {hosts}");
        findings.push(Finding::ok(Check::Spec, found));
    }
    findings
}
