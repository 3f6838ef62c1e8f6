//! The top level of the file.

use std::collections::BTreeMap;

use super::Change::{InPlace, Refused, Runners};
use super::Kind::{Field, Named, Section};
use super::Pushed::{Allowed, Freely};
use super::Secrecy::Open;
use super::{
    ApiSpec, GitlabSpec, HostSpec, Pool, RawApi, RawGitlab, RawHost, RawPool, RawProxy, section,
};
use crate::spec::{HostName, InstanceName, PoolName, Proxies};

section! {
    /// Keeps GitLab Runner containers in agreement with this file.
    #[schemars(title = "autogit.yaml", extend("patternProperties" = {"^x-": true}))]
    RawSpec;
    /// A checked spec: what the operator asks for, defaults filled in, variables replaced.
    Spec {}

    /// Scopes labels and records. Default: autogit.
    #[schemars(pattern("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    instance: String => InstanceName,
        Field(Open, Refused, Allowed("it may be another installation's, with its runners and network"));
    /// How GitLab is reached.
    #[schemars(required)]
    gitlab: RawGitlab => GitlabSpec, Section(RawGitlab::ROWS);
    /// The Docker hosts by name. Default: one, `local`, from `DOCKER_HOST` or the usual sockets.
    #[schemars(extend("minProperties" = 1))]
    hosts: BTreeMap<String, RawHost> => BTreeMap<HostName, HostSpec>, Named(RawHost::ROWS);
    /// The bridge network that runners join. Default: autogit-network, or `<instance>-network`.
    #[schemars(pattern("^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"))]
    network: String => String,
        Field(Open, Runners, Allowed("its containers reach what else is in that network"));
    /// The proxy of all runners and their jobs. Default: that of AutoGit's own environment
    /// (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), else that of Docker's `config.json`.
    proxy: RawProxy => proxies: Proxies, Section(RawProxy::ROWS);
    /// How many runners may be started in a minute, over the whole instance. Default: 30.
    #[schemars(range(min = 1, max = 10_000))]
    starts_per_minute: u32 => u32, Field(Open, InPlace, Freely);
    /// Any pool field, for all pools. Maps merge deeply, lists replace, null resets.
    #[expect(dead_code, reason = "for the schema: pools have it already when this is read")]
    defaults: RawPool, Section(RawPool::ROWS);
    /// The pools of runners by name. `{}` asks for none: runners exit after their jobs, and what is
    /// left of them is removed.
    #[schemars(required)]
    pools: BTreeMap<String, RawPool> => Vec<Pool>, Named(RawPool::ROWS);
    /// The status API.
    api: RawApi => ApiSpec, Section(RawApi::ROWS);
}

impl Spec {
    /// The pool of that name.
    pub fn pool(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == *name)
    }
}
