//! The durable promise: a log on the local disk in which a record stands before anybody is told that it is safe.
//!
//! Records are bytes with a sequence, counted from 1 without gaps; the log never looks into them. [`Wal::append`] calls
//! back when a record is synced, in the order of the sequences. [`Replay`] gives back what was there at opening.
//! [`Wal::forget`] removes what stands elsewhere by then. A sync that fails ends all writing: see [`Wal::poisoned`].
//! Everything here blocks on the disk or answers at once; nothing needs an async runtime.

mod disk;
mod error;
mod frame;
mod lock;
mod queue;
mod reader;
mod recover;
mod replay;
mod salvage;
mod segment;
mod stats;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};

use parking_lot::Mutex;

use frame::Header;
use lock::Lock;
use queue::Queue;
use segment::{Active, Sealed, SegmentFile};
use writer::Writer;

pub use disk::{Disk, DiskFile, LocalDisk};
pub use error::{Damage, Error};
pub use lock::announced;
pub use replay::Replay;
pub use stats::Stats;

/// The largest payload the format allows. A queue that is smaller sets a lower limit.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Where the log stands and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The directory of the log, which it has for itself.
    pub dir: PathBuf,
    /// Size at which a new segment is begun.
    pub segment_bytes: u64,
    /// How many bytes may wait for their sync; beyond it an append is answered [`Error::Busy`].
    pub queue_bytes: u64,
    /// How many bytes the segments may have together; beyond it an append is answered [`Error::Full`].
    pub hard_cap_bytes: u64,
    /// The next record gets this sequence or a higher one. For a log that is younger than what was made from it.
    pub next_at_least: u64,
    /// Whether damage is moved aside when the log is opened, rather than refused.
    pub salvage: bool,
}

impl Config {
    /// Returns the configuration for a log in `dir` with everything else as usual.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            queue_bytes: 64 << 20,
            hard_cap_bytes: 8 << 30,
            next_at_least: 1,
            salvage: false,
        }
    }
}

/// The proof that a record is synced.
#[derive(Debug)]
#[must_use = "a sender may be acknowledged only with this proof"]
pub struct Durable(u64);

impl Durable {
    /// Returns the record's sequence.
    pub fn sequence(&self) -> u64 {
        self.0
    }
}

/// The open log. Dropping it is closing it.
pub struct Wal {
    config: Config,
    disk: Arc<dyn Disk>,
    queue: Arc<Queue>,
    lock: Arc<Lock>,
    writer: ThreadId,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Wal {
    /// Opens the log, or makes one: takes the lock, cuts a torn tail, starts the writing thread.
    ///
    /// Appending may start at once; the [`Replay`] is independent of it.
    ///
    /// # Errors
    /// [`Error::Locked`] where somebody else has the log. [`Error::Damaged`] where it is not as it was written and
    /// `config.salvage` is off; nothing was changed then. Damage in older segments is found by the [`Replay`] as it gets
    /// there, so a caller that wants all of it reads to the end before it relies on the log.
    pub fn open(config: Config, disk: Arc<dyn Disk>) -> Result<(Self, Replay), Error> {
        let dir = &config.dir;
        disk.create_dir(dir)
            .map_err(|error| Error::io("create", dir, error))?;
        let lock = Arc::new(Lock::take(disk.as_ref(), dir)?);
        let salvaged = if config.salvage {
            salvage::repair(disk.as_ref(), dir)?
        } else {
            salvage::Salvaged::default()
        };
        let mut found = recover::recover(disk.as_ref(), dir)?;
        let next = config
            .next_at_least
            .max(found.next_at_least)
            .max(salvaged.next_at_least);
        let (active, files) = continue_at(next, found.active, &mut found.sealed, |header| {
            Active::create(disk.as_ref(), dir, header).map_err(Error::from)
        })?;
        let sealed = sealed(&files);
        let stats = Stats {
            torn_bytes: found.torn_bytes,
            quarantined_bytes: salvaged.bytes,
            segments: files.len() as u64,
            size_bytes: files.iter().map(|file| file.bytes).sum(),
            durable_sequence: active.last(),
            ..Stats::default()
        };
        let replay = Replay::new(Arc::clone(&disk), dir.clone(), files);
        let queue = Arc::new(Queue::new(&config, sealed.into(), stats));
        let writer = Writer {
            queue: Arc::clone(&queue),
            disk: Arc::clone(&disk),
            dir: dir.clone(),
            segment_bytes: config.segment_bytes,
            active,
            _lock: Arc::clone(&lock),
        };
        let thread = thread::Builder::new()
            .name("wal".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::io("start the thread of", dir, error))?;
        let (writer, thread) = (thread.thread().id(), Mutex::new(Some(thread)));
        Ok((
            Self {
                config,
                disk,
                queue,
                lock,
                writer,
                thread,
            },
            replay,
        ))
    }

    /// Appends a record; `done` is called when it is durable, or when it is certain that it will not be acknowledged.
    ///
    /// Returns when the record is queued. The callbacks run on the writing thread, one at a time, in the order of the
    /// sequences; they must be short and must not wait for another append. One that panics poisons the log.
    ///
    /// # Errors
    /// At once, and then `done` is never called and nothing is written: [`Error::Busy`] (try again after a while),
    /// [`Error::Full`] (space must be made first), [`Error::TooLarge`], [`Error::Poisoned`], [`Error::Closed`].
    /// Through `done`: [`Error::Full`] and [`Error::Write`], after which the log goes on, and [`Error::Poisoned`], after
    /// which the record may or may not be there when the log is opened again.
    pub fn append(
        &self,
        payload: Vec<u8>,
        done: impl FnOnce(Result<Durable, Error>) + Send + 'static,
    ) -> Result<(), Error> {
        self.queue.push(payload, Box::new(done))
    }

    /// Removes the segments that hold no record above `up_to`, and returns when they are gone. The records are only freed
    /// a segment at a time, so a replay may still yield some of them.
    ///
    /// Waits for the group under way when the newest segment can go as a whole.
    ///
    /// # Errors
    /// [`Error::Io`] where a file could not be removed; it stays in the log and is tried again next time.
    pub fn forget(&self, up_to: u64) -> Result<(), Error> {
        if let Some(answer) = self.queue.ask_seal(up_to)?
            // From a callback nobody can wait for the thread that runs it.
            && thread::current().id() != self.writer
        {
            let _closed = answer.recv().is_err();
        }
        let (dir, mut removed) = (&self.config.dir, false);
        while let Some(sealed) = self.queue.take_sealed(up_to) {
            let path = segment::path(dir, sealed.first);
            if let Err(error) = self.disk.remove(&path) {
                self.queue.put_back(sealed);
                return Err(Error::io("remove", path, error));
            }
            removed = true;
        }
        if removed {
            self.disk
                .sync_dir(dir)
                .map_err(|error| self.queue.poison(Error::sync(dir, error)))?;
        }
        Ok(())
    }

    /// Writes `text`, for instance an address, where another process finds it with [`announced`]; closing takes it back.
    ///
    /// # Errors
    /// [`Error::Write`] or [`Error::Full`] where the lock file cannot be written; [`Error::Closed`].
    pub fn announce(&self, text: &str) -> Result<(), Error> {
        self.lock.announce(&self.config.dir, text)
    }

    /// Returns the bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.queue.stats().size_bytes
    }

    /// Returns whether the log is more than half full, so that it should be made to forget soon.
    pub fn over_soft_cap(&self) -> bool {
        self.size_bytes() > self.config.hard_cap_bytes / 2
    }

    /// Returns whether the log has stopped writing after a failure.
    pub fn is_poisoned(&self) -> bool {
        self.queue.poisoned().is_some()
    }

    /// Waits until the log has stopped writing after a failure, and returns it; never returns if that does not happen.
    pub fn poisoned(&self) -> impl Future<Output = Error> + Send + 'static {
        let mut watch = self.queue.watch_poison();
        async move {
            if let Ok(error) = watch.wait_for(Option::is_some).await
                && let Some(error) = error.as_ref()
            {
                return error.clone();
            }
            std::future::pending().await
        }
    }

    /// Returns the figures of the log.
    pub fn stats(&self) -> Stats {
        self.queue.stats()
    }

    /// Takes no more records, waits until those let in are durable and answered, and gives the directory free.
    ///
    /// From a callback it only asks for the end and does not wait. Closing twice is closing once.
    ///
    /// # Errors
    /// [`Error::Poisoned`] where the log had stopped writing before.
    pub fn close(&self) -> Result<(), Error> {
        self.queue.close();
        if thread::current().id() == self.writer {
            return Ok(());
        }
        let mut thread = self.thread.lock();
        if let Some(thread) = thread.take() {
            // The writer catches its panics; they are in `poisoned`.
            let _panicked = thread.join().is_err();
        }
        self.lock.release();
        self.queue.poisoned().map_or(Ok(()), Err)
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "poisoned log closed"
            );
        }
    }
}

impl fmt::Debug for Wal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.queue.stats();
        f.debug_struct("Wal")
            .field("config", &self.config)
            .field("stats", &stats)
            .finish()
    }
}

/// Returns the segment to write to, whose next record has a sequence of at least `next`, and all segments in order.
fn continue_at(
    next: u64,
    active: Option<Active>,
    before: &mut Vec<SegmentFile>,
    create: impl FnOnce(Header) -> Result<Active, Error>,
) -> Result<(Active, Vec<SegmentFile>), Error> {
    let mut files = std::mem::take(before);
    let active = match active {
        Some(active) if active.next() >= next => active,
        Some(old) => {
            files.push(old.file());
            create(Header::new(next, old.last()))?
        }
        None => create(Header::new(next, next - 1))?,
    };
    files.push(active.file());
    Ok((active, files))
}

/// Returns what can be forgotten: all segments but the last. Each one's last record is the one the next one follows.
fn sealed(files: &[SegmentFile]) -> Vec<Sealed> {
    let pairs = files.iter().zip(files.iter().skip(1));
    pairs
        .map(|(file, next)| Sealed {
            first: file.header.first,
            last: next.header.follows,
            bytes: file.bytes,
        })
        .collect()
}
