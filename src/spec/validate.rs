//! The strict schema as a gate: each of its errors in the operator's words, at the value's place.

use std::collections::BTreeSet;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::context::Context;
use super::fault::Code;
use super::hidden::named;
use super::nearest::nearest;
use super::path::Path;
use super::report::Finding;
use super::scalar::{self, Plain, has_leading_zeros};
use super::words::value;

/// Checks `value`, and takes out of it what does not pass, so that the rest can be checked on.
pub(super) fn validate(checked: &mut Value, schema: &Value, context: &mut Context<'_>) {
    let validator = match jsonschema::draft202012::options().build(schema) {
        Ok(validator) => validator,
        Err(error) => {
            let message = format!("the schema itself is broken: {error}");
            context.add(&Path::default(), Finding::error(Code::Internal, message));
            return;
        }
    };
    let mut refused = BTreeSet::new();
    let errors: Vec<Explained> =
        validator.iter_errors(checked).flat_map(|error| explain(&error, context)).collect();
    for explained in errors {
        context.add(&explained.path, explained.finding);
        refused.insert(explained.path);
    }
    for path in refused {
        take_out(checked, &path);
    }
}

struct Explained {
    path: Path,
    finding: Finding,
}

impl Explained {
    fn value(path: Path, finding: Finding) -> Vec<Self> {
        vec![Self { path, finding }]
    }
}

/// Removes the nearest key at or above `path`: a list with a hole would be another list.
fn take_out(value: &mut Value, path: &Path) {
    let mut held = value;
    let steps: Vec<&str> = path.steps().collect();
    for (index, step) in steps.iter().enumerate() {
        let Value::Object(object) = held else { return };
        let last = index + 1 == steps.len();
        let is_list = object.get(*step).is_some_and(Value::is_array);
        if last || is_list {
            object.shift_remove(*step);
            return;
        }
        let Some(next) = object.get_mut(*step) else { return };
        held = next;
    }
}

fn explain(error: &ValidationError<'_>, context: &Context<'_>) -> Vec<Explained> {
    let path = Path::from_pointer(error.instance_path().as_str());
    let field = path.field().to_owned();
    let wrong = |message: String| Finding::error(Code::BadValue, message);
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library may know more keywords; the last arm has words for any"
    )]
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let whose = if path.last().is_some() { format!("`{path}`") } else { "the file".into() };
            let message = format!("{whose} needs `{key}`");
            Explained::value(path.join(key), Finding::error(Code::MissingKey, message))
        }
        ValidationErrorKind::Type { kind } => {
            let finding = wrong_type(&path, kind, error.instance(), context);
            Explained::value(path, finding)
        }
        ValidationErrorKind::Enum { options } => {
            let finding = no_such_word(&path, options, error.instance(), context);
            Explained::value(path, finding)
        }
        ValidationErrorKind::AnyOf { context: branches }
        | ValidationErrorKind::OneOfNotValid { context: branches } => {
            union(path, branches, context)
        }
        ValidationErrorKind::Minimum { limit } => {
            let message =
                format!("`{field}` is {}, but has to be at least {limit}", context.bare(&path));
            let none = path.last() == Some("max") && path.parent().last() != Some("services");
            let hint =
                none.then(|| "a pool that starts no runners has `enabled: false`".to_owned());
            Explained::value(path, wrong(message).maybe_hint(hint))
        }
        ValidationErrorKind::Maximum { limit } => {
            let message =
                format!("`{field}` is {}, but has to be at most {limit}", context.bare(&path));
            Explained::value(path, wrong(message))
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            let message =
                format!("`{field}` is {}, but has to be more than {limit}", context.bare(&path));
            Explained::value(path, wrong(message))
        }
        _ => {
            let finding = by_keyword(&path, error, context);
            Explained::value(path, finding)
        }
    }
}

/// The limits that say enough by their name.
fn by_keyword(path: &Path, error: &ValidationError<'_>, context: &Context<'_>) -> Finding {
    let (field, shown) = (path.field(), context.shown(path));
    let message = match error.kind().keyword() {
        "minProperties" | "minItems" | "minLength" => format!("`{field}` is empty"),
        "uniqueItems" => format!("`{field}` names one thing twice"),
        "pattern" => format!("{shown} is no name for `{field}`"),
        // What is not listed here is in no schema of ours; its own words are better than none.
        _ => format!("`{field}`: {}", value(error.masked())),
    };
    let finding = Finding::error(Code::BadValue, message);
    match error.kind().keyword() {
        "pattern" if field == "instance" => finding
            .hint("use lower-case letters, digits and `-`, with a letter or digit at both ends"),
        "pattern" => {
            finding.hint("use letters, digits, `-`, `_` and `.`, beginning with a letter or digit")
        }
        _ => finding,
    }
}

fn wrong_type(path: &Path, kind: &TypeKind, given: &Value, context: &Context<'_>) -> Finding {
    let wanted = match kind {
        TypeKind::Single(one) => words_for(*one).to_owned(),
        TypeKind::Multiple(several) => {
            several.iter().map(words_for).collect::<Vec<_>>().join(" or ")
        }
    };
    let shown = context.shown(path);
    let subject = match path.last() {
        None => "the file has to be".to_owned(),
        Some(step) if named(step) == path.field() => format!("`{}` takes", path.field()),
        Some(_) => format!("each of `{}` has to be", path.field()),
    };
    let number = matches!(kind, TypeKind::Single(JsonType::Integer | JsonType::Number));
    let boolean = matches!(kind, TypeKind::Single(JsonType::Boolean));
    let quoted = context.is_quoted(path);
    let text = if quoted && (number || boolean) { "the text " } else { "" };
    let message = format!("{subject} {wanted}, not {text}{shown}");
    let finding = Finding::error(Code::WrongType, message);
    match (kind, given.as_str()) {
        (_, Some(text)) if number && has_leading_zeros(text) => finding.hint(NO_ZEROS),
        (_, Some(text)) if number && quoted && scalar::number(text).is_some() => {
            finding.hint("remove the quotes")
        }
        (_, Some("true" | "false")) if boolean && quoted => finding.hint("remove the quotes"),
        (_, Some(text)) if boolean => match scalar::plain(text) {
            Plain::Ambiguous(hint) => {
                finding.hint(hint.split_once(';').map_or(hint, |(first, _)| first))
            }
            Plain::Bool(_) | Plain::Number(_) | Plain::Text => finding,
        },
        (TypeKind::Single(JsonType::Array), Some(_)) => {
            finding.hint(format!("write `[{}]`", shown.trim_matches('`')))
        }
        _ => finding,
    }
}

const NO_ZEROS: &str = "write it without leading zeros, or with `0o` if it is octal";

fn words_for(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping",
        JsonType::String => "text",
    }
}

fn no_such_word(path: &Path, options: &Value, given: &Value, context: &Context<'_>) -> Finding {
    let words: Vec<&str> =
        options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let listed: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let listed = match listed.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        all => all.join(""),
    };
    let listed = forms(path.field()).unwrap_or(&listed);
    let word = given.as_str().unwrap_or_default();
    // A variable's value is text, however much it looks like a mapping.
    let text = if word.starts_with('{') { "the text " } else { "" };
    let shown = context.shown(path);
    let message = format!("`{}` takes {listed}, not {text}{shown}", path.field());
    let other_name = super::Arch::parse(word).map(super::Arch::as_str);
    let meant = other_name.filter(|name| words.contains(name));
    let meant = meant.or_else(|| nearest(word, words.iter().copied()));
    let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
    Finding::error(Code::BadValue, message).maybe_hint(hint)
}

/// The forms of the fields that have several, for a value that is like none of them.
const FORMS: &[(&str, &str)] = &[
    ("scope", "`instance`, `{group: path}` or `{project: path}`"),
    ("warm", "a whole number, or one by architecture as in `{amd64: 1}`"),
    ("gpus", "`auto`, a whole number, or a list as in `[{vendor: nvidia, id: \"0\"}]`"),
];

fn forms(field: &str) -> Option<&'static str> {
    FORMS.iter().find(|(of, _)| *of == field).map(|(_, forms)| *forms)
}

/// Of several forms the one that was meant is the one whose type fits; its errors are the faults.
fn union(
    path: Path,
    branches: &[Vec<ValidationError<'static>>],
    context: &Context<'_>,
) -> Vec<Explained> {
    let misses_type = |error: &ValidationError<'_>| {
        matches!(error.kind(), ValidationErrorKind::Type { .. })
            && Path::from_pointer(error.instance_path().as_str()) == path
    };
    let meant = branches.iter().find(|branch| !branch.iter().any(misses_type));
    if let Some(branch) = meant {
        return branch.iter().flat_map(|error| explain(error, context)).collect();
    }
    let forms = forms(path.field()).unwrap_or("another form");
    let message = format!("`{}` takes {forms}, not {}", path.field(), context.shown(&path));
    let scalar = context.tree.at(&path).and_then(super::node::Node::scalar);
    let zeros = scalar.is_some_and(|scalar| scalar.plain && has_leading_zeros(&scalar.text));
    let finding = Finding::error(Code::WrongType, message);
    Explained::value(path, finding.maybe_hint(zeros.then(|| NO_ZEROS.to_owned())))
}
