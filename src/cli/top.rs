//! `autogit top`: what the AutoGit that runs sees, live in the terminal. It is read again and again
//! by the same questions that `autogit status`, `runners` and `queue` ask, and nothing is derived here.

mod draw;
mod panes;
mod screen;
mod state;

pub use draw::draw_top;
pub use panes::Seen;
pub use state::{News, TopState, Wish};

use std::process::ExitCode;
use std::time::Duration;

use ratatui::crossterm::event::{Event, KeyEventKind};
use tokio::sync::mpsc;

use super::arguments::Top;
use super::explain::render_explain;
use super::shell::Shell;
use super::text::{Paint, RenderOptions};
use crate::operate::{
    About, Adapters, ChosenView, Failure, Question, RunningView, drain_there, escaped,
};
use crate::view::{ExplainOutput, words};
use screen::Screen;

/// Time between two readings. They cost the AutoGit that runs an answer each, and GitLab nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// Wishes that wait for the ones before.
const WISHES_WAITING: usize = 8;

pub(super) async fn top(
    arguments: Top,
    shell: &Shell,
    adapters: Adapters,
) -> Result<ExitCode, Failure> {
    let place = arguments.spec.place(shell);
    let question = Question { place, asking: arguments.server.asking()?, about: About::Present };
    // What is wrong is said before the screen is taken.
    Screen::is_possible(shell)?;
    let there = ChosenView::running(&question, shell, adapters).await?;
    let stopped = screen::stopped()?;
    let (wish, wishes) = mpsc::channel(WISHES_WAITING);
    let (tell, news) = mpsc::channel(WISHES_WAITING);
    let mut screen = Screen::open(shell)?;
    let options = RenderOptions { paint: Paint::off(), ..shell.render_options(true) };
    let reading = Reading { there, question, shell: shell.clone(), adapters, options };
    tokio::select! {
        biased;
        () = stopped => Ok(()),
        shown = show(&mut screen, wish, news) => shown,
        () = reading.go_on(wishes, tell) => Ok(()),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Draws what is told, and passes on what keys wish, until one leaves.
async fn show(
    screen: &mut Screen,
    wishes: mpsc::Sender<Wish>,
    mut news: mpsc::Receiver<News>,
) -> Result<(), Failure> {
    let mut keys = screen::keys();
    let mut state = TopState::default();
    loop {
        screen.draw(&mut state)?;
        tokio::select! {
            biased;
            event = keys.recv() => match event {
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    let wish = state.press(key);
                    if wish == Some(Wish::Quit) {
                        return Ok(());
                    }
                    if wish.is_some_and(|wish| wishes.try_send(wish).is_err()) {
                        state.take(News::Told("busy: try again".to_owned()));
                    }
                }
                Some(_) => {}
                None => return Err(Failure::Failed("the terminal is gone".to_owned())),
            },
            Some(news) = news.recv() => state.take(news),
        }
    }
}

/// Who asks the AutoGit that runs.
struct Reading {
    there: RunningView,
    question: Question,
    shell: Shell,
    adapters: Adapters,
    /// Texts have no colours: they are drawn.
    options: RenderOptions,
}

impl Reading {
    /// Reads again and again, and does what is wished, until nobody listens.
    async fn go_on(mut self, mut wishes: mpsc::Receiver<Wish>, tell: mpsc::Sender<News>) {
        loop {
            let news = match self.read().await {
                Ok(seen) => News::Seen(Box::new(seen)),
                Err(failure) => News::Lost(self.lost(&failure).await),
            };
            if tell.send(news).await.is_err() {
                return;
            }
            let wish = tokio::select! {
                biased;
                wish = wishes.recv() => wish,
                () = self.shell.clock().sleep(PAUSE) => continue,
            };
            let Some(wish) = wish else { return };
            let news = self.fulfil(wish).await;
            let news = news.unwrap_or_else(|failure| News::Told(said(&failure)));
            if tell.send(news).await.is_err() {
                return;
            }
        }
    }

    async fn read(&self) -> Result<Seen, Failure> {
        let running = &self.there.running;
        let status = running.get("/status").await?;
        let (runners, queue) = (running.get("/runners").await?, running.get("/queue").await?);
        Ok(Seen { status, runners, queue })
    }

    /// Why nothing was read; one that was started anew is asked from now on.
    async fn lost(&mut self, failure: &Failure) -> String {
        if let Ok(there) = ChosenView::running(&self.question, &self.shell, self.adapters).await {
            self.there = there;
        }
        format!("{}; what follows is older", said(failure))
    }

    async fn fulfil(&self, wish: Wish) -> Result<News, Failure> {
        match wish {
            Wish::Quit => Ok(News::Told(String::new())),
            Wish::Drain(name) => {
                let runners = drain_there(&self.there, &name).await?;
                let busy = runners.iter().filter(|runner| runner.job.is_some()).count();
                Ok(News::Told(match runners.len() {
                    0 => format!("{name}: exits already"),
                    asked => format!(
                        "{name}: {} asked to exit, {busy} after a job",
                        words::count(asked, "runner")
                    ),
                }))
            }
            Wish::Explain(title) => {
                let path = format!("/explain/{}", escaped(&title));
                let output: ExplainOutput = self.there.running.get(&path).await?;
                let text = render_explain(&output, &[], &[], &self.options);
                Ok(News::Explained { title, text })
            }
        }
    }
}

fn said(failure: &Failure) -> String {
    failure.to_string().replace("\nhint: ", "; hint: ")
}
