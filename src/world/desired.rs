//! What the spec asks of a variant's record and of its containers.

mod first_form;

use std::collections::BTreeSet;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::runner_config::{self, RunnerConfig};
use super::{
    Access, EngineId, HashForm, Look, Record, RecordSettings, Runner, RunnerName, SpecHash, Token,
    Variant,
};
use crate::spec::{Arch, HostName, Pool, Proxy, Spec};

/// Raised when the container itself is built in another way, so that idle runners are replaced.
const CONTAINER_REVISION: &str = "1";

/// Stands for what differs between two runners of one pool and is no reason to replace either.
const ANY: &str = "any";

/// The part of a token's life after which a new record takes over.
const TOKEN_LIFE_USED_MAX: f64 = 0.75;

/// The settings that the record of `pool` at `arch` must have, whatever its marks.
pub fn record_settings(pool: &Pool, arch: Arch, first: bool) -> RecordSettings {
    let mut tags = pool.tags_for(arch);
    tags.sort();
    tags.dedup();
    RecordSettings {
        tags,
        run_untagged: pool.run_untagged && first,
        access: if pool.protected { Access::RefProtected } else { Access::NotProtected },
        maximum_timeout: pool.maximum_timeout,
        paused: false,
        marks: BTreeSet::new(),
    }
}

/// The hash of all that a runner of `pool` on that host gets, but for what differs between two
/// runners of one pool: its name, its token, where the socket was found. Made of the files that go
/// into the container, so what is called how in our code decides nothing. Tags, `max`, `warm`,
/// `cooldown`, `priority` and the like change in place and are no part of it; neither is the guard of
/// jobs' architectures, which follows from the variant.
pub fn spec_hash(spec: &Spec, pool: &Pool, host: &HostName, engine: &EngineId) -> SpecHash {
    let declared = spec.hosts.get(host).and_then(|host| host.socket.as_deref());
    let (name, token) = (RunnerName::from_observed(ANY), SecretString::default());
    let socket = declared.unwrap_or(Path::new(ANY));
    let proxy = spec.proxy(pool, host).map(|(proxy, _)| proxy);
    let config = RunnerConfig::of(spec, pool, &name, &token, socket, proxy.as_ref());
    let config = runner_config::render(&config);
    // What cannot be rendered starts no runner, and `check` refuses it.
    let config =
        config.map_or_else(|error| error.to_string(), |text| text.expose_secret().to_owned());
    let (jobs, socket) = (pool.jobs_per_runner.to_string(), socket.to_string_lossy());
    let of_container = [labels(pool), environment(proxy.as_ref()), gpus(pool)];
    let mut parts = vec![
        CONTAINER_REVISION,
        &pool.runner_image,
        &jobs,
        &spec.network,
        &socket,
        &config,
        spec.gitlab.ca.as_deref().unwrap_or_default(),
    ];
    // What a pool does not have is no part, so that a version that knows more replaces nothing.
    parts.extend(of_container.iter().flatten().map(String::as_str));
    SpecHash::keyed(engine, &parts)
}

/// The variables of a runner's container.
fn environment(proxy: Option<&Proxy>) -> Option<String> {
    let variables = proxy.map(Proxy::of_runners).unwrap_or_default();
    (!variables.is_empty()).then(|| format!("environment {variables:?}"))
}

/// Which GPUs a runner gets differs between two runners of one pool.
fn gpus(pool: &Pool) -> Option<String> {
    pool.gpu.map(|gpu| format!("gpus {gpu}"))
}

/// The labels of a runner's container that the operator gave.
fn labels(pool: &Pool) -> Option<String> {
    (!pool.labels.is_empty()).then(|| format!("labels {:?}", pool.labels))
}

impl Look {
    /// Whether a new runner of `pool` on that host would be made as `runner` was. One of an older
    /// version is compared in that version's way, so that an upgrade replaces nothing.
    pub fn is_made_as_new(&self, host: &HostName, runner: &Runner, pool: &Pool) -> bool {
        match runner.spec.form() {
            HashForm::First => {
                let (proxy, labels) = (self.spec.proxy(pool, host), labels(pool));
                let plain = proxy.is_none() && labels.is_none() && pool.gpu.is_none();
                plain && first_form::hash(&self.spec, pool) == runner.spec
            }
            HashForm::Keyed => self.spec_hash(host, pool).is_none_or(|new| new == runner.spec),
        }
    }

    /// The hash of a new runner of `pool` on that host, once its engine is known.
    pub fn spec_hash(&self, host: &HostName, pool: &Pool) -> Option<SpecHash> {
        let engine = self.hosts.get(host)?.engine()?;
        Some(spec_hash(&self.spec, pool, host, &engine.id))
    }

    /// The record whose token new runners of the variant get: of the pool's scope, with its token
    /// at hand, the newest; one whose token ends soon only if there is no other, and one that this
    /// process made and nobody uses yet gives way to one that is there beside it.
    pub fn current_record<'a>(&'a self, variant: &Variant, pool: &Pool) -> Option<&'a Record> {
        let place = self.place(&pool.scope).ok();
        let records = self.records.last()?.iter();
        let usable = records.filter(|record| {
            record.variant == *variant
                && record.token == Token::AtHand
                && match record.origin {
                    super::Origin::Ours => {
                        let its = place.as_ref().is_some_and(|place| place.is_of(&record.owner));
                        its && pool.runner_token.is_none()
                    }
                    super::Origin::Given => pool.runner_token.is_some(),
                    super::Origin::Foreign | super::Origin::Untold => false,
                }
        });
        let usable: Vec<&Record> = usable.collect();
        let of = |record: &Record| {
            let lasting = !self.token_ends_soon(record);
            (lasting, lasting && !self.gives_way(record, &usable), record.id)
        };
        usable.iter().copied().max_by_key(|record| of(record))
    }

    /// Nobody but this process has the record's token, and an older one serves as well, which another
    /// process made: only as long as it is so does the choice between them concern nobody else.
    fn gives_way(&self, record: &Record, usable: &[&Record]) -> bool {
        let made = |id| self.memory.own_records.has_made(id);
        let older =
            |one: &&Record| one.id < record.id && !made(one.id) && !self.token_ends_soon(one);
        made(record.id) && usable.iter().any(older) && !self.is_used(record)
    }

    /// Three quarters of the token's life are over.
    pub fn token_ends_soon(&self, record: &Record) -> bool {
        let (Some(expires_at), Some(created_at)) = (record.token_expires_at, record.created_at)
        else {
            return record.token_expires_at.is_some_and(|at| at <= self.now);
        };
        let life = expires_at.duration_since(created_at).as_secs_f64();
        self.now.duration_since(created_at).as_secs_f64() >= life * TOKEN_LIFE_USED_MAX
    }
}

#[cfg(test)]
mod tests;
