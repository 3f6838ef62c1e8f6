//! Whether runners can reach GitLab, and whether others can listen in.

use crate::spec::Spec;
use crate::spec::context::Context;
use crate::spec::fault::Code;
use crate::spec::path::Path;
use crate::spec::report::Finding;
use crate::spec::values::{host_of, is_local, is_private};
use crate::spec::words::value;

pub(super) fn check(spec: &Spec, context: &mut Context<'_>) {
    let section = Path::of("gitlab");
    let urls = [
        ("url", Some(&spec.gitlab.url)),
        ("runner_url", Some(&spec.gitlab.runner_url)),
        ("clone_url", spec.gitlab.clone_url.as_ref()),
    ];
    for (key, url) in urls {
        let path = section.join(key);
        let Some(url) = url.filter(|_| context.given(&path) && context.sound(&path)) else {
            continue;
        };
        let Some(host) = host_of(url) else { continue };
        let used_by_runners = key != "url" || !context.given(&section.join("runner_url"));
        if is_local(&host) && used_by_runners {
            context.add(&path, unreachable(key, &host));
        } else if url.starts_with("http://") && !is_private(&host) {
            let message = format!("`{key}` sends tokens to `{}` in plain text", value(&host));
            let finding = Finding::warning(Code::Unsafe, message).hint("use `https://`");
            context.add(&path, finding);
        }
    }
}

fn unreachable(key: &str, host: &str) -> Finding {
    if key == "url" {
        let message = format!(
            "runners cannot reach GitLab at `{}`: in a container that is the container itself",
            value(host)
        );
        return Finding::error(Code::Conflict, message)
            .hint("set `gitlab.runner_url` to an address that containers reach");
    }
    let host = value(host);
    let message = format!("`{key}` is `{host}`, which is the container itself to those who use it");
    Finding::error(Code::Conflict, message).hint("write an address that containers reach")
}
