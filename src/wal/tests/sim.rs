//! A disk in memory that does what real ones do at their worst.
//!
//! It keeps apart what was written and what was synced. A failed sync forgets that pages were dirty, as Linux does, so that
//! the next sync succeeds and persists nothing of them. Losing power keeps of everything unsynced, names and 16-byte
//! sectors alike, what a seed decides.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::wal::disk::{Disk, DiskFile};

const SECTOR: usize = 16;

/// What the disk can be told to fail at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Create,
    Read,
    Write,
    Truncate,
    Sync,
    SyncDir,
    Remove,
}

#[derive(Clone, Debug, Default)]
pub(super) struct SimDisk(Arc<Sim>);

#[derive(Debug, Default)]
struct Sim {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    files: Vec<Content>,
    locked: BTreeSet<PathBuf>,
    faults: Vec<(Op, ErrorKind)>,
    free_bytes: Option<usize>,
    write_bytes_max: Option<usize>,
    held: bool,
    waits_held: bool,
    steps: u64,
    dies_at: Option<u64>,
    syncs: u64,
    opened: Vec<PathBuf>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    dirty: Vec<Range<usize>>,
    /// What was there before an unsynced truncation, which may have reached the disk without it.
    cut: Option<Vec<u8>>,
}

/// Holds all syncs of files, also when a test fails: then nobody waits for the log to close.
#[derive(Debug)]
pub(super) struct HeldSyncs(SimDisk);

impl HeldSyncs {
    /// Waits until a sync is being held.
    pub(super) fn wait_for_one(&self) {
        let sim = &self.0.0;
        let held = sim.moved.wait_while_for(
            &mut sim.state.lock(),
            |state| !state.waits_held,
            Duration::from_secs(60),
        );
        assert!(!held.timed_out(), "nobody syncs");
    }
}

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        let mut state = self.0.0.state.lock();
        (state.held, state.waits_held) = (false, false);
        drop(state);
        self.0.0.moved.notify_all();
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
    lock: Option<PathBuf>,
}

impl SimDisk {
    /// The next `op` fails with `kind`; orders add up.
    pub(super) fn fail(&self, op: Op, kind: ErrorKind) {
        self.0.state.lock().faults.push((op, kind));
    }

    /// Only so many bytes more can be written; `None` ends the shortage.
    pub(super) fn set_free_bytes(&self, bytes: Option<usize>) {
        self.0.state.lock().free_bytes = bytes;
    }

    /// No write takes more than `bytes` at once.
    pub(super) fn set_write_bytes_max(&self, bytes: usize) {
        self.0.state.lock().write_bytes_max = Some(bytes);
    }

    /// Everything that changes the disk fails from the `step`th change on.
    pub(super) fn die_at(&self, step: u64) {
        self.0.state.lock().dies_at = Some(step);
    }

    /// Returns how many changes were asked for.
    pub(super) fn steps(&self) -> u64 {
        self.0.state.lock().steps
    }

    /// Returns how many syncs of files succeeded.
    pub(super) fn syncs(&self) -> u64 {
        self.0.state.lock().syncs
    }

    /// Returns what was opened so far.
    pub(super) fn opened(&self) -> Vec<PathBuf> {
        self.0.state.lock().opened.clone()
    }

    /// Syncs of files wait until what is returned is dropped.
    pub(super) fn hold_syncs(&self) -> HeldSyncs {
        self.0.state.lock().held = true;
        HeldSyncs(self.clone())
    }

    /// Returns the bytes of a file.
    pub(super) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.0.state.lock();
        state.files[state.names[path]].bytes.clone()
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.state.lock().names.contains_key(path)
    }

    /// Puts bytes on the disk as if they had always been there.
    pub(super) fn set_bytes(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.0.state.lock();
        let file = state.files.len();
        state.files.push(Content {
            synced: bytes.clone(),
            bytes,
            ..Content::default()
        });
        state.names.insert(path.into(), file);
        state.durable_names.insert(path.into(), file);
    }

    /// Returns another disk with the same files, as after a `kill -9`: the page cache survives, locks do not.
    pub(super) fn after_kill(&self) -> Self {
        let state = self.0.state.lock();
        Self::with(
            state.names.clone(),
            state.durable_names.clone(),
            state.files.clone(),
        )
    }

    /// Returns another disk with what survives when power is lost; `seed` decides about the unsynced.
    pub(super) fn after_power_loss(&self, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let state = self.0.state.lock();
        let mut names = state.durable_names.clone();
        let all: BTreeSet<_> = names.keys().chain(state.names.keys()).cloned().collect();
        for name in all {
            let (now, then) = (state.names.get(&name), names.get(&name));
            if now != then && rng.random_bool(0.5) {
                match now.copied() {
                    Some(file) => names.insert(name, file),
                    None => names.remove(&name),
                };
            }
        }
        let files: Vec<_> = state
            .files
            .iter()
            .map(|file| file.survives(&mut rng))
            .collect();
        Self::with(names.clone(), names, files)
    }

    fn with(
        names: BTreeMap<PathBuf, usize>,
        durable_names: BTreeMap<PathBuf, usize>,
        files: Vec<Content>,
    ) -> Self {
        let state = Mutex::new(State {
            names,
            durable_names,
            files,
            ..State::default()
        });
        Self(Arc::new(Sim {
            state,
            moved: Condvar::new(),
        }))
    }

    fn change<T>(&self, op: Op, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.state.lock();
        state.steps += 1;
        if state.dies_at.is_some_and(|step| state.steps >= step) {
            return Err(io::Error::other("the disk is dead"));
        }
        state.fault(op)?;
        act(&mut state)
    }

    fn file(&self, file: usize, lock: Option<PathBuf>) -> Box<dyn DiskFile> {
        Box::new(SimFile {
            disk: self.clone(),
            file,
            lock,
        })
    }
}

impl State {
    fn fault(&mut self, op: Op) -> io::Result<()> {
        match self.faults.iter().position(|(ordered, _)| *ordered == op) {
            Some(place) => Err(self.faults.remove(place).1.into()),
            None => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn new_file(&mut self, path: &Path) -> usize {
        self.files.push(Content::default());
        self.names.insert(path.into(), self.files.len() - 1);
        self.files.len() - 1
    }
}

impl Content {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[offset..end].copy_from_slice(bytes);
        self.dirty.push(offset..end);
    }

    fn sync(&mut self) {
        self.cut = None;
        self.synced.resize(self.bytes.len(), 0);
        for range in self.dirty.drain(..) {
            let range = range.start.min(self.bytes.len())..range.end.min(self.bytes.len());
            self.synced[range.clone()].copy_from_slice(&self.bytes[range]);
        }
    }

    fn survives(&self, rng: &mut StdRng) -> Self {
        let before_cut = self.cut.as_ref().filter(|_| rng.random_bool(0.5));
        let written = before_cut.unwrap_or(&self.bytes);
        let (now, then) = (written.len(), self.synced.len());
        let size = match rng.random_range(0..3) {
            0 => now,
            1 => then,
            _ => rng.random_range(now.min(then)..=now.max(then)),
        };
        let mut bytes = self.synced.clone();
        bytes.resize(size, 0);
        for range in &self.dirty {
            for start in range.clone().step_by(SECTOR) {
                let end = (start + SECTOR).min(range.end).min(size).min(now);
                if start < end && rng.random_bool(0.5) {
                    bytes[start..end].copy_from_slice(&written[start..end]);
                }
            }
        }
        Self {
            synced: bytes.clone(),
            bytes,
            ..Content::default()
        }
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        let state = self.0.state.lock();
        let here = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(dir));
        Ok(here
            .map(|(path, file)| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, state.files[*file].bytes.len() as u64)
            })
            .collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.state.lock();
        state.opened.push(path.into());
        let file = state.find(path)?;
        drop(state);
        Ok(self.file(file, None))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.change(Op::Create, |state| Ok(state.new_file(path)))?;
        Ok(self.file(file, None))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        let mut state = self.0.state.lock();
        if !state.locked.insert(path.into()) {
            return Ok(None);
        }
        let file = match state.find(path) {
            Ok(file) => file,
            Err(_) => state.new_file(path),
        };
        drop(state);
        Ok(Some(self.file(file, Some(path.into()))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Op::Create, |state| {
            let file = state.find(from)?;
            state.names.remove(from);
            state.names.insert(to.into(), file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Op::Remove, |state| {
            state.find(path)?;
            state.names.remove(path);
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(Op::SyncDir, |state| {
            let here = |path: &Path| path.parent() == Some(dir);
            state.durable_names.retain(|path, _| !here(path));
            let names = state.names.iter().filter(|(path, _)| here(path));
            state
                .durable_names
                .extend(names.map(|(path, file)| (path.clone(), *file)));
            Ok(())
        })
    }
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.0.state.lock().files[self.file].bytes.len() as u64)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.0.state.lock();
        state.fault(Op::Read)?;
        let bytes = &state.files[self.file].bytes;
        let rest = bytes
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or_default();
        let size = rest.len().min(into.len());
        into[..size].copy_from_slice(&rest[..size]);
        Ok(size)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.disk.change(Op::Write, |state| {
            let most = state.write_bytes_max.unwrap_or(usize::MAX);
            let size = bytes
                .len()
                .min(most)
                .min(state.free_bytes.unwrap_or(usize::MAX));
            if size == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            if let Some(free) = &mut state.free_bytes {
                *free -= size;
            }
            state.files[self.file].write(usize::try_from(offset).unwrap(), &bytes[..size]);
            Ok(size)
        })
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.disk.change(Op::Truncate, |state| {
            let content = &mut state.files[self.file];
            let size = usize::try_from(size).unwrap();
            if let Some(free) = &mut state.free_bytes {
                *free += content.bytes.len().saturating_sub(size);
            }
            content.cut = Some(content.bytes.clone());
            content.bytes.resize(size, 0);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        while state.held {
            state.waits_held = true;
            self.disk.0.moved.notify_all();
            self.disk.0.moved.wait(&mut state);
        }
        drop(state);
        let result = self.disk.change(Op::Sync, |state| {
            state.syncs += 1;
            state.files[self.file].sync();
            Ok(())
        });
        if result.is_err() {
            self.disk.0.state.lock().files[self.file].dirty.clear();
        }
        result
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if let Some(path) = &self.lock {
            self.disk.0.state.lock().locked.remove(path);
        }
    }
}
