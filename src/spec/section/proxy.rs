//! The `proxy` section, of the file and of a pool.

use super::Change::Runners;
use super::Kind::Field;
use super::Pushed::Allowed;
use super::Secrecy::{OfTheFile, Secret};
use super::{PROXY, section};
use crate::spec::ProxyUrl;

section! {
    /// The proxy of runners and their jobs; empty: none.
    RawProxy;
    /// The proxies for the two kinds of URL, and what goes without.
    #[derive(Default, PartialEq, Eq)]
    Proxy {}

    /// For http:// URLs, as in <http://proxy.example.com:3128>. One with a password goes to jobs
    /// alone.
    http: String => Option<ProxyUrl>, Field(Secret, Runners, Allowed(PROXY));
    /// For https:// URLs. One with a password goes to jobs alone.
    https: String => Option<ProxyUrl>, Field(Secret, Runners, Allowed(PROXY));
    /// Hosts, domains and networks that are asked directly, with commas between them. A GitLab whose
    /// name has no dot always is.
    no_proxy: String => Option<String>, Field(OfTheFile, Runners, Allowed(PROXY));
}
