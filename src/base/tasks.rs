//! Every background task has a name, hears "stop", and is waited for.
//!
//! A task that panics or ends with an error stops the others: nothing vanishes in silence.

use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The signal to stop: cheap to clone, heard by everybody who holds it.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits until a stop is asked for.
    pub async fn asked(&mut self) {
        // A closed channel means that the owner of the tasks is gone: that is a stop too.
        let _closed = self.0.wait_for(|stop| *stop).await.is_err();
    }

    /// Returns whether a stop has been asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}

/// A task's name, and what waits for its end.
type Running = (String, JoinHandle<()>);

/// Owns the background tasks of one server.
#[derive(Clone, Debug)]
pub struct Tasks {
    stop: Arc<watch::Sender<bool>>,
    running: Arc<Mutex<Vec<Running>>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            stop: Arc::new(watch::Sender::new(false)),
            running: Arc::default(),
        }
    }
}

impl Tasks {
    /// Starts a task under `name`; its end with an error, or its panic, asks all to stop.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door to tokio::spawn"
    )]
    pub fn spawn<F, T, E>(&self, name: &str, work: F)
    where
        F: FnOnce(Stop) -> T,
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        let work = work(self.stop());
        let (label, stop) = (name.to_owned(), Arc::clone(&self.stop));
        let handle = tokio::spawn(async move {
            let guard = StopOnPanic { stop, name: label };
            if let Err(error) = work.await {
                tracing::error!(task = guard.name, %error, "task failed, stopping");
                guard.stop.send_replace(true);
            }
        });
        self.running.lock().push((name.to_owned(), handle));
    }

    /// Returns the stop signal.
    pub fn stop(&self) -> Stop {
        Stop(self.stop.subscribe())
    }

    /// Asks every task to stop, without waiting.
    pub fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Asks every task to stop and waits; returns the names of those that had not ended after `deadline`.
    pub async fn stop_within(&self, deadline: Duration) -> Vec<String> {
        self.ask_to_stop();
        let running = std::mem::take(&mut *self.running.lock());
        let end = tokio::time::Instant::now() + deadline;
        let mut late = Vec::new();
        for (name, mut handle) in running {
            if tokio::time::timeout_at(end, &mut handle).await.is_err() {
                handle.abort();
                late.push(name);
            }
        }
        late
    }
}

struct StopOnPanic {
    stop: Arc<watch::Sender<bool>>,
    name: String,
}

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.name, "task panicked, stopping");
            self.stop.send_replace(true);
        }
    }
}
