//! Where the engine is asked, and how a client for it is opened.

use std::fmt;
use std::path::{Path, PathBuf};

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use http::header::{CONTENT_TYPE, HeaderValue};

use super::raw::Wire;
use super::ssh::Destination;
use super::transport::{self, BOLLARD_LIMIT};
use super::{DockerSettings, tls};
use crate::engine::EngineError;
use crate::spec::TlsSpec;

/// Where Docker and Podman listen when they run as root, in order of trying.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// An engine's address.
#[derive(Debug, Clone)]
pub(super) enum Endpoint {
    /// The first of these sockets that this user may open when a call needs it, else the first that
    /// exists.
    FirstOf(Vec<PathBuf>),
    /// A socket.
    Unix(PathBuf),
    /// Plain HTTP, by host and port.
    Http(String),
    /// HTTP with client certificates, by host and port.
    Tls(String, TlsSpec),
    /// `docker system dial-stdio` over ssh, by its URL.
    Ssh(String, Destination),
}

impl Endpoint {
    /// The spec's endpoint, else `DOCKER_HOST`, else the usual sockets.
    pub(super) fn resolve(settings: &DockerSettings) -> Result<Self, EngineError> {
        let given = settings.endpoint.as_deref().or(settings.docker_host.as_deref());
        match given.filter(|given| !given.is_empty()) {
            Some(given) => Self::parse(given, settings),
            None => Ok(Self::FirstOf(usual_sockets(settings))),
        }
    }

    fn parse(given: &str, settings: &DockerSettings) -> Result<Self, EngineError> {
        let unreachable = |problem: &str| EngineError::Unreachable {
            endpoint: without_password(given),
            problem: problem.to_owned(),
        };
        let (scheme, rest) = given.split_once("://").unwrap_or(("", given));
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() {
            return Err(unreachable("the address is empty\nhint: use unix://, tcp:// or ssh://"));
        }
        if let ("tcp" | "http" | "https", Some((_, host))) = (scheme, rest.rsplit_once('@')) {
            return Err(EngineError::Unreachable {
                endpoint: format!("{scheme}://{host}"),
                problem: "its address has credentials, and no engine takes any\n\
                          hint: leave out what stands before the `@`"
                    .to_owned(),
            });
        }
        match (scheme, &settings.tls) {
            ("unix", _) if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            ("unix", _) => Err(unreachable("a socket's path starts with `/`")),
            ("tcp" | "http", None) => Ok(Self::Http(with_port(rest, 2375))),
            ("tcp" | "https", Some(tls)) => Ok(Self::Tls(with_port(rest, 2376), tls.clone())),
            ("https", None) => Err(unreachable(
                "its certificates are not known\nhint: set `tls: {ca, cert, key}` of this host",
            )),
            ("ssh", _) => match Destination::parse(rest, &settings.ssh) {
                Some(destination) => Ok(Self::Ssh(format!("ssh://{rest}"), destination)),
                None => Err(unreachable(
                    "it names no host\nhint: write ssh://user@host, with :port and /socket as needed",
                )),
            },
            _ => Err(unreachable("its kind is not known\nhint: use unix://, tcp:// or ssh://")),
        }
    }

    /// The socket, where it is one.
    pub(super) fn unix_path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::FirstOf(paths) => usable(paths),
            Self::Http(_) | Self::Tls(..) | Self::Ssh(..) => None,
        }
    }

    /// The socket on the engine's own machine, where the address names it.
    pub(super) fn path_there(&self) -> Option<&Path> {
        match self {
            Self::Ssh(_, destination) => destination.socket(),
            Self::Unix(_) | Self::FirstOf(_) | Self::Http(_) | Self::Tls(..) => None,
        }
    }

    /// A client; no connection is made yet, but a socket has to exist.
    pub(super) fn open(&self) -> Result<(Docker, Wire), Error> {
        let (docker, wire) = match self {
            Self::Unix(path) => open_unix(path)?,
            Self::FirstOf(paths) => match usable(paths) {
                Some(path) => open_unix(path)?,
                None => return Err(Error::SocketNotFoundError(self.to_string())),
            },
            Self::Http(address) => transport::over_tcp(address)?,
            Self::Tls(address, tls) => tls::over_tls(address, tls)?,
            Self::Ssh(_, destination) => {
                let destination = destination.clone();
                transport::over("docker", move |_| destination.clone().connect())?
            }
        };
        Ok((docker.with_request_modifier(corrected), wire))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http(address) | Self::Tls(address, _) => write!(f, "tcp://{address}"),
            Self::Ssh(url, _) => f.write_str(url),
            Self::FirstOf(paths) => {
                if let Some(path) = usable(paths) {
                    return write!(f, "unix://{}", path.display());
                }
                let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
                f.write_str(&paths.join(", "))
            }
        }
    }
}

fn usual_sockets(settings: &DockerSettings) -> Vec<PathBuf> {
    let [docker, podman] = SOCKETS.map(PathBuf::from);
    let runtime = settings.xdg_runtime_dir.as_ref();
    let mut sockets = vec![docker];
    sockets.extend(runtime.map(|folder| folder.join("docker.sock")));
    sockets.extend(settings.home.as_ref().map(|home| home.join(".docker/run/docker.sock")));
    sockets.extend(runtime.map(|folder| folder.join("podman/podman.sock")));
    sockets.push(podman);
    sockets
}

/// An engine without root that belongs to this user counts before another's that it may not open.
fn usable(paths: &[PathBuf]) -> Option<&Path> {
    let present: Vec<&Path> =
        paths.iter().map(PathBuf::as_path).filter(|path| path.exists()).collect();
    first_open(&present, |path| {
        // A socket cannot be opened as a file, but rights are looked at before that is said.
        let opened = std::fs::OpenOptions::new().read(true).write(true).open(path);
        !matches!(opened, Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
    })
}

fn first_open<'a>(present: &[&'a Path], may_open: impl Fn(&Path) -> bool) -> Option<&'a Path> {
    present.iter().find(|path| may_open(path)).or(present.first()).copied()
}

fn open_unix(path: &Path) -> Result<(Docker, Wire), Error> {
    let socket = path.to_string_lossy();
    let docker = Docker::connect_with_unix(&socket, BOLLARD_LIMIT, API_DEFAULT_VERSION)?;
    Ok((docker, transport::wire_to_socket(path)))
}

/// An address as it may be shown.
fn without_password(given: &str) -> String {
    let Some((before, host)) = given.rsplit_once('@') else { return given.to_owned() };
    let user_starts = before.find("://").map_or(0, |at| at + "://".len());
    let user = before.get(user_starts..).unwrap_or_default();
    match user.split_once(':') {
        Some((user, _)) => {
            format!("{}{user}@{host}", before.get(..user_starts).unwrap_or_default())
        }
        None => given.to_owned(),
    }
}

/// Docker's own ports, for an address that names none.
fn with_port(address: &str, port: u16) -> String {
    let after_ipv6 = address.rsplit(']').next().unwrap_or(address);
    if after_ipv6.contains(':') { address.to_owned() } else { format!("{address}:{port}") }
}

fn corrected(mut request: bollard::BollardRequest) -> bollard::BollardRequest {
    with_url_safe_credentials(&mut request);
    with_one_content_type(&mut request);
    request
}

/// bollard 0.21 writes registry credentials in the plain base64 alphabet, but Docker reads the
/// URL-safe one, and goes on without credentials where it cannot.
fn with_url_safe_credentials(request: &mut bollard::BollardRequest) {
    const HEADER: &str = "x-registry-auth";
    if let Some(value) = request.headers().get(HEADER).and_then(|value| value.to_str().ok())
        && let Ok(mut value) = HeaderValue::from_str(&value.replace('+', "-").replace('/', "_"))
    {
        value.set_sensitive(true);
        request.headers_mut().insert(HEADER, value);
    }
}

/// bollard 0.21 says of an archive that it is a tar and that it is JSON, and a proxy before the
/// engine may refuse a request with both.
fn with_one_content_type(request: &mut bollard::BollardRequest) {
    let types = request.headers().get_all(CONTENT_TYPE);
    let tar = types.iter().find(|value| value.as_bytes() == b"application/x-tar").cloned();
    if let Some(tar) = tar {
        request.headers_mut().insert(CONTENT_TYPE, tar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn resolved(endpoint: Option<&str>, docker_host: Option<&str>) -> Result<String, String> {
        let settings = DockerSettings {
            endpoint: endpoint.map(str::to_owned),
            docker_host: docker_host.map(str::to_owned),
            tls: None,
            socket: None,
            home: None,
            xdg_runtime_dir: Some("/nowhere".into()),
            docker_config: None,
            ssh: "ssh".into(),
            clock: Clock::system(),
        };
        let endpoint = Endpoint::resolve(&settings).map_err(|error| error.to_string())?;
        if let Endpoint::FirstOf(paths) = endpoint {
            return Ok(format!("{paths:?}"));
        }
        Ok(endpoint.to_string())
    }

    #[test]
    fn the_spec_counts_before_docker_host_and_that_before_the_usual_sockets() {
        let both = resolved(Some("unix:///a.sock"), Some("tcp://b:1"));
        assert_eq!(both.unwrap(), "unix:///a.sock");
        assert_eq!(resolved(None, Some("tcp://b:1")).unwrap(), "tcp://b:1");
        assert_eq!(
            resolved(None, Some("")).unwrap(),
            r#"["/var/run/docker.sock", "/nowhere/docker.sock", "/nowhere/podman/podman.sock", "/run/podman/podman.sock"]"#
        );
    }

    #[test]
    fn a_socket_of_ones_own_counts_before_one_that_may_not_be_opened() {
        let [roots, own] = ["/var/run/docker.sock", "/run/user/7/docker.sock"].map(Path::new);
        assert_eq!(first_open(&[roots, own], |_| true), Some(roots));
        assert_eq!(first_open(&[roots, own], |path| path != roots), Some(own));
        assert_eq!(first_open(&[roots, own], |_| false), Some(roots));
        assert_eq!(first_open(&[], |_| true), None);
    }

    #[test]
    fn an_archive_is_of_one_content_type() {
        let request = http::Request::put("/containers/a/archive")
            .header(CONTENT_TYPE, "application/x-tar")
            .header(CONTENT_TYPE, "application/json");
        let request = corrected(request.body(bollard::body_full(bytes::Bytes::new())).unwrap());
        let types: Vec<_> = request.headers().get_all(CONTENT_TYPE).iter().collect();
        assert_eq!(types, ["application/x-tar"]);
    }

    #[test]
    fn an_address_with_credentials_is_refused_without_them() {
        for scheme in ["tcp", "http", "https"] {
            for user in ["me:hunter2", "hunter2", "me:a@hunter2"] {
                let given = format!("{scheme}://{user}@rack:2376");
                let told = resolved(None, Some(&given)).unwrap_err();
                assert!(told.contains("no engine takes any"), "{told}");
                assert!(told.contains("rack:2376") && !told.contains("hunter2"), "{told}");
            }
        }
    }

    #[test]
    fn an_address_without_a_port_gets_dockers() {
        assert_eq!(resolved(Some("tcp://rack"), None).unwrap(), "tcp://rack:2375");
        assert_eq!(resolved(Some("tcp://[fd00::7]"), None).unwrap(), "tcp://[fd00::7]:2375");
        assert_eq!(resolved(Some("tcp://[fd00::7]:99/"), None).unwrap(), "tcp://[fd00::7]:99");
        assert_eq!(resolved(Some("ssh://ci@rack:2222"), None).unwrap(), "ssh://ci@rack:2222");
    }

    #[test]
    fn an_endpoint_that_is_none_is_named_in_its_fault() {
        for given in ["npipe:////./pipe/docker", "rack:2375", "unix://docker.sock", "tcp://"] {
            let fault = resolved(Some(given), None).unwrap_err();
            assert!(fault.contains(given), "{fault}");
        }
        let fault = resolved(None, Some("ssh://ci:secret@rack")).unwrap_err();
        assert!(fault.contains("ssh://ci@rack") && !fault.contains("secret"), "{fault}");
        assert!(
            resolved(Some("https://rack"), None).unwrap_err().contains("`tls: {ca, cert, key}`")
        );
    }
}
