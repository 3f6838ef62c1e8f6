//! What a host told, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};

use autogit::engine::EngineError;
use autogit::engine::inspection::{AddressPool, Cgroups, Disk, ImageSeen, Inspected, NetworkSeen};
use autogit::operate::doctor::{Check, Finding, Fix, HostFacts, Verdict, judgement};
use autogit::spec::{Arch, Gpu, HostName, Vendor};
use jiff::SignedDuration;

use super::{Case, check, spec};

fn rack() -> HostName {
    HostName::new("rack").unwrap()
}

fn fine() -> HostFacts {
    let image = spec("", "").pools[0].runner_image.clone();
    let seen = ImageSeen { arch: Some(Arch::Amd64), version: None };
    let inspected = Inspected {
        endpoint: "unix:///var/run/docker.sock".to_owned(),
        version: "28.0.0".to_owned(),
        api_version: Some("1.48".to_owned()),
        arch: Some(Arch::Amd64),
        cpus: Some(8),
        cgroups: Cgroups {
            version: Some("2".to_owned()),
            driver: Some("systemd".to_owned()),
            memory: Some(true),
            cpus: Some(true),
        },
        clock_ahead: Some(SignedDuration::ZERO),
        root_dir: Some("/var/lib/docker".into()),
        disk: Some(Disk { free: 100 << 30, size: 200 << 30 }),
        images: [(image, Ok(Some(seen)))].into(),
        ..Inspected::default()
    };
    let socket = Ok("/var/run/docker.sock".into());
    HostFacts { inspected: Ok(inspected), socket, network: Ok(None) }
}

fn seen(change: impl FnOnce(&mut Inspected)) -> Vec<Finding> {
    seen_with(change, "")
}

fn seen_with(change: impl FnOnce(&mut Inspected), pool: &str) -> Vec<Finding> {
    let mut facts = fine();
    change(facts.inspected.as_mut().unwrap());
    facts.judge(&rack(), &spec("", pool))
}

fn refused(problem: &str) -> EngineError {
    EngineError::Refused { attempt: "tell".to_owned(), problem: problem.to_owned() }
}

fn engines() -> Vec<Case> {
    let dead = EngineError::Unreachable {
        endpoint: "unix:///var/run/docker.sock".to_owned(),
        problem: "Permission denied (os error 13)\nhint: let this user use it".to_owned(),
    };
    let no_socket = || {
        HostFacts { socket: Err(refused("it runs without root")), ..fine() }
            .judge(&rack(), &spec("", ""))
    };
    let api = |version: Option<&str>| {
        let version = version.map(str::to_owned);
        seen(|seen| seen.api_version = version)
    };
    let disk = |free| seen(move |seen| seen.disk = Some(Disk { free, size: 200 << 30 }));
    cases! {
        "dead": HostFacts::silent(dead).judge(&rack(), &spec("", ""))
            => Engine Failed ["rack: Docker at unix://", "Permission denied", "let this user"];
        "old": api(Some("1.40"))
            => EngineVersion Failed ["API 1.40", "1.41"];
        "silent": api(None)
            => EngineVersion Unknown ["does not tell"];
        "odd": api(Some("new"))
            => EngineVersion Unknown ["`new`"];
        "no socket": no_socket()
            => Socket Failed ["without root", "`socket` of this host"];
        "ahead": seen(|seen| seen.clock_ahead = Some(SignedDuration::from_mins(3)))
            => EngineClock Warning ["3m"];
        "no time": seen(|seen| seen.clock_ahead = None)
            => EngineClock Unknown ["time"];
        "warns": seen(|seen| seen.warnings = vec!["WARNING: No swap limit support".to_owned()])
            => EngineWarnings Warning ["it warns: No swap limit"];
        "full": disk(1 << 29)
            => Disk Failed ["0.5 GiB of 200.0 GiB", "docker system df"];
        "nearly full": disk(5 << 30)
            => Disk Warning ["5.0 GiB"];
        "elsewhere": seen(|seen| seen.disk = None)
            => Disk Unknown ["not visible", "df -h /var/lib/docker"];
        "root": seen(|_| {})
            => EngineUser Ok ["as root"];
        "rootless": seen(|seen| seen.rootless = true)
            => EngineUser Ok ["without root"];
        "gpu": seen(|seen| seen.gpus.gpus.push(nvidia()))
            => Gpus Ok ["1 nvidia; no pool asks for any"];
        "gpus asked for": seen_with(|seen| seen.gpus.gpus.push(nvidia()), GPUS)
            => Gpus Ok ["1 nvidia"];
        "no runtime": seen_with(no_runtime, GPUS)
            => Gpus Warning ["pool `linux` needs 1 nvidia GPU", "no runtime", "install it"];
        "no gpus": seen_with(|_| {}, GPUS)
            => Gpus Warning ["not seen to have them", "budget.gpus"];
    }
}

const GPUS: &str = ", gpu: {vendor: nvidia}";

fn nvidia() -> Gpu {
    Gpu { vendor: Vendor::Nvidia, id: "0".to_owned(), devices: Vec::new() }
}

fn no_runtime(seen: &mut Inspected) {
    let why = "its engine has no runtime for them; hint: install it";
    seen.gpus.missing.insert(Vendor::Nvidia, why.into());
}

fn limits() -> Vec<Case> {
    const ASKS: &str = ", resources: {cpus: 1, memory: 1GiB}";
    let none = |seen: &mut Inspected| {
        seen.rootless = true;
        seen.cgroups.driver = Some("none".to_owned());
    };
    let no_memory = |seen: &mut Inspected| seen.cgroups.memory = Some(false);
    cases! {
        "asked for": seen_with(none, ASKS)
            => Limits Failed ["no memory and no cpus", "cgroup v2", "`resources`"];
        "not asked for": seen(none)
            => Limits Warning ["one job may take all"];
        "no memory": seen_with(no_memory, ASKS)
            => Limits Failed ["limits no memory (", "cgroup_enable=memory"];
        "silent": seen(|seen| seen.cgroups = Cgroups::default())
            => Limits Unknown ["does not tell"];
    }
}

fn images() -> Vec<Case> {
    let image = |told: Result<Option<ImageSeen>, std::sync::Arc<str>>, pool: &str| {
        seen_with(move |seen| seen.images.values_mut().for_each(|one| one.clone_from(&told)), pool)
    };
    let own = |version: Option<&str>| {
        let version = version.map(str::to_owned);
        let seen = ImageSeen { arch: Some(Arch::Amd64), version };
        seen_with(
            |inspected| inspected.images = [("own:1".to_owned(), Ok(Some(seen)))].into(),
            ", runner_image: 'own:1'",
        )
    };
    let arm = || Ok(Some(ImageSeen { arch: Some(Arch::Arm64), version: None }));
    cases! {
        "absent": image(Ok(None), "")
            => Image Warning ["rack `gitlab/gitlab-runner:", "is not there", "--fix"];
        "never": image(Ok(None), ", pull_policy: never")
            => Image Failed ["forbids to pull", "docker pull --platform linux/amd64"];
        "other": image(arm(), "")
            => Image Warning ["for arm64, and the host is amd64"];
        "silent": image(Err("it hangs".into()), "")
            => Image Unknown ["it hangs"];
        "no arch": seen(|seen| seen.arch = None)
            => Image Unknown ["architecture"];
        "old": own(Some("v18.3.1"))
            => RunnerVersion Failed ["18.3", "18.4", "`runner_image`"];
        "new": own(Some("v19.1.0"))
            => RunnerVersion Ok ["19.1"];
        "no label": own(None)
            => RunnerVersion Unknown ["--entrypoint gitlab-runner own:1 --version"];
    }
}

fn networks() -> Vec<Case> {
    let full = |seen: &mut Inspected| {
        let network = |third: u8| NetworkSeen {
            name: format!("n{third}"),
            subnets: vec![([10, 8, third, 0].into(), 24)],
        };
        seen.address_pools = vec![AddressPool::parse("10.8.0.0/20", 24).unwrap()];
        seen.networks = (0..14).map(network).collect();
    };
    let unread = HostFacts { network: Err(refused("it is busy")), ..fine() };
    cases! {
        "unread": unread.judge(&rack(), &spec("", ""))
            => Network Unknown ["it is busy"];
        "full": seen(full)
            => AddressPools Warning ["room for 2 more networks", "16, 14 in use", "up to 4 jobs", "default-address-pools"];
        "shared": seen_with(full, ", job: {network: shared}")
            => AddressPools Ok ["no pool has a network per job"];
        "many jobs": seen_with(|seen| seen.cpus = Some(64), ", max: 99")
            => AddressPools Warning ["room for 31", "up to 99 jobs"];
        "few runners": seen_with(|_| {}, ", max: 99")
            => AddressPools Ok ["at most 16 jobs"];
        "podman": seen(|seen| seen.podman = true)
            => AddressPools Unknown ["Podman"];
    }
}

fn architectures() -> Vec<Case> {
    let case = |what, change: fn(&mut HostFacts), verdict, words| {
        let mut facts = fine();
        change(&mut facts);
        let hosts = BTreeMap::from([(rack(), facts)]);
        let spec = spec("", ", architectures: [arm64]");
        let findings = judgement::architectures(&spec, &hosts);
        Case { what, findings, check: Check::Architectures, verdict, words }
    };
    let emulating = |facts: &mut HostFacts| {
        facts.inspected.as_mut().unwrap().emulates = Some(BTreeSet::from([Arch::Arm64]));
    };
    vec![
        case(
            "none",
            |_| {},
            Verdict::Failed,
            &["pool linux: it asks for arm64", "declare a host of arm64"],
        ),
        case("emulated", emulating, Verdict::Failed, &["rack runs it through QEMU"]),
        case(
            "silent",
            |facts| *facts = HostFacts::silent(refused("no")),
            Verdict::Unknown,
            &["rack did not answer"],
        ),
        case(
            "native",
            |facts| facts.inspected.as_mut().unwrap().arch = Some(Arch::Arm64),
            Verdict::Ok,
            &["arm64"],
        ),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let all = [engines(), limits(), images(), networks(), architectures()];
    all.into_iter().flatten().map(with_remedies).collect()
}

/// An engine's own refusal may come without a hint; where it does, it has none here.
fn with_remedies(mut case: Case) -> Case {
    for finding in &mut case.findings {
        if finding.found.contains("it is busy") || finding.found.contains("it hangs") {
            finding.remedy.get_or_insert_with(String::new);
        }
    }
    case
}

#[test]
fn what_a_host_tells_is_judged() {
    check(&cases());
}

#[test]
fn all_is_fine_on_a_usual_host() {
    let findings = fine().judge(&rack(), &spec("", ""));
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
}

#[test]
fn nothing_is_fine_of_what_a_dead_host_would_have_told() {
    let findings = HostFacts::silent(refused("no")).judge(&rack(), &spec("", ""));
    assert!(findings.iter().all(|finding| finding.verdict != Verdict::Ok), "{findings:#?}");
    let failed: Vec<_> =
        findings.iter().filter(|finding| finding.verdict == Verdict::Failed).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
}

#[test]
fn what_is_missing_and_safe_to_make_is_offered() {
    let offers = |findings: Vec<Finding>| -> Vec<String> {
        findings.into_iter().filter_map(|finding| Some(finding.fix?.to_string())).collect()
    };
    assert_eq!(offers(seen(|_| {})), [Fix::MakeNetwork { host: rack() }.to_string()]);
    let absent = seen(|seen| seen.images.values_mut().for_each(|one| *one = Ok(None)));
    assert!(offers(absent)[0].starts_with("pull `gitlab/gitlab-runner:"));
    let never = seen_with(
        |seen| seen.images.values_mut().for_each(|one| *one = Ok(None)),
        ", pull_policy: never",
    );
    assert!(!offers(never).iter().any(|what| what.starts_with("pull")), "it is forbidden");
}
