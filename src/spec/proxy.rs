//! The proxies of what runs in containers: runners on their way to GitLab, and their jobs.
//!
//! A container's environment is shown to whoever may ask the engine, so a URL with credentials is
//! never part of a runner's: it goes to jobs alone, by `config.toml`, and only where the operator
//! wrote it into the spec.

use std::collections::BTreeMap;
use std::fmt;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

use super::values::{host_of, is_local};
use super::{HostName, Pool, Proxy, Spec};

/// What gitlab-runner (Go), curl, git and most others take.
const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// The URL of a proxy. Printed, it has no credentials.
#[derive(Clone)]
pub struct ProxyUrl(SecretString);

impl ProxyUrl {
    /// Reads a URL; one without a scheme is one of `http`, as everywhere.
    pub fn read(word: &str) -> Option<Self> {
        let word = word.trim();
        let url = if word.contains("://") { word.to_owned() } else { format!("http://{word}") };
        let uri: Uri = url.parse().ok()?;
        let known = uri.scheme_str().is_some_and(|scheme| SCHEMES.contains(&scheme));
        let named = uri.host().is_some_and(|host| !host.is_empty());
        // A password with a `/` in it would end the authority too early, and be shown as a port.
        let authority = uri.authority()?.as_str();
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let port = place.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
        let whole = port.is_none_or(|port| port.parse::<u16>().is_ok())
            && url.matches('@').count() == authority.matches('@').count();
        (known && named && whole && !url.contains(char::is_whitespace)).then(|| Self(url.into()))
    }

    /// To a container it is the container itself.
    pub fn is_local(&self) -> bool {
        host_of(self.0.expose_secret()).is_some_and(|host| is_local(&host))
    }

    /// It says who asks.
    pub fn has_credentials(&self) -> bool {
        self.authority().contains('@')
    }

    fn authority(&self) -> &str {
        let url = self.0.expose_secret();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or(rest)
    }
}

impl PartialEq for ProxyUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for ProxyUrl {}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.expose_secret().split_once("://").map_or("http", |(scheme, _)| scheme);
        match self.authority().rsplit_once('@') {
            Some((_, host)) => write!(f, "{scheme}://***@{host}"),
            None => write!(f, "{scheme}://{}", self.authority()),
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Proxy {
    /// There is none.
    pub fn is_none(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// The same without the URLs that say who asks.
    #[must_use]
    pub fn without_credentials(self) -> Self {
        let open = |url: Option<ProxyUrl>| url.filter(|url| !url.has_credentials());
        Self { http: open(self.http), https: open(self.https), no_proxy: self.no_proxy }
    }

    /// Its URLs.
    pub fn urls(&self) -> impl Iterator<Item = &ProxyUrl> {
        self.http.iter().chain(&self.https)
    }

    /// The variables of a job: all there is, in both spellings, for no program knows both.
    pub fn of_jobs(&self) -> BTreeMap<String, String> {
        self.variables(|_| true)
    }

    /// The variables of a runner's container, which hold no credentials.
    pub fn of_runners(&self) -> BTreeMap<String, String> {
        self.variables(|url| !url.has_credentials())
    }

    fn variables(&self, fits: impl Fn(&ProxyUrl) -> bool) -> BTreeMap<String, String> {
        let url = |url: &Option<ProxyUrl>| {
            url.as_ref().filter(|url| fits(url)).map(|url| url.0.expose_secret().to_owned())
        };
        let urls = [("HTTP_PROXY", url(&self.http)), ("HTTPS_PROXY", url(&self.https))];
        if urls.iter().all(|(_, url)| url.is_none()) {
            return BTreeMap::new();
        }
        let all = urls.into_iter().chain([("NO_PROXY", self.no_proxy.clone())]);
        all.filter_map(|(name, value)| Some((name, value?)))
            .flat_map(|(name, value)| {
                [(name.to_owned(), value.clone()), (name.to_lowercase(), value)]
            })
            .collect()
    }
}

/// The proxies of a spec's pools that name none of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// What the file says.
    pub declared: Option<Proxy>,
    /// What AutoGit's own environment says, for want of that.
    pub environment: Option<Proxy>,
    /// What Docker's own configuration says for containers on each host, for want of both.
    pub docker: BTreeMap<HostName, Proxy>,
}

/// Who says which proxy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyOrigin {
    /// The pool.
    Pool,
    /// The file.
    File,
    /// AutoGit's own environment.
    Environment,
    /// Docker's configuration on this machine.
    Docker,
}

impl fmt::Display for ProxyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "the pool's `proxy`",
            Self::File => "`proxy`",
            Self::Environment => "AutoGit's environment",
            Self::Docker => "Docker's `config.json`",
        })
    }
}

impl Spec {
    /// The proxy of a pool's runners and jobs on a host, and who says so; `None`: there is none.
    ///
    /// GitLab is asked directly where its name is one that only the runners' network knows.
    pub fn proxy(&self, pool: &Pool, host: &HostName) -> Option<(Proxy, ProxyOrigin)> {
        let Proxies { declared, environment, docker } = &self.proxies;
        let sources = [
            (pool.proxy.as_ref(), ProxyOrigin::Pool),
            (declared.as_ref(), ProxyOrigin::File),
            (environment.as_ref(), ProxyOrigin::Environment),
            (docker.get(host), ProxyOrigin::Docker),
        ];
        let first = sources.into_iter().find_map(|(proxy, origin)| Some((proxy?, origin)));
        let (proxy, origin) = first.filter(|(proxy, _)| !proxy.is_none())?;
        let mut proxy = proxy.clone();
        let mut direct: Vec<String> = proxy.no_proxy.take().into_iter().collect();
        let urls = [Some(&self.gitlab.runner_url), self.gitlab.clone_url.as_ref()];
        for host in urls.into_iter().flatten().filter_map(|url| host_of(url)) {
            let listed = direct.iter().flat_map(|all| all.split(','));
            if !host.contains(['.', ':']) && !listed.map(str::trim).any(|one| one == host) {
                direct.push(host);
            }
        }
        proxy.no_proxy = (!direct.is_empty()).then(|| direct.join(","));
        Some((proxy, origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_printed_without_its_credentials() {
        for (word, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("proxy.lan:3128/", "http://proxy.lan:3128"),
            ("https://me:p%40w@proxy:3128/x", "https://***@proxy:3128"),
            ("socks5h://token@[fd00::1]:1080", "socks5h://***@[fd00::1]:1080"),
        ] {
            let url = ProxyUrl::read(word).unwrap();
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.into(), shown.into()));
            assert_eq!(url.has_credentials(), shown.contains("***"), "{word}");
        }
        for word in ["", "ftp://proxy", "http://", "a b", "http://x y:1", "http://me:p/w@proxy:1"] {
            assert!(ProxyUrl::read(word).is_none(), "{word:?}");
        }
        assert!(ProxyUrl::read("localhost:3128").unwrap().is_local());
    }

    #[test]
    fn credentials_are_in_no_variable_of_a_runner() {
        let url = |word| ProxyUrl::read(word);
        let mut proxy = Proxy {
            http: url("http://me:pw@proxy:1"),
            https: url("http://proxy:2"),
            no_proxy: Some(".lan".to_owned()),
        };
        assert_eq!(proxy.of_jobs()["http_proxy"], "http://me:pw@proxy:1");
        let names: Vec<String> = proxy.of_runners().into_keys().collect();
        assert_eq!(names, ["HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy"]);
        proxy.https = None;
        assert!(proxy.of_runners().is_empty());
    }
}
