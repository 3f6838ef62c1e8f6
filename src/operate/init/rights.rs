//! Whose jobs a token can serve, what it lacks, and what goes without. Pure.

use super::Place;
use crate::gitlab::setup::{Identity, Places};

/// What a token is good for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// What AutoGit does not work without, each with what it is for.
    pub(crate) lacking: Vec<String>,
    /// What goes without.
    pub(crate) lost: Vec<String>,
    /// Whose jobs may be served: one, or one of several.
    pub(crate) places: Vec<Place>,
}

/// What that token of that user is good for. Scopes as in GitLab 17.1 and newer; before that, only
/// `api` changes and deletes runners.
pub(crate) fn rights(identity: &Identity, places: &Places) -> Rights {
    let mut rights = Rights { places: served(identity, places), ..Rights::default() };
    scopes(identity, &mut rights);
    if identity.administrator && !identity.lists_all_runners {
        rights.lacking.push(
            "`admin_mode`, to see and make instance runners: Admin Mode is on there".to_owned(),
        );
    }
    if rights.places.is_empty() {
        rights.lacking.push(format!(
            "a role of `{}` that makes runners: administrator for all of GitLab, Owner of a group for \
             its projects, or Maintainer of a project",
            identity.user
        ));
    }
    match rights.places.first() {
        Some(Place::Instance) | None => {}
        Some(Place::Group(_)) => rights.lost.push(
            "the whole queue: an administrator's token serves all projects, by one request a look; \
             this one serves a group, project by project"
                .to_owned(),
        ),
        Some(Place::Project(_)) => rights.lost.push(
            "all but one project: an Owner's token serves a group, an administrator's all of GitLab"
                .to_owned(),
        ),
    }
    rights
}

fn served(identity: &Identity, places: &Places) -> Vec<Place> {
    let fine_grained = identity.token.as_ref().is_some_and(is_fine_grained);
    if identity.administrator && !fine_grained {
        return vec![Place::Instance];
    }
    let groups = places.groups.iter().cloned().map(Place::Group);
    let projects = places.projects.iter();
    // A group's projects are served with it.
    let alone = projects.filter(|path| {
        let above = |group: &&String| {
            path.strip_prefix(group.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        !places.groups.iter().any(|group| above(&group))
    });
    groups.chain(alone.cloned().map(Place::Project)).collect()
}

fn is_fine_grained(token: &crate::gitlab::setup::TokenSeen) -> bool {
    token.scopes.iter().any(|scope| scope == "granular")
}

fn scopes(identity: &Identity, rights: &mut Rights) {
    let Some(token) = &identity.token else {
        rights.lost.push("`autogit token rotate`: this is no personal access token".to_owned());
        return;
    };
    if is_fine_grained(token) {
        rights.lost.push(
            "the queue of all GitLab in one request: a fine-grained token reads it project by project"
                .to_owned(),
        );
        return;
    }
    let has = |name: &str| token.scopes.iter().any(|scope| scope == name);
    if has("api") {
        return;
    }
    let wanted = [
        ("read_api", "to read the queue"),
        ("create_runner", "to make runners"),
        ("manage_runner", "to change and delete runners"),
    ];
    for (scope, purpose) in wanted {
        if scope == "manage_runner" && !identity.is_at_least(17, 1) {
            rights.lacking.push(format!("`api`, {purpose}: before GitLab 17.1 nothing less does"));
        } else if !has(scope) {
            rights.lacking.push(format!("`{scope}`, {purpose}"));
        }
    }
    if !has("self_rotate") {
        rights.lost.push(
            "`autogit token rotate`, which needs `self_rotate` (GitLab 17.9 and newer) or `api`: make a \
             new token by hand before this one ends"
                .to_owned(),
        );
    }
    rights.lost.push(
        "webhooks made by AutoGit, `lost_jobs: retry`, and commands that start, retry or cancel jobs: \
         these need `api`"
            .to_owned(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitlab::setup::TokenSeen;

    fn identity(administrator: bool, scopes: &[&str]) -> Identity {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        Identity {
            version: "18.6.0".to_owned(),
            user: "ann".to_owned(),
            administrator,
            token: Some(TokenSeen { id: 1, scopes, ends_on: None }),
            lists_all_runners: administrator,
        }
    }

    fn places(groups: &[&str], projects: &[&str]) -> Places {
        let owned = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
        Places { groups: owned(groups), projects: owned(projects) }
    }

    const LEAST: &[&str] = &["read_api", "create_runner", "manage_runner", "self_rotate"];

    #[test]
    fn an_administrator_serves_the_instance_an_owner_a_group_a_maintainer_a_project() {
        let none = Places::default();

        assert_eq!(rights(&identity(true, LEAST), &none).places, [Place::Instance]);
        let owned = rights(&identity(false, LEAST), &places(&["team"], &["team/app", "a/b"]));
        let expected = [Place::Group("team".to_owned()), Place::Project("a/b".to_owned())];
        assert_eq!((owned.places.as_slice(), owned.lacking.len()), (&expected[..], 0));
        assert!(owned.lost.last().unwrap().starts_with("the whole queue"));
        let nobody = rights(&identity(false, LEAST), &none);
        assert!(nobody.lacking[0].starts_with("a role of `ann` that makes runners"));
    }

    #[test]
    fn a_scope_that_lacks_is_named_with_what_it_is_for() {
        let told = rights(&identity(true, &["read_api"]), &Places::default());
        let expected =
            ["`create_runner`, to make runners", "`manage_runner`, to change and delete runners"];
        assert_eq!(told.lacking, expected);
        assert!(told.lost[0].starts_with("`autogit token rotate`"));
        let old = Identity { version: "16.11.2".to_owned(), ..identity(true, LEAST) };
        assert!(rights(&old, &Places::default()).lacking[0].starts_with("`api`, to change"));
        let api = rights(&identity(true, &["api"]), &Places::default());
        assert_eq!((api.lacking.len(), api.lost.len()), (0, 0));
        let hidden = Identity { lists_all_runners: false, ..identity(true, &["api"]) };
        assert!(rights(&hidden, &Places::default()).lacking[0].starts_with("`admin_mode`"));
    }
}
