//! What the appending threads and the writer share: the bounded queue, the caps, and the state of the log.
//!
//! Everything stands under one lock that is held for a few lines and never during I/O or a callback. A record that was let
//! in is always answered; one that was refused leaves no trace but a count.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::error::Error;
use super::frame::{FRAME_BYTES, HEADER_BYTES};
use super::segment::Sealed;
use super::{Config, Durable, RECORD_BYTES_MAX, Stats};

/// A group is closed at this size, or at the size of its first record.
pub(super) const GROUP_BYTES_MAX: u64 = 4 << 20;

/// How long a group waits, at most, for the writers of the group before it; never longer than a quarter of a sync.
const GATHER_MAX: Duration = Duration::from_millis(2);

/// What is called when a record is durable, or will not be.
pub(super) type Done = Box<dyn FnOnce(Result<Durable, Error>) + Send>;

/// A record on its way.
pub(super) struct Entry {
    pub(super) payload: Vec<u8>,
    /// CRC32C of the payload.
    pub(super) crc: u32,
    pub(super) done: Done,
}

impl Entry {
    /// Returns the bytes it takes in a segment.
    pub(super) fn size(&self) -> u64 {
        frame_size(self.payload.len())
    }
}

/// What the writer does next.
pub(super) enum Work {
    /// Make the records of the group durable.
    Group,
    /// Begin a new segment if the active one holds records, none above this sequence.
    Seal(u64, mpsc::Sender<()>),
    /// Nothing more will come.
    Stop,
}

/// The queue and the state of the log.
pub(super) struct Queue {
    limits: Limits,
    state: Mutex<State>,
    wake: Condvar,
    poison: watch::Sender<Option<Error>>,
}

struct Limits {
    record_bytes: u64,
    queue_bytes: u64,
    group_bytes: u64,
    cap_bytes: u64,
}

struct State {
    phase: Phase,
    entries: VecDeque<Entry>,
    seals: VecDeque<(u64, mpsc::Sender<()>)>,
    sealed: VecDeque<Sealed>,
    /// Records in the last group: that many writers may be back soon.
    last_group: usize,
    /// The writer sleeps until so many records wait.
    wake_at: usize,
    stats: Stats,
}

enum Phase {
    Open,
    Closed,
    Poisoned(Error),
}

fn frame_size(payload: usize) -> u64 {
    (FRAME_BYTES + payload) as u64
}

impl Queue {
    pub(super) fn new(config: &Config, sealed: VecDeque<Sealed>, stats: Stats) -> Self {
        let limits = Limits {
            record_bytes: RECORD_BYTES_MAX
                .min(config.queue_bytes.saturating_sub(FRAME_BYTES as u64)),
            queue_bytes: config.queue_bytes,
            // A group does not make a segment larger than it should be.
            group_bytes: GROUP_BYTES_MAX
                .min(config.segment_bytes.saturating_sub(HEADER_BYTES as u64)),
            cap_bytes: config.hard_cap_bytes,
        };
        let state = State {
            phase: Phase::Open,
            entries: VecDeque::new(),
            seals: VecDeque::new(),
            sealed,
            last_group: 0,
            wake_at: 1,
            stats,
        };
        let poison = watch::Sender::new(None);
        Self {
            limits,
            state: Mutex::new(state),
            wake: Condvar::new(),
            poison,
        }
    }

    /// Lets a record in, or says why not.
    pub(super) fn push(&self, payload: Vec<u8>, done: Done) -> Result<(), Error> {
        // Here rather than in the writer: many threads append, one writes.
        let crc = crc32c::crc32c(&payload);
        let mut state = self.state.lock();
        state.admit(payload.len(), &self.limits)?;
        let entry = Entry { payload, crc, done };
        state.stats.queued_bytes += entry.size();
        state.entries.push_back(entry);
        let due = state.entries.len() >= state.wake_at
            || state.stats.queued_bytes >= self.limits.group_bytes;
        drop(state);
        if due {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits for work; the records of a group are put into `group`.
    pub(super) fn take(&self, group: &mut Vec<Entry>) -> Work {
        let mut state = self.state.lock();
        loop {
            if let Some((up_to, reply)) = state.seals.pop_front() {
                return Work::Seal(up_to, reply);
            }
            match state.phase {
                Phase::Poisoned(_) => return Work::Stop,
                Phase::Closed if state.entries.is_empty() => return Work::Stop,
                _ if !state.entries.is_empty() => break,
                _ => {}
            }
            state.wake_at = 1;
            self.wake.wait(&mut state);
        }
        if state.entries.len() < state.last_group {
            // Whoever was answered together comes back together: a moment's patience makes one group of them again. A
            // writer that is alone never waits.
            state.wake_at = state.last_group;
            let limit = self.limits.group_bytes;
            let gathers = |state: &mut State| state.gathers(limit);
            let patience = GATHER_MAX.min(Duration::from_nanos(state.stats.sync_nanos_last / 4));
            let _timeout = self
                .wake
                .wait_while_for(&mut state, gathers, patience)
                .timed_out();
        }
        state.wake_at = usize::MAX;
        state.fill(group, self.limits.group_bytes);
        Work::Group
    }

    /// Takes what nobody will write any more, to be answered.
    pub(super) fn take_rest(&self) -> (Vec<Entry>, Error) {
        let mut state = self.state.lock();
        let rest: Vec<Entry> = state.entries.drain(..).collect();
        state.stats.queued_bytes -= rest.iter().map(Entry::size).sum::<u64>();
        state.seals.clear();
        (rest, state.refusal().unwrap_or(Error::Closed))
    }

    /// Counts a group that is durable up to `last`; `bytes` is its size in the segment.
    pub(super) fn group_done(&self, records: u64, bytes: u64, last: u64) {
        let mut state = self.state.lock();
        let stats = &mut state.stats;
        stats.records += records;
        stats.record_bytes += bytes - records * FRAME_BYTES as u64;
        stats.groups += 1;
        stats.queued_bytes -= bytes;
        stats.size_bytes += bytes;
        stats.durable_sequence = last;
    }

    /// Counts a group that was not written.
    pub(super) fn group_failed(&self, bytes: u64) {
        let mut state = self.state.lock();
        state.stats.groups_failed += 1;
        state.stats.queued_bytes -= bytes;
    }

    pub(super) fn synced(&self, nanos: u64) {
        let mut state = self.state.lock();
        state.stats.syncs += 1;
        state.stats.sync_nanos_last = nanos;
        state.stats.sync_nanos_total += nanos;
    }

    /// Notes that the active segment was sealed and an empty one begun.
    pub(super) fn rotated(&self, sealed: Sealed) {
        let mut state = self.state.lock();
        state.sealed.push_back(sealed);
        state.stats.segments += 1;
        state.stats.size_bytes += HEADER_BYTES as u64;
    }

    /// Asks the writer to seal the active segment if all its records are at most `up_to`; `None` where there is no need.
    pub(super) fn ask_seal(&self, up_to: u64) -> Result<Option<mpsc::Receiver<()>>, Error> {
        let mut state = self.state.lock();
        if let Some(refusal) = state.refusal() {
            return Err(refusal);
        }
        if state.stats.durable_sequence > up_to {
            return Ok(None);
        }
        let (reply, answer) = mpsc::channel();
        state.seals.push_back((up_to, reply));
        drop(state);
        self.wake.notify_one();
        Ok(Some(answer))
    }

    /// Takes the oldest sealed segment off the list if it holds no record above `up_to`.
    pub(super) fn take_sealed(&self, up_to: u64) -> Option<Sealed> {
        let mut state = self.state.lock();
        let sealed = state.sealed.pop_front_if(|oldest| oldest.last <= up_to)?;
        state.stats.segments -= 1;
        state.stats.size_bytes -= sealed.bytes;
        Some(sealed)
    }

    /// Puts back a segment that could not be removed.
    pub(super) fn put_back(&self, sealed: Sealed) {
        let mut state = self.state.lock();
        state.sealed.push_front(sealed);
        state.stats.segments += 1;
        state.stats.size_bytes += sealed.bytes;
    }

    /// Takes no more records, because of `cause`; returns what to answer with. The first cause stays.
    pub(super) fn poison(&self, cause: Error) -> Error {
        let mut state = self.state.lock();
        if let Phase::Poisoned(error) = &state.phase {
            return error.clone();
        }
        let error = Error::Poisoned {
            cause: Arc::new(cause),
        };
        state.phase = Phase::Poisoned(error.clone());
        drop(state);
        tracing::error!(error = &error as &dyn std::error::Error, "log poisoned");
        self.poison.send_replace(Some(error.clone()));
        self.wake.notify_one();
        error
    }

    /// Takes no more records; those let in are still written.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Closed;
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Returns the poisoning, if there was one.
    pub(super) fn poisoned(&self) -> Option<Error> {
        match &self.state.lock().phase {
            Phase::Poisoned(error) => Some(error.clone()),
            Phase::Open | Phase::Closed => None,
        }
    }

    pub(super) fn watch_poison(&self) -> watch::Receiver<Option<Error>> {
        self.poison.subscribe()
    }

    pub(super) fn stats(&self) -> Stats {
        self.state.lock().stats
    }
}

impl State {
    fn refusal(&self) -> Option<Error> {
        match &self.phase {
            Phase::Open => None,
            Phase::Closed => Some(Error::Closed),
            Phase::Poisoned(error) => Some(error.clone()),
        }
    }

    /// Decides whether a payload of `bytes` may come in, and counts the refusal.
    fn admit(&mut self, bytes: usize, limits: &Limits) -> Result<(), Error> {
        let refusal = self.refusal();
        let (size, stats) = (frame_size(bytes), &mut self.stats);
        if let Some(refusal) = refusal {
            stats.refused_poisoned += u64::from(matches!(refusal, Error::Poisoned { .. }));
            return Err(refusal);
        }
        if bytes as u64 > limits.record_bytes {
            stats.refused_too_large += 1;
            return Err(Error::TooLarge {
                bytes: bytes as u64,
                limit: limits.record_bytes,
            });
        }
        if stats.size_bytes + stats.queued_bytes + size > limits.cap_bytes {
            stats.refused_full += 1;
            return Err(Error::Full { source: None });
        }
        if stats.queued_bytes + size > limits.queue_bytes {
            stats.refused_busy += 1;
            return Err(Error::Busy);
        }
        Ok(())
    }

    fn gathers(&self, group_bytes: u64) -> bool {
        matches!(self.phase, Phase::Open)
            && self.seals.is_empty()
            && self.entries.len() < self.last_group
            && self.stats.queued_bytes < group_bytes
    }

    /// Moves records into `group` while they fit; the first always does.
    fn fill(&mut self, group: &mut Vec<Entry>, group_bytes: u64) {
        let mut room = group_bytes;
        while let Some(entry) = self
            .entries
            .pop_front_if(|e| group.is_empty() || e.size() <= room)
        {
            room = room.saturating_sub(entry.size());
            group.push(entry);
        }
        self.last_group = group.len();
    }
}
