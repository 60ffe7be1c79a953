//! One process per log: the lock on the directory, and what its holder lets others know.

use std::path::Path;

use parking_lot::Mutex;

use super::disk::{self, Disk, DiskFile};
use super::error::Error;

const NAME: &str = "lock";

/// The most that is read of what a holder announces.
const TEXT_BYTES_MAX: usize = 4096;

/// The exclusive right to a log directory; it ends when this is dropped or released.
#[derive(Debug)]
pub(super) struct Lock(Mutex<Option<Box<dyn DiskFile>>>);

impl Lock {
    /// Takes the lock of `dir`.
    pub(super) fn take(disk: &dyn Disk, dir: &Path) -> Result<Self, Error> {
        let path = dir.join(NAME);
        let locked = disk
            .lock(&path)
            .map_err(|error| Error::io("lock", &path, error))?;
        let Some(mut file) = locked else {
            let holder = announced(disk, dir);
            return Err(Error::Locked {
                dir: dir.into(),
                holder,
            });
        };
        // A holder that was killed could not take its word back.
        file.truncate(0)
            .map_err(|error| Error::io("write", &path, error))?;
        Ok(Self(Mutex::new(Some(file))))
    }

    /// Writes `text` where others can read it, in place of what was there.
    pub(super) fn announce(&self, dir: &Path, text: &str) -> Result<(), Error> {
        let mut file = self.0.lock();
        let file = file.as_mut().ok_or(Error::Closed)?;
        file.truncate(0)
            .and_then(|()| disk::write_all(file.as_mut(), 0, text.as_bytes()))
            .map_err(|error| Error::write(dir.join(NAME), error))
    }

    /// Takes the announcement back and lets the next one in.
    pub(super) fn release(&self) {
        if let Some(mut file) = self.0.lock().take() {
            // The text is only advice; who reads a stale one finds nobody at the address.
            let _stale = file.truncate(0).is_err();
        }
    }
}

/// Returns what the process that holds the log in `dir` has announced, for instance its address.
///
/// A holder that was killed leaves its text behind, so this is a hint: whether anybody is there shows when asked.
pub fn announced(disk: &dyn Disk, dir: &Path) -> Option<String> {
    let mut file = disk.open(&dir.join(NAME)).ok()?;
    let mut bytes = vec![0; TEXT_BYTES_MAX];
    let read = disk::read_full(file.as_mut(), 0, &mut bytes).ok()?;
    let text = String::from_utf8_lossy(bytes.get(..read)?)
        .trim()
        .to_owned();
    (!text.is_empty()).then_some(text)
}
