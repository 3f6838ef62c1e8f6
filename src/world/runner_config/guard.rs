//! What stops a job that would silently be emulated. gitlab-runner has no setting for the platform
//! of jobs: an image of another architecture runs through binfmt wherever that is registered, many
//! times slower, and nobody says so. `pre_build_script` runs in the job's container alone, in its
//! shell, before the job's own script, and gitlab-runner expands nothing in it (19.4).

use toml::{Table, Value};

use crate::spec::Arch;

/// The setting, and the one that tells whether it is for a shell of our kind.
const SCRIPT: &str = "pre_build_script";
const SHELL: &str = "shell";

/// What `uname -m` says, by kinds that are surely not each other: on an arm64 kernel an image for
/// armv7 says `aarch64`, and on an amd64 one an image for i386 says `x86_64`.
const MACHINES: [(&[Arch], &str); 5] = [
    (&[Arch::Amd64], "x86_64 | i[3-6]86"),
    (&[Arch::Arm64, Arch::Armv7], "aarch64 | arm*"),
    (&[Arch::Riscv64], "riscv64"),
    (&[Arch::S390x], "s390x"),
    (&[Arch::Ppc64le], "ppc64le"),
];

/// Puts the guard before the operator's own script; a shell that may not read it gets none.
pub(super) fn add(runner: &mut Table, arch: Arch) {
    // gitlab-runner reads keys without regard to case.
    let given = |name: &str| {
        let mut keys = runner.keys().filter(|key| key.eq_ignore_ascii_case(name));
        keys.next().cloned().unwrap_or_else(|| name.to_owned())
    };
    let (script, shell) = (given(SCRIPT), given(SHELL));
    let shell = runner.get(&shell).map(|shell| shell.as_str().unwrap_or_default());
    if shell.is_some_and(|shell| !["bash", "sh"].contains(&shell)) {
        return;
    }
    let own = match runner.get(&script) {
        None => "",
        Some(Value::String(own)) => own,
        // gitlab-runner says what is wrong with it.
        Some(_) => return,
    };
    let guarded = format!("{}{own}", text(arch));
    runner.insert(script, guarded.into());
}

/// The first line is what a job's log shows of it. What no `uname` tells passes.
fn text(arch: Arch) -> String {
    let others = MACHINES.iter().filter(|(own, _)| !own.contains(&arch));
    let others: Vec<&str> = others.map(|(_, machines)| *machines).collect();
    format!(
        "# AutoGit lets jobs for {arch} pass\n\
         case \"$(uname -m 2>/dev/null || true)\" in {})\n\
         echo \"this job's runner is for {arch}, and its image is for $(uname -m): it would be emulated\"\n\
         echo 'hint: in the job, set image: {{name: IMAGE, docker: {{platform: {}}}}}, or name the tag of another architecture'\n\
         exit 1\n\
         esac\n",
        others.join(" | "),
        arch.platform(),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a shell makes of the guard in an image whose `uname` says that.
    fn guarded(arch: Arch, uname: &str) -> (bool, String) {
        let script = format!("set -eu\nuname() {{ {uname}; }}\n{}echo the job", text(arch));
        let ran = Command::new("sh").args(["-c", &script]).output().unwrap();
        (ran.status.success(), String::from_utf8(ran.stdout).unwrap())
    }

    #[test]
    fn a_job_of_another_architecture_ends_with_what_to_do() {
        let (passes, said) = guarded(Arch::Arm64, "echo x86_64");
        assert!(!passes && said.contains("is for arm64, and its image is for x86_64"), "{said}");
        assert!(said.contains("docker: {platform: linux/arm64}") && !said.contains("the job\n"));
        for (arch, machine) in [
            (Arch::Amd64, "aarch64"),
            (Arch::Amd64, "armv7l"),
            (Arch::Armv7, "i686"),
            (Arch::Riscv64, "x86_64"),
            (Arch::S390x, "ppc64le"),
        ] {
            assert!(!guarded(arch, &format!("echo {machine}")).0, "{arch} {machine}");
        }
    }

    #[test]
    fn only_a_sure_mismatch_ends_a_job() {
        for (arch, uname) in [
            (Arch::Amd64, "echo x86_64"),
            (Arch::Amd64, "echo i686"),
            (Arch::Armv7, "echo aarch64"),
            (Arch::Arm64, "echo armv8l"),
            (Arch::Arm64, "return 127"),
            (Arch::Ppc64le, "echo mips64"),
        ] {
            let (passes, said) = guarded(arch, uname);
            assert!(passes && said == "the job\n", "{arch} {uname}: {said}");
        }
    }

    #[test]
    fn the_operators_own_script_follows() {
        let mut runner = Table::new();
        runner.insert("Pre_Build_Script".to_owned(), "test -d /mirror".into());
        add(&mut runner, Arch::Amd64);
        assert_eq!(runner.len(), 1);
        let script = runner["Pre_Build_Script"].as_str().unwrap();
        assert!(script.starts_with("# AutoGit") && script.ends_with("esac\ntest -d /mirror"));
    }

    #[test]
    fn a_shell_of_another_kind_gets_no_guard() {
        let mut runner = Table::new();
        runner.insert("shell".to_owned(), "pwsh".into());
        add(&mut runner, Arch::Amd64);
        assert_eq!(runner.len(), 1);
    }
}
