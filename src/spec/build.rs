//! The file's shape to the checked types: defaults filled in, words read. What cannot be read is
//! a fault, and the default stands in for it so that the rest is still checked.

mod gitlab;
mod gpus;
mod hosts;
mod job;
mod pool;
mod proxy;
mod warm;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::context::Context;
use super::fault::Code;
use super::hidden::named;
use super::path::Path;
use super::report::Finding;
use super::secret::{STRONGER, SecretKind, secret, weakness};
use super::section::{RawApi, RawSpec};
use super::values::{self, Unreadable};
use super::{ApiSpec, Credential, InstanceName, Pool, PoolName, Proxies, Spec};

/// The checked spec. Only to be used when the context has no errors afterwards.
pub(super) fn build(raw: RawSpec, context: &mut Context<'_>) -> Spec {
    let instance = instance(raw.instance.as_deref(), context);
    let network = raw.network.unwrap_or_else(|| format!("{instance}-network"));
    Spec {
        instance,
        gitlab: gitlab::build(raw.gitlab.unwrap_or_default(), context),
        hosts: hosts::build(raw.hosts, context),
        network,
        proxies: Proxies {
            declared: raw.proxy.map(|raw| proxy::build(raw, &Path::of("proxy"), context)),
            ..Proxies::default()
        },
        starts_per_minute: raw.starts_per_minute.unwrap_or(30),
        pools: pools(raw.pools.unwrap_or_default(), context),
        api: api(raw.api.unwrap_or_default(), context),
    }
}

fn instance(word: Option<&str>, context: &mut Context<'_>) -> InstanceName {
    match word.map(InstanceName::new) {
        None => InstanceName::standard(),
        Some(Ok(name)) => name,
        Some(Err(error)) => {
            let path = Path::of("instance");
            let message = format!("{} is {error}", context.shown(&path));
            context.add(&path, Finding::error(Code::BadValue, message));
            InstanceName::standard()
        }
    }
}

/// The pools in file order, which decides between pools that fit equally well.
fn pools(
    mut raw: std::collections::BTreeMap<String, super::section::RawPool>,
    context: &mut Context<'_>,
) -> Vec<Pool> {
    let section = Path::of("pools");
    let names: Vec<String> = context
        .tree
        .at(&section)
        .into_iter()
        .flat_map(super::node::Node::entries)
        .map(|entry| entry.key.clone())
        .collect();
    let given = context.tree.at(&section).is_some_and(|pools| !pools.is_null());
    if given && names.is_empty() {
        let message = "`pools` asks for no runner: those that are there exit after their jobs, and \
                       their caches and records are removed";
        let finding = Finding::warning(Code::Doubtful, message);
        context
            .add_at_key(&section, finding.hint("to keep caches, set `enabled: false` in a pool"));
    }
    let mut pools = Vec::new();
    for word in names {
        let path = section.join(&word);
        match PoolName::new(&word) {
            Err(error) => {
                let message = format!("`{}` is {error}", named(&word));
                // What else is wrong with it is told all the same; the name stands in for it.
                let (name, raw) = (PoolName::new("unnamed"), raw.remove(&word));
                if let (Ok(name), Some(raw)) = (name, raw) {
                    let pool = pool::build(name, raw, &path, context);
                    let subject = format!("pool `{}`", named(&word));
                    super::across::pool_alone(&pool, &path, &subject, context);
                }
                context.add_at_key(&path, Finding::error(Code::BadValue, message));
            }
            Ok(name) => {
                if let Some(raw) = raw.remove(&word) {
                    pools.push(pool::build(name, raw, &path, context));
                }
            }
        }
    }
    pools
}

fn api(raw: RawApi, context: &mut Context<'_>) -> ApiSpec {
    let section = Path::of("api");
    let standard = ApiSpec::STANDARD_ADDRESS;
    let listen = context.read(&section.join("listen"), raw.listen, values::listen);
    let external_url =
        context.read(&section.join("external_url"), raw.external_url, values::base_url);
    ApiSpec {
        listen: listen.unwrap_or(standard),
        external_url,
        token: context.credential(&section, "token", raw.token, raw.token_file),
        read_token: context.credential(&section, "read_token", raw.read_token, raw.read_token_file),
        plan_token: raw.plan_token_file.map(|file| Credential::File(file.into())),
    }
}

impl Context<'_> {
    /// Reads a word; one that cannot be read is a fault.
    pub(super) fn read<T>(
        &mut self,
        path: &Path,
        word: Option<String>,
        read: impl Fn(&str) -> Result<T, Unreadable>,
    ) -> Option<T> {
        match read(&word?) {
            Ok(value) => Some(value),
            Err(Unreadable { is, hint }) => {
                let message = format!("`{}`: {} is {is}", path.field(), self.shown(path));
                self.add(path, Finding::error(Code::BadValue, message).hint(hint));
                None
            }
        }
    }

    pub(super) fn duration(&mut self, path: &Path, word: Option<String>) -> Option<Duration> {
        self.read(path, word, values::duration)
    }

    /// A secret given as itself or by its file.
    pub(super) fn credential(
        &mut self,
        section: &Path,
        key: &str,
        value: Option<String>,
        file: Option<String>,
    ) -> Option<Credential> {
        let path = section.join(key);
        let file_path = section.join(&format!("{key}_file"));
        if value.is_some() && file.is_some() {
            let message = format!("both `{key}` and `{key}_file` are given");
            let finding = Finding::error(Code::Conflict, message).hint("keep one of them");
            self.add_at_key(&file_path, finding);
        }
        for (path, given) in [(&path, &value), (&file_path, &file)] {
            if given.as_deref().is_some_and(|given| given.trim().is_empty()) {
                let message = format!("`{}` is empty", path.field());
                self.add(path, Finding::error(Code::BadValue, message));
            }
        }
        let value = value.map(|value| {
            let kind = SecretKind::of(&path.to_string());
            match secret(kind, &value) {
                Ok(text) => {
                    if let Some(is) = weakness(kind, text) {
                        let finding = Finding::warning(Code::Unsafe, format!("`{key}` {is}"));
                        self.add(&path, finding.hint(STRONGER));
                    }
                    text.to_owned()
                }
                // An empty one is told already.
                Err(_) if value.trim().is_empty() => value,
                Err(Unreadable { is, hint }) => {
                    let finding = Finding::error(Code::BadValue, format!("`{key}` {is}"));
                    self.add(&path, finding.hint(hint));
                    value
                }
            }
        });
        match (value, file) {
            (Some(value), _) => Some(Credential::Value(SecretString::from(value))),
            (None, file) => file.map(|file| Credential::File(PathBuf::from(file))),
        }
    }
}
