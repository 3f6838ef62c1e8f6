//! `docker system dial-stdio` on another machine, through the `ssh` program, as docker's own
//! client does it: keys, known hosts, jumps and names are what the user's ssh knows of them.
//!
//! Each connection is a process of ours. It ends with its connection, and with AutoGit, however
//! that ends: its input is a pipe from here.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Uri;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::transport::Way;

/// Logins that are under way at once: sshd drops some of more than ten (`MaxStartups`), and others
/// log in, too.
const LOGINS_MAX: usize = 6;

/// Never a question, for nobody is there to answer; no wait for a machine that says nothing.
const OPTIONS: [&str; 9] = [
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=15",
    "-o",
    "ServerAliveInterval=10",
    "-o",
    "ServerAliveCountMax=3",
];

/// What is kept of ssh's words; a banner may come before the fault.
const WORDS_MAX: usize = 4096;

/// Where ssh goes.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    program: PathBuf,
    words: Vec<String>,
    socket: Option<PathBuf>,
    logins: Arc<Semaphore>,
}

impl Destination {
    /// Of `user@host:port/path/of/socket`, of which only the host has to be there.
    pub(super) fn parse(rest: &str, program: &Path) -> Option<Self> {
        let uri: Uri = format!("ssh://{rest}").parse().ok()?;
        let authority = uri.authority()?.as_str();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        // A password on a command line would be everyone's to read, and ssh takes none.
        let user_is_fine = user.is_none_or(|user| !user.is_empty() && !user.contains(':'));
        let host = uri.host()?.trim_matches(['[', ']']);
        if host.is_empty() || !user_is_fine {
            return None;
        }
        let mut words: Vec<String> = OPTIONS.map(str::to_owned).into();
        words.extend(user.into_iter().flat_map(|user| ["-l".to_owned(), user.to_owned()]));
        let port = uri.port_u16().map(|port| port.to_string());
        words.extend(port.into_iter().flat_map(|port| ["-p".to_owned(), port]));
        words.extend(["--".to_owned(), host.to_owned(), "docker".to_owned()]);
        let socket = Some(uri.path()).filter(|path| !path.trim_matches('/').is_empty());
        words.extend(
            socket.iter().map(|path| format!("--host={}", quoted(&format!("unix://{path}")))),
        );
        words.extend(["system".to_owned(), "dial-stdio".to_owned()]);
        let (program, socket) = (program.to_owned(), socket.map(PathBuf::from));
        Some(Self { program, words, socket, logins: Arc::new(Semaphore::new(LOGINS_MAX)) })
    }

    /// The engine's socket there, where the address names it.
    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// A connection to the engine there.
    pub(super) async fn connect(self) -> io::Result<Way> {
        let login = self.logins.acquire_owned().await.map_err(io::Error::other)?;
        let spawned = Command::new(&self.program)
            .args(&self.words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = spawned.map_err(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return error;
            }
            io::Error::other(
                "there is no `ssh` program here
hint: install an OpenSSH client beside AutoGit",
            )
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(talk)) = pipes else {
            return Err(io::Error::other("ssh has no pipes"));
        };
        let end = End::Awaited(tokio::spawn(outcome(child, talk)));
        Ok(Way::new(Conversation { input: Some(input), output, end, login: Some(login) }))
    }
}

/// One word for the shell on the far side.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How ssh ended; what it said becomes the error if it did not end well.
async fn outcome(mut child: Child, mut talk: ChildStderr) -> io::Result<()> {
    let (mut words, mut piece) = (Vec::new(), [0; 512]);
    // Read to its end: who writes to a full pipe stops working.
    while let Ok(length @ 1..) = talk.read(&mut piece).await {
        words.extend_from_slice(piece.get(..length).unwrap_or_default());
        let surplus = words.len().saturating_sub(WORDS_MAX);
        words.drain(..surplus);
    }
    let status = child.wait().await?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(explained(&String::from_utf8_lossy(&words), status)))
}

/// The last thing said is why; each fault that an operator meets has its remedy.
fn explained(words: &str, status: ExitStatus) -> String {
    const REMEDIES: [(&str, &str); 5] = [
        (
            "Host key verification failed",
            "log in there once with `ssh` as the user that AutoGit runs as, or add its key to \
             that user's `known_hosts`",
        ),
        (
            "Permission denied",
            "the key of the user that AutoGit runs as belongs in `authorized_keys` there; one \
             with a passphrase needs an agent",
        ),
        ("connect: permission denied", "the user there has to be in the group `docker`"),
        (
            "raw stream connection",
            "is Docker running there? A socket elsewhere is named as in \
             ssh://user@host/run/user/1000/docker.sock",
        ),
        (
            "docker: ",
            "install docker's command there, for ssh runs `docker system dial-stdio` on that host",
        ),
    ];
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let Some(said) = lines.next_back() else { return format!("ssh ended with {status}") };
    let remedy = REMEDIES.iter().find(|(fault, _)| said.contains(fault));
    let hint = remedy.map_or("does `ssh` reach it from here, as this user?", |(_, remedy)| remedy);
    format!("{said}\nhint: {hint}")
}

/// What goes to and fro with one ssh.
struct Conversation {
    input: Option<ChildStdin>,
    output: ChildStdout,
    end: End,
    /// Held until the far side answered.
    login: Option<OwnedSemaphorePermit>,
}

enum End {
    Awaited(JoinHandle<io::Result<()>>),
    Known,
}

impl Conversation {
    /// Whether the end that is seen is one that ssh calls good.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        let End::Awaited(outcome) = &mut self.end else { return Poll::Ready(Ok(())) };
        let outcome = ready!(Pin::new(outcome).poll(cx));
        self.end = End::Known;
        Poll::Ready(outcome.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let End::Awaited(outcome) = &self.end {
            outcome.abort();
        }
    }
}

impl AsyncRead for Conversation {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(cx, buffer))?;
        if buffer.filled().len() == before {
            return self.poll_end(cx);
        }
        self.login = None;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Conversation {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.input {
            Some(input) => ready!(Pin::new(input).poll_write(cx, bytes)),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        let Err(broken) = written else { return Poll::Ready(written) };
        // Nobody reads any more; ssh's own words say more than that.
        ready!(self.poll_end(cx))?;
        Poll::Ready(Err(broken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A pipe keeps nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The far side sees the end when the pipe is closed.
        self.input = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(rest: &str) -> Option<String> {
        let destination = Destination::parse(rest, Path::new("ssh"))?;
        Some(destination.words.get(OPTIONS.len()..)?.join(" "))
    }

    #[test]
    fn an_address_becomes_a_command_line() {
        assert_eq!(words("rack").unwrap(), "-- rack docker system dial-stdio");
        assert_eq!(
            words("ci@rack:2222").unwrap(),
            "-l ci -p 2222 -- rack docker system dial-stdio"
        );
        assert_eq!(
            words("ci@[fd00::7]/run/user/1000/docker.sock").unwrap(),
            "-l ci -- fd00::7 docker --host='unix:///run/user/1000/docker.sock' system dial-stdio"
        );
        assert_eq!(
            words("rack/it's").unwrap(),
            r"-- rack docker --host='unix:///it'\''s' system dial-stdio"
        );
        for none in ["", "ci:secret@rack", "@rack", "ra ck"] {
            assert!(words(none).is_none(), "{none}");
        }
    }

    #[test]
    fn the_last_words_of_ssh_come_with_their_remedy() {
        let failed = std::os::unix::process::ExitStatusExt::from_raw(255 << 8);
        let explained = |words| explained(words, failed);
        let denied = "Welcome!\nci@rack: Permission denied (publickey).\r\n";
        let told = explained(denied);
        assert!(told.starts_with("ci@rack: Permission denied (publickey).\nhint: the key of"));
        assert!(explained("bash: line 1: docker: command not found").contains("install docker's"));
        let group = "failed to open the raw stream connection: dial unix /var/run/docker.sock: \
                     connect: permission denied";
        assert!(explained(group).contains("group `docker`"));
        assert_eq!(explained("\n"), "ssh ended with exit status: 255");
    }
}
