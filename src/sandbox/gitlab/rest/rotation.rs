//! A token that replaces itself (`lib/api/personal_access_tokens/self_rotation.rs`,
//! `app/services/personal_access_tokens/rotate_service.rb`, 16.6 to 18.6): the old one is revoked in the
//! same call, and the same call with a token that is revoked already takes away all that came of it.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::users::token_row;
use crate::sandbox::gitlab::answer::{Answer, Outcome};
use crate::sandbox::gitlab::call::Call;
use crate::sandbox::gitlab::entities::merge;
use crate::sandbox::gitlab::state::{State, Token};

/// Without a wish, and before 16.6 in any case, the new token lasts for a week.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest life that GitLab allows unless told otherwise.
const DAYS_MAX: i64 = 365;

pub(super) fn of_self(call: &Call, state: &mut State) -> Outcome {
    if !state.switches.version_is_at_least(16, 10) {
        return Err(Answer::bad_parameter("id is invalid"));
    }
    // `self_rotate` came later, and no older server gives a token such a scope.
    rotate(call, state, &["api", "self_rotate"])
}

pub(super) fn by_id(call: &Call, state: &mut State) -> Outcome {
    let own = call.token().and_then(|token| state.tokens.get(&token)).map(|token| token.id);
    if own != Some(call.id("id")) {
        return Err(Answer::unauthorized());
    }
    rotate(call, state, &["api"])
}

fn rotate(call: &Call, state: &mut State, scopes: &[&str]) -> Outcome {
    let secret = call.token().unwrap_or_default();
    if let Some(used) = state.tokens.get(&secret).filter(|token| token.revoked) {
        let family = used.family;
        let stolen = state.tokens.values_mut().filter(|token| token.family == family);
        stolen.for_each(|token| token.revoked = true);
        return Err(Answer::unauthorized());
    }
    call.caller(state, scopes)?;
    let expires_at = end(call, state)?;
    let (new, id) = (state.mint("glpat-"), state.count("token", 1));
    let created_at = state.now;
    let old = state.tokens.get_mut(&secret).ok_or_else(Answer::unauthorized)?;
    old.revoked = true;
    let (user, scopes, family) = (old.user, old.scopes.clone(), old.family);
    let expires_at = Some(expires_at);
    let token = Token { id, user, scopes, created_at, expires_at, revoked: false, family };
    let mut shown = token_row(state, &token);
    merge(
        &mut shown,
        Value::Object([("token".to_owned(), new.clone().into())].into_iter().collect()),
    );
    state.tokens.insert(new, token);
    Ok(Answer::ok(shown))
}

fn end(call: &Call, state: &State) -> Result<Timestamp, Answer> {
    let later = |by| state.now.saturating_add(by).unwrap_or(Timestamp::MAX);
    let wish = call.params.text("expires_at");
    let Some(wish) = wish.filter(|_| state.switches.version_is_at_least(16, 6)) else {
        return Ok(later(WEEK));
    };
    let day: Date = wish.parse().map_err(|_| Answer::bad_parameter("expires_at is invalid"))?;
    let end = TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight()));
    let end = end.map_err(|_| Answer::bad_parameter("expires_at is invalid"))?;
    let latest = later(SignedDuration::from_hours(DAYS_MAX * 24));
    if end <= state.now || end > latest {
        let latest = latest.strftime("%Y-%m-%d");
        return Err(Answer::bad_request(&format!("Expiration date must be before {latest}")));
    }
    Ok(end)
}
