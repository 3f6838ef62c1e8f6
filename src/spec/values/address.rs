//! Addresses: of GitLab, of engines, of our own API.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
    let path = uri.path().trim_end_matches('/').to_ascii_lowercase();
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

/// The host that a URL or endpoint names, an address as it is usually written.
pub(in crate::spec) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let address = host.parse().ok().or_else(|| short_address(host).map(IpAddr::V4));
    Some(address.map_or_else(|| host.to_owned(), |address| address.to_canonical().to_string()))
}

/// An address as old tools write it, and URLs may: `127.1`, `0x7f000001`, `2130706433`.
fn short_address(host: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| match part.strip_prefix("0x") {
        Some("") => Some(0),
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
        None => part.parse().ok(),
    };
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, above) = parts.split_last().filter(|(_, above)| above.len() < 4)?;
    let bits = 32 - 8 * u32::try_from(above.len()).ok()?;
    let mut address = u64::from(*last);
    for (place, part) in (0_u32..).zip(above) {
        address |= u64::from(u8::try_from(*part).ok()?) << (24 - 8 * place);
    }
    let fits = u64::from(*last) < 1 << bits;
    fits.then(|| u32::try_from(address).ok().map(Ipv4Addr::from)).flatten()
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
                let bare = uri.path() == "/" && uri.query().is_none();
                uri.port_u16().is_some() && has_real_port(&uri) && bare
            })
        }
        Some(("ssh", rest)) => {
            let uri = format!("http://{rest}").parse::<Uri>();
            // ssh takes no password, and what is in the address is shown.
            let user = rest.split_once('@').map_or("", |(user, _)| user);
            let named = |uri: Uri| uri.host().is_some() && has_real_port(&uri);
            uri.is_ok_and(named) && !user.contains(':')
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
            ["http://x/api/v4", "http://x/gitlab/API/V4/", "https://x/api", "http://x/api/graphql"]
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
    fn this_machine_is_known_by_any_spelling() {
        for url in [
            "http://localhost.",
            "http://LocalHost:3000",
            "http://127.1",
            "http://0x7f.1",
            "http://0177.0.0.1",
            "http://2130706433/",
            "http://0",
            "http://[::ffff:127.0.0.1]:80",
        ] {
            assert!(is_local(&host_of(url).unwrap()), "{url}");
        }
        for (url, host) in [
            ("http://10.1", "10.0.0.1"),
            ("http://git.example.", "git.example"),
            ("http://127.0.0.1.example", "127.0.0.1.example"),
            ("http://300.1.1.1", "300.1.1.1"),
            ("http://4294967296", "4294967296"),
            ("http://1.2.3.4.5", "1.2.3.4.5"),
            ("http://[fd00::1]", "fd00::1"),
        ] {
            assert_eq!(host_of(url).unwrap(), host);
        }
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
            "ssh://rack:secret",
            "tcp://rack:2376?key=secret",
        ] {
            assert!(endpoint(word).is_err(), "{word}");
        }
    }
}
