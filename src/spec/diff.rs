//! What changed between two specs, in the operator's terms: for the log at a reload, and for
//! `autogit diff`.

mod shown;

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::{
    ApiSpec, Credential, GitlabSpec, HostSpec, JobSpec, Pool, Proxies, Proxy, ProxyUrl, Spec,
};
use shown::{Shown, listed, optional, span};

/// One line for each thing that `new` says otherwise than `old`; secrets are shown as `***`.
pub fn diff(old: &Spec, new: &Spec) -> Vec<String> {
    let mut changes = Changes { subject: String::new(), lines: Vec::new() };
    changes.plain("instance", &old.instance, &new.instance);
    changes.gitlab(&old.gitlab, &new.gitlab);
    let names =
        old.hosts.keys().chain(new.hosts.keys().filter(|name| !old.hosts.contains_key(*name)));
    for name in names {
        changes.subject = format!("host {name}");
        match (old.hosts.get(name), new.hosts.get(name)) {
            (Some(old), Some(new)) => changes.host(old, new),
            (None, _) => changes.whole("added"),
            (_, None) => changes.whole("removed"),
        }
    }
    changes.subject = String::new();
    changes.plain("network", &old.network, &new.network);
    changes.proxies(&old.proxies, &new.proxies);
    changes.plain("starts_per_minute", &old.starts_per_minute, &new.starts_per_minute);
    changes.pools(old, new);
    changes.api(&old.api, &new.api);
    changes.lines
}

struct Changes {
    /// What the next lines are about.
    subject: String,
    lines: Vec<String>,
}

impl Changes {
    fn whole(&mut self, what: &str) {
        self.lines.push(format!("{}: {what}", self.subject));
    }

    fn compare<T: PartialEq>(
        &mut self,
        field: &str,
        old: &T,
        new: &T,
        show: impl Fn(&T) -> String,
    ) {
        if old != new {
            self.line(field, &show(old), &show(new));
        }
    }

    fn plain<T: PartialEq + Shown>(&mut self, field: &str, old: &T, new: &T) {
        self.compare(field, old, new, Shown::shown);
    }

    fn line(&mut self, field: &str, old: &str, new: &str) {
        let subject = if self.subject.is_empty() { "" } else { &format!("{}: ", self.subject) };
        self.lines.push(format!("{subject}{field} {old} → {new}"));
    }

    fn secret(&mut self, field: &str, old: Option<&Credential>, new: Option<&Credential>) {
        let same = match (old, new) {
            (None, None) => true,
            (Some(Credential::Value(old)), Some(Credential::Value(new))) => {
                old.expose_secret() == new.expose_secret()
            }
            (Some(Credential::File(old)), Some(Credential::File(new))) => old == new,
            _ => false,
        };
        let show = |credential: Option<&Credential>| match credential {
            None => "none".to_owned(),
            Some(Credential::Value(_)) => "***".to_owned(),
            Some(Credential::File(file)) => format!("from {}", file.display()),
        };
        if !same {
            self.line(field, &show(old), &show(new));
        }
    }

    /// Values that may be secrets: only names are shown.
    fn names<T: PartialEq>(
        &mut self,
        field: &str,
        old: &BTreeMap<String, T>,
        new: &BTreeMap<String, T>,
    ) {
        let show = |value: Option<&T>| if value.is_some() { "***" } else { "none" };
        for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
            let (old, new) = (old.get(name), new.get(name));
            if old != new {
                self.line(&format!("{field}.{name}"), show(old), show(new));
            }
        }
    }

    fn path(&mut self, field: &str, old: Option<&PathBuf>, new: Option<&PathBuf>) {
        let shown = |path: Option<&PathBuf>| optional(path.map(|path| path.display()));
        self.compare(field, &shown(old), &shown(new), String::clone);
    }

    // Each section is taken apart whole, so that a field added later cannot be forgotten here.

    fn gitlab(&mut self, old: &GitlabSpec, new: &GitlabSpec) {
        let GitlabSpec {
            url,
            token,
            registration_token,
            token_cache,
            poll_interval,
            queue_source,
            unmatched,
            groups,
            projects,
            runner_url,
            clone_url,
            ca_file,
            ca,
            webhook_secret,
        } = old;
        "gitlab".clone_into(&mut self.subject);
        self.plain("url", url, &new.url);
        self.secret("token", Some(token), Some(&new.token));
        let registration = new.registration_token.as_ref();
        self.secret("registration_token", registration_token.as_ref(), registration);
        self.path("token_cache", token_cache.as_ref(), new.token_cache.as_ref());
        self.compare("poll_interval", poll_interval, &new.poll_interval, |time| span(*time));
        self.plain("queue_source", queue_source, &new.queue_source);
        self.plain("unmatched", unmatched, &new.unmatched);
        self.compare("groups", groups, &new.groups, |all| listed(all));
        self.compare("projects", projects, &new.projects, |all| listed(all));
        self.plain("runner_url", runner_url, &new.runner_url);
        self.compare("clone_url", clone_url, &new.clone_url, |url| optional(url.as_ref()));
        self.path("ca_file", ca_file.as_ref(), new.ca_file.as_ref());
        if *ca_file == new.ca_file && *ca != new.ca {
            self.whole("ca_file holds something new");
        }
        self.secret("webhook_secret", webhook_secret.as_ref(), new.webhook_secret.as_ref());
    }

    fn host(&mut self, old: &HostSpec, new: &HostSpec) {
        let HostSpec { docker, tls, socket, budget, pools } = old;
        self.compare("docker", docker, &new.docker, |docker| optional(docker.as_ref()));
        self.compare("tls", tls, &new.tls, |tls| {
            optional(tls.as_ref().map(|tls| tls.cert.display()))
        });
        self.path("socket", socket.as_ref(), new.socket.as_ref());
        self.plain("budget", budget, &new.budget);
        self.compare("pools", pools, &new.pools, |pools| match pools {
            None => "all".to_owned(),
            Some(pools) => listed(pools),
        });
    }

    fn proxies(&mut self, old: &Proxies, new: &Proxies) {
        let Proxies { declared, environment, docker } = old;
        self.proxy("proxy", declared.as_ref(), new.declared.as_ref());
        let field = "proxy of the environment";
        self.proxy(field, environment.as_ref(), new.environment.as_ref());
        for host in docker.keys().chain(new.docker.keys().filter(|it| !docker.contains_key(*it))) {
            let field = format!("proxy of Docker's `config.json` for {host}");
            self.proxy(&field, docker.get(host), new.docker.get(host));
        }
    }

    /// URLs without their credentials; where these alone are new, that is said.
    fn proxy(&mut self, field: &str, old: Option<&Proxy>, new: Option<&Proxy>) {
        if old.map(Proxy::is_none) != new.map(Proxy::is_none) {
            let show = |proxy: Option<&Proxy>| match proxy {
                None => "not said",
                Some(proxy) if proxy.is_none() => "none",
                Some(_) => "given",
            };
            self.line(field, show(old), show(new));
        }
        let (old, new) = (old.cloned().unwrap_or_default(), new.cloned().unwrap_or_default());
        let Proxy { http, https, no_proxy } = &old;
        for (key, old, new) in [("http", http, &new.http), ("https", https, &new.https)] {
            let show = |url: &Option<ProxyUrl>| optional(url.as_ref());
            if old != new && show(old) == show(new) {
                self.line(&format!("{field}.{key}"), "***", "***");
            } else {
                self.compare(&format!("{field}.{key}"), old, new, show);
            }
        }
        let show = |list: &Option<String>| optional(list.as_ref());
        self.compare(&format!("{field}.no_proxy"), no_proxy, &new.no_proxy, show);
    }

    fn pools(&mut self, old: &Spec, new: &Spec) {
        for before in &old.pools {
            self.subject = format!("pool {}", before.name);
            match new.pool(&before.name) {
                Some(after) => self.pool(before, after),
                None => self.whole("removed"),
            }
        }
        for added in new.pools.iter().filter(|pool| old.pool(&pool.name).is_none()) {
            self.subject = format!("pool {}", added.name);
            self.whole("added");
        }
        let kept = |spec: &Spec, other: &Spec| -> Vec<String> {
            let kept = spec.pools.iter().filter(|pool| other.pool(&pool.name).is_some());
            kept.map(|pool| pool.name.to_string()).collect()
        };
        // Order decides between pools that fit a job equally well.
        self.subject = String::new();
        self.compare("order of pools", &kept(old, new), &kept(new, old), |names| listed(names));
    }

    fn pool(&mut self, old: &Pool, new: &Pool) {
        let Pool {
            name: _,
            enabled,
            tags,
            architectures,
            run_untagged,
            protected,
            scope,
            max,
            warm,
            cooldown,
            jobs_per_runner,
            startup_timeout,
            maximum_timeout,
            priority,
            runner_image,
            pull_policy,
            resources,
            cache,
            runner_token,
            lost_jobs,
            proxy,
            labels,
            job,
            runner_config,
        } = old;
        self.plain("enabled", enabled, &new.enabled);
        self.compare("tags", tags, &new.tags, |tags| listed(tags));
        self.compare("architectures", architectures, &new.architectures, |all| listed(all));
        self.plain("run_untagged", run_untagged, &new.run_untagged);
        self.plain("protected", protected, &new.protected);
        self.plain("scope", scope, &new.scope);
        self.plain("max", max, &new.max);
        self.plain("warm", warm, &new.warm);
        self.compare("cooldown", cooldown, &new.cooldown, |time| span(*time));
        self.plain("jobs_per_runner", jobs_per_runner, &new.jobs_per_runner);
        self.compare("startup_timeout", startup_timeout, &new.startup_timeout, |time| span(*time));
        let show = |time: &Option<_>| optional(time.map(span));
        self.compare("maximum_timeout", maximum_timeout, &new.maximum_timeout, show);
        self.plain("priority", priority, &new.priority);
        self.plain("runner_image", runner_image, &new.runner_image);
        self.plain("pull_policy", pull_policy, &new.pull_policy);
        let show = |resources: &Option<_>| optional(resources.as_ref().map(Shown::shown));
        self.compare("resources", resources, &new.resources, show);
        self.plain("cache", cache, &new.cache);
        self.secret("runner_token", runner_token.as_ref(), new.runner_token.as_ref());
        self.plain("lost_jobs", lost_jobs, &new.lost_jobs);
        self.proxy("proxy", proxy.as_ref(), new.proxy.as_ref());
        self.names("labels", labels, &new.labels);
        self.job(job, &new.job);
        let keyed = |config: &serde_json::Map<String, serde_json::Value>| -> BTreeMap<_, _> {
            config.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        self.names("runner_config", &keyed(runner_config), &keyed(&new.runner_config));
    }

    fn job(&mut self, old: &JobSpec, new: &JobSpec) {
        let JobSpec {
            image,
            network,
            privileged,
            docker_socket,
            cap_drop,
            cap_add,
            pull_policy,
            volumes,
            allowed_images,
            allowed_services,
            environment,
        } = old;
        self.plain("job.image", image, &new.image);
        self.plain("job.network", network, &new.network);
        self.plain("job.privileged", privileged, &new.privileged);
        self.plain("job.docker_socket", docker_socket, &new.docker_socket);
        let all = |words: &Vec<String>| listed(words);
        self.compare("job.capabilities.drop", cap_drop, &new.cap_drop, all);
        self.compare("job.capabilities.add", cap_add, &new.cap_add, all);
        self.compare("job.pull_policy", pull_policy, &new.pull_policy, |policies| {
            listed(&policies.iter().map(|policy| policy.as_str()).collect::<Vec<_>>())
        });
        self.compare("job.volumes", volumes, &new.volumes, all);
        self.compare("job.allowed_images", allowed_images, &new.allowed_images, all);
        self.compare("job.allowed_services", allowed_services, &new.allowed_services, all);
        self.names("job.environment", environment, &new.environment);
    }

    fn api(&mut self, old: &ApiSpec, new: &ApiSpec) {
        let ApiSpec { listen, external_url, token, read_token, plan_token } = old;
        "api".clone_into(&mut self.subject);
        self.compare("listen", listen, &new.listen, ToString::to_string);
        let show = |url: &Option<String>| optional(url.as_ref());
        self.compare("external_url", external_url, &new.external_url, show);
        self.secret("token", token.as_ref(), new.token.as_ref());
        self.secret("read_token", read_token.as_ref(), new.read_token.as_ref());
        self.secret("plan_token", plan_token.as_ref(), new.plan_token.as_ref());
    }
}
