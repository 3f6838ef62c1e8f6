//! Who may see and ask what, from where.

use crate::spec::Spec;
use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::words::value;

/// Everybody who reaches the address sees projects, job names and errors, unless reading takes a
/// token.
pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    let section = Path::of("api");
    let path = section.join("listen");
    let ip = spec.api.listen.ip();
    let judged = context.sound(&path) && context.sound(&section.join("read_token"));
    if ip.is_loopback() || spec.api.read_token.is_some() || !judged {
        return;
    }
    let message =
        format!("the API listens beyond this machine, on `{}`, and shows all to all", value(ip));
    let finding = Finding::warning(Code::Unsafe, message).hint(
        "set `api.read_token_file`, or listen on `127.0.0.1` behind a proxy that asks who it is",
    );
    context.add(&path, finding);
}
