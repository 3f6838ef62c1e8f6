//! An ssh server of the test's own on the loopback, and a client that knows it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use crate::hosts::require::{self, Folder, free_port, until};

const PROGRAMS: [&str; 5] = ["sshd", "ssh", "ssh-keygen", "docker", "unshare"];

/// An ssh server, and the files of who may log in.
pub(crate) struct Sshd {
    pub(crate) folder: Folder,
    port: u16,
    user: String,
    server: Option<Child>,
}

impl Sshd {
    /// A running server; nothing where the machine lacks one.
    pub(crate) async fn start() -> Option<Self> {
        if !require::has("SSH", &PROGRAMS) {
            return None;
        }
        let (folder, port) = (Folder::new(), free_port());
        let mut sshd = Self { folder, port, user: said("id", &["-un"]), server: None };
        sshd.make_keys();
        sshd.start_again().await;
        Some(sshd)
    }

    fn make_keys(&self) {
        let folder = &self.folder;
        for name in ["host", "user", "stranger"] {
            let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", &folder.file(name)];
            said("ssh-keygen", &arguments);
        }
        fs::copy(folder.file("user.pub"), folder.file("authorized_keys")).unwrap();
        folder.write("server", &format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             PermitRootLogin prohibit-password\nKbdInteractiveAuthentication no\n",
            self.port,
            folder.file("host"),
            folder.file("authorized_keys"),
        ));
    }

    /// Where AutoGit finds the engine of this machine by ssh.
    pub(crate) fn endpoint(&self) -> String {
        format!("ssh://{}@127.0.0.1:{}", self.user, self.port)
    }

    /// Writes a program that is `ssh` with the files of a user who has this key.
    pub(crate) fn client(&self, key: &str, knows_host: bool) -> PathBuf {
        let folder = &self.folder;
        let host = folder.read("host.pub");
        let known = format!("[127.0.0.1]:{} {host}", self.port);
        let known = folder.write("known_hosts", if knows_host { &known } else { "" });
        let config = folder.write(
            &format!("config-{key}-{knows_host}"),
            &format!(
                "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {known}\n\
             GlobalKnownHostsFile /dev/null\n",
                folder.file(key),
            ),
        );
        let programs = folder.path().join(format!("bin-{key}-{knows_host}"));
        fs::create_dir_all(&programs).unwrap();
        let program = programs.join("ssh");
        let ssh = require::find("ssh").unwrap();
        // Each tells which process it is, and is ssh from then on.
        fs::write(
            &program,
            format!(
                "#!/bin/sh\necho $$ >>{}\nexec {} -F {config} \"$@\"\n",
                folder.file("processes"),
                ssh.display(),
            ),
        )
        .unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        program
    }

    /// The ssh processes of its clients that still live.
    pub(crate) fn clients(&self) -> usize {
        let processes = self.folder.read("processes");
        let lives = |process: &&str| {
            let command = fs::read_to_string(format!("/proc/{process}/cmdline"));
            command.is_ok_and(|command| command.contains("dial-stdio"))
        };
        processes.lines().filter(lives).count()
    }

    /// Ends the server and all its sessions at once, as when the machine loses its network.
    pub(crate) fn cut(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.stdin.take());
            let _ = server.wait();
        }
    }

    pub(crate) async fn start_again(&mut self) {
        // sshd insists on this folder of its package, which its service makes elsewhere.
        fs::create_dir_all("/run/sshd").unwrap();
        let log = fs::File::options().create(true).append(true).open(self.folder.file("log"));
        // It and its sessions live in a namespace of their own, and end with its first process;
        // which reads until nobody is there to write.
        let server = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "bash", "-c"])
            .arg("\"$0\" -D -e -f \"$1\" </dev/null & read -r")
            .arg(require::find("sshd").unwrap())
            .arg(self.folder.file("server"))
            .stdin(Stdio::piped())
            .stderr(log.unwrap())
            .spawn();
        self.server = Some(server.unwrap());
        until("sshd listens", async || TcpStream::connect(("127.0.0.1", self.port)).await.ok())
            .await;
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
