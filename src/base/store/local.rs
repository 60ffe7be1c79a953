//! Objects as files of a local disk, durable when a write returns.
//!
//! `object_store`'s own `LocalFileSystem` never syncs, so a crash can leave a table whose log names files without
//! content. Here a write goes to an unfinished file beside its place, is synced, gets its name (by a hard link where it
//! must not exist yet, which makes one of two racing writers lose; else by a rename), and then the directory is synced,
//! as is every directory made on the way. Reading, listing and deleting are left to `LocalFileSystem`, which hides
//! files whose name ends in `#` and digits: this is how unfinished ones are named.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};
use parking_lot::Mutex;

/// Stands before the number in the name of an unfinished file.
const UNFINISHED: &str = ".unfinished#";

/// A directory whose files are objects; see the module.
#[derive(Debug)]
pub(super) struct LocalStore {
    inner: LocalFileSystem,
}

impl LocalStore {
    /// Returns the store in a directory that exists.
    pub(super) fn new(root: &DiskPath) -> Result<Self> {
        Ok(Self {
            inner: LocalFileSystem::new_with_prefix(root)?,
        })
    }
}

impl std::fmt::Display for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let must_be_new = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => return Err(not_implemented("an update on a condition")),
        };
        let destination = self.inner.path_to_filesystem(location)?;
        blocking(move || {
            let mut file = Unfinished::create(destination)?;
            file.write(&payload)?;
            file.publish(must_be_new)
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let destination = self.inner.path_to_filesystem(location)?;
        let file = blocking(move || Unfinished::create(destination)).await?;
        Ok(Box::new(Upload {
            file: Arc::new(Mutex::new(Some(file))),
            offset: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let destination = self.prepare(to).await?;
        self.inner.copy_opts(from, to, options).await?;
        blocking(move || sync_parent(&destination)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let (source, destination) = (
            self.inner.path_to_filesystem(from)?,
            self.prepare(to).await?,
        );
        self.inner.rename_opts(from, to, options).await?;
        blocking(move || sync_parent(&destination).and_then(|()| sync_parent(&source))).await
    }
}

impl LocalStore {
    /// Makes the directory of an object, durably, and returns the object's file.
    async fn prepare(&self, location: &Path) -> Result<PathBuf> {
        let destination = self.inner.path_to_filesystem(location)?;
        blocking(move || {
            make_parent(&destination)?;
            Ok(destination)
        })
        .await
    }
}

/// A file that has no name yet that a reader would see; dropping it removes it.
#[derive(Debug)]
struct Unfinished {
    file: File,
    path: PathBuf,
    destination: PathBuf,
}

impl Unfinished {
    fn create(destination: PathBuf) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let mut path = destination.clone().into_os_string();
            path.push(format!(
                "{UNFINISHED}{}",
                NEXT.fetch_add(1, Ordering::Relaxed)
            ));
            let path = PathBuf::from(path);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        path,
                        destination,
                    });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotFound => make_parent(&destination)?,
                Err(error) => return Err(failed(&path, &error)),
            }
        }
    }

    fn write(&mut self, payload: &PutPayload) -> Result<()> {
        payload
            .iter()
            .try_for_each(|part| self.file.write_all(part))
            .map_err(|error| failed(&self.path, &error))
    }

    fn write_at(&mut self, offset: u64, payload: &PutPayload) -> Result<()> {
        self.file
            .seek(SeekFrom::Start(offset))
            .map_err(|error| failed(&self.path, &error))?;
        self.write(payload)
    }

    /// Makes the content durable, then the name.
    fn publish(self, must_be_new: bool) -> Result<PutResult> {
        self.file
            .sync_all()
            .map_err(|error| failed(&self.path, &error))?;
        if must_be_new {
            fs::hard_link(&self.path, &self.destination).map_err(|source| {
                if source.kind() == ErrorKind::AlreadyExists {
                    let path = self.destination.display().to_string();
                    return Error::AlreadyExists {
                        path,
                        source: source.into(),
                    };
                }
                failed(&self.destination, &source)
            })?;
        } else {
            fs::rename(&self.path, &self.destination)
                .map_err(|error| failed(&self.destination, &error))?;
        }
        sync_parent(&self.destination)?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Ok(()) => {}
            // It was renamed into its place.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "unfinished file left behind")
            }
        }
    }
}

/// A write in parts.
#[derive(Debug)]
struct Upload {
    file: Arc<Mutex<Option<Unfinished>>>,
    offset: u64,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.offset;
        self.offset += data.content_length() as u64;
        let file = Arc::clone(&self.file);
        blocking(move || {
            file.lock()
                .as_mut()
                .ok_or_else(ended)?
                .write_at(offset, &data)
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let file = self.file.lock().take().ok_or_else(ended)?;
        blocking(move || file.publish(false)).await
    }

    async fn abort(&mut self) -> Result<()> {
        let file = self.file.lock().take().ok_or_else(ended)?;
        blocking(move || {
            drop(file);
            Ok(())
        })
        .await
    }
}

/// Makes a directory and what is missing above it, so that they survive a crash.
pub(super) fn make_directory(path: &DiskPath) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_directory(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        // Another writer that has just made it may not have synced its name yet.
        _ => {}
    }
    sync_directory(parent.unwrap_or(DiskPath::new(".")))
}

/// Removes what writes that never ended left in a directory.
pub(super) fn remove_unfinished(directory: &DiskPath) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_unfinished(&entry.path())?;
        } else if is_unfinished(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_unfinished(name: &str) -> bool {
    name.split_once(UNFINISHED).is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn make_parent(path: &DiskPath) -> Result<()> {
    path.parent().map_or(Ok(()), |parent| {
        make_directory(parent).map_err(|error| failed(parent, &error))
    })
}

fn sync_parent(path: &DiskPath) -> Result<()> {
    path.parent().map_or(Ok(()), |parent| {
        sync_directory(parent).map_err(|error| failed(parent, &error))
    })
}

fn sync_directory(path: &DiskPath) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Lists in the order of names, as remote stores do and a table's log needs; a disk lists in none.
fn in_order(
    objects: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    async move {
        let mut objects: Vec<_> = objects.try_collect().await?;
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(futures::stream::iter(objects.into_iter().map(Ok)))
    }
    .try_flatten_stream()
    .boxed()
}

async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await?
}

fn failed(path: &DiskPath, error: &io::Error) -> Error {
    let source = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    if error.kind() == ErrorKind::NotFound {
        return Error::NotFound {
            path: path.display().to_string(),
            source: source.into(),
        };
    }
    Error::Generic {
        store: "local disk",
        source: source.into(),
    }
}

fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "local disk".to_owned(),
    }
}

fn ended() -> Error {
    Error::Generic {
        store: "local disk",
        source: "the upload has ended already".into(),
    }
}
