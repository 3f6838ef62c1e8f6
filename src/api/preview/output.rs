//! What a preview says.

use schemars::JsonSchema;
use serde::Serialize;

use crate::spec::Fault;
use crate::view::PlanOutput;

/// What a candidate spec would lead to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PreviewOutput {
    /// The plan, on the last look.
    pub plan: PlanOutput,
    /// What the candidate says otherwise than the spec in force. Secrets are not compared.
    pub changes: Vec<String>,
    /// Fields of `gitlab`, `hosts` and `api` that differ: the plan is made with those in force.
    pub not_planned: Vec<String>,
    /// Variables that have no value here; their fields are planned as if they were not given.
    pub without_value: Vec<ValuelessOutput>,
    /// What somebody should look at.
    pub warnings: Vec<CandidateFault>,
}

/// A variable that has no value in a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ValuelessOutput {
    /// The JSON pointer of where it stands.
    pub at: String,
    /// Its name.
    pub name: String,
}

/// What is wrong with a candidate, or worth a look.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CandidateFault {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Its kind, as one word.
    pub code: &'static str,
    /// The value's path, as in `pools.linux.warm`; empty for the file as a whole.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl From<&Fault> for CandidateFault {
    fn from(fault: &Fault) -> Self {
        Self {
            severity: fault.severity.as_str(),
            code: fault.code.as_str(),
            path: fault.path.clone(),
            line: fault.line,
            column: fault.column,
            message: fault.message(),
            hint: fault.hint(),
        }
    }
}
