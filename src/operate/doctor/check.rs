//! What is checked: one table, which the docs and the JSON list from.

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The file.
    Spec,
    /// GitLab and the token.
    Gitlab,
    /// A declared host and its engine.
    Host,
    /// Networks of runners and jobs.
    Network,
    /// Files and folders of this machine.
    Files,
    /// GitLab's webhook.
    Webhook,
    /// This instance and what is beside it.
    Instance,
}

impl Area {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Spec,
        Self::Gitlab,
        Self::Host,
        Self::Network,
        Self::Files,
        Self::Webhook,
        Self::Instance,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Gitlab => "gitlab",
            Self::Host => "host",
            Self::Network => "network",
            Self::Files => "files",
            Self::Webhook => "webhook",
            Self::Instance => "instance",
        }
    }
}

/// One thing that has to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// `spec`
    Spec,
    /// `gitlab`
    Gitlab,
    /// `gitlab-version`
    GitlabVersion,
    /// `gitlab-clock`
    GitlabClock,
    /// `token`
    Token,
    /// `token-end`
    TokenEnd,
    /// `token-scopes`
    TokenScopes,
    /// `queue`
    Queue,
    /// `runner-rights`
    RunnerRights,
    /// `engine`
    Engine,
    /// `engine-version`
    EngineVersion,
    /// `engine-user`
    EngineUser,
    /// `limits`
    Limits,
    /// `socket`
    Socket,
    /// `engine-clock`
    EngineClock,
    /// `engine-warnings`
    EngineWarnings,
    /// `disk`
    Disk,
    /// `image`
    Image,
    /// `runner-version`
    RunnerVersion,
    /// `architectures`
    Architectures,
    /// `gpus`
    Gpus,
    /// `network`
    Network,
    /// `address-pools`
    AddressPools,
    /// `gitlab-from-runners`
    GitlabFromRunners,
    /// `file-modes`
    FileModes,
    /// `token-cache`
    TokenCache,
    /// `lock`
    Lock,
    /// `api`
    Api,
    /// `webhook`
    Webhook,
    /// `notices`
    Notices,
    /// `leftovers`
    Leftovers,
}

impl Check {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 31] = [
        Self::Spec,
        Self::Gitlab,
        Self::GitlabVersion,
        Self::GitlabClock,
        Self::Token,
        Self::TokenEnd,
        Self::TokenScopes,
        Self::Queue,
        Self::RunnerRights,
        Self::Engine,
        Self::EngineVersion,
        Self::EngineUser,
        Self::Limits,
        Self::Socket,
        Self::EngineClock,
        Self::EngineWarnings,
        Self::Disk,
        Self::Image,
        Self::RunnerVersion,
        Self::Architectures,
        Self::Gpus,
        Self::Network,
        Self::AddressPools,
        Self::GitlabFromRunners,
        Self::FileModes,
        Self::TokenCache,
        Self::Lock,
        Self::Api,
        Self::Webhook,
        Self::Notices,
        Self::Leftovers,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// What it is about.
    pub fn area(self) -> Area {
        self.row().1
    }

    /// What has to be so.
    pub fn asks(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, Area, &'static str) {
        use Area::{Files, Gitlab, Host, Instance, Network, Spec, Webhook};
        match self {
            Self::Spec => ("spec", Spec, "The spec loads, with its variables and files"),
            Self::Gitlab => ("gitlab", Gitlab, "GitLab answers: name, port, TLS, no redirect"),
            Self::GitlabVersion => ("gitlab-version", Gitlab, "GitLab is 16.3 or newer"),
            Self::GitlabClock => ("gitlab-clock", Gitlab, "GitLab's clock agrees with this one"),
            Self::Token => ("token", Gitlab, "GitLab takes the token; whose and of which kind"),
            Self::TokenEnd => ("token-end", Gitlab, "The token lasts for 14 days at least"),
            Self::TokenScopes => ("token-scopes", Gitlab, "Its scopes suffice for this spec"),
            Self::Queue => ("queue", Gitlab, "The token may read the queue; how much of it"),
            Self::RunnerRights => {
                ("runner-rights", Gitlab, "Its user may make runners where the pools need them")
            }
            Self::Engine => ("engine", Host, "The host's Docker Engine answers"),
            Self::EngineVersion => ("engine-version", Host, "It speaks API 1.41 (20.10) or newer"),
            Self::EngineUser => ("engine-user", Host, "Whether it runs as root"),
            Self::Limits => ("limits", Host, "It can limit memory and cpus where pools ask for it"),
            Self::Socket => ("socket", Host, "Its socket, which runners mount, is known"),
            Self::EngineClock => ("engine-clock", Host, "Its clock agrees with this one"),
            Self::EngineWarnings => ("engine-warnings", Host, "It warns of nothing"),
            Self::Disk => ("disk", Host, "Its disk has room"),
            Self::Image => ("image", Host, "The runners' images are there, or may be pulled"),
            Self::RunnerVersion => {
                ("runner-version", Host, "They hold gitlab-runner 18.4 or newer")
            }
            Self::Architectures => {
                ("architectures", Host, "Each architecture that a pool asks for has a host")
            }
            Self::Gpus => ("gpus", Host, "GPUs that containers could get, for information"),
            Self::Network => ("network", Network, "The runners' network is there, or will be made"),
            Self::AddressPools => {
                ("address-pools", Network, "The engine has addresses for a network per job")
            }
            Self::GitlabFromRunners => {
                ("gitlab-from-runners", Network, "Runners reach GitLab from their network")
            }
            Self::FileModes => ("file-modes", Files, "No secret's file may be read by others"),
            Self::TokenCache => ("token-cache", Files, "The folder of runner tokens is private"),
            Self::Lock => ("lock", Files, "The instance's lock can be had, or AutoGit runs"),
            Self::Api => ("api", Files, "The address of AutoGit's own API is free"),
            Self::Webhook => {
                ("webhook", Webhook, "GitLab delivers the webhook, if one is declared")
            }
            Self::Notices => ("notices", Instance, "No other or former AutoGit is in the way"),
            Self::Leftovers => ("leftovers", Instance, "Nothing is left of runners that are gone"),
        }
    }
}
