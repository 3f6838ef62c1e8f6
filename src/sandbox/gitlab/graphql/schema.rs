//! The part of GitLab's GraphQL schema that is simulated.

/// A type: an object, or a connection or edge of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeRef {
    pub(super) object: &'static str,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    Connection,
    Edge,
}

/// What a field is answered with.
pub(super) enum Found {
    Leaf,
    Of(TypeRef, &'static [&'static str]),
}

/// The type of the operations themselves.
pub(super) const QUERY: TypeRef = one("Query");

const fn one(object: &'static str) -> TypeRef {
    TypeRef { object, shape: Shape::Object }
}

const fn many(object: &'static str) -> TypeRef {
    TypeRef { object, shape: Shape::Connection }
}

impl TypeRef {
    /// The type's name.
    pub(super) fn name(self) -> String {
        match self.shape {
            Shape::Object => self.object.to_owned(),
            Shape::Connection => format!("{}Connection", self.object),
            Shape::Edge => format!("{}Edge", self.object),
        }
    }

    pub(super) fn is_connection(self) -> bool {
        self.shape == Shape::Connection
    }

    /// The field of that name.
    pub(super) fn field(self, name: &str) -> Option<Found> {
        let object = one(self.object);
        match (self.shape, name) {
            (_, "__typename") | (Shape::Connection, "count") | (Shape::Edge, "cursor") => {
                Some(Found::Leaf)
            }
            (Shape::Connection, "nodes") | (Shape::Edge, "node") => Some(Found::Of(object, PLAIN)),
            (Shape::Connection, "edges") => {
                Some(Found::Of(TypeRef { shape: Shape::Edge, ..self }, PLAIN))
            }
            (Shape::Connection, "pageInfo") => Some(Found::Of(one("PageInfo"), PLAIN)),
            (Shape::Connection | Shape::Edge, _) => None,
            (Shape::Object, _) => {
                let found = TYPES.iter().find(|found| found.name == self.object)?;
                if found.leaves.contains(&name) {
                    return Some(Found::Leaf);
                }
                let field = found.fields.iter().find(|(known, _, _)| *known == name)?;
                Some(Found::Of(field.1, field.2))
            }
        }
    }
}

/// A field that is answered with an object: its name, type and arguments.
type Field = (&'static str, TypeRef, &'static [&'static str]);

struct Type {
    name: &'static str,
    leaves: &'static [&'static str],
    fields: &'static [Field],
}

const PLAIN: &[&str] = &[];
const ID: &[&str] = &["id"];
const FULL_PATH: &[&str] = &["fullPath"];
const JOBS: &[&str] = &[
    "first",
    "after",
    "last",
    "before",
    "statuses",
    "compatibleRunnerId",
    "runnerTypes",
    "sources",
];
const RUNNERS: &[&str] = &[
    "first", "after", "last", "before", "paused", "active", "status", "type", "tagList", "search",
    "sort",
];
const MANAGERS: &[&str] = &["first", "after", "last", "before", "systemId", "status"];
const PROJECTS: &[&str] =
    &["first", "after", "last", "before", "includeSubgroups", "search", "sort", "membership"];

const TYPES: &[Type] = &[
    Type {
        name: "Query",
        leaves: &[],
        fields: &[
            ("currentUser", one("CurrentUser"), PLAIN),
            ("metadata", one("Metadata"), PLAIN),
            ("jobs", many("CiJob"), JOBS),
            ("project", one("Project"), FULL_PATH),
            ("projects", many("Project"), PROJECTS),
            ("group", one("Group"), FULL_PATH),
            ("runner", one("CiRunner"), ID),
            ("runners", many("CiRunner"), RUNNERS),
        ],
    },
    Type { name: "Metadata", leaves: &["version", "revision", "enterprise"], fields: &[] },
    Type {
        name: "CurrentUser",
        leaves: &["id", "username", "name", "active", "bot", "state", "webUrl", "publicEmail"],
        fields: &[],
    },
    Type {
        name: "Group",
        leaves: &["id", "name", "path", "fullName", "fullPath", "webUrl", "visibility"],
        fields: &[("projects", many("Project"), PROJECTS), ("runners", many("CiRunner"), RUNNERS)],
    },
    Type {
        name: "Project",
        leaves: &[
            "id",
            "name",
            "path",
            "fullPath",
            "nameWithNamespace",
            "webUrl",
            "visibility",
            "archived",
            "jobsEnabled",
            "sharedRunnersEnabled",
            "createdAt",
            "lastActivityAt",
        ],
        fields: &[
            ("group", one("Group"), PLAIN),
            ("jobs", many("CiJob"), JOBS),
            ("job", one("CiJob"), ID),
            ("runners", many("CiRunner"), RUNNERS),
        ],
    },
    Type {
        name: "CiJob",
        leaves: &[
            "id",
            "name",
            "status",
            "tags",
            "queuedAt",
            "createdAt",
            "startedAt",
            "finishedAt",
            "duration",
            "queuedDuration",
            "refName",
            "refPath",
            "createdByTag",
            "webPath",
            "shortSha",
            "allowFailure",
            "active",
            "stuck",
            "cancelable",
            "retryable",
            "playable",
            "manualJob",
            "triggered",
            "kind",
            "exitCode",
            "failureMessage",
            "scheduledAt",
            "coverage",
            "schedulingType",
        ],
        fields: &[
            ("stage", one("CiStage"), PLAIN),
            ("pipeline", one("Pipeline"), PLAIN),
            ("project", one("Project"), PLAIN),
            ("runner", one("CiRunner"), PLAIN),
            ("runnerManager", one("CiRunnerManager"), PLAIN),
        ],
    },
    Type { name: "CiStage", leaves: &["id", "name", "status"], fields: &[] },
    Type {
        name: "Pipeline",
        leaves: &["id", "iid", "status", "ref", "source", "sha", "path", "createdAt"],
        fields: &[("project", one("Project"), PLAIN), ("jobs", many("CiJob"), JOBS)],
    },
    Type {
        name: "CiRunner",
        leaves: &[
            "id",
            "description",
            "maintenanceNote",
            "paused",
            "active",
            "locked",
            "runUntagged",
            "tagList",
            "accessLevel",
            "runnerType",
            "status",
            "jobExecutionStatus",
            "contactedAt",
            "createdAt",
            "maximumTimeout",
            "jobCount",
            "shortSha",
            "tokenExpiresAt",
            "version",
        ],
        fields: &[
            ("managers", many("CiRunnerManager"), MANAGERS),
            ("jobs", many("CiJob"), JOBS),
            ("projects", many("Project"), PROJECTS),
        ],
    },
    Type {
        name: "CiRunnerManager",
        leaves: &[
            "id",
            "systemId",
            "status",
            "jobExecutionStatus",
            "contactedAt",
            "createdAt",
            "version",
            "revision",
            "platformName",
            "architectureName",
            "ipAddress",
        ],
        fields: &[("runner", one("CiRunner"), PLAIN)],
    },
    Type {
        name: "PageInfo",
        leaves: &["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"],
        fields: &[],
    },
];
