//! Who may see and ask what, from where.

use secrecy::ExposeSecret as _;

use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::words::value;
use crate::spec::{Credential, Spec};

pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    open(spec, context);
    same(spec, context);
}

/// A token for looking that is the one for acting lets everybody act who may look. One in a file is
/// compared where files are read.
fn same(spec: &Spec, context: &mut Context<'_>) {
    let section = Path::of("api");
    let (act, read) = (section.join("token"), section.join("read_token"));
    let value = |credential: &Option<Credential>| {
        let secret = credential.as_ref().and_then(Credential::value);
        secret.map(|secret| secret.expose_secret().to_owned())
    };
    let (acting, reading) = (value(&spec.api.token), value(&spec.api.read_token));
    if acting.is_some() && acting == reading && context.sound(&act) && context.sound(&read) {
        let finding = Finding::error(Code::Conflict, "`read_token` is the same as `token`")
            .hint("give it a value of its own: whoever may look could change things");
        context.add(&read, finding);
    }
}

/// Everybody who reaches the address sees projects, job names and errors, unless reading takes a
/// token.
fn open(spec: &Spec, context: &mut Context<'_>) {
    let section = Path::of("api");
    let path = section.join("listen");
    let ip = spec.api.listen.ip();
    let judged = context.sound(&path) && context.sound(&section.join("read_token"));
    if ip.is_loopback() || spec.api.read_token.is_some() || !judged {
        return;
    }
    let message = format!(
        "the API listens beyond this machine, on `{}`, and shows everything to everyone",
        value(ip)
    );
    let finding = Finding::warning(Code::Unsafe, message).hint(
        "set `api.read_token_file`, or listen on `127.0.0.1` behind a proxy that asks who it is",
    );
    context.add(&path, finding);
}
