//! The candidate, read and planned. Pure: a view and two texts in, an answer out.
//!
//! What goes into containers is never hashed with what a candidate says: a pool whose hidden part
//! is written otherwise than in force is changed, whatever the values are, and a right guess looks
//! like a wrong one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use jiff::Timestamp;

use super::output::{PreviewOutput, ValuelessOutput};
use crate::api::problem::Problem;
use crate::plan;
use crate::source::Written;
use crate::spec::{
    Faults, Missing, Parsed, Pool, PoolName, Spec, Templated, diff_without_secrets, is_open,
};
use crate::view::{SpecInfo, View};
use crate::world::{ImageState, Look, SpecHash};

/// What messages call the candidate.
const NAME: &str = "candidate";

/// The plan that `text` would lead to.
pub(super) fn plan(
    view: &View,
    written: Option<&Written>,
    text: &str,
    at: Option<Timestamp>,
) -> Result<PreviewOutput, Problem> {
    let candidate = Reading::of(text, written).map_err(|faults| refused(&faults))?;
    let own = written.and_then(|written| Reading::of(written.text(), Some(written)).ok());
    let in_force = &view.spec.spec;
    if candidate.spec().instance != in_force.instance {
        let detail = format!("`instance` is not `{}` there", in_force.instance);
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "other-instance", detail);
        return Err(problem.hint("a reload does not accept another instance's spec"));
    }
    let (spec, others) = planned(&candidate, own.as_ref(), in_force);
    let spec = Arc::new(spec);
    let lines = own.map_or_else(Vec::new, |own| diff_without_secrets(own.spec(), candidate.spec()));
    let (not_planned, changes): (Vec<String>, Vec<String>) =
        lines.into_iter().partition(|line| is_of_a_section_in_force(line));
    let world = view.world.changed(|look| {
        look.spec = Arc::clone(&spec);
        make_others(look, &others);
        bring_images(look);
    });
    let shown = View {
        plan: Arc::new(plan::plan(&world)),
        spec: SpecInfo {
            source: NAME.to_owned(),
            hash: candidate.parsed.digest.bare(),
            loaded_at: view.world.now,
            pending_fault: None,
            commit: None,
            spec,
        },
        world: Arc::new(world),
        requests: 0,
        gitlab_url: view.gitlab_url.clone(),
        notices: Vec::new(),
    };
    // Told as of the look that it is planned on: an equal candidate has an equal preview.
    let told = shown.as_seen();
    Ok(PreviewOutput {
        plan: at.map_or_else(|| told.plan_output(), |at| told.plan_output_at(at)),
        changes,
        not_planned: not_planned.iter().map(|line| field_of(line)).collect(),
        without_value: candidate.without_value,
        warnings: candidate.parsed.warnings.iter().map(Into::into).collect(),
    })
}

/// A text as it is read here.
struct Reading {
    parsed: Parsed,
    without_value: Vec<ValuelessOutput>,
}

impl Reading {
    fn of(text: &str, written: Option<&Written>) -> Result<Self, Faults> {
        let without_value = RefCell::new(Vec::new());
        let lookup = |pointer: &str, name: &str| {
            let place = written.filter(|_| is_open(pointer));
            let value = place.and_then(|written| written.value_at(pointer, name));
            if value.is_none() {
                let (at, name) = (pointer.to_owned(), name.to_owned());
                without_value.borrow_mut().push(ValuelessOutput { at, name });
            }
            value.map(str::to_owned)
        };
        // What would be refused after the merge is refused before it.
        let limits = written.and_then(Written::limits);
        let parsed = Spec::parse_by_place(NAME, text, &lookup, Missing::Accept, limits)?;
        Ok(Self { parsed, without_value: without_value.into_inner() })
    }

    fn spec(&self) -> &Spec {
        &self.parsed.spec
    }

    /// The values with variables in what goes into the containers of `pool`.
    fn hidden(&self, pool: &Pool) -> BTreeMap<&str, &Templated> {
        let all = self.parsed.variables.iter();
        let hidden = all.filter(|(pointer, _)| is_hidden_of(pool.name.as_str(), pointer));
        hidden.map(|(pointer, templated)| (pointer.as_str(), templated)).collect()
    }

    /// Whether `pool` has a `runner_token`, with or without a value.
    fn gives_token(&self, pool: &Pool) -> bool {
        let by_variable = |pointer: &&str| {
            pointer.ends_with("/runner_token") || pointer.ends_with("/runner_token_file")
        };
        pool.runner_token.is_some() || self.hidden(pool).keys().any(by_variable)
    }

    /// Whether what goes into the containers of `pool` is written as in `other`.
    fn is_hidden_part_as_in(&self, pool: &Pool, other: &Self) -> bool {
        let Some(its) = other.spec().pool(&pool.name) else { return false };
        pool.is_hidden_part_as_in(its) && self.hidden(pool) == other.hidden(its)
    }
}

/// Whether what stands at that pointer goes into the containers of `pool`.
fn is_hidden_of(pool: &str, pointer: &str) -> bool {
    if is_open(pointer) {
        return false;
    }
    let mut steps = pointer.split('/').skip(1);
    match (steps.next(), steps.next()) {
        // A pool's name needs no escapes.
        (Some("pools"), Some(name)) => name == pool,
        (Some("defaults"), _) => true,
        (_, _) => false,
    }
}

/// The runners of the `changed` pools are as if made with something else.
fn make_others(look: &mut Look, changed: &BTreeSet<PoolName>) {
    for host in look.hosts.values_mut() {
        let runners = host.state.last_mut().into_iter().flat_map(|state| &mut state.runners);
        for runner in runners.filter(|runner| changed.contains(&runner.variant.pool)) {
            runner.spec = SpecHash::from_observed("another");
        }
    }
}

/// No host was asked for the candidate's images. They count as there, those in force too, so that a
/// right guess at one looks like a wrong one.
fn bring_images(look: &mut Look) {
    for state in look.hosts.values_mut().filter_map(|host| host.state.last_mut()) {
        let images = look.spec.pools.iter().map(|pool| pool.runner_image.clone());
        state.images = images.map(|image| (image, Ok(ImageState::Here))).collect();
    }
}

/// The candidate with all that a preview neither reads nor asks as it is in force, and the pools
/// of which that is not so.
fn planned(
    candidate: &Reading,
    own: Option<&Reading>,
    in_force: &Spec,
) -> (Spec, BTreeSet<PoolName>) {
    let mut changed = BTreeSet::new();
    let mut spec = candidate.spec().clone();
    spec.gitlab = in_force.gitlab.clone();
    spec.hosts = in_force.hosts.clone();
    spec.api = in_force.api.clone();
    spec.proxies = in_force.proxies.clone();
    for pool in &mut spec.pools {
        let kept = own.is_some_and(|own| candidate.is_hidden_part_as_in(pool, own));
        let Some(now) = in_force.pool(&pool.name) else {
            // Its runners may still be there, made with what it was.
            changed.insert(pool.name.clone());
            continue;
        };
        // That there is a token counts, not which.
        let gives_token = candidate.gives_token(pool) && now.runner_token.is_some();
        let token = if gives_token { &now.runner_token } else { &pool.runner_token }.clone();
        if kept {
            *pool = pool.with_hidden_of(now);
        } else {
            changed.insert(pool.name.clone());
        }
        pool.runner_token = token;
    }
    (spec, changed)
}

/// Lines of a diff begin with whom they are about.
fn is_of_a_section_in_force(line: &str) -> bool {
    ["gitlab: ", "host ", "api: ", "proxy"].iter().any(|subject| line.starts_with(subject))
}

/// A line without the values.
fn field_of(line: &str) -> String {
    line.split(' ').take_while(|word| *word != "→").take(words(line)).collect::<Vec<_>>().join(" ")
}

/// `gitlab: url a → b` has its field in the second word, `host x: docker a → b` in the third,
/// `proxy.http a → b` in the first, and `host x: added` is said as a whole.
fn words(line: &str) -> usize {
    match line.split(' ').next() {
        Some("host") => 3,
        Some(field) if field.starts_with("proxy") => 1,
        _ => 2,
    }
}

fn refused(faults: &Faults) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "spec-refused", faults.to_string())
        .with_faults(faults.iter().map(Into::into).collect(), faults.in_words())
}
