//! The way from text to a checked spec, and all faults on the way.

use std::collections::BTreeMap;
use std::fmt;

use super::context::Context;
use super::fault::{Code, Fault, Faults};
use super::hash::Digest;
use super::node::Kind;
use super::path::Path;
use super::pushed::{self, Limits};
use super::report::{Finding, Report};
use super::section::RawSpec;
use super::variables::{Missing, Variables};
use super::{Spec, across, bounds, build, defaults, json, keys, reader, schema, validate};

/// A file that passed.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What it says.
    pub spec: Spec,
    /// What somebody should look at.
    pub warnings: Vec<Fault>,
    /// Differs when what the file says differs.
    pub digest: Digest,
    /// The values with variables, by their JSON pointer.
    pub variables: BTreeMap<String, Templated>,
}

/// A value as it is written, with the variables in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Templated {
    /// The variables, each once, in order of appearance.
    pub names: Vec<String>,
    /// The whole of what is written there, which may hold a secret beside a variable.
    pub text: String,
}

/// The names only.
impl fmt::Debug for Templated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templated").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Spec {
    /// Reads `text`, which messages call `file`, with the variables that `lookup` knows. Finds all
    /// faults in one pass.
    pub fn parse(
        file: &str,
        text: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
        missing: Missing,
    ) -> Result<Parsed, Faults> {
        Self::parse_by_place(file, text, &|_, name| lookup(name), missing, None)
    }

    /// As [`Spec::parse`], within the `limits` of whoever pushed it; where the text is wrong, also what could be read of it: good for finding
    /// what else is wrong, and for nothing else.
    pub fn parse_partly(
        file: &str,
        text: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
        missing: Missing,
        limits: Option<&Limits>,
    ) -> Result<Parsed, (Faults, Option<Box<Self>>)> {
        let parsed = parse(text, &|_, name| lookup(name), missing, limits);
        parsed.map_err(|(faults, rest)| (Faults::new(file, faults), rest))
    }

    /// As [`Spec::parse`], where a variable may have a value in one place and none in another:
    /// `lookup` is asked with the JSON pointer of the place, then the name.
    pub fn parse_by_place(
        file: &str,
        text: &str,
        lookup: &dyn Fn(&str, &str) -> Option<String>,
        missing: Missing,
        limits: Option<&Limits>,
    ) -> Result<Parsed, Faults> {
        parse(text, lookup, missing, limits).map_err(|(faults, _)| Faults::new(file, faults))
    }
}

fn parse(
    text: &str,
    lookup: &dyn Fn(&str, &str) -> Option<String>,
    missing: Missing,
    limits: Option<&Limits>,
) -> Result<Parsed, (Vec<Fault>, Option<Box<Spec>>)> {
    let mut report = Report::new(text);
    let Some(mut tree) = reader::read(&mut report) else { return Err((report.finish(), None)) };
    let schema = schema::strict();
    keys::check(&mut tree, &schema, &mut report);
    if let Some(limits) = limits {
        pushed::check_as_written(&mut tree, limits, &mut report);
    }
    let (used, empty) = Variables::new(lookup, missing, &mut report).replace(&mut tree);
    if matches!(tree.kind, Kind::Unknown) && !report.failed() {
        let message = "the file has to be a mapping, not the value of a variable";
        report.add(tree.span, Finding::error(Code::WrongType, message));
        return Err((report.finish(), None));
    }
    if let Some(limits) = limits {
        pushed::check_values(&mut tree, limits, &mut report);
    }
    bounds::check(&tree, &mut report);
    if report.is_beyond_limits() {
        return Err((report.finish(), None));
    }
    let mut context = Context::new(defaults::spread(tree), report, empty);
    let mut value = json::coerced(&mut context, &schema);
    validate::validate(&mut value, &schema, &mut context);
    let digest = Digest::of(&value);
    let mut rest = None;
    match serde_json::from_value::<RawSpec>(value) {
        Ok(raw) => {
            let spec = build::build(raw, &mut context);
            across::check(&spec, &mut context);
            if !context.report.failed() {
                let warnings = context.report.finish();
                return Ok(Parsed { spec, warnings, digest, variables: used });
            }
            rest = Some(Box::new(spec));
        }
        // The schema comes from the same types, so this is ours, unless it follows from a fault.
        Err(error) if !context.report.failed() => {
            let message = format!("the schema let something through: {error}");
            context.add(&Path::default(), Finding::error(Code::Internal, message));
        }
        Err(_) => {}
    }
    Err((context.report.finish(), rest))
}
