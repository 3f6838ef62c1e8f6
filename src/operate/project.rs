//! Which GitLab a person's command asks, and which project it is about.

use std::path::Path;
use std::sync::Arc;

use super::adapters::Adapters;
use super::chosen_view::SpecPlace;
use super::failure::Failure;
use super::init::{Ask, Question};
use super::process::Process;
use crate::gitlab::GitlabError;
use crate::gitlab::setup::Way;
use crate::gitlab::user::{Project, UserGitlab};
use crate::source::{LoadError, load};
use crate::view::words;

/// Where GitLab is and with what token it is asked: as the spec says; where there is none,
/// `GITLAB_URL` with `GITLAB_TOKEN`.
pub(super) async fn way(
    place: &SpecPlace,
    process: &Process,
    adapters: Adapters,
) -> Result<Way, Failure> {
    let origin = place.origin(process, adapters)?;
    let environment = process.environment(&place.env_files);
    match load(&origin, &environment, process.clock().now()).await {
        Ok(loaded) => {
            let gitlab = &loaded.spec.gitlab;
            let token = gitlab.token.value().cloned();
            Ok(Way { url: gitlab.url.clone(), token, ca: loaded.ca.clone() })
        }
        Err(LoadError::Missing { .. }) if !place.is_named => of_variables(process),
        Err(error) => Err(Failure::spec(&error)),
    }
}

fn of_variables(process: &Process) -> Result<Way, Failure> {
    let variable = |name: &str| {
        process.variable(name).ok_or_else(|| {
            Failure::Usage(format!(
                "error: there is no autogit.yaml in this folder, and `{name}` is not set\n\
                 hint: name the spec by `-c FILE`, or set `GITLAB_URL` and `GITLAB_TOKEN`"
            ))
        })
    };
    let (url, token) = (variable("GITLAB_URL")?, variable("GITLAB_TOKEN")?);
    Ok(Way { url, token: Some(token.into()), ca: None })
}

/// GitLab as the spec or the environment names it.
pub(crate) async fn user_gitlab(
    place: &SpecPlace,
    process: &Process,
    adapters: Adapters,
) -> Result<Arc<dyn UserGitlab>, Failure> {
    let way = way(place, process, adapters).await?;
    (adapters.user_gitlab)(&way, process).map_err(Failure::Failed)
}

/// Projects to choose from.
const LISTED_MAX: usize = 15;

/// A job, a pipeline or a project as a person names it: also by its page's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The project that an address names.
    pub(crate) project: Option<String>,
    /// The number of what is meant.
    pub(crate) id: u64,
}

impl Named {
    /// `14`, `#14`, or the address of a page below `kind`, `…/team/app/-/jobs/14`.
    pub(crate) fn read(word: &str, kind: &str, gitlab: &str) -> Result<Self, String> {
        if let Ok(id) = word.trim_start_matches('#').parse() {
            return Ok(Self { project: None, id });
        }
        let refused =
            || format!("`{word}` is neither a number nor the address of a page of {kind}");
        let (project, page) = word.split_once("/-/").ok_or_else(refused)?;
        let page = page.strip_prefix(kind).and_then(|page| page.strip_prefix('/'));
        let digits = page.ok_or_else(refused)?.split(['/', '?', '#']).next().unwrap_or_default();
        let path = below(project, gitlab).ok_or_else(refused)?;
        let id = digits.parse().map_err(|_| refused())?;
        Ok(Self { project: Some(path.to_owned()), id })
    }
}

/// The project that is meant: the one that was named, else that of the repository in this folder, else
/// the one that somebody chooses.
pub(crate) async fn project(
    named: Option<&str>,
    gitlab: &dyn UserGitlab,
    ask: Option<&dyn Ask>,
) -> Result<Project, Failure> {
    let failed = |error: GitlabError| Failure::Failed(error.to_string());
    if let Some(name) = named {
        return gitlab.project(name.trim_matches('/')).await.map_err(failed);
    }
    let remotes = remotes(Path::new(".")).await;
    for path in remotes.iter().filter_map(|remote| path_of(remote, gitlab.url())) {
        match gitlab.project(&path).await {
            Ok(project) => return Ok(project),
            Err(GitlabError::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let here = if remotes.is_empty() {
        "this folder is in no repository with a remote"
    } else {
        "no remote of this folder's repository is a project of that GitLab"
    };
    if let Some(ask) = ask {
        ask.tell(&format!("no project is named, and {here}"));
        return chosen(gitlab, ask).await;
    }
    Err(Failure::Usage(format!(
        "error: no project is named, and {here}\n\
         hint: name one by `--project GROUP/NAME`; `autogit projects` lists them"
    )))
}

/// The project that somebody chooses, of those in which something happened lately or by its path.
async fn chosen(gitlab: &dyn UserGitlab, ask: &dyn Ask) -> Result<Project, Failure> {
    let failed = |error: GitlabError| Failure::Failed(error.to_string());
    let mut listed = gitlab.projects(None, false, LISTED_MAX).await.map_err(failed)?;
    for (index, project) in listed.iter().enumerate() {
        ask.tell(&format!("{:>3}  {}", index + 1, words::plain(&project.path)));
    }
    let text = "which project: its number here, or GROUP/NAME";
    loop {
        let question = Question { text, default: None, flag: "--project" };
        let answer = ask.line(question).await?;
        match answer.parse::<usize>() {
            Ok(number) if (1..=listed.len()).contains(&number) => {
                return Ok(listed.swap_remove(number - 1));
            }
            Ok(_) => ask.tell(&format!("{answer} is not in the list")),
            Err(_) => match gitlab.project(answer.trim_matches('/')).await {
                Ok(project) => return Ok(project),
                Err(error @ GitlabError::NotFound { .. }) => ask.tell(&error.to_string()),
                Err(error) => return Err(failed(error)),
            },
        }
    }
}

/// The addresses of a repository's remotes, `origin` first. None where git has none, or is not here.
async fn remotes(folder: &Path) -> Vec<String> {
    let git = tokio::process::Command::new("git")
        .args(["config", "--get-regexp", r"^remote\..*\.url$"])
        .current_dir(folder)
        .kill_on_drop(true)
        .output();
    let Ok(output) = git.await else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut remotes: Vec<(bool, String)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, url)| (name != "remote.origin.url", url.to_owned()))
        .collect();
    remotes.sort_by_key(|(other, _)| *other);
    remotes.into_iter().map(|(_, url)| url).collect()
}

/// The full path of the project at `remote`, `git@host:team/app.git` or an address. GitLab may be
/// reached by another name for git than for its API, so the host does not matter: GitLab says
/// whether it has such a project. A path below which GitLab itself lies is none of the project's.
fn path_of(remote: &str, gitlab: &str) -> Option<String> {
    let path = match remote.split_once("://") {
        Some(("http" | "https", _)) => below(remote, gitlab)?,
        Some(("ssh" | "git+ssh", rest)) => rest.split_once('/')?.1,
        Some(_) => return None,
        None => remote.split_once(':').filter(|(host, _)| !host.contains('/'))?.1,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    path.contains('/').then(|| path.to_owned())
}

/// The path of an address below the one that GitLab lies at.
fn below<'a>(address: &'a str, gitlab: &str) -> Option<&'a str> {
    let (_, rest) = address.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    let root = gitlab.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let root = root.map(|(_, root)| root.trim_matches('/')).unwrap_or_default();
    Some(path.strip_prefix(root).unwrap_or(path).trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_tells_its_project_however_it_is_written() {
        let path = |remote: &str| path_of(remote, "https://git.example.com/gitlab");
        for remote in [
            "git@git.example.com:team/app.git",
            "ssh://git@git.example.com:2222/team/app.git",
            "https://git.example.com/gitlab/team/app.git",
            "https://oauth2:secret@git.example.com/team/app",
        ] {
            assert_eq!(path(remote).as_deref(), Some("team/app"), "{remote}");
        }
        assert_eq!(path("/srv/git/app.git"), None);
        assert_eq!(path("../other:one/app"), None);
        assert_eq!(path("file:///srv/git/app.git"), None);
    }

    #[test]
    fn a_page_names_its_project_and_number() {
        let page = "https://git.example.com/team/sub/app/-/jobs/14?x=1#L3";
        let named = Named::read(page, "jobs", "https://git.example.com").unwrap();
        assert_eq!(named, Named { project: Some("team/sub/app".to_owned()), id: 14 });
        assert_eq!(Named::read("#14", "jobs", "").unwrap(), Named { project: None, id: 14 });
        assert!(Named::read(page, "pipelines", "").is_err());
        assert!(Named::read("fourteen", "jobs", "").is_err());
    }
}
