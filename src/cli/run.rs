//! `autogit run`: the daemon.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::arguments::Run;
use super::logging;
use super::shell::Shell;
use super::supervisor::Supervisor;
use crate::api::Api;
use crate::clock::Clock;
use crate::error_policy::EXIT_FAILED;
use crate::gitlab::GitlabError;
use crate::operate::{Adapters, Failure, lock, presence};
use crate::reconcile::{Daemon, Ending, Wake};
use crate::source::{
    Environment, InstanceLock, LoadError, Origin, Pace, Seeing, SpecSource, Watch,
};
use crate::spec::ApiSpec;
use crate::view::proxies;

/// How often a spec that is not there yet is asked for.
const OPEN_AGAIN: Duration = Duration::from_secs(10);

/// Wakes that wait for the loop; each is as good as many of its kind.
const WAKES_WAITING: usize = 16;

pub(super) async fn run(
    arguments: Run,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    logging::start(shell, arguments.log_format, "info");
    let place = arguments.spec.place(shell);
    let origin = place.origin(shell, adapters)?;
    let clock = shell.clock().clone();
    let watch = Watch::start(&origin, clock.clone(), Pace::default());
    let environment = shell.environment(&place.env_files);
    let (wake, mut wakes) = signals()?;
    let patient = (!arguments.once).then(|| Supervisor::of(shell));
    let Some(source) = open((origin, environment, &clock), &mut wakes, patient).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let loaded = source.loaded();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut lock = lock(&loaded.spec.instance, shell).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        instance = %loaded.spec.instance,
        spec = %format!("{}@{}", loaded.source, loaded.hash),
        "AutoGit starts"
    );
    for proxy in proxies(&loaded.spec) {
        tracing::info!("proxy of runners and jobs: {}", proxy.in_words());
    }
    if let Seeing::Looking { why } = watch.seeing() {
        tracing::warn!(
            "changes of the spec are noticed only by reading its file from time to time: {why}"
        );
    }
    let process = shell.clone();
    let connect = Box::new(move |loaded: &_| adapters.connect(loaded, &process));
    let mut daemon = Daemon::new(source, watch, connect, clock).map_err(Failure::Failed)?;
    let fine = if arguments.once {
        prove_token(&daemon).await?;
        daemon.run(&mut wakes, Ending::WhenSettled).await
    } else {
        serve_and_run(&mut daemon, (wake, &mut wakes), &mut lock, shell).await?
    };
    tracing::info!("AutoGit ends; runners stay as they are and are found again at the next start");
    if fine { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(EXIT_FAILED)) }
}

/// The first spec. While the GitLab that has it is away there is none to fall back to: it is asked
/// again and again, which is told once for each reason, and all runners stay as they are; `patient`
/// has the supervisor that must not give up meanwhile. `None`: AutoGit is to stop.
async fn open(
    (origin, environment, clock): (Origin, Environment, &Clock),
    wakes: &mut mpsc::Receiver<Wake>,
    patient: Option<Supervisor>,
) -> Result<Option<SpecSource>, Failure> {
    let mut told = String::new();
    loop {
        let opened = SpecSource::open(origin.clone(), environment.clone(), clock.clone()).await;
        let (supervisor, error) = match (opened, &patient) {
            (Ok(source), _) => return Ok(Some(source)),
            (Err(LoadError::Remote(error)), Some(supervisor)) if error.is_passing() => {
                (supervisor, error.to_string())
            }
            (Err(error), _) => return Err(Failure::spec(&error)),
        };
        if error != told {
            tracing::warn!(
                "AutoGit waits for its spec, and runners stay as they are meanwhile: {error}"
            );
            told = error;
        }
        supervisor.waiting("waits for its spec").await;
        tokio::select! {
            biased;
            () = stop(wakes) => return Ok(None),
            () = clock.sleep(OPEN_AGAIN) => {}
        }
    }
}

/// Runs until it is to stop, and shows meanwhile what it does.
async fn serve_and_run(
    daemon: &mut Daemon,
    (wake, wakes): (mpsc::Sender<Wake>, &mut mpsc::Receiver<Wake>),
    lock: &mut InstanceLock,
    shell: &Shell,
) -> Result<bool, Failure> {
    let spec = Arc::clone(&daemon.source().loaded().spec);
    let listener = listener_or_none(spec.api.listen).await?;
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let presence = presence(spec.instance.as_str(), address, daemon.source().origin())?;
    lock.announce(&presence);
    let api = Api::new(daemon.controller().handle(), wake, shell.clock().clone());
    let api = api.with_key(presence.key.secret());
    let serving = listener.map(|listener| serve(listener, api.clone()));
    let supervisor = Supervisor::of(shell);
    let ended = tokio::select! {
        biased;
        ended = prove_and_run(daemon, wakes) => ended,
        never = supervisor.follow(&api, shell.clock()) => match never {},
    };
    supervisor.stopping().await;
    if let Some(serving) = serving {
        serving.end().await;
    }
    ended
}

/// Runs until it is to stop. Whoever supervises AutoGit hears from it while GitLab does not answer.
async fn prove_and_run(
    daemon: &mut Daemon,
    wakes: &mut mpsc::Receiver<Wake>,
) -> Result<bool, Failure> {
    tokio::select! {
        biased;
        proved = prove_token(daemon) => proved?,
        () = stop(wakes) => return Ok(true),
    }
    Ok(daemon.run(wakes, Ending::Never).await)
}

/// Until AutoGit is to stop; what else is asked for meanwhile comes with the first look.
async fn stop(wakes: &mut mpsc::Receiver<Wake>) {
    while let Some(wake) = wakes.recv().await {
        if wake == Wake::Stop {
            return;
        }
    }
}

/// The API's port. The standard one may well be somebody else's, which is no reason to leave jobs
/// without runners; one that was chosen has to be had, or somebody looks at another's pages.
async fn listener_or_none(address: SocketAddr) -> Result<Option<TcpListener>, Failure> {
    match listener(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(problem) if address == ApiSpec::STANDARD_ADDRESS => {
            tracing::warn!("AutoGit continues without its API: {problem}");
            Ok(None)
        }
        Err(problem) => Err(Failure::Failed(problem)),
    }
}

/// The API's port, or in words why it is not available.
pub(super) async fn listener(address: SocketAddr) -> Result<TcpListener, String> {
    let bound = TcpListener::bind(address).await.map_err(|error| {
        format!(
            "the API cannot listen on {address}: {error}\nhint: set `api.listen` to another address"
        )
    })?;
    let address = bound.local_addr().unwrap_or(address);
    tracing::info!("the API is at http://{address}");
    Ok(bound)
}

/// A running API.
pub(super) struct Serving {
    task: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

/// Serves the API beside the loop.
pub(super) fn serve(listener: TcpListener, api: Api) -> Serving {
    let (end, ended) = oneshot::channel();
    let ended = async { drop(ended.await) };
    Serving { task: tokio::spawn(crate::api::serve(listener, api, ended)), end }
}

impl Serving {
    /// Lets open answers end.
    pub(super) async fn end(self) {
        // Either side may be gone already, and then there is nothing to end.
        let _ = self.end.send(());
        let _ = self.task.await;
    }
}

/// A token that may not do its work is an error at start: nobody should have to find out from a
/// log that has gone by. A GitLab that is away is none: it and AutoGit may start together.
async fn prove_token(daemon: &Daemon) -> Result<(), Failure> {
    match daemon.controller().ports().gitlab.probe().await {
        Err(error @ (GitlabError::Unauthorized { .. } | GitlabError::Forbidden { .. })) => {
            Err(Failure::Failed(error.to_string()))
        }
        Ok(server) => {
            let spec = &daemon.source().loaded().spec;
            server.shortcoming(spec).map_or(Ok(()), |lacks| Err(Failure::Failed(lacks)))
        }
        // What else is wrong shows as a source that is unknown, at every look.
        Err(_) => Ok(()),
    }
}

/// SIGTERM and SIGINT stop AutoGit and no runner; SIGHUP reads the spec again.
pub(super) fn signals() -> Result<(mpsc::Sender<Wake>, mpsc::Receiver<Wake>), Failure> {
    let (send, receive) = mpsc::channel(WAKES_WAITING);
    let wakes = [
        (SignalKind::terminate(), Wake::Stop),
        (SignalKind::interrupt(), Wake::Stop),
        (SignalKind::hangup(), Wake::Reload),
    ];
    for (kind, wake) in wakes {
        let arrivals = signal(kind).map_err(|error| Failure::Failed(error.to_string()));
        let (mut arrivals, send) = (arrivals?, send.clone());
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() && send.send(wake).await.is_ok() {}
        });
    }
    Ok((send, receive))
}
