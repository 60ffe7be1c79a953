//! The one thread that writes.
//!
//! It takes what has queued up while the last group was synced, writes it at once, syncs once, and then answers each record
//! in the order of the sequences. The next group is not written before this one is durable: recovery relies on it. What
//! cannot be undone ends the writing for good, and everybody still waiting is told.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Durable;
use super::disk::Disk;
use super::error::Error;
use super::frame::{Frame, Header};
use super::lock::Lock;
use super::queue::{Entry, GROUP_BYTES_MAX, Queue, Work};
use super::segment::{Active, Failure};

/// The state of the writing thread.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) active: Active,
    /// Held as long as anything may be written, even when the handle is gone.
    pub(super) _lock: Arc<Lock>,
}

impl Writer {
    /// Writes until the log is closed or poisoned.
    pub(super) fn run(self) {
        let queue = Arc::clone(&self.queue);
        let run = catch_unwind(AssertUnwindSafe(|| self.work()));
        if let Err(panic) = run {
            let sequence = queue.stats().durable_sequence + 1;
            queue.poison(Error::Panicked {
                sequence,
                message: message(panic.as_ref()),
            });
        }
        let (rest, refusal) = queue.take_rest();
        for entry in rest {
            answer(&queue, entry, Err(refusal.clone()));
        }
    }

    fn work(mut self) {
        let (mut group, mut bytes) = (Vec::new(), Vec::new());
        loop {
            match self.queue.take(&mut group) {
                Work::Group => self.commit(&mut group, &mut bytes),
                Work::Seal(up_to, reply) => {
                    self.seal(up_to);
                    // Nobody listens any more: then nobody minds.
                    let _gone = reply.send(()).is_err();
                }
                Work::Stop => return,
            }
        }
    }

    /// Makes a group durable and answers its records.
    fn commit(&mut self, group: &mut Vec<Entry>, bytes: &mut Vec<u8>) {
        let first = self.active.next();
        let size = group.iter().map(Entry::size).sum();
        let records = group.len() as u64;
        let mut verdict = match self.store(first, size, group, bytes) {
            Ok(()) => {
                self.queue.group_done(records, size, first + records - 1);
                Ok(())
            }
            Err(failure) => {
                self.queue.group_failed(size);
                Err(match failure {
                    Failure::Undone(error) => {
                        tracing::warn!(
                            records,
                            error = &error as &dyn std::error::Error,
                            "log cannot take a group of records"
                        );
                        error
                    }
                    Failure::Unknown(error) => self.queue.poison(error),
                })
            }
        };
        for (sequence, entry) in (first..).zip(group.drain(..)) {
            let result = verdict.clone().map(|()| Durable(sequence));
            // After a panic nobody knows what the callbacks share; the others of the group are not told "durable".
            if let Some(error) = answer(&self.queue, entry, result) {
                verdict = Err(error);
            }
        }
    }

    fn store(
        &mut self,
        first: u64,
        size: u64,
        group: &mut [Entry],
        bytes: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        if !self.active.is_empty() && self.active.bytes() + size > self.segment_bytes {
            self.rotate()?;
        }
        bytes.clear();
        // A record larger than a group made it grow; that was the exception.
        bytes.shrink_to(usize::try_from(2 * GROUP_BYTES_MAX).unwrap_or(usize::MAX));
        let mark = self.active.mark();
        for (sequence, entry) in (first..).zip(group.iter_mut()) {
            let payload = std::mem::take(&mut entry.payload);
            Frame::put(bytes, mark, (sequence, first), (&payload, entry.crc));
        }
        self.active.write(bytes)?;
        let last = first + group.len() as u64 - 1;
        let (synced, took) = timed(|| self.active.sync(size, last));
        self.queue
            .synced(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        synced
    }

    /// Begins a new segment. The old one is sealed only when the new one is there: the newest file tells the sequence.
    fn rotate(&mut self) -> Result<(), Failure> {
        let header = Header::new(self.active.next(), self.active.last());
        let fresh = Active::create(self.disk.as_ref(), &self.dir, header)?;
        let sealed = std::mem::replace(&mut self.active, fresh).sealed();
        self.queue.rotated(sealed);
        Ok(())
    }

    fn seal(&mut self, up_to: u64) {
        if self.active.is_empty() || self.active.last() > up_to {
            return;
        }
        match self.rotate() {
            Ok(()) => {}
            // The records stay a while longer; the next one to forget tries again.
            Err(Failure::Undone(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "log cannot begin a new segment"
                );
            }
            Err(Failure::Unknown(error)) => {
                self.queue.poison(error);
            }
        }
    }
}

/// Calls back; a panic poisons the log and is returned as what the next ones are told.
fn answer(queue: &Queue, entry: Entry, result: Result<Durable, Error>) -> Option<Error> {
    let sequence = result.as_ref().map_or(0, Durable::sequence);
    let done = entry.done;
    let panic = catch_unwind(AssertUnwindSafe(|| done(result))).err()?;
    let message = message(panic.as_ref());
    Some(queue.poison(Error::Panicked { sequence, message }))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a duration for the metrics; nothing is decided by it"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let done = work();
    (done, start.elapsed())
}
