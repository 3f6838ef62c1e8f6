//! The JSON that REST shows of things (`lib/api/entities`), with the fields clients read.

mod job;
mod place;
mod record;

use serde_json::{Value, json};

use super::state::{State, User, UserId};

/// Shows things under the address the request came to.
pub(crate) struct Show<'a> {
    pub(crate) state: &'a State,
    pub(crate) base: String,
}

impl<'a> Show<'a> {
    pub(crate) fn new(state: &'a State, base: String) -> Self {
        Self { state, base }
    }

    pub(crate) fn user_basic(&self, user: &User) -> Value {
        json!({
            "id": user.id.0,
            "username": user.username,
            "public_email": null,
            "name": user.username,
            "state": "active",
            "locked": false,
            "avatar_url": null,
            "web_url": format!("{}/{}", self.base, user.username),
        })
    }

    pub(crate) fn maybe_user(&self, user: Option<UserId>) -> Value {
        let user = user.and_then(|id| self.state.users.get(&id));
        user.map_or(Value::Null, |user| self.user_basic(user))
    }

    /// A user as itself sees it; administrators see that they are.
    pub(crate) fn user_self(&self, user: &User) -> Value {
        let email = format!("{}@example.com", user.username);
        let mut shown = self.user_basic(user);
        let more = json!({
            "created_at": self.state.time(user.created_at),
            "bio": "",
            "location": "",
            "bot": false,
            "email": email,
            "commit_email": email,
            "two_factor_enabled": false,
            "external": false,
            "private_profile": false,
            "can_create_group": true,
            "can_create_project": true,
            "projects_limit": 100_000,
            "identities": [],
            "confirmed_at": self.state.time(user.created_at),
            "last_sign_in_at": null,
            "current_sign_in_at": null,
            "last_activity_on": null,
            "theme_id": 1,
            "color_scheme_id": 1,
        });
        merge(&mut shown, more);
        if user.administrator {
            merge(&mut shown, json!({ "is_admin": true, "note": null }));
        }
        shown
    }
}

/// Adds the fields of one object to another.
pub(crate) fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// The last part of a full path.
pub(crate) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
