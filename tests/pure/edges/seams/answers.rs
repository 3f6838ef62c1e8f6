//! GitLab as a transport that answers what it was asked, more or less.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use autogit::gitlab::{Transport, TransportError};
use bytes::Bytes;
use serde_json::{Value, json};

use super::choices::Choices;

/// More than any method may ask, however the answers go on.
const REQUESTS_MAX: usize = 2_000;

/// Answers from choices; without any left, as GitLab does.
#[derive(Debug)]
pub(crate) struct Answers {
    /// The choices, how many are used up, and the requests so far.
    state: Mutex<(Vec<u8>, usize, usize)>,
}

impl Answers {
    pub(crate) fn new(data: &[u8]) -> Self {
        Self { state: Mutex::new((data.to_vec(), 0, 0)) }
    }

    /// Another method is asked.
    pub(crate) fn begin(&self) {
        self.state.lock().unwrap().2 = 0;
    }
}

#[async_trait]
impl Transport for Answers {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut state = self.state.lock().unwrap();
        state.2 += 1;
        assert!(state.2 < REQUESTS_MAX, "asked without end, last {}", request.uri());
        let used = state.1.min(state.0.len());
        let mut answer = Err(TransportError::TimedOut(Duration::from_secs(30)));
        let left = {
            let mut choices = Choices::new(&state.0[used..]);
            if choices.byte() < 0xf8 {
                answer = Ok(response(&request, &mut choices));
            }
            choices.left()
        };
        state.1 = state.0.len() - left;
        answer
    }
}

const STATUSES: [u16; 24] = [
    200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 201, 204, 206, 301, 302, 400, 401, 403,
    404, 429, 500, 503, 599,
];
const LINKS: [&str; 8] = [
    "",
    "",
    "<http://gitlab.test/api/v4/x?page=2>; rel=\"next\"",
    "<http://gitlab.test/api/v4/x?page=1>; rel=next",
    "<?>; rel=\"next\"",
    "<>; rel=\"next\", <<<>>>; rel=next",
    "<http://evil.test/?a b\u{e9}>; rel=\"next\"",
    ";;,,<",
];
const DATES: [&str; 8] = [
    "",
    "",
    "Tue, 14 Nov 2023 22:13:20 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "Tue, 14 Nov 2023 22:13:20 -9999",
    "99999999999999999999",
    "never",
];
const LOCATIONS: [&str; 6] =
    ["/api/v4/user", "http://gitlab.test/api/v4/user", "http://evil.test/", "", "//", "api"];
const BODIES: [&[u8]; 9] = [
    b"",
    b"null",
    b"<html>login</html>",
    b"[",
    b"{\"message\":{\"a\":[\"b\",null,7]}}",
    b"{\"error\":\"insufficient_scope\",\"scope\":7}",
    b"{\"errors\":[{\"message\":\"m\",\"path\":[7]}],\"data\":null}",
    b"\xff\xfe",
    b"1e999",
];

fn response(request: &http::Request<Bytes>, choices: &mut Choices<'_>) -> http::Response<Bytes> {
    let status = choices.of(&STATUSES);
    let headers = [
        ("link", choices.of(&LINKS)),
        ("date", choices.of(&DATES)),
        ("retry-after", choices.of(&DATES)),
        ("ratelimit-reset", choices.of(&["", "0", "-1", "9223372036854775807", "1e9"])),
        ("location", choices.of(&LOCATIONS)),
    ];
    let mut response = http::Response::new(body(request, choices));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn body(request: &http::Request<Bytes>, choices: &mut Choices<'_>) -> Bytes {
    let kind = choices.byte();
    if kind >= 0xf0 {
        return Bytes::copy_from_slice(choices.bytes());
    }
    if kind >= 0xe0 {
        return Bytes::from_static(choices.of(&BODIES));
    }
    if kind >= 0xdf {
        return "[".repeat(100_000).into();
    }
    let asked = String::from_utf8_lossy(request.body());
    let mut value = super::replies::to(request.uri().path(), &asked);
    if kind > 0 {
        odd(&mut value, choices);
    }
    let mut body = value.to_string();
    if kind >= 0xd0 {
        let end = body.floor_char_boundary(usize::from(choices.byte()));
        body.truncate(end);
    }
    body.into()
}

/// Puts other values in some places.
fn odd(value: &mut Value, choices: &mut Choices<'_>) {
    let choice = choices.byte();
    if choice >= 0xd0 {
        *value = match choice & 0xf {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(-1),
            3 => json!(u64::MAX),
            4 => json!(1e308),
            5 => json!(""),
            6 => json!("x".repeat(20_000)),
            7 => json!("\u{0}\u{202e}\u{1f4a9}"),
            8 => json!([]),
            9 => json!({}),
            10 => json!("gid://gitlab/x/99999999999999999999"),
            11 => json!("9999-12-30T22:00:00.999999999Z"),
            12 => json!("-009999-01-02T01:59:59Z"),
            13 => json!([[[[[[]]]]]]),
            14 => json!("9999-12-31"),
            _ => json!(String::from_utf8_lossy(choices.bytes())),
        };
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items.iter_mut() {
                odd(item, choices);
            }
            if choice >= 0xc0
                && let Some(first) = items.first().cloned()
            {
                items.resize(200, first);
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                odd(field, choices);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
