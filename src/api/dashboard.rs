//! `GET /`: the dashboard, one page that is part of the binary.
//!
//! The page is plain HTML, CSS and JavaScript, without a library and without a build step: what it
//! shows is what the other routes say, and seven kinds of lists need no framework that has to be
//! kept up to date. It loads nothing from elsewhere, and the policy that it comes with lets it load
//! nothing: style and script are allowed by their hashes, connections only to this server, and text
//! can become neither a script nor HTML.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::pages::Rendered;
use super::problem::Problem;

const PAGE: &str = include_str!("dashboard/page.html");
const STYLE: &str = include_str!("dashboard/style.css");
const SCRIPT: &str = concat!(
    include_str!("dashboard/elements.js"),
    include_str!("dashboard/lists.js"),
    include_str!("dashboard/hour.js"),
    include_str!("dashboard/script.js"),
    include_str!("dashboard/find.js"),
    include_str!("dashboard/why.js"),
    include_str!("dashboard/act.js"),
    include_str!("dashboard/stream.js"),
    include_str!("dashboard/begin.js"),
);

/// The page with style and script in their places, and the policy that allows these two.
static DASHBOARD: LazyLock<(String, String)> = LazyLock::new(|| {
    let page = PAGE.replacen("{{style}}", STYLE, 1).replacen("{{script}}", SCRIPT, 1);
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(STYLE),
        hash(SCRIPT),
    );
    (page, policy)
});

pub(super) async fn dashboard(headers: HeaderMap) -> Result<Response, Problem> {
    let (page, policy) = &*DASHBOARD;
    let rendered = Rendered::new("text/html; charset=utf-8", page.as_str())?;
    let mut response = rendered.answer(&headers);
    let policy = HeaderValue::from_str(policy).map_err(|error| Problem::ours(error.to_string()))?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// How a policy names the text of an element.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}
