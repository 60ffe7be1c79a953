//! Opens the object store behind a URL or a directory, and makes local writes durable.
//!
//! A [`Store`] is a place: its paths start there, whatever kind of store lies below, so that nobody above can reach
//! what is beside it. What a write on a local disk promises is in `local`: it returns when the data is on the disk.
//! A local directory belongs to one process at a time; whoever opens it here holds its lock already.

mod local;

use std::collections::HashMap;
use std::io;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use local::LocalStore;

/// What can go wrong when a store is opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The location is no URL that can be understood.
    #[error("cannot read `{location}` as the URL of a store")]
    Location {
        /// What was given.
        location: String,
        /// Why not.
        #[source]
        source: url::ParseError,
    },
    /// The scheme is unknown, or an option is missing or wrong.
    #[error("cannot open the store at {location}")]
    Open {
        /// What was given.
        location: String,
        /// Why not.
        #[source]
        source: object_store::Error,
    },
    /// The directory cannot be made, read or cleaned.
    #[error("cannot use the directory {}", path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The store lists objects in no order, and a table's log needs one (S3 directory buckets).
    #[error("the store at {location} lists its objects in no order")]
    Unordered {
        /// What was given.
        location: String,
    },
}

/// A place in an object store: paths are relative to it. Cheap to clone.
///
/// Lists objects in the order of their names.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    url: Url,
}

impl Store {
    /// Opens the store at a directory, or at a URL (`file`, `s3`, `gs`, `az`, `memory` and what else `object_store`
    /// knows), with the options of its kind, for example `aws_region`. A directory is made if there is none, and what
    /// writes that never ended left in it is removed. A remote store is not asked anything yet.
    ///
    /// # Errors
    /// Where the location or an option cannot be understood, or the directory cannot be used.
    pub fn open(location: &str, options: &HashMap<String, String>) -> Result<Self, Error> {
        if !location.contains("://") {
            return Self::open_directory(DiskPath::new(location));
        }
        let url = Url::parse(location).map_err(|source| Error::Location {
            location: location.to_owned(),
            source,
        })?;
        if let ("file", Ok(path)) = (url.scheme(), url.to_file_path()) {
            return Self::open_directory(&path);
        }
        if url.host_str().is_some_and(|host| host.ends_with("--x-s3")) {
            return Err(Error::Unordered {
                location: location.to_owned(),
            });
        }
        let (store, prefix) =
            object_store::parse_url_opts(&url, options).map_err(|source| Error::Open {
                location: location.to_owned(),
                source,
            })?;
        let store: Arc<dyn ObjectStore> = Arc::from(store);
        Ok(Self::new(Self::below(store, prefix), url))
    }

    /// Returns the store that `objects` is, known to people as `url`; tests wrap another store's objects.
    pub fn new(objects: Arc<dyn ObjectStore>, url: Url) -> Self {
        Self { objects, url }
    }

    /// Returns the objects; the root of their paths is this place.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// Returns where this is, for people.
    pub fn url(&self) -> &Url {
        &self.url
    }

    fn open_directory(path: &DiskPath) -> Result<Self, Error> {
        let failed = |source| Error::Directory {
            path: path.to_owned(),
            source,
        };
        local::make_directory(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let failed = |source| Error::Directory {
            path: path.clone(),
            source,
        };
        local::remove_unfinished(&path).map_err(failed)?;
        let url = Url::from_directory_path(&path)
            .map_err(|()| failed(io::Error::from(io::ErrorKind::InvalidFilename)))?;
        let store = LocalStore::new(&path).map_err(|source| Error::Open {
            location: path.display().to_string(),
            source,
        })?;
        Ok(Self::new(Arc::new(store), url))
    }

    fn below(store: Arc<dyn ObjectStore>, prefix: Path) -> Arc<dyn ObjectStore> {
        if prefix == Path::ROOT {
            store
        } else {
            Arc::new(PrefixStore::new(store, prefix))
        }
    }
}

#[cfg(test)]
mod tests;
