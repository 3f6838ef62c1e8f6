//! The `proxy` section, of the file and of a pool.

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::section::RawProxy;
use crate::spec::values::Unreadable;
use crate::spec::{Proxy, ProxyUrl};

pub(super) fn build(raw: RawProxy, path: &Path, context: &mut Context<'_>) -> Proxy {
    Proxy {
        http: url(raw.http, &path.join("http"), context),
        https: url(raw.https, &path.join("https"), context),
        no_proxy: no_proxy(raw.no_proxy, &path.join("no_proxy"), context),
    }
}

fn url(word: Option<String>, path: &Path, context: &mut Context<'_>) -> Option<ProxyUrl> {
    const NO_PROXY: Unreadable = Unreadable {
        is: "no proxy's URL",
        hint: "write scheme, host and port, as in `http://proxy.example.com:3128`",
    };
    let read = |word: &str| {
        let url = ProxyUrl::read(word).filter(|_| word.contains("://"));
        url.ok_or(NO_PROXY)
    };
    let url = context.read(path, word, read)?;
    let field = path.field();
    if url.is_local() {
        let message = format!("`{field}` leads to the container itself, for those who use it");
        let finding = Finding::error(Code::Conflict, message)
            .hint("write an address of the proxy that containers reach");
        context.add(path, finding);
    } else if url.has_credentials() {
        let message =
            format!("`{field}` has credentials: its jobs can read them, and runners do not use it");
        let finding = Finding::warning(Code::Unsafe, message).hint(
            "a container's environment is no place for a secret: use a proxy that asks for none",
        );
        context.add(path, finding);
    }
    Some(url)
}

fn no_proxy(word: Option<String>, path: &Path, context: &mut Context<'_>) -> Option<String> {
    let word = word?;
    if word.contains("://") || word.contains(char::is_control) {
        let message = format!("{} is no list of hosts", context.shown(path));
        let finding = Finding::error(Code::BadValue, message)
            .hint("write hosts, domains and networks, as in `gitlab.lan,.example.com,10.0.0.0/8`");
        context.add(path, finding);
    }
    Some(word)
}
