//! A line of a runner's own log for people.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::cli::text::RenderOptions;
use crate::engine::own_log::LogLine;
use crate::view::words;

/// What a line has in places of their own, or what says the same in every line of a runner.
const TOLD: [&str; 4] = ["time", "level", "msg", "job"];
const SAME: [&str; 14] = [
    "arch",
    "correlation_id",
    "gitlab_user_id",
    "name",
    "namespace_id",
    "organization_id",
    "os",
    "pid",
    "project",
    "revision",
    "root_namespace_id",
    "runner",
    "runner_name",
    "url",
];

/// `14:03:22  info     Checking for jobs... received   job 41   repo_url=…`. A line that is no JSON
/// stays as it is.
pub(super) fn line_in_words(line: &LogLine, options: &RenderOptions) -> String {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(&line.text) else {
        return format!("{}  {}", options.time(line.at), words::plain(line.text.trim_end()));
    };
    let text = |key: &str| fields.get(key).map(in_words);
    let at: Option<Timestamp> = text("time").and_then(|at| at.parse().ok());
    let level = text("level").unwrap_or_default();
    let message = text("msg").unwrap_or_default();
    // GitLab's own words of a failed script come with a line end.
    let message = words::plain(message.trim()).into_owned();
    let painted = match level.as_str() {
        "error" | "fatal" | "panic" => options.paint.bad(&format!("{level:<7}")),
        "warning" => options.paint.notable(&format!("{level:<7}")),
        _ => format!("{:<7}", words::plain(&level)),
    };
    let job = text("job").filter(|job| !job.is_empty());
    let job = job.map(|job| format!("   job {}", words::plain(&job))).unwrap_or_default();
    let shown = |key: &&String| {
        !TOLD.contains(&key.as_str()) && (options.verbose || !SAME.contains(&key.as_str()))
    };
    let rest: Vec<String> = fields
        .iter()
        .filter(|(key, _)| shown(key))
        .map(|(key, value)| format!("{}={}", words::plain(key), words::plain(&in_words(value))))
        .collect();
    let rest = match rest.as_slice() {
        [] => String::new(),
        rest => format!("   {}", options.paint.faint(&rest.join(" "))),
    };
    format!("{}  {painted}  {message}{job}{rest}", options.time(at.unwrap_or(line.at)))
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, verbose: bool) -> String {
        let at = "2026-01-02T03:04:06Z".parse().unwrap();
        let options = RenderOptions { verbose, ..RenderOptions::bare() };
        line_in_words(&LogLine { at, text: text.to_owned() }, &options)
    }

    #[test]
    fn time_level_message_and_job_come_first_and_what_each_line_repeats_is_left_out() {
        let line = r#"{"job":41,"level":"info","msg":"Checking for jobs... received","repo_url":"http://g/a.git","runner":"on_Jbdre","time":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(
            shown(line, false),
            "03:04:05  info     Checking for jobs... received   job 41   repo_url=http://g/a.git"
        );
        assert!(shown(line, true).ends_with("repo_url=http://g/a.git runner=on_Jbdre"));
        let line = r#"{"duration_s":3.5,"exit_code":1,"failure_reason":"script_failure","job":41,"level":"warning","msg":"Job failed: exit code 1\n"}"#;
        assert_eq!(
            shown(line, false),
            "03:04:06  warning  Job failed: exit code 1   job 41   duration_s=3.5 exit_code=1 \
             failure_reason=script_failure"
        );
    }

    #[test]
    fn what_is_no_json_stays_as_it_is_but_for_what_a_terminal_obeys() {
        assert_eq!(shown("panic: \u{1b}[2Jno", false), "03:04:06  panic: \u{fffd}[2Jno");
        assert_eq!(shown(r#"{"msg":"a\u001b[2J"}"#, false), "03:04:06           a\u{fffd}[2J");
    }
}
