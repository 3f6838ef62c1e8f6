//! What takes a real engine some time.

use std::time::Duration;

use autogit::clock::Clock;

/// Between two looks at something that tells nobody when it changes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until there is something, and returns it.
pub(crate) async fn until<T>(
    patience: Duration,
    what: &str,
    look: impl AsyncFn() -> Option<T>,
) -> T {
    let clock = Clock::system();
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            clock.sleep(LOOK_EVERY).await;
        }
    };
    let found = tokio::time::timeout(patience, looking).await;
    found.unwrap_or_else(|_| panic!("{what}: not within {}s", patience.as_secs()))
}
