//! What a node keeps beside its log: its name and its secrets.
//!
//! The name goes into each commit beside the sequence number, so it lives and dies with the log: a new log is a new
//! node. The master secret keys every hash (`semconv.md` §3.1); whoever loses it can no longer tell that two hashes
//! were the same person.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use super::{Config, Error};

/// The file that is given back when a full disk leaves no room for a new segment: without one nothing can be forgotten.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: usize = 256 * 1024;

/// Puts some room aside; on a disk that is full already there is none.
pub(super) fn keep_reserve(wal_dir: &Path) {
    let path = wal_dir.join(RESERVE);
    let whole = fs::metadata(&path).is_ok_and(|file| file.len() == RESERVE_BYTES as u64);
    if !whole && let Err(error) = fs::write(&path, vec![0; RESERVE_BYTES]) {
        tracing::debug!(%error, "no room could be put aside for a full disk");
        release_reserve(wal_dir);
    }
}

/// Gives the room back.
pub(super) fn release_reserve(wal_dir: &Path) {
    let _absent = fs::remove_file(wal_dir.join(RESERVE)).is_err();
}

/// Returns a tenth of the disk that a directory is on, or will be: what the log may take of it.
///
/// Where the disk cannot be measured, the configured limit alone counts.
pub(super) fn share_of_disk(dir: &Path) -> u64 {
    let there = dir
        .ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(Path::new("."));
    fs4::total_space(there).map_or(u64::MAX, |bytes| bytes / 10)
}

/// Returns the node's name, made up when the log is new.
pub(super) fn node_name(wal_dir: &Path) -> Result<String, Error> {
    kept(&wal_dir.join("node"), || uuid::Uuid::new_v4().to_string())
}

/// Makes sure that the log and the tables belong together; a new log belongs to the tables it is opened with.
///
/// A log beside its tables may be moved with them.
pub(super) fn belongs(config: &Config, tables: &str) -> Result<(), Error> {
    let wal = config.wal_dir();
    let ours = if config.is_beside_tables() {
        "beside"
    } else {
        tables
    };
    let theirs = kept(&wal.join("tables"), || ours.to_owned())?;
    match theirs == ours {
        true => Ok(()),
        false => Err(Error::OtherTables {
            wal,
            theirs,
            ours: ours.to_owned(),
        }),
    }
}

/// Returns the master secret, made up when there is none: 32 random bytes as hex in `secrets.json`, for the owner's eyes.
pub(super) fn master_secret(local_dir: &Path) -> Result<Vec<u8>, Error> {
    let path = local_dir.join("secrets.json");
    let text = kept(&path, || {
        let secret: [u8; 32] = rand::random();
        serde_json::json!({ "master": hex::encode(secret) }).to_string()
    })?;
    let read = || {
        let json: serde_json::Value = serde_json::from_str(&text).ok()?;
        hex::decode(json.get("master")?.as_str()?)
            .ok()
            .filter(|secret| secret.len() >= 16)
    };
    read().ok_or_else(|| Error::Local {
        path: path.clone(),
        source: io::Error::new(
            io::ErrorKind::InvalidData,
            "no hex text of 16 bytes or more at \"master\"",
        ),
    })
}

/// Returns the text of a file; where there is none, makes it, durably, with what `make` says.
fn kept(path: &Path, make: impl FnOnce() -> String) -> Result<String, Error> {
    let failed = |source| Error::Local {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write(path, &make()).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn write(path: &Path, text: &str) -> io::Result<String> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    // Written aside and renamed: a crash leaves all of it or nothing.
    let aside = path.with_extension("new");
    let mut file = private(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(dir)?.sync_all()?;
    let mut back = String::new();
    File::open(path)?.read_to_string(&mut back)?;
    Ok(back)
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_the_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = master_secret(dir.path()).unwrap();
        assert_eq!(first, master_secret(dir.path()).unwrap());
        assert_eq!(first.len(), 32);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join("secrets.json"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secrets.json"), r#"{"master":"abcd"}"#).unwrap();
        assert!(master_secret(dir.path()).is_err());
    }
}
