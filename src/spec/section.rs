//! The sections of the file: one row per key.
//!
//! A row of [`section!`] says what there is to know of a key. From it follow the text form, which
//! serde reads and both schemas are generated from; the checked form; how two specs are compared; what
//! `check`, a shown file and a preview may show; and what a change of it does. The comment is the
//! description that editors show and that `schema/keys.md` has.

mod api;
mod file;
mod gitlab;
mod host;
mod job;
mod pool;
mod proxy;

pub use api::ApiSpec;
pub(super) use api::RawApi;
pub(super) use file::RawSpec;
pub use file::Spec;
pub use gitlab::GitlabSpec;
pub(super) use gitlab::RawGitlab;
pub use host::HostSpec;
pub(super) use host::{RawBudget, RawGpus, RawHost, RawHostGpu, RawTls};
pub(super) use job::RawJob;
pub use job::{Capabilities, JobSpec};
pub use pool::Pool;
pub(super) use pool::{
    RawArch, RawGpu, RawPool, RawResources, RawScheduled, RawScope, RawWarm, RawWarmMap,
};
pub use proxy::Proxy;
pub(super) use proxy::RawProxy;

use super::path::Path;

/// A key of the file.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) kind: Kind,
}

/// What stands at a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A value, with all below it.
    Field(Secrecy, Change, Pushed),
    /// Keys of their own.
    Section(&'static [Row]),
    /// Names, each with these keys.
    Named(&'static [Row]),
}

/// Who may see the values of a field. What has no row is a secret: text under a key that nobody
/// knows may be a misspelt token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Nobody.
    Secret,
    /// Whoever may see the file. It is part of containers, or of how others are reached, and is in
    /// no status or plan, so a preview has no value for a variable in it.
    OfTheFile,
    /// Whoever may see a status or a plan.
    Open,
}

/// Whether a spec that is read from GitLab may set a field. Who may push to its project shall gain
/// pools by it, and nothing else: neither the host, nor another engine, nor the operator's secrets,
/// nor a listener. What a pool is for stays open: a pusher may make pools, size them, take their
/// jobs' tags and give their jobs variables.
///
/// Jobs that are contained are a pool's matter; a job that has the host is none. `privileged`,
/// volumes, added capabilities and the runner's image each make whoever pushes root on the host, so
/// whoever runs AutoGit says that they may ([`super::pushed`]); the same text from a file of the
/// machine needs no leave, for who writes there has the host already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It may.
    Freely,
    /// An address of the GitLab that the spec is read from: tokens are sent there.
    OwnGitlab,
    /// A secret: a variable that the operator gave to that place, and nothing beside it. As text it
    /// would be read by all who may read the project.
    ByVariable,
    /// A file in the operator's folder of credentials.
    InFolder,
    /// Only if the operator says so, for that reason.
    Allowed(&'static str),
    /// A boolean: true only if the operator says so, for that reason.
    FalseOnly(&'static str),
    /// Any value but that one, which the operator has to allow for that reason.
    AllBut(&'static str, &'static str),
}

/// Why a job's key may not be set.
pub(super) const HOST: &str = "it gives jobs the host";
/// Why a proxy may not be set.
pub(super) const PROXY: &str = "what runners and jobs send goes there";

/// What a change of a field does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It counts from the next look on.
    InPlace,
    /// The pool's records are updated.
    Record,
    /// Runners are replaced, each after its job.
    Runners,
    /// It counts from the next start on.
    Restart,
    /// A reload does not take it.
    Refused,
    /// Nothing: it is refused where it is said.
    NotYet,
}

impl Change {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InPlace => "counts at once",
            Self::Record => "updates the record",
            Self::Runners => "replaces runners",
            Self::Restart => "counts after a restart",
            Self::Refused => "is refused at a reload",
            Self::NotYet => "not supported yet",
        }
    }
}

impl Pushed {
    fn in_words(self) -> String {
        match self {
            Self::Freely => "yes".to_owned(),
            Self::OwnGitlab => "that GitLab alone".to_owned(),
            Self::ByVariable => "one variable".to_owned(),
            Self::InFolder => "in the operator's folder".to_owned(),
            Self::Allowed(_) => "if opened".to_owned(),
            Self::FalseOnly(_) => "`false`, else if opened".to_owned(),
            Self::AllBut(word, _) => format!("all but `{word}`, else if opened"),
        }
    }
}

impl Kind {
    const fn is_open(self) -> bool {
        matches!(self, Self::Field(Secrecy::Open, ..))
    }

    /// For the schema.
    const fn change(self) -> Option<&'static str> {
        match self {
            Self::Field(_, change, _) => Some(change.as_str()),
            Self::Section(_) | Self::Named(_) => None,
        }
    }

    /// For the schema.
    fn pushed(self) -> Option<String> {
        match self {
            Self::Field(_, _, pushed) => Some(pushed.in_words()),
            Self::Section(_) | Self::Named(_) => None,
        }
    }
}

/// Who may see the value at that place; `None`: no key stands there.
pub(super) fn secrecy<'p>(mut steps: impl Iterator<Item = &'p str>) -> Option<Secrecy> {
    let mut rows = RawSpec::ROWS;
    loop {
        let key = steps.next()?;
        match rows.iter().find(|row| row.key == key)?.kind {
            Kind::Field(secrecy, ..) => return Some(secrecy),
            Kind::Section(below) => rows = below,
            Kind::Named(below) => {
                steps.next()?;
                rows = below;
            }
        }
    }
}

/// Whether AutoGit shows the value at that JSON pointer to whoever may see a status.
pub(crate) fn is_open(pointer: &str) -> bool {
    secrecy(Path::from_pointer(pointer).steps()) == Some(Secrecy::Open)
}

/// The text form and the checked form of a section, from its rows:
///
/// ```text
/// /// The description.
/// #[schemars(its limits)]
/// key: the type of its text => its checked type, its kind;
/// ```
///
/// `=> name: type` gives the checked form another name; a row without `=>` has none, as the file of
/// a secret is one setting with the secret. What stands in the braces after the checked form's name is
/// no key of the file.
macro_rules! section {
    (
        $(#[$of_raw:meta])*
        $raw:ident;
        $(#[$of_checked:meta])*
        $checked:ident $others:tt
        $($rows:tt)*
    ) => {
        section! { @raw { $(#[$of_raw])* } $raw $($rows)* }
        section! { @checked { $(#[$of_checked])* } $checked $others [] $($rows)* }
    };
    (
        @raw { $($attributes:tt)* } $raw:ident
        $(
            $(#[doc = $doc:literal])*
            $(#[schemars $limits:tt])?
            $(#[expect $reason:tt])?
            $key:ident: $text:ty $(=> $named:ty $(: $type:ty)?)?, $kind:expr;
        )*
    ) => {
        #[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        $($attributes)*
        pub(in crate::spec) struct $raw {
            $(
                $(#[doc = $doc])*
                $(#[schemars $limits])?
                $(#[expect $reason])?
                #[schemars(extend("x-change" = $kind.change(), "x-pushed" = $kind.pushed()))]
                pub(in crate::spec) $key: Option<$text>,
            )*
        }

        impl $raw {
            pub(in crate::spec) const ROWS: &'static [$crate::spec::section::Row] =
                &[$($crate::spec::section::Row { key: stringify!($key), kind: $kind },)*];
        }
    };
    (
        @checked $attributes:tt $checked:ident $others:tt [$($done:tt)*]
        $(#[doc = $doc:literal])*
        $(#[schemars $limits:tt])?
        $(#[expect $reason:tt])?
        $key:ident: $text:ty => $field:ident: $type:ty, $kind:expr;
        $($rest:tt)*
    ) => {
        section! {
            @checked $attributes $checked $others
            [$($done)* { $(#[doc = $doc])* } $key $field: $type, $kind;] $($rest)*
        }
    };
    (
        @checked $attributes:tt $checked:ident $others:tt [$($done:tt)*]
        $(#[doc = $doc:literal])*
        $(#[schemars $limits:tt])?
        $(#[expect $reason:tt])?
        $key:ident: $text:ty => $type:ty, $kind:expr;
        $($rest:tt)*
    ) => {
        section! {
            @checked $attributes $checked $others
            [$($done)* { $(#[doc = $doc])* } $key $key: $type, $kind;] $($rest)*
        }
    };
    (
        @checked $attributes:tt $checked:ident $others:tt $done:tt
        $(#[doc = $doc:literal])*
        $(#[schemars $limits:tt])?
        $(#[expect $reason:tt])?
        $key:ident: $text:ty, $kind:expr;
        $($rest:tt)*
    ) => {
        section! { @checked $attributes $checked $others $done $($rest)* }
    };
    (
        @checked { $($attributes:tt)* } $checked:ident { $($others:tt)* }
        [$({ $($docs:tt)* } $key:ident $field:ident: $type:ty, $kind:expr;)*]
    ) => {
        #[derive(Debug, Clone)]
        $($attributes)*
        pub struct $checked {
            $($others)*
            $($($docs)* pub $field: $type,)*
        }

        impl $checked {
            /// The same, where AutoGit does not show its values in status and plans as `other` has it.
            #[must_use]
            pub fn with_hidden_of(&self, other: &Self) -> Self {
                let mut it = self.clone();
                $(if !$kind.is_open() {
                    it.$field.clone_from(&other.$field);
                })*
                it
            }

            /// Tells what `new` says otherwise, of the keys in order.
            pub(in crate::spec) fn compare_rows(
                &self,
                new: &Self,
                above: &str,
                changes: &mut $crate::spec::diff::Changes,
            ) {
                $($crate::spec::diff::Compare::compare(
                    &self.$field,
                    &new.$field,
                    &format!("{above}{}", stringify!($field)),
                    changes,
                );)*
            }
        }
    };
}
pub(in crate::spec) use section;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_row_opens_is_shown_in_a_status() {
        for shown in ["/network", "/pools/linux/max", "/pools/linux/tags/0", "/defaults/warm/amd64"]
        {
            assert!(is_open(shown), "{shown}");
        }
        for hidden in [
            "",
            "/",
            "/gitlab/url",
            "/gitlab/token",
            "/hosts/local/docker",
            "/api/token",
            "/pools",
            "/pools/linux",
            "/pools/linux/runner_token",
            "/pools/linux/job/environment/KEY",
            "/pools/linux/runner_config/docker/x",
            "/pools/linux~1max",
            "/pools/linux/job/max",
            "/defaults/job/image",
            "/max",
        ] {
            assert!(!is_open(hidden), "{hidden}");
        }
    }
}
