//! What GitLab says when all is well, by path.

use serde_json::{Value, json};

pub(crate) fn to(path: &str, asked: &str) -> Value {
    let path = path.trim_start_matches("/api/v4");
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    match steps.as_slice() {
        ["api", "graphql"] | ["graphql"] => graphql(asked),
        ["personal_access_tokens", ..] => json!({"scopes": ["api"], "expires_at": "2024-01-31"}),
        ["user", "runners"] | ["runners", "verify"] => {
            json!({"id": 7, "token": "glrt-x", "token_expires_at": "2024-01-31T00:00:00Z"})
        }
        ["user"] => json!({"id": 1, "username": "ann", "is_admin": true}),
        ["metadata" | "version"] => json!({"version": "18.6.0"}),
        ["projects"] | ["groups", _, "projects"] => json!([project()]),
        ["projects", _] => project(),
        ["projects", _, "jobs"] => json!([job()]),
        ["projects", _, "jobs", ..] => job(),
        ["projects", ..] => json!([{"name": "main"}, {"name": "release/*"}]),
        ["runners"] | ["runners", "all"] => json!([
            {"id": 7, "description": "autogit/autogit/linux-amd64", "paused": false},
            {"id": 8, "description": "autogit/autogit/linux-arm64", "paused": false},
        ]),
        ["runners", ..] => record(),
        _ => json!({"id": 3, "full_path": "team", "path_with_namespace": "team/app"}),
    }
}

fn project() -> Value {
    json!({
        "id": 3, "path_with_namespace": "team/app", "last_activity_at": "2023-11-14T22:00:00Z",
        "shared_runners_enabled": true, "group_runners_enabled": true,
        "builds_access_level": "enabled",
    })
}

fn job() -> Value {
    json!({
        "id": 41, "name": "test", "ref": "main", "tag": false, "tag_list": ["docker"],
        "created_at": "2023-11-14T22:10:00Z", "queued_duration": 12.5, "status": "running",
        "web_url": "http://gitlab.test/team/app/-/jobs/41", "runner": {"id": 7},
    })
}

fn record() -> Value {
    json!({
        "id": 7, "description": "autogit/autogit/linux-amd64", "tag_list": ["docker", "amd64"],
        "maintenance_note": "autogit installation=home", "run_untagged": false,
        "access_level": "not_protected", "maximum_timeout": 3600, "paused": false,
        "runner_type": "group_type", "groups": [{"id": 2, "web_url": "http://gitlab.test/team"}],
        "projects": [], "created_at": "2023-11-14T20:00:00Z", "token_expires_at": null,
    })
}

fn graphql(asked: &str) -> Value {
    if asked.contains("managers") {
        let managers = json!({"managers": {
            "pageInfo": {"hasNextPage": false, "endCursor": "c"},
            "nodes": [{
                "systemId": "r_abcdefghijkl", "status": "ONLINE",
                "contactedAt": "2023-11-14T22:13:00Z", "jobExecutionStatus": "IDLE",
            }],
        }});
        return json!({"data": {"r7": managers, "r8": managers}});
    }
    json!({"data": {"jobs": {
        "pageInfo": {
            "hasPreviousPage": false, "startCursor": "a", "hasNextPage": false, "endCursor": "b",
        },
        "nodes": [{
            "id": "gid://gitlab/Ci::Build/41", "name": "test", "tags": ["docker"],
            "queuedAt": "2023-11-14T22:10:00Z", "createdAt": "2023-11-14T22:09:00Z",
            "refName": "main", "createdByTag": false,
            "project": {"id": "gid://gitlab/Project/3", "fullPath": "team/app"},
        }],
    }}})
}
