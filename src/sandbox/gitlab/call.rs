//! A request as handlers see it, and how a plain function becomes a route.

use std::future::ready;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

use super::SimulatedGitlab;
use super::access::Caller;
use super::answer::{Answer, Outcome};
use super::params::Params;
use super::state::State;

/// A request, read whole.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The path and the query as they were sent.
    pub(crate) path: String,
    pub(crate) query: String,
    /// The address the request came to, as `http://host:port`.
    host: String,
    captured: Vec<(String, String)>,
}

/// A route's function: the state is locked around it.
pub(crate) type Handler = fn(&Call, &mut State) -> Outcome;

/// One route: method, path, function.
pub(crate) type Route = (MethodFilter, &'static str, Handler);

/// Adds routes under `/api/v4`.
pub(crate) fn add(
    mut router: Router<SimulatedGitlab>,
    gitlab: &SimulatedGitlab,
    added: &[Route],
) -> Router<SimulatedGitlab> {
    for (method, path, handler) in added.iter().copied() {
        let path = format!("/api/v4{path}");
        let name = format!("{} {path}", verb(method));
        let gitlab = gitlab.clone();
        let act = move |call: Call| {
            gitlab.counted(&name);
            ready(gitlab.answer(&call, handler))
        };
        router = router.route(&path, on(method, act));
    }
    router
}

impl SimulatedGitlab {
    /// Counts one request to a route.
    pub(crate) fn counted(&self, route: &str) {
        self.with(|state| {
            let count = state.requests.entry(route.to_owned()).or_default();
            *count = count.saturating_add(1);
        });
    }

    fn answer(&self, call: &Call, handler: Handler) -> Response {
        let (Ok(answer) | Err(answer)) = self.with(|state| handler(call, state));
        answer.into_response()
    }
}

fn verb(method: MethodFilter) -> &'static str {
    let verbs = [
        (MethodFilter::GET, "GET"),
        (MethodFilter::POST, "POST"),
        (MethodFilter::PUT, "PUT"),
        (MethodFilter::PATCH, "PATCH"),
        (MethodFilter::DELETE, "DELETE"),
    ];
    verbs.iter().find(|(known, _)| *known == method).map_or("ANY", |(_, verb)| verb)
}

impl Call {
    /// A part of the path, decoded.
    pub(crate) fn part(&self, name: &str) -> &str {
        let found = self.captured.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// A part of the path that is a number; what is none finds nothing.
    pub(crate) fn id(&self, name: &str) -> u64 {
        self.part(name).parse().unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The operator's token, in any of the places GitLab looks for it.
    pub(crate) fn token(&self) -> Option<String> {
        let bearer = self.header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        let private = self.header("private-token").map(str::to_owned);
        let parameter =
            || self.params.text("private_token").or_else(|| self.params.text("access_token"));
        private.or(bearer).or_else(parameter)
    }

    /// The caller, whose token must have one of `scopes`.
    pub(crate) fn caller(&self, state: &State, scopes: &[&str]) -> Result<Caller, Answer> {
        state.caller(self.token().as_deref(), scopes)
    }

    /// The address that links begin with.
    pub(crate) fn base(&self, state: &State) -> String {
        state.switches.external_url.clone().unwrap_or_else(|| self.host.clone())
    }
}

impl FromRequest<SimulatedGitlab> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, state: &SimulatedGitlab) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let captured = RawPathParams::from_request_parts(&mut parts, state).await;
        let captured = captured.map_err(IntoResponse::into_response)?;
        let captured =
            captured.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (method, headers) = (parts.method.clone(), parts.headers.clone());
        let (path, query) =
            (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
        let authority = parts.uri.authority().map(ToString::to_string);
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = authority.or_else(|| text(header::HOST).map(str::to_owned));
        let host = format!("http://{}", host.as_deref().unwrap_or("gitlab.test"));
        let content_type = text(header::CONTENT_TYPE).unwrap_or_default().to_owned();
        let request = Request::from_parts(parts, body);
        let body =
            Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let params = Params::read(Some(&query), &content_type, &body);
        let params = params.map_err(IntoResponse::into_response)?;
        Ok(Self { method, params, headers, body, path, query, host, captured })
    }
}
