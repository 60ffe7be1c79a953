//! Threads for work that keeps a core busy, apart from those that serve connections.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::failure::Failure;

/// Runs as many pieces of work at once as there are cores; the others wait their turn, holding their admission.
#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Semaphore>);

impl Pool {
    pub(super) fn of_all_cores() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores)))
    }

    /// Runs `work` and returns what it returns; a panic of it is a failure of this request only.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = Arc::clone(&self.0)
            .acquire_owned()
            .await
            .map_err(|_| Failure::bug())?;
        let done = spawn_blocking(move || {
            let _until_done = turn;
            work()
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "decoding panicked");
            Err(Failure::bug())
        })
    }
}
