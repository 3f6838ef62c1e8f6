//! GraphQL over the wire: errors come with status 200 and are errors all the same.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::{Value, json};

use super::call::Call;
use super::refusal;
use super::wire::Wire;
use crate::gitlab::GitlabError;

/// What GraphQL says when an object is missing or may not be seen.
const UNSEEN: &str = "does not exist or you don't have permission";

/// Data, possibly partial, and what went wrong with the rest.
#[derive(Deserialize)]
pub(super) struct Reply<T> {
    pub(super) data: Option<T>,
    #[serde(default)]
    pub(super) errors: Vec<Fault>,
}

/// One error of a reply.
#[derive(Deserialize)]
pub(super) struct Fault {
    message: String,
    #[serde(default)]
    path: Vec<Value>,
}

/// One page of a list; `P` is how it tells where the next one is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<N, P = Forward> {
    pub(super) page_info: P,
    pub(super) nodes: Vec<N>,
}

/// Pages from the first to the last.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Forward {
    pub(super) has_next_page: bool,
    pub(super) end_cursor: Option<String>,
}

/// Pages from the last to the first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Backward {
    pub(super) has_previous_page: bool,
    pub(super) start_cursor: Option<String>,
}

impl Fault {
    /// The field at the top of the query that this error is about, if it is about one.
    pub(super) fn field(&self) -> Option<&str> {
        self.path.first()?.as_str()
    }

    /// The place in the list of that field that this error is about, if it is about one item.
    pub(super) fn node_of(&self, field: &str) -> Option<usize> {
        let [first, nodes, index, ..] = self.path.as_slice() else { return None };
        let of_list = first.as_str() == Some(field) && nodes.as_str() == Some("nodes");
        index.as_u64().filter(|_| of_list).and_then(|index| usize::try_from(index).ok())
    }

    /// GitLab's words.
    pub(super) fn words(&self) -> String {
        refusal::without_secrets(&self.message, [].into_iter())
    }

    pub(super) fn error(&self, attempt: &str) -> GitlabError {
        let message = self.words();
        if self.message.contains(UNSEEN) {
            return GitlabError::Forbidden { attempt: format!("{attempt}: {message}"), hint: None };
        }
        GitlabError::Rejected { attempt: attempt.to_owned(), message }
    }
}

impl Wire {
    /// Asks `query`; the reply may be partial.
    pub(super) async fn reply<T: DeserializeOwned>(
        &self,
        attempt: &str,
        query: &str,
        variables: Value,
    ) -> Result<Reply<T>, GitlabError> {
        let body = json!({ "query": query, "variables": variables });
        self.json(&Call::graphql(body).attempt(attempt)).await
    }

    /// Asks `query`; a partial reply is an error.
    pub(super) async fn graphql<T: DeserializeOwned>(
        &self,
        attempt: &str,
        query: &str,
        variables: Value,
    ) -> Result<T, GitlabError> {
        let reply = self.reply(attempt, query, variables).await?;
        whole(attempt, reply)
    }
}

/// The data of a reply without errors.
pub(super) fn whole<T>(attempt: &str, reply: Reply<T>) -> Result<T, GitlabError> {
    match (reply.errors.first(), reply.data) {
        (Some(fault), _) => Err(fault.error(attempt)),
        (None, Some(data)) => Ok(data),
        (None, None) => Err(GitlabError::NotGitlab {
            endpoint: "POST /graphql",
            problem: "it has neither data nor errors".to_owned(),
        }),
    }
}

/// The number at the end of a global id, `gid://gitlab/Ci::Build/123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gid(pub(super) u64);

impl<'de> Deserialize<'de> for Gid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.strip_prefix("gid://").and_then(|rest| rest.rsplit('/').next());
        let number = number.and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| D::Error::custom("no global id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_id_is_read_and_nothing_else() {
        let gid = |text: &str| serde_json::from_value::<Gid>(text.into()).ok();
        assert_eq!(gid("gid://gitlab/Ci::Build/123"), Some(Gid(123)));
        assert_eq!(gid("gid://gitlab/Ci::Build/"), None);
        assert_eq!(gid("123"), None);
    }
}
