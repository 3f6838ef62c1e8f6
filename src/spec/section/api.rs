//! The `api` section.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Change::{InPlace, Restart};
use super::Kind::Field;
use super::Pushed::{Allowed, ByVariable, InFolder};
use super::Secrecy::{OfTheFile, Secret};
use super::section;
use crate::spec::Credential;

section! {
    /// The status API.
    RawApi;
    /// The `api` section.
    ApiSpec {}

    /// Address and port of the status API. Default: 127.0.0.1:8080.
    listen: String => SocketAddr,
        Field(OfTheFile, Restart, Allowed("it may open the API to others"));
    /// Where GitLab reaches the webhook.
    external_url: String => Option<String>,
        Field(OfTheFile, InPlace, Allowed("it is where GitLab sends the webhook's secret"));
    /// Bearer token; without it nothing that changes something is served.
    token: String => Option<Credential>, Field(Secret, InPlace, ByVariable);
    /// File that holds the bearer token.
    token_file: String, Field(Secret, InPlace, InFolder);
    /// Bearer token without which nothing but the page and `/health` is shown. Default: none, so
    /// whoever reaches the address sees projects, job names and errors.
    read_token: String => Option<Credential>, Field(Secret, InPlace, ByVariable);
    /// File that holds the token for reading.
    read_token_file: String, Field(Secret, InPlace, InFolder);
    /// File that holds a bearer token which only previews plans.
    plan_token_file: String => plan_token: Option<Credential>, Field(Secret, InPlace, InFolder);
}

impl ApiSpec {
    /// Where below the API's address GitLab's webhook is taken.
    pub const WEBHOOK_PATH: &str = "/webhook/gitlab";
    /// Where the API listens unless told otherwise.
    pub const STANDARD_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
}
