//! The AutoGit that runs, asked through its API: it remembers what a fresh look cannot see, such as
//! which runners it asked to exit and what failed lately.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::request::Builder;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::adapters::Adapters;
use super::failure::Failure;
use super::process::Process;
use crate::gitlab::Transport;
use crate::plan::brief;
use crate::source::{Key, Origin, Presence, presences};
use crate::spec::{ApiSpec, Credential, Spec};

/// Whom a command looks for.
#[derive(Debug)]
pub(crate) enum Whose<'a> {
    /// The one of this spec's instance.
    Spec(&'a Spec),
    /// The one whose spec is in that file, which cannot be read here; else of the instance that its
    /// text names.
    File(&'a Origin),
}

/// A running AutoGit.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    transport: Arc<dyn Transport>,
    base: String,
    health: Health,
    presence: Option<Presence>,
    /// What lets us see what it shows, where that takes a token.
    token: Option<SecretString>,
}

/// What it says of itself; another version may say less.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Health {
    instance: String,
    version: String,
    pub(crate) status: String,
    last_look_secs: Option<i64>,
    #[serde(default)]
    pub(crate) stale: Vec<String>,
    #[serde(default)]
    pub(crate) hanging: Vec<String>,
    #[serde(default = "yes")]
    pub(crate) spec_valid: bool,
}

fn yes() -> bool {
    true
}

/// Why it did not tell.
#[derive(Debug, Deserialize)]
struct Refusal {
    detail: String,
    hint: Option<String>,
    /// All that is wrong with a spec that was sent.
    text: Option<String>,
}

impl Running {
    /// The one that answers on this machine; another instance's is none.
    pub(crate) async fn find(
        whose: &Whose<'_>,
        process: &Process,
        adapters: Adapters,
    ) -> Result<Option<Self>, Failure> {
        let presences = presences(&process.lock_folders());
        let (instance, listen) = match whose {
            Whose::Spec(spec) => (Some(spec.instance.to_string()), spec.api.listen),
            Whose::File(file) => (instance_of(file).await, ApiSpec::STANDARD_ADDRESS),
        };
        let of_file = |presence: &&Presence| match whose {
            Whose::Spec(_) => false,
            Whose::File(file) => file.is_at(&presence.spec),
        };
        // A file that is not there names no instance: then whoever runs is meant.
        let named = |name: &str| instance.as_deref().is_none_or(|instance| instance == name);
        let own = presences.iter().filter(of_file);
        let others = presences.iter().filter(|one| !of_file(one) && named(&one.instance));
        let mut found: Vec<Self> = Vec::new();
        for presence in own.chain(others) {
            let Some(api) = presence.api else { continue };
            let answer = Self::at(&local(api), adapters).await;
            let same = answer.filter(|one| one.health.instance == presence.instance);
            let Some(running) = same else { continue };
            let certain = instance.is_some() || of_file(&presence);
            found.push(running.known_by(presence));
            if certain {
                break;
            }
        }
        if found.is_empty() {
            let answer = Self::at(&local(listen), adapters).await;
            found.extend(answer.filter(|running| named(&running.health.instance)));
        }
        if let [_, _, ..] = found.as_slice() {
            let bases: Vec<&str> = found.iter().map(|running| running.base.as_str()).collect();
            return Err(Failure::Usage(format!(
                "error: several AutoGits run here, and no file says which one is meant\n\
                 hint: name one by `--server`: {}",
                bases.join(", ")
            )));
        }
        Ok(found.pop())
    }

    /// The one that answers where the command line says.
    pub(crate) async fn named(url: &str, process: &Process, adapters: Adapters) -> Option<Self> {
        let running = Self::at(url, adapters).await?;
        let presences = presences(&process.lock_folders());
        let own = presences.iter().find(|presence| {
            presence.instance == running.health.instance
                && presence.api.is_some_and(|api| local(api) == running.base)
        });
        Some(match own {
            Some(presence) => running.known_by(presence),
            None => running,
        })
    }

    fn known_by(self, presence: &Presence) -> Self {
        let token = Some(presence.key.secret());
        Self { presence: Some(presence.clone()), token, ..self }
    }

    /// The one that answers at `base`.
    async fn at(base: &str, adapters: Adapters) -> Option<Self> {
        let base = base.trim_end_matches('/').to_owned();
        let transport = (adapters.api)(&base).ok()?;
        let request = http::Request::get(format!("{base}/health"));
        let (_, body) = send(transport.as_ref(), request, None, Bytes::new()).await?;
        // An unhealthy one answers 503 and tells as much.
        let health = serde_json::from_slice(&body).ok()?;
        Some(Self { transport, base, health, presence: None, token: None })
    }

    /// The same, asked with the token that a spec of its instance has.
    pub(crate) fn with_token_of(self, spec: &Spec) -> Self {
        let mut own = [&spec.api.read_token, &spec.api.token].into_iter().flatten();
        let own = own.find_map(Credential::value).cloned();
        Self { token: self.token.or(own), ..self }
    }

    /// The same, asked to act: with the key of this machine's, else with the token that a spec of its
    /// instance has for that.
    pub(crate) fn acting_for(self, spec: &Spec) -> Self {
        let key = self.presence.as_ref().map(|presence| presence.key.secret());
        let own = spec.api.token.as_ref().and_then(Credential::value).cloned();
        Self { token: key.or(own).or(self.token), ..self }
    }

    /// The same, asked with that token, if there is one.
    pub(crate) fn with_token(self, token: Option<SecretString>) -> Self {
        Self { token: token.or(self.token), ..self }
    }

    /// Its instance.
    pub(crate) fn instance(&self) -> &str {
        &self.health.instance
    }

    /// The file of its spec, where it is known.
    pub(crate) fn is_of(&self, origin: &Origin) -> bool {
        self.presence.as_ref().is_some_and(|presence| origin.is_at(&presence.spec))
    }

    /// It has looked.
    pub(crate) fn has_looked(&self) -> bool {
        self.health.last_look_secs.is_some()
    }

    /// Who it is, and how old its view is.
    pub(crate) fn head(&self) -> String {
        let Health { instance, version, status, last_look_secs, .. } = &self.health;
        let pid = self.presence.as_ref().map(|presence| format!("pid {}, ", presence.pid));
        let who =
            format!("AutoGit {version} runs ({}{})", pid.unwrap_or_default(), self.base.as_str());
        let hangs = if status == "stuck" { "it hangs: " } else { "" };
        match last_look_secs {
            Some(secs) => {
                let age = brief(SignedDuration::from_secs(*secs));
                format!("{who}, instance {instance}; {hangs}its view is {age} old")
            }
            None => format!("{who}, instance {instance}; it has not looked yet"),
        }
    }

    /// How well it is now, as it says, and whether a supervisor is to be content with that.
    pub(crate) async fn health(&self, strict: bool) -> Option<(bool, Bytes)> {
        let query = if strict { "?strict=1" } else { "" };
        let request = http::Request::get(format!("{}/health{query}", self.base));
        let (status, body) = send(self.transport.as_ref(), request, None, Bytes::new()).await?;
        Some((status.is_success(), body))
    }

    /// What it answers to `path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let request = http::Request::get(format!("{}{path}", self.base));
        match self.reply(request, self.token.as_ref(), Bytes::new()).await? {
            Reply::Fine(answer) => Ok(*answer),
            Reply::Refused { words, .. } => Err(Failure::Failed(words)),
        }
    }

    /// What it answers when `body` is sent to `path`.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &SecretString,
        body: String,
    ) -> Result<Reply<T>, Failure> {
        let request = http::Request::post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/yaml");
        self.reply(request, Some(token), body.into()).await
    }

    /// What it answers when it is asked to do what `path` says.
    pub(crate) async fn act<T: DeserializeOwned>(&self, path: &str) -> Result<Reply<T>, Failure> {
        let request = http::Request::post(format!("{}{path}", self.base));
        self.reply(request, self.token.as_ref(), Bytes::new()).await
    }

    async fn reply<T: DeserializeOwned>(
        &self,
        request: Builder,
        token: Option<&SecretString>,
        body: Bytes,
    ) -> Result<Reply<T>, Failure> {
        let Some((status, body)) = send(self.transport.as_ref(), request, token, body).await else {
            let base = &self.base;
            return Err(Failure::Failed(format!("the AutoGit at {base} does not answer any more")));
        };
        if !status.is_success()
            && let Ok(Refusal { detail, hint, text }) = serde_json::from_slice(&body)
        {
            let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            let (status, words) = (status.as_u16(), format!("{detail}{hint}"));
            return Ok(Reply::Refused { status, words, faults: text });
        }
        let read = serde_json::from_slice(&body).map(|answer| Reply::Fine(Box::new(answer)));
        read.map_err(|error| {
            let (its, ours) = (&self.health.version, env!("CARGO_PKG_VERSION"));
            Failure::Failed(format!(
                "the answer of the AutoGit that runs is not understood: {error}\n\
                 hint: it is version {its} and this is {ours}; use the same, or `--direct`"
            ))
        })
    }
}

/// What a running AutoGit answers.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    /// What was asked for.
    Fine(Box<T>),
    /// It did not do what was asked.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The reason and, where there is one, a hint, for the operator.
        words: String,
        /// All that is wrong with a spec that was sent.
        faults: Option<String>,
    },
}

/// The answer's status and body; `None`: there is none.
async fn send(
    transport: &dyn Transport,
    mut request: Builder,
    token: Option<&SecretString>,
    body: Bytes,
) -> Option<(StatusCode, Bytes)> {
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
    }
    let answer = transport.send(request.body(body).ok()?).await.ok()?;
    Some((answer.status(), answer.into_body()))
}

/// A word as part of an address.
pub(crate) fn escaped(word: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    word.bytes().map(escape).collect()
}

/// What is written as `instance` in a file that is faulty elsewhere; the standard one where nothing
/// is. `None`: the file cannot be read, or takes its instance from a variable.
async fn instance_of(file: &Origin) -> Option<String> {
    let text = file.read().await.ok()?;
    let mut lines = text.as_str().lines();
    let Some(written) = lines.find_map(|line| line.strip_prefix("instance:")) else {
        return Some(crate::spec::InstanceName::standard().to_string());
    };
    let word = written.split(" #").next().unwrap_or_default().trim();
    let word = word.trim_matches(['"', '\'']);
    (!word.contains('$')).then(|| word.to_owned())
}

/// The address of this machine's; one that listens everywhere is asked here.
fn local(listen: SocketAddr) -> String {
    let address = match listen.ip() {
        any if !any.is_unspecified() => any,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(address, listen.port()))
}

/// What an AutoGit of this process writes beside its lock.
pub(crate) fn presence(
    instance: &str,
    api: Option<SocketAddr>,
    spec: &Origin,
) -> Result<Presence, Failure> {
    let spec = spec.place();
    let key = Key::new().map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(Presence { instance: instance.to_owned(), pid: std::process::id(), api, spec, key })
}
