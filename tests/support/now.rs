//! What is asynchronous, in a test that is not, and in one that is, where it is set up.

use std::future::Future;

/// What comes of it.
pub(crate) fn outcome_of<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}
