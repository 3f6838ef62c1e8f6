//! Which names this server answers to.
//!
//! A page of somebody else's can give its own name this machine's address (DNS rebinding), and then
//! a browser lets its scripts read what is served here: on loopback, where nobody else could ask.
//! The name it asked for is in `Host`, which scripts cannot set. So on loopback only names that
//! nobody else can give away are answered: addresses, `localhost`, and the host of
//! `api.external_url`. The webhook is authentic by its secret, whatever it is called by.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::{Api, webhook};

pub(super) async fn answer_to_own_names(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Response {
    let spec = api.spec();
    let given = request.headers().get(header::HOST).map(|host| host.as_bytes().to_owned());
    // Browsers always send it; HTTP/1.0 knows none.
    let known = !api.on_loopback
        || request.uri().path() == webhook::PATH
        || given.as_deref().is_none_or(|host| is_own(host, spec.api.external_url.as_deref()));
    if known {
        return next.run(request).await;
    }
    let detail = "AutoGit is not known by this name";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown-host", detail)
        .hint("ask for `localhost` or an address, or set `api.external_url` to the name of the proxy in front")
        .into_response()
}

fn is_own(host: &[u8], external_url: Option<&str>) -> bool {
    let Some(name) = std::str::from_utf8(host).ok().and_then(name_of) else { return false };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let external = external_url.and_then(|url| url.parse::<Uri>().ok());
    let external = external.as_ref().and_then(Uri::host);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || external.is_some_and(|own| own.eq_ignore_ascii_case(name))
}

/// The host of a `Host` header, without its port.
fn name_of(host: &str) -> Option<&str> {
    let authority: Authority = host.parse().ok()?;
    // What comes before an `@` is no part of a host.
    (!host.contains('@')).then(|| host.get(..authority.host().len())).flatten()
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn addresses_localhost_and_the_external_name_are_own_and_nothing_else() {
        let external = Some("https://autogit.example.com/hooks");
        for own in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost",
            "LOCALHOST:80",
            "a.localhost",
            "192.168.1.5",
            "autogit.example.com",
            "AutoGit.example.com:443",
        ] {
            assert!(is_own(own.as_bytes(), external), "{own}");
        }
        for other in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "localhost@evil.example",
            "evil.example:8080",
            "xautogit.example.com",
            "\u{fc}",
        ] {
            assert!(!is_own(other.as_bytes(), external), "{other}");
        }
        assert!(!is_own(b"autogit.example.com", None));
    }
}
