//! The table of what can be asked. A route that is missing here fails a test.

use schemars::{Schema, SchemaGenerator};

use super::{of, text};
use crate::api::{AcceptedOutput, HealthOutput, PreviewOutput, SpecOutput};
use crate::view::{
    ExplainJobOutput, ExplainOutput, ExplainRunnerOutput, MemoryOutput, PlanOutput, QueueOutput,
    RunnerOutput, StatusOutput, TrendOutput,
};

const JSON: &str = "application/json";

/// A media type with its schema.
pub(super) type Content = (&'static str, fn(&mut SchemaGenerator) -> Schema);

/// One thing that can be asked.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) needs_token: bool,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Option<Content>,
    pub(super) answers: &'static [Answer],
}

/// A part of the address, the query or the head.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) what: &'static str,
    /// A number from the first to the last; else text.
    pub(super) range: Option<(u64, u64)>,
}

/// One way to be answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) what: &'static str,
    pub(super) content: Option<Content>,
}

const fn answer(status: u16, what: &'static str, content: Content) -> Answer {
    Answer { status, what, content: Some(content) }
}

const fn parameter(name: &'static str, place: &'static str, what: &'static str) -> Parameter {
    Parameter { name, place, what, range: None }
}

const UNCHANGED: Answer = Answer { status: 304, what: "You have it already", content: None };
const RUNNER: Parameter = parameter("name", "path", "The runner's name");
const WORD: Parameter = parameter("name", "path", "A job's id or name, a pool's or runner's name");
const TAG: Parameter = parameter("If-None-Match", "header", "The ETag of what you have");
const LAST_EVENT: Parameter = parameter("Last-Event-ID", "header", "The last event that you got");
const AT: Parameter =
    parameter("at", "query", "As if it were that time for schedules, as in 2026-10-25T00:30:00Z");
const STRICT: Parameter = parameter("strict", "query", "`1`: 503 when a source is unknown");
const JOB: Parameter =
    Parameter { range: Some((0, u64::MAX)), ..parameter("id", "path", "GitLab's id") };
const ACCEPT: Parameter =
    parameter("Accept", "header", "`application/openmetrics-text` for OpenMetrics");

const fn get(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answers: &'static [Answer],
) -> Operation {
    let (method, needs_token, body) = ("get", false, None);
    Operation { path, method, id, summary, needs_token, parameters, body, answers }
}

const fn post(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answers: &'static [Answer],
) -> Operation {
    let (method, needs_token, body) = ("post", true, None);
    Operation { path, method, id, summary, needs_token, parameters, body, answers }
}

const ACCEPTED: Answer = answer(202, "Done at the next tick", (JSON, of::<AcceptedOutput>));

const TOKEN: Parameter = parameter("X-Gitlab-Token", "header", "The secret, where it is a token");
const EVENT: Parameter = parameter("X-Gitlab-Event", "header", "What it tells about");
const SIGNED: Parameter =
    parameter("webhook-signature", "header", "The signature, where the secret is a key");
const SIGNED_ID: Parameter = parameter("webhook-id", "header", "What was signed: the id");
const SIGNED_AT: Parameter =
    parameter("webhook-timestamp", "header", "What was signed: the time, in seconds since 1970");

/// Everything, in order of use.
pub(super) const OPERATIONS: &[Operation] = &[
    get(
        "/",
        "dashboard",
        "The dashboard, for people",
        &[TAG],
        &[
            answer(200, "One page that needs no other", ("text/html; charset=utf-8", text)),
            UNCHANGED,
        ],
    ),
    get(
        "/health",
        "health",
        "Whether AutoGit is well",
        &[STRICT],
        &[
            answer(200, "It is, or only what it talks to is not", (JSON, of::<HealthOutput>)),
            answer(503, "It hangs, or `strict` asks for more", (JSON, of::<HealthOutput>)),
        ],
    ),
    get(
        "/status",
        "status",
        "How everything stands",
        &[TAG],
        &[answer(200, "Pools, hosts, sources and spec", (JSON, of::<StatusOutput>)), UNCHANGED],
    ),
    get(
        "/runners",
        "runners",
        "All runners",
        &[TAG],
        &[answer(200, "By host and name", (JSON, of::<Vec<RunnerOutput>>)), UNCHANGED],
    ),
    get(
        "/runners/{name}",
        "runner",
        "One runner, and why it is still there",
        &[RUNNER, TAG],
        &[answer(200, "The runner", (JSON, of::<ExplainRunnerOutput>)), UNCHANGED],
    ),
    get(
        "/queue",
        "queue",
        "The pending jobs, and what each waits for",
        &[TAG],
        &[answer(200, "Oldest first", (JSON, of::<QueueOutput>)), UNCHANGED],
    ),
    get(
        "/plan",
        "plan",
        "What is done now, and why everything else is left as it is",
        &[AT, TAG],
        &[answer(200, "The plan", (JSON, of::<PlanOutput>)), UNCHANGED],
    ),
    get(
        "/trend",
        "trend",
        "The last hour in numbers",
        &[TAG],
        &[answer(200, "Step by step, oldest first", (JSON, of::<TrendOutput>)), UNCHANGED],
    ),
    Operation {
        needs_token: true,
        ..get(
            "/spec",
            "spec",
            "The spec in force, without its secrets",
            &[TAG],
            &[answer(200, "What is written in it", (JSON, of::<SpecOutput>)), UNCHANGED],
        )
    },
    get(
        "/explain/jobs/{id}",
        "explainJob",
        "Why a job waits",
        &[JOB, TAG],
        &[answer(200, "The reason", (JSON, of::<ExplainJobOutput>)), UNCHANGED],
    ),
    get(
        "/explain/{name}",
        "explain",
        "Why a job waits, a pool has its size or a runner is there, by id or name, as in `pool linux`",
        &[WORD, TAG],
        &[answer(200, "The reason", (JSON, of::<ExplainOutput>)), UNCHANGED],
    ),
    get(
        "/memory",
        "memory",
        "What is remembered beyond a look, for an `autogit plan` of another file",
        &[TAG],
        &[answer(200, "The memory", (JSON, of::<MemoryOutput>)), UNCHANGED],
    ),
    get(
        "/events",
        "events",
        "What happens: `EventMessage` as the data of `decision`, `failure`, `phase`, `source` and \
         `spec`; `LookMessage` as that of `look` (a new look was taken) and `reset` (events are \
         missing, begin anew)",
        &[LAST_EVENT],
        &[answer(200, "Server-sent events; the stream does not end", ("text/event-stream", text))],
    ),
    get(
        "/metrics",
        "metrics",
        "Counters, gauges and histograms, as OpenMetrics where `Accept` names it",
        &[ACCEPT],
        &[answer(200, "For Prometheus", ("text/plain", text))],
    ),
    get(
        "/openapi.json",
        "openapi",
        "This description",
        &[TAG],
        &[
            answer(200, "OpenAPI 3.1", (JSON, of::<serde_json::Map<String, serde_json::Value>>)),
            UNCHANGED,
        ],
    ),
    post("/reconcile", "reconcile", "Looks now", &[], &[ACCEPTED]),
    post("/reload", "reload", "Reads the spec again", &[], &[ACCEPTED]),
    post(
        "/runners/{name}/drain",
        "drain",
        "Lets a runner finish the job it has and exit",
        &[RUNNER],
        &[ACCEPTED],
    ),
    Operation {
        body: Some(("application/yaml", text)),
        ..post(
            "/plan",
            "previewPlan",
            "The plan that a candidate spec would lead to; the token in `api.plan_token_file` suffices",
            &[AT],
            &[answer(200, "What it would lead to", (JSON, of::<PreviewOutput>))],
        )
    },
    Operation {
        needs_token: false,
        body: Some((JSON, of::<serde_json::Map<String, serde_json::Value>>)),
        ..post(
            "/webhook/gitlab",
            "webhook",
            "Where GitLab reports jobs, pipelines and pushes; authenticated by its own headers",
            &[EVENT, TOKEN, SIGNED_ID, SIGNED_AT, SIGNED],
            &[Answer { status: 204, what: "Authentic", content: None }],
        )
    },
];
