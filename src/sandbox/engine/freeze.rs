//! `docker pause`: a process that gets no time, while the time of all others goes on.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::lock::locked;

/// Whether a process gets time.
#[derive(Debug, Clone, Default)]
pub(super) struct Freeze(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    frozen: bool,
    waker: Option<Waker>,
}

impl Freeze {
    pub(super) fn set(&self, frozen: bool) {
        let mut inner = locked(&self.0);
        inner.frozen = frozen;
        // Frozen twice, it is still to be woken once it may go on.
        if !frozen && let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn is_frozen(&self) -> bool {
        locked(&self.0).frozen
    }

    /// Runs `process`, which gets no time while it is frozen.
    pub(super) async fn run<F: Future>(self, process: F) -> F::Output {
        let mut process = Box::pin(process);
        std::future::poll_fn(move |context| self.poll(process.as_mut(), context)).await
    }

    fn poll<F: Future>(&self, process: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut inner = locked(&self.0);
            if inner.frozen {
                inner.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        process.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_is_frozen_twice_goes_on_once_it_may() {
        let freeze = Freeze::default();
        freeze.set(true);
        let process = tokio::spawn(freeze.clone().run(async {}));
        tokio::task::yield_now().await;
        freeze.set(true);
        tokio::task::yield_now().await;
        assert!(!process.is_finished());
        freeze.set(false);
        tokio::task::yield_now().await;
        assert!(process.is_finished());
    }
}
