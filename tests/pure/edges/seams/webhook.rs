//! What holds of every request to the webhook: it gets in with the secret and is answered either
//! way.

use axum::body::Body;
use axum::http::{HeaderValue, Request};

use super::choices::Choices;
use super::harness::{Harness, With, secret, small};
use super::world::NOW;

const TOKEN: &str = "the-hooks-own-token";
/// The key is forty zeros in base64.
const KEY: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Sends the request that `data` makes to an API with a token, and to one with a signing key.
pub(crate) fn check(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for wanted in [TOKEN, KEY] {
        let mut choices = Choices::new(data);
        let (request, shows_token) = request(&mut choices);
        let fixture = small().with(|spec| spec.gitlab.webhook_secret = Some(secret(wanted)));
        let status = runtime.block_on(async { Harness::of(fixture).send(request).await.status });
        let expected = if wanted == TOKEN && shows_token { 204 } else { 401 };
        assert_eq!(status, expected);
    }
}

fn request(choices: &mut Choices<'_>) -> (Request<Body>, bool) {
    let mut request = Request::post("/webhook/gitlab").body(Body::empty()).unwrap();
    let now = NOW.as_second().to_string();
    let mut shows_token = false;
    let options: [(&'static str, &[&[u8]]); 5] = [
        ("x-gitlab-token", &[TOKEN.as_bytes(), KEY.as_bytes()]),
        ("x-gitlab-event", &[b"Job Hook", b"System Hook"]),
        ("webhook-id", &[b"msg_1", b"\xff"]),
        ("webhook-timestamp", &[now.as_bytes(), b"-9223372036854775808", b"1e9"]),
        ("webhook-signature", &[b"v1,AAAA v1,%% v2,", b"v1,", b" , v1,v1,v1,"]),
    ];
    for (name, known) in options {
        let given = match choices.byte() {
            0..0x40 => continue,
            0x40..0xa0 => choices.of(known),
            _ => choices.bytes(),
        };
        if let Ok(value) = HeaderValue::from_bytes(given) {
            shows_token |= name == "x-gitlab-token" && given == TOKEN.as_bytes();
            request.headers_mut().insert(name, value);
        }
    }
    let pieces: Vec<Vec<u8>> = (0..choices.byte() % 8).map(|_| choices.bytes().to_vec()).collect();
    let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
    *request.body_mut() = Body::from_stream(futures_util::stream::iter(pieces));
    (request, shows_token)
}
