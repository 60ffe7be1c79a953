//! Ends the queries that run too long, or that take the memory of the whole process.
//!
//! One thread of its own looks every few milliseconds while queries run: it must work just when all workers are busy. It
//! can only ask; a query hears it between two batches (see `pulse`), and the one who waits for its answer at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::Error;

/// How often the thread looks while queries run.
const BEAT: Duration = Duration::from_millis(10);
/// After ending a query, how many beats its memory may take to come back before another is ended.
const PATIENCE: u32 = 25;

/// The memory of the whole process: how much is allocated, and how much may be.
///
/// The memory pool sees only what operators reserve. This sees what is really taken, whoever took it.
#[derive(Clone)]
pub struct MemoryGate {
    /// Bytes that the process may have allocated before a query is ended.
    pub limit_bytes: usize,
    /// Returns the bytes that the process has allocated; called every few milliseconds.
    pub allocated: Arc<dyn Fn() -> usize + Send + Sync>,
}

impl fmt::Debug for MemoryGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryGate")
            .field("limit_bytes", &self.limit_bytes)
            .finish_non_exhaustive()
    }
}

/// Why a query was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Timeout { limit_ms: u64, planning: bool },
    Memory,
    Left,
}

/// One query, from its arrival until its last batch is handed over.
#[derive(Debug)]
pub(super) struct Running {
    number: u64,
    started: Instant,
    deadline: Duration,
    /// How long planning may take; nothing once it is done.
    planning: Mutex<Option<Duration>>,
    reason: Mutex<Option<Reason>>,
    ended: CancellationToken,
    /// Bytes it holds of the shared memory pool.
    pub(super) held: Arc<AtomicUsize>,
}

impl Running {
    /// Returns the signal that the query has been ended.
    pub(super) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Returns why the query has been ended, if it has.
    pub(super) fn verdict(&self) -> Option<Error> {
        self.reason.lock().map(|reason| match reason {
            Reason::Timeout { limit_ms, planning } => Error::Timeout { limit_ms, planning },
            Reason::Memory => {
                Error::memory("the query was ended because the server ran out of memory")
            }
            Reason::Left => Error::Cancelled,
        })
    }

    /// Ends the query because nobody waits for its answer any more.
    pub(super) fn leave(&self) {
        self.end(Reason::Left);
    }

    pub(super) fn planned(&self) {
        *self.planning.lock() = None;
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn end(&self, reason: Reason) {
        self.reason.lock().get_or_insert(reason);
        self.ended.cancel();
    }

    fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    fn end_if_late(&self, now: Instant) {
        let spent = now.saturating_duration_since(self.started);
        let planning = *self.planning.lock();
        if spent >= self.deadline {
            self.end(Reason::Timeout {
                limit_ms: millis(self.deadline),
                planning: false,
            });
        } else if let Some(limit) = planning.filter(|limit| spent >= *limit) {
            self.end(Reason::Timeout {
                limit_ms: millis(limit),
                planning: true,
            });
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// All queries that run, and the thread that watches them.
#[derive(Debug, Default)]
pub(super) struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<u64, Arc<Running>>,
    next: u64,
    gate: Option<MemoryGate>,
    closed: bool,
}

impl Watch {
    /// Starts the thread; it ends with [`Watch::close`].
    pub(super) fn start() -> std::io::Result<Arc<Self>> {
        let watch = Arc::new(Self::default());
        let seen = Arc::clone(&watch);
        std::thread::Builder::new()
            .name("query-watch".to_owned())
            .spawn(move || seen.look())?;
        Ok(watch)
    }

    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        for running in state.running.values() {
            running.end(Reason::Left);
        }
        self.changed.notify_all();
    }

    pub(super) fn set_gate(&self, gate: MemoryGate) {
        self.state.lock().gate = Some(gate);
    }

    /// Lets a query in, or says how many there are.
    pub(super) fn enter(
        self: &Arc<Self>,
        deadline: Duration,
        planning: Duration,
        queries_max: usize,
    ) -> Result<Registered, Error> {
        let mut state = self.state.lock();
        if state.running.len() >= queries_max {
            return Err(Error::busy(format!(
                "{queries_max} queries are running already"
            )));
        }
        state.next += 1;
        let running = Arc::new(Running {
            number: state.next,
            started: Instant::now(),
            deadline,
            planning: Mutex::new(Some(planning)),
            reason: Mutex::default(),
            ended: CancellationToken::new(),
            held: Arc::default(),
        });
        state.running.insert(running.number, Arc::clone(&running));
        self.changed.notify_all();
        drop(state);
        Ok(Registered {
            running,
            watch: Arc::clone(self),
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.state.lock().running.len()
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.len() == 0
    }

    fn look(&self) {
        let mut patience = 0_u32;
        let mut state = self.state.lock();
        while !state.closed {
            if state.running.is_empty() {
                self.changed.wait(&mut state);
                continue;
            }
            let now = Instant::now();
            for running in state.running.values() {
                running.end_if_late(now);
            }
            patience = patience.saturating_sub(1);
            if patience == 0 && state.end_for_memory() {
                patience = PATIENCE;
            }
            self.changed.wait_for(&mut state, BEAT);
        }
    }
}

impl State {
    /// Ends a query when the process has too much allocated; returns whether it did.
    fn end_for_memory(&self) -> bool {
        let Some(gate) = &self.gate else { return false };
        if (gate.allocated)() <= gate.limit_bytes {
            return false;
        }
        let Some(victim) = victim(self.running.values(), gate.limit_bytes) else {
            return false;
        };
        victim.end(Reason::Memory);
        true
    }
}

/// Chooses the query to end: the one that holds most of the pool, where the pool is what is large; else the youngest, for
/// what no pool has seen was taken just now.
fn victim<'a>(
    running: impl Iterator<Item = &'a Arc<Running>>,
    limit_bytes: usize,
) -> Option<&'a Arc<Running>> {
    let alive: Vec<_> = running.filter(|running| !running.is_ended()).collect();
    let held = |running: &Running| running.held.load(Ordering::Relaxed);
    let largest = alive.iter().copied().max_by_key(|running| held(running))?;
    if held(largest) > limit_bytes / 4 {
        return Some(largest);
    }
    alive.into_iter().max_by_key(|running| running.number)
}

/// Keeps a query on the list of those that run, until it is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    running: Arc<Running>,
    watch: Arc<Watch>,
}

impl Registered {
    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.watch.state.lock().running.remove(&self.running.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(number: u64, held: usize) -> Arc<Running> {
        Arc::new(Running {
            number,
            started: Instant::now(),
            deadline: Duration::from_secs(10),
            planning: Mutex::new(Some(Duration::from_secs(1))),
            reason: Mutex::default(),
            ended: CancellationToken::new(),
            held: Arc::new(AtomicUsize::new(held)),
        })
    }

    #[test]
    fn the_largest_is_ended_when_the_pool_is_large_and_else_the_youngest() {
        let all = [running(1, 10), running(2, 50), running(3, 0)];
        assert_eq!(victim(all.iter(), 100).map(|r| r.number), Some(2));
        assert_eq!(victim(all.iter(), 1_000).map(|r| r.number), Some(3));
        all[2].end(Reason::Memory);
        assert_eq!(
            victim(all.iter(), 1_000).map(|r| r.number),
            Some(2),
            "never one twice"
        );
        assert!(victim([].iter(), 1_000).is_none());
    }

    #[test]
    fn planning_has_its_own_deadline_inside_that_of_the_query() {
        let late = |planned: bool, spent| {
            let running = running(1, 0);
            if planned {
                running.planned();
            }
            running.end_if_late(running.started + Duration::from_millis(spent));
            running.verdict().map(|error| error.to_string())
        };
        assert_eq!(late(false, 999), None);
        assert_eq!(
            late(false, 1_000).as_deref(),
            Some("the query took longer than 1000 ms to plan")
        );
        assert_eq!(late(true, 9_999), None);
        assert_eq!(
            late(true, 10_000).as_deref(),
            Some("the query took longer than 10000 ms")
        );
    }

    #[test]
    fn the_first_reason_stands() {
        let running = running(1, 0);
        running.end(Reason::Memory);
        running.leave();
        assert_eq!(running.verdict().map(|error| error.code()), Some("memory"));
    }

    #[test]
    fn one_query_too_many_is_told_to_come_back() {
        let watch = Arc::new(Watch::default());
        let second = Duration::from_secs(1);
        let first = watch.enter(second, second, 1).unwrap();
        assert_eq!(watch.enter(second, second, 1).unwrap_err().code(), "busy");
        drop(first);
        assert!(watch.enter(second, second, 1).is_ok());
    }
}
