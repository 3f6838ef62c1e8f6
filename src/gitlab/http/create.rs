//! Making, changing and deleting records.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use ::http::Method;

use super::HttpGitlab;
use super::call::Call;
use super::mark;
use crate::gitlab::{Claims, CreatedRecord, GitlabError, NewRecord};
use crate::world::{Access, Origin, Place, Record, RecordId, RecordSettings};

const CHANGE_HINT: &str = "its user must be one who may make the runner, and the token needs the \
                           scope `admin_mode` where Admin Mode is on";

#[derive(Deserialize)]
struct Created {
    id: u64,
    token: SecretString,
    token_expires_at: Option<Timestamp>,
}

impl HttpGitlab {
    pub(super) async fn create(&self, record: &NewRecord) -> Result<CreatedRecord, GitlabError> {
        self.may_be_found_again(record).await?;
        self.remove_lost(record).await?;
        self.list_was_read_whole(record)?;
        let body = self.body(record);
        let created = self.make(record, body).await?;
        let id = RecordId(created.id);
        let token_expires_at = created.token_expires_at.map(|at| self.wire.ours(at));
        let description = mark::description(&self.settings.instance, &record.variant);
        let now = self.wire.now();
        let by_theirs = self.wire.theirs(now);
        self.records.with(|known| {
            known.made(id, record, description, (now, by_theirs));
            known.token_expires(id, token_expires_at);
        });
        Ok(CreatedRecord { id, token: created.token, token_expires_at })
    }

    /// Refuses what this token could make by a registration token but never see again: each lost
    /// answer would leave one more record behind.
    async fn may_be_found_again(&self, record: &NewRecord) -> Result<(), GitlabError> {
        let server = self.proof().await?.server;
        if server.administrator || record.place != Place::Instance {
            return Ok(());
        }
        Err(GitlabError::Forbidden {
            attempt: format!("make or see instance runners: `{}` is no administrator", server.user),
            hint: Some(create_hint(&record.place)),
        })
    }

    /// Refuses to make a record while one that could not be read may be it.
    fn list_was_read_whole(&self, record: &NewRecord) -> Result<(), GitlabError> {
        let odd = self.records.with(|known| known.odd_rows);
        if odd == 0 {
            return Ok(());
        }
        Err(GitlabError::Rejected {
            attempt: format!("a new runner for {}", record.variant),
            message: format!("{odd} of the runners on its list cannot be read, and may be it"),
        })
    }

    /// Deletes own records of the variant whose token was lost before any runner used it: the
    /// answer to their making never came. Younger ones may be another process's, whose answer did.
    async fn remove_lost(&self, record: &NewRecord) -> Result<(), GitlabError> {
        let Some(in_use) = &record.in_use else { return Ok(()) };
        let claims = Claims { marks: record.settings.marks.clone(), ..Claims::default() };
        let lost = |known: &Record| {
            known.origin == Origin::Ours
                && known.variant == record.variant
                && record.old.contains(&known.id)
        };
        let own = self.read_records(&claims).await?;
        let own: Vec<RecordId> = own.iter().filter(|known| lost(known)).map(|own| own.id).collect();
        let handed_out = self.records.with(|known| known.handed_out.clone());
        let used = |id: &RecordId| handed_out.contains_key(id) || in_use.contains(id);
        let own: Vec<RecordId> = own.into_iter().filter(|id| !used(id)).collect();
        if own.is_empty() {
            return Ok(());
        }
        let managers = self.read_managers(&own).await?;
        for id in own {
            match managers.get(&id) {
                Some(managers) if managers.is_empty() => self.delete(id).await?,
                Some(_) => {}
                None => {
                    return Err(GitlabError::Forbidden {
                        attempt: format!("read the managers of runner {id}"),
                        hint: Some(format!("delete runner {id} if nothing uses it")),
                    });
                }
            }
        }
        Ok(())
    }

    fn body(&self, record: &NewRecord) -> Map<String, Value> {
        let mut body = settings(&record.settings);
        let description = mark::description(&self.settings.instance, &record.variant);
        body.insert("description".to_owned(), json!(description));
        body.insert("maintenance_note".to_owned(), json!(mark::note(&record.settings.marks)));
        let owner = match &record.place {
            Place::Instance => vec![("runner_type", json!("instance_type"))],
            Place::Group { id, .. } => {
                vec![("runner_type", json!("group_type")), ("group_id", json!(id.0))]
            }
            Place::Project { id, .. } => vec![
                ("runner_type", json!("project_type")),
                ("project_id", json!(id.0)),
                // Otherwise a maintainer could lend it to a project of another trust.
                ("locked", json!(true)),
            ],
        };
        body.extend(owner.into_iter().map(|(key, value)| (key.to_owned(), value)));
        body
    }

    /// Makes the record by the token's own right, else by the registration token.
    async fn make(
        &self,
        record: &NewRecord,
        body: Map<String, Value>,
    ) -> Result<Created, GitlabError> {
        let call = Call::rest(Method::POST, "POST /user/runners", "/user/runners")
            .body(Value::Object(body.clone()))
            .attempt(format!("make a runner for {}", record.variant))
            .object("way to make runners on this server, or no such group or project")
            .hint(create_hint(&record.place));
        let refusal = match self.wire.json(&call).await {
            Err(refusal @ (GitlabError::Forbidden { .. } | GitlabError::NotFound { .. })) => {
                refusal
            }
            made => return made,
        };
        match &self.settings.registration_token {
            Some(token) => self.register(record, body, token).await,
            None => Err(refusal),
        }
    }

    /// Makes the record by a registration token, whose own scope counts.
    async fn register(
        &self,
        record: &NewRecord,
        mut body: Map<String, Value>,
        token: &SecretString,
    ) -> Result<Created, GitlabError> {
        for key in ["runner_type", "group_id", "project_id"] {
            body.remove(key);
        }
        body.insert("token".to_owned(), json!(token.expose_secret()));
        let attempt =
            format!("register a runner for {} with `gitlab.registration_token`", record.variant);
        let call = Call::rest(Method::POST, "POST /runners", "/runners")
            .body(Value::Object(body))
            .by(token)
            .attempt(attempt);
        let refused = |attempt: String| GitlabError::Forbidden {
            attempt,
            hint: Some(
                "registration tokens are off by default since GitLab 17: give the API token the \
                 scope `create_runner`, or set the pool's `runner_token`"
                    .to_owned(),
            ),
        };
        match self.wire.json(&call).await {
            Err(GitlabError::Forbidden { attempt, .. }) => Err(refused(attempt)),
            Err(GitlabError::Rejected { message, attempt }) => {
                Err(refused(format!("{attempt}: {message}")))
            }
            made => made,
        }
    }

    pub(super) async fn update(
        &self,
        id: RecordId,
        to: &RecordSettings,
    ) -> Result<(), GitlabError> {
        let mut body = settings(to);
        if let Some(note) = self.changed_note(id, &to.marks).await? {
            body.insert("maintenance_note".to_owned(), json!(note));
        }
        let call = Call::rest(Method::PUT, "PUT /runners/:id", format!("/runners/{id}"))
            .body(Value::Object(body))
            .attempt(format!("change runner {id}"))
            .object(format!("runner {id}"))
            .hint(CHANGE_HINT);
        let done = self.wire.done(&call).await;
        self.records.with(|known| known.changed(id));
        done
    }

    pub(super) async fn delete(&self, id: RecordId) -> Result<(), GitlabError> {
        let call = Call::rest(Method::DELETE, "DELETE /runners/:id", format!("/runners/{id}"))
            .attempt(format!("delete runner {id}"))
            .object(format!("runner {id}"))
            .hint(CHANGE_HINT);
        match self.wire.done(&call).await {
            Ok(()) | Err(GitlabError::NotFound { .. }) => {
                self.records.with(|known| known.forget(id));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// What is set on a record. A pause is a person's: it is neither set nor taken back.
fn settings(settings: &RecordSettings) -> Map<String, Value> {
    let access = match settings.access {
        Access::NotProtected => "not_protected",
        Access::RefProtected => "ref_protected",
    };
    let pairs = [
        ("tag_list", json!(settings.tags)),
        ("run_untagged", json!(settings.run_untagged)),
        ("access_level", json!(access)),
        ("maximum_timeout", json!(settings.maximum_timeout.map(|limit| limit.as_secs()))),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn create_hint(place: &Place) -> String {
    let who = match place {
        Place::Instance => "an administrator's token".to_owned(),
        Place::Group { path, .. } => format!("the token of an Owner of `{path}`"),
        Place::Project { path, .. } => format!("the token of a Maintainer or Owner of `{path}`"),
    };
    format!(
        "it takes {who} with the scopes `create_runner` and `manage_runner` (and `admin_mode` \
         where Admin Mode is on), or a `runner_token` in the pool"
    )
}
