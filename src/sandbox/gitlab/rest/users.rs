//! The server, users and tokens.

use serde_json::{Value, json};

use crate::sandbox::gitlab::access::READ;
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::Show;
use crate::sandbox::gitlab::paging::{Listing, present};
use crate::sandbox::gitlab::state::{State, Token, User, UserId};

const READ_USER: &[&str] = &["api", "read_api", "read_user"];

pub(super) fn metadata(call: &Call, state: &mut State) -> Outcome {
    call.caller(state, READ_USER)?;
    Ok(Answer::ok(json!({
        "version": state.switches.version,
        "revision": "0a1b2c3d4e5",
        "kas": { "enabled": false, "externalUrl": null, "externalK8sProxyUrl": null, "version": null },
        "enterprise": false,
    })))
}

pub(super) fn version(call: &Call, state: &mut State) -> Outcome {
    metadata(call, state)
}

pub(super) fn current(call: &Call, state: &mut State) -> Outcome {
    let caller = call.caller(state, READ_USER)?;
    let user = state.users.get(&caller.user).ok_or_else(Answer::unauthorized)?;
    Ok(Answer::ok(Show::new(state, call.base(state)).user_self(user)))
}

pub(super) fn list(call: &Call, state: &mut State) -> Outcome {
    call.caller(state, READ_USER)?;
    let (username, search) = (call.params.text("username"), call.params.text("search"));
    let wanted = |user: &&User| {
        username.as_ref().is_none_or(|name| user.username.eq_ignore_ascii_case(name))
            && search.as_ref().is_none_or(|text| user.username.contains(text.as_str()))
    };
    let users = state.users.values().rev().filter(wanted);
    let items = users.map(|user| (user.id.0, user)).collect();
    let show = Show::new(state, call.base(state));
    present(call, state, Listing { items, counted: true }, |user| show.user_basic(user))
}

pub(super) fn one(call: &Call, state: &mut State) -> Outcome {
    call.caller(state, READ_USER)?;
    let user = state.users.get(&UserId(call.id("id")));
    let user = user.ok_or_else(|| Answer::not_found("User"))?;
    Ok(Answer::ok(Show::new(state, call.base(state)).user_basic(user)))
}

/// Any token may look at itself, whatever its scopes.
pub(super) fn token_self(call: &Call, state: &mut State) -> Outcome {
    call.caller(state, &[])?;
    let token = call.token().and_then(|token| state.tokens.get(&token));
    Ok(Answer::ok(token_row(state, token.ok_or_else(Answer::unauthorized)?)))
}

/// A token as it is shown, without itself.
pub(super) fn token_row(state: &State, token: &Token) -> Value {
    let expires = token.expires_at.map(|at| state.skewed(at).strftime("%Y-%m-%d").to_string());
    json!({
        "id": token.id,
        "name": format!("token {}", token.id),
        "revoked": false,
        "created_at": state.time(token.created_at),
        "description": null,
        "scopes": token.scopes,
        "user_id": token.user.0,
        "last_used_at": state.time(state.now),
        "active": true,
        "expires_at": expires.map_or(Value::Null, Value::String),
    })
}

/// Reading is what most routes ask for.
pub(super) fn reader(
    call: &Call,
    state: &State,
) -> Result<crate::sandbox::gitlab::access::Caller, Answer> {
    call.caller(state, READ)
}
