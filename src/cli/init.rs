//! `autogit init`: arguments in, what was done and what comes next out.

use std::path::PathBuf;
use std::process::ExitCode;

use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::Init;
use super::prompt::Terminal;
use super::shell::{Shell, say, talk};
use crate::operate::init::{
    Ask, Became, Done, Hooked, Nobody, Place, Rights, Setting, Wishes, init as set_up,
};
use crate::operate::{Adapters, Failure};

/// Where scripts before AutoGit left a token.
const LEFT_TOKEN: &str = ".autogit_gitlab_token";

pub(super) async fn init(
    arguments: Init,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let wishes = wishes(&arguments, shell)?;
    let nobody = Nobody { tell: talk };
    let terminal = Terminal::open().filter(|_| !arguments.unattended);
    if terminal.is_none() && !arguments.unattended {
        return Err(Failure::Usage(
            "error: there is no terminal to ask questions at\n\
             hint: `--unattended` takes flags and variables alone; `autogit init --help` lists them"
                .to_owned(),
        ));
    }
    let ask: &dyn Ask = match &terminal {
        Some(terminal) => terminal,
        None => &nobody,
    };
    let setting = Setting { wishes: &wishes, ask, process: shell, adapters };
    let done = tokio::select! {
        biased;
        stopped = stopped() => return Err(stopped),
        done = set_up(setting) => done?,
    };
    say(&in_words(&done, &arguments))?;
    Ok(ExitCode::SUCCESS)
}

/// Whoever ends it by Ctrl-C gets the terminal back as it was, and is told where things stand.
async fn stopped() -> Failure {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut arrivals = Vec::new();
    for kind in signals {
        match signal(kind) {
            Ok(arrival) => arrivals.push(arrival),
            Err(error) => return Failure::Failed(error.to_string()),
        }
    }
    let waits = arrivals.iter_mut().map(|arrival| Box::pin(arrival.recv()));
    futures_util::future::select_all(waits).await;
    // Off the line of the question.
    talk("");
    Failure::Failed(
        "stopped: no file was left half-written\n\
         hint: run `autogit init` again; it goes on from what is there"
            .to_owned(),
    )
}

fn wishes(arguments: &Init, shell: &Shell) -> Result<Wishes, Failure> {
    let place = match (&arguments.group, &arguments.project) {
        (Some(path), _) => Some(Place::Group(path.trim_matches('/').to_owned())),
        (None, Some(path)) => Some(Place::Project(path.trim_matches('/').to_owned())),
        (None, None) => None,
    };
    let token = match &arguments.token_file {
        Some(path) => Some(token_in(path)?),
        None => shell.variable("GITLAB_TOKEN").map(SecretString::from),
    };
    let left = shell.variable("HOME").map(|home| PathBuf::from(home).join(LEFT_TOKEN));
    let left_token = left.filter(|path| path.exists()).and_then(|path| {
        let token = token_in(&path).ok()?;
        Some((path, token))
    });
    Ok(Wishes {
        spec: arguments.spec.place(shell),
        url: arguments.url.clone().or_else(|| shell.variable("GITLAB_URL")),
        token,
        left_token,
        runner_url: arguments.runner_url.clone(),
        place,
        external_url: arguments.external_url.clone(),
        fingerprint: arguments.fingerprint.clone(),
        force: arguments.force,
        wait: arguments.wait,
    })
}

/// The token in a file, or on stdin.
fn token_in(path: &std::path::Path) -> Result<SecretString, Failure> {
    let text = if path == std::path::Path::new("-") {
        std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())
    } else {
        crate::source::read(path).map_err(|error| error.to_string())
    };
    let text =
        text.map_err(|error| Failure::Usage(format!("error: the token cannot be read: {error}")))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(Failure::Usage(format!(
            "error: `{}` holds no token\nhint: it takes one line with the token alone",
            path.display()
        )));
    }
    Ok(token.to_owned().into())
}

fn in_words(done: &Done, arguments: &Init) -> String {
    let mut lines = vec![format!(
        "GitLab {} at {}, as `{}`; {}",
        done.version,
        done.url,
        done.user,
        match done.ends_on {
            Some(day) => format!("the token ends on {day}"),
            None => "the token does not end".to_owned(),
        }
    )];
    if let Some(place) = &done.place {
        lines.push(format!("AutoGit serves the jobs of {}", place.in_words()));
    }
    lines.extend(done.lost.iter().map(|lost| format!("This token does without {lost}")));
    lines.push(String::new());
    for file in &done.files {
        let path = file.path.display();
        lines.push(match &file.became {
            Became::Made => format!("made      {path}"),
            Became::Changed => format!("changed   {path}"),
            Became::Kept => format!("as it was {path}"),
            Became::Replaced { old } => format!("replaced  {path}, as it was in {}", old.display()),
        });
        lines.extend(file.rights.map(|rights| match rights {
            Rights::Closed(mode) => {
                format!("          others could read it (mode {mode:04o}), and cannot any more")
            }
            Rights::Open(mode) => format!(
                "          others may read it (mode {mode:04o}); `autogit doctor --fix` closes it"
            ),
        }));
    }
    lines.extend(hooked(&done.hooked));
    lines.push(String::new());
    lines.push(format!("GitLab     {}", done.url));
    lines.extend(runners_page(done).map(|page| format!("Runners    {page}")));
    lines.push("AutoGit    http://127.0.0.1:8080/ once it runs".to_owned());
    if let Some(container) = &done.container {
        lines.push(format!(
            "Login      root; its first password, on the first day: docker exec {container} grep \
             Password: /etc/gitlab/initial_root_password"
        ));
    }
    lines.push(String::new());
    let file = arguments.spec.words();
    lines.push("Next:".to_owned());
    lines.push(format!("  autogit doctor{file} checks everything that it needs"));
    lines.push(format!("  autogit plan{file}   what would be done now, and why; changes nothing"));
    lines.push(format!("  autogit run{file}    does it, and goes on"));
    lines.join("\n") + "\n"
}

/// The page with the runners of those who may see it; `None`: which one, the spec that stayed says.
fn runners_page(done: &Done) -> Option<String> {
    let url = &done.url;
    Some(match done.place.as_ref()? {
        Place::Instance => format!("{url}/admin/runners"),
        Place::Group(path) => format!("{url}/groups/{path}/-/runners"),
        Place::Project(path) => format!("{url}/{path}/-/settings/ci_cd"),
    })
}

fn hooked(hooked: &Hooked) -> Vec<String> {
    match hooked {
        Hooked::NotWished => Vec::new(),
        Hooked::There { places, made, arrives } => {
            let became = if *made { "made      webhook" } else { "as it was webhook" };
            let arrives = match arrives {
                None => "no AutoGit answers there yet, so it was not tested".to_owned(),
                Some(Ok(())) => "a test arrived".to_owned(),
                Some(Err(error)) => format!("a test did not arrive: {error}"),
            };
            vec![format!("{became} of {places}; {arrives}")]
        }
        Hooked::ByHand { why, how } => {
            vec![format!("The webhook was not made: {why}"), format!("To make it by hand: {how}")]
        }
    }
}
