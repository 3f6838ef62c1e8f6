//! Log lines as gitlab-runner's `--log-format json` writes them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::SystemTime;

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

/// Sends every event to stderr as one JSON object, the client's own warnings among them, and to
/// the client's layer, which needs its own to find a job's trace.
pub fn install(client_layer: impl Layer<Registry> + Send + Sync, level: LevelFilter) {
    Registry::default().with(client_layer).with(JsonLines.with_filter(level)).init();
}

struct JsonLines;

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        fields.0.insert("time", json!(time));
        fields.0.insert("level", json!(level_name(*event.metadata().level())));
        let line = json!(fields.0).to_string() + "\n";
        // A log that nobody can read must not end a job.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

struct Fields(BTreeMap<&'static str, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.insert(name, value);
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.insert(field, json!(format!("{value:?}")));
    }
}
