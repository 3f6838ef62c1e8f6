//! Which address GitLab has: for AutoGit, and for runners, which are containers.

use std::net::IpAddr;

use super::Setting;
use super::ask::Question;
use crate::engine::setup::GitlabContainer;
use crate::operate::Failure;

/// How runners reach GitLab, where that is another way than AutoGit's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) runner_url: Option<String>,
    /// The network that they share with it.
    pub(super) network: Option<String>,
}

impl Setting<'_> {
    /// GitLab's address, as given, as it was, or as a container on the engine suggests.
    pub(super) async fn url(
        &self,
        before: Option<&String>,
        found: Option<&GitlabContainer>,
    ) -> Result<String, Failure> {
        if let Some(url) = &self.wishes.url {
            return Ok(url.clone());
        }
        let mut proposed = before.cloned();
        if proposed.is_none()
            && let Some(container) = found
        {
            let by_name = match container.port {
                Some((inside, _)) => resolves(&container.name, inside).await,
                None => true,
            };
            proposed = Some(address(container, by_name));
            self.ask
                .tell(&format!("Container `{}` on this engine looks like GitLab", container.name));
        }
        let question = Question {
            text: "GitLab's address",
            default: proposed.as_deref(),
            flag: "`GITLAB_URL` or `--url`",
        };
        self.ask.line(question).await
    }

    /// How runners reach it.
    pub(super) async fn ways(
        &self,
        url: &str,
        found: Option<&GitlabContainer>,
    ) -> Result<Ways, Failure> {
        let ways = ways(url, found);
        if let Some(given) = &self.wishes.runner_url {
            return Ok(Ways { runner_url: Some(super::reach::cleaned(given)?), ..ways });
        }
        if ways.runner_url.is_some() || !is_local(url) {
            return Ok(ways);
        }
        let gateway = (self.adapters.gateway)(self.process).await.ok();
        let proposed = gateway.and_then(|gateway| elsewhere(url, &gateway.to_string()));
        let text = format!("{url} is this machine alone; where do containers reach GitLab");
        let question =
            Question { text: &text, default: proposed.as_deref(), flag: "`--runner-url`" };
        let answer = super::reach::cleaned(&self.ask.line(question).await?)?;
        Ok(Ways { runner_url: Some(answer), ..ways })
    }
}

/// A container's address: by its name where that is known here, else by its published port.
fn address(container: &GitlabContainer, by_name: bool) -> String {
    match container.port {
        Some((inside, outside)) => {
            let scheme = scheme(inside);
            if by_name {
                format!("{scheme}://{}{}", container.name, port(scheme, inside))
            } else {
                format!("{scheme}://localhost{}", port(scheme, outside))
            }
        }
        None => format!("http://{}", container.name),
    }
}

fn scheme(port: u16) -> &'static str {
    if port == 443 { "https" } else { "http" }
}

fn port(scheme: &str, port: u16) -> String {
    if (scheme, port) == ("http", 80) || (scheme, port) == ("https", 443) {
        String::new()
    } else {
        format!(":{port}")
    }
}

/// Runners find a container by its name in a network of its own; so does who is in there.
fn ways(url: &str, found: Option<&GitlabContainer>) -> Ways {
    let Some(container) = found else { return Ways::default() };
    let Some(network) = container.network.clone() else { return Ways::default() };
    if host(url) == container.name {
        return Ways { runner_url: None, network: Some(network) };
    }
    let published = container.port.filter(|(_, outside)| port_of(url) == Some(*outside));
    let Some((inside, _)) = published.filter(|_| is_local(url)) else { return Ways::default() };
    let scheme = if url.starts_with("https:") { "https" } else { "http" };
    let runner_url = format!("{scheme}://{}{}", container.name, port(scheme, inside));
    Ways { runner_url: Some(runner_url), network: Some(network) }
}

/// The same address on another host.
fn elsewhere(url: &str, host: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let path = rest.find('/').map_or("", |at| rest.get(at..).unwrap_or_default());
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Some(format!("{scheme}://{host}{}{path}", port(scheme, port_of(url)?)))
}

fn authority(url: &str) -> &str {
    url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default())
}

fn host(url: &str) -> &str {
    let authority = authority(url);
    let without_port = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    without_port.trim_matches(['[', ']'])
}

fn port_of(url: &str) -> Option<u16> {
    let authority = authority(url);
    let written = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    written.or(if url.starts_with("https:") { Some(443) } else { Some(80) })
}

/// What a container takes for itself.
fn is_local(url: &str) -> bool {
    let host = host(url);
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

async fn resolves(name: &str, port: u16) -> bool {
    tokio::net::lookup_host((name, port)).await.is_ok_and(|mut found| found.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(port: Option<(u16, u16)>, network: Option<&str>) -> GitlabContainer {
        GitlabContainer { name: "git".to_owned(), port, network: network.map(str::to_owned) }
    }

    #[test]
    fn a_container_is_reached_by_its_port_from_outside_and_by_its_name_from_inside() {
        let published = container(Some((3000, 8929)), Some("home"));
        assert_eq!(address(&published, false), "http://localhost:8929");
        assert_eq!(address(&published, true), "http://git:3000");
        assert_eq!(address(&container(Some((443, 443)), None), false), "https://localhost");
        let from_outside = ways("http://localhost:8929", Some(&published));
        assert_eq!(from_outside.runner_url.as_deref(), Some("http://git:3000"));
        assert_eq!(from_outside.network.as_deref(), Some("home"));
        let from_inside = ways("http://git:3000", Some(&published));
        assert_eq!((from_inside.runner_url, from_inside.network.as_deref()), (None, Some("home")));
        assert_eq!(ways("https://gitlab.example.com", Some(&published)), Ways::default());
        assert_eq!(ways("http://localhost:8929", Some(&container(None, None))), Ways::default());
    }

    #[test]
    fn this_machine_alone_is_told_from_what_containers_reach() {
        for local in
            ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:80", "http://0.0.0.0"]
        {
            assert!(is_local(local), "{local}");
        }
        assert!(!is_local("http://git.lan") && !is_local("http://192.168.1.170:3000"));
        let there = elsewhere("http://127.0.0.1:3000/sub", "172.17.0.1");
        assert_eq!(there.as_deref(), Some("http://172.17.0.1:3000/sub"));
    }
}
