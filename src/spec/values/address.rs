//! Addresses: of GitLab, of engines, of our own API.

use std::net::{IpAddr, SocketAddr};

use http::Uri;

use super::Unreadable;

const NO_URL: Unreadable = Unreadable {
    is: "no base URL",
    hint: "write scheme, host and port, as in `https://gitlab.example.com`",
};

/// A base URL of GitLab, without its trailing slash.
pub(in crate::spec) fn base_url(word: &str) -> Result<String, Unreadable> {
    let uri: Uri = word.parse().map_err(|_| NO_URL)?;
    let known_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let named = uri.host().is_some_and(|host| !host.is_empty());
    if !known_scheme || !named || word.contains(['?', '#']) {
        return Err(NO_URL);
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        let hint = "leave out what stands before the `@`; the token has a field of its own";
        return Err(Unreadable { is: "a URL with credentials", hint });
    }
    if !has_real_port(&uri) {
        let hint = "a port is a number from 1 to 65535; leave out the `:` for the usual one";
        return Err(Unreadable { is: "a URL without a real port", hint });
    }
    let path = uri.path().trim_end_matches('/');
    if path.contains("/api/v") || path.ends_with("/api") || path.ends_with("/graphql") {
        let hint = "write GitLab's own address: leave out `/api` and what follows";
        return Err(Unreadable { is: "an address of the API", hint });
    }
    Ok(word.trim_end_matches('/').to_owned())
}

/// No port is the scheme's own one.
fn has_real_port(uri: &Uri) -> bool {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let after = authority.rsplit(']').next().unwrap_or_default();
    match after.split_once(':') {
        None => true,
        Some((_, port)) => port.parse::<u16>().is_ok_and(|port| port > 0),
    }
}

/// The host that a URL or endpoint names.
pub(in crate::spec) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.host().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase())
}

/// Whether a host is the machine (or container) that asks: nothing else can reach it by that name.
pub(in crate::spec) fn is_local(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether a host is on a network of one's own: a private address, or a name that no public
/// name server knows.
pub(in crate::spec) fn is_private(host: &str) -> bool {
    const SUFFIXES: [&str; 6] = [".local", ".lan", ".home", ".internal", ".home.arpa", ".test"];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.is_private() || v4.is_link_local() || is_local(host),
        Ok(IpAddr::V6(v6)) => v6.is_unique_local() || v6.is_unicast_link_local() || is_local(host),
        Err(_) => {
            let own_name = SUFFIXES.iter().any(|suffix| host.ends_with(suffix));
            !host.contains('.') || own_name || is_local(host)
        }
    }
}

/// An engine's endpoint.
pub(in crate::spec) fn endpoint(word: &str) -> Result<String, Unreadable> {
    const NO_ENDPOINT: Unreadable = Unreadable {
        is: "no Docker endpoint",
        hint: "write `unix:///var/run/docker.sock`, `tcp://host:2376` or `ssh://user@host`",
    };
    let fits = match word.split_once("://") {
        Some(("unix", path)) => path.starts_with('/') && path.len() > 1,
        Some(("tcp", rest)) => {
            let uri = format!("http://{rest}").parse::<Uri>();
            uri.is_ok_and(|uri| {
                uri.port_u16().is_some() && has_real_port(&uri) && uri.path() == "/"
            })
        }
        Some(("ssh", rest)) => {
            let uri = format!("http://{rest}").parse::<Uri>();
            // ssh takes no password, and what is in the address is shown.
            let user = rest.split_once('@').map_or("", |(user, _)| user);
            uri.is_ok_and(|uri| uri.host().is_some()) && !user.contains(':')
        }
        _ => false,
    };
    if fits { Ok(word.to_owned()) } else { Err(NO_ENDPOINT) }
}

/// The address on which our API listens.
pub(in crate::spec) fn listen(word: &str) -> Result<SocketAddr, Unreadable> {
    word.parse().map_err(|_| Unreadable {
        is: "no address to listen on",
        hint: "write address and port, as in `127.0.0.1:8080` or `0.0.0.0:8080` for all",
    })
}

#[cfg(test)]
mod tests {
    use super::{base_url, endpoint, host_of, is_local, is_private};

    #[test]
    fn a_base_url_loses_its_slash_and_nothing_else() {
        assert_eq!(base_url("https://git.example/gitlab/").unwrap(), "https://git.example/gitlab");
        for word in ["git.example", "ftp://x", "http://", "http://a b", "http://x?y", "", "http:x"]
        {
            assert!(base_url(word).is_err(), "{word}");
        }
        assert!(base_url("https://me:pw@git.example").is_err());
        for word in ["http://x:", "http://x:0", "http://x:70000", "http://[::1]:", "http://x:a"] {
            assert!(base_url(word).is_err(), "{word}");
        }
        for word in
            ["http://x/api/v4", "http://x/gitlab/api/v4/", "https://x/api", "http://x/api/graphql"]
        {
            assert_eq!(base_url(word).unwrap_err().is, "an address of the API", "{word}");
        }
        for word in ["http://x:8080", "http://[::1]:3000", "https://x/apis", "https://api.x"] {
            assert!(base_url(word).is_ok(), "{word}");
        }
    }

    #[test]
    fn hosts_of_ones_own_are_told_from_public_ones() {
        for host in ["autogit-git-server", "10.1.2.3", "git.lan", "fd00::1", "localhost"] {
            assert!(is_private(host), "{host}");
        }
        for host in ["gitlab.com", "8.8.8.8", "2001:db8::1", "172.32.0.1"] {
            assert!(!is_private(host), "{host}");
        }
        assert!(is_local(&host_of("http://[::1]:3000").unwrap()));
        assert!(!is_local("192.168.1.170"));
    }

    #[test]
    fn endpoints_are_unix_tcp_or_ssh() {
        for word in ["unix:///run/user/1000/docker.sock", "tcp://rack:2376", "ssh://ci@rack"] {
            assert!(endpoint(word).is_ok(), "{word}");
        }
        for word in [
            "/var/run/docker.sock",
            "unix://",
            "tcp://rack",
            "tcp://rack:0",
            "http://rack:2375",
            "rack",
            "ssh://ci:secret@rack",
        ] {
            assert!(endpoint(word).is_err(), "{word}");
        }
    }
}
