//! The Delta log of one table: reads it, appends to it, puts checkpoints in.
//!
//! An entry is written with the next version's number and only if there is none yet, so that of two writers one loses
//! and has to look again. The retrying of `deltalake` itself is not used: it would let a commit pass that another writer
//! has made already (it does not compare `txn` versions).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use chrono::NaiveDate;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{PROTOCOL, TransactionError};
use deltalake_core::kernel::{
    Action, Add, CommitInfo, EagerSnapshot, Metadata, MetadataExt, Remove, StructField, StructType,
    Transaction, new_metadata,
};
use deltalake_core::logstore::{
    CommitOrBytes, LogStore, LogStoreRef, StorageConfig, default_logstore,
};
use deltalake_core::protocol::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake_core::table::state::DeltaTableState;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::base::Clock;
use crate::base::store::Store;
use crate::model::Table;
use crate::model::schema::PARTITION_COLUMN;

use super::error::{Error, Result};
use super::file::File;
use super::stats;

/// A checkpoint is written after this many commits; readers start from the last one.
pub(super) const CHECKPOINT_EVERY: u64 = 50;
/// How long the log of old versions is kept, in hours: nobody travels back in time over a checkpoint.
const LOG_RETENTION_HOURS: i64 = 7 * 24;
/// How long files that are no longer part of the table are promised to other readers, in hours.
pub(super) const FILE_RETENTION_HOURS: i64 = 24;
const MILLIS_PER_HOUR: i64 = 3_600_000;

/// The log of one table.
#[derive(Clone, Debug)]
pub(super) struct Log {
    delta: LogStoreRef,
    table: Table,
    node: String,
    clock: Clock,
    /// Where the table is, for messages.
    location: String,
}

/// What the log says at one version.
pub(super) struct Loaded {
    pub(super) version: u64,
    /// The last sequence number of our node that is in the table.
    pub(super) sequence: Option<u64>,
    pub(super) files: Vec<Listed>,
    metadata: Metadata,
    schema: StructType,
}

/// A file as the log names it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Relative to the table's folder.
    pub(super) path: Path,
    pub(super) size: u64,
    /// The day of the partition, since the epoch.
    pub(super) day: i32,
    /// When it was written, in milliseconds since the epoch.
    pub(super) modified_ms: i64,
}

/// What is to be changed by one entry.
#[derive(Default)]
pub(super) struct Change<'a> {
    pub(super) operation: &'static str,
    pub(super) added: &'a [Arc<File>],
    pub(super) removed: &'a [Arc<File>],
    /// The rows stay the same: only how they lie in files changes.
    pub(super) same_rows: bool,
    /// Our node's sequence number that the table has reached with this.
    pub(super) sequence: Option<u64>,
}

/// How an attempt to append ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// The entry is in the log.
    Done,
    /// Another writer's entry has this version.
    Taken,
}

impl Log {
    pub(super) fn new(store: &Store, table: Table, node: &str, clock: &Clock) -> Result<Self> {
        let folder = folder(table);
        let location = format!("{}/{folder}", store.url().as_str().trim_end_matches('/'));
        // The root of this URL is the place that we were given, so the path is the same in every kind of store.
        let url = Url::parse(&format!("outspan:///{folder}/"))
            .map_err(|error| Error::at(&location, error))?;
        let root = Arc::clone(store.objects());
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(&root), folder));
        let delta = default_logstore(prefixed, root, &url, &StorageConfig::default());
        Ok(Self {
            delta,
            table,
            node: node.to_owned(),
            clock: clock.clone(),
            location,
        })
    }

    /// Reads the newest version; makes the table where there is none, and adds columns that it lacks.
    pub(super) async fn open(&self) -> Result<Loaded> {
        loop {
            let Some(loaded) = self.load().await? else {
                self.create().await?;
                continue;
            };
            let missing = self.missing_columns(&loaded.schema)?;
            if missing.is_empty() {
                return Ok(loaded);
            }
            self.add_columns(&loaded, missing).await?;
        }
    }

    /// Reads the newest version; `None` where there is no table.
    pub(super) async fn load(&self) -> Result<Option<Loaded>> {
        let failed = |error| Error::at(&self.location, error);
        if !self.delta.is_delta_table_location().await.map_err(failed)? {
            return Ok(None);
        }
        let snapshot = EagerSnapshot::try_new(&self.delta, None)
            .await
            .map_err(failed)?;
        PROTOCOL
            .can_write_to(&snapshot)
            .map_err(|error| self.unsupported(error.to_string()))?;
        let sequence = snapshot
            .transaction_version(&self.delta, &self.node)
            .await
            .map_err(failed)?;
        let views = snapshot.file_views(&self.delta, None);
        let files = views
            .map_err(failed)
            .and_then(|view| async move {
                if view.deletion_vector_descriptor().is_some() {
                    return Err(self.unsupported("a file of it has a deletion vector".to_owned()));
                }
                let partition = view
                    .partition_values_map()
                    .remove(PARTITION_COLUMN)
                    .flatten();
                Ok(Listed {
                    path: view.object_store_path(),
                    size: view.size().unsigned_abs(),
                    day: partition.and_then(|day| parse_day(&day)).ok_or_else(|| {
                        self.unsupported(format!("{} has no {PARTITION_COLUMN}", view.path()))
                    })?,
                    modified_ms: view.modification_time(),
                })
            })
            .try_collect()
            .await?;
        Ok(Some(Loaded {
            version: snapshot.version(),
            sequence: sequence.and_then(|sequence| u64::try_from(sequence).ok()),
            files,
            metadata: snapshot.metadata().clone(),
            schema: snapshot.schema().as_ref().clone(),
        }))
    }

    /// Appends the entry of version `version`, if nobody has.
    pub(super) async fn append(&self, version: u64, change: &Change<'_>) -> Result<Appended> {
        let now = self.now_ms();
        let removed = change
            .removed
            .iter()
            .map(|file| Action::Remove(remove(file, now, !change.same_rows)));
        let added = change
            .added
            .iter()
            .map(|file| Action::Add(add(file, self.table, !change.same_rows)));
        let sequence = change.sequence.map(|sequence| {
            let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
            Action::Txn(Transaction::new_with_last_update(
                &self.node,
                sequence,
                Some(now),
            ))
        });
        let parameters = HashMap::from([
            ("mode".to_owned(), json!("Append")),
            (
                "partitionBy".to_owned(),
                json!(format!("[\"{PARTITION_COLUMN}\"]")),
            ),
        ]);
        let mut info = self.info(change.operation, parameters);
        info.is_blind_append = Some(change.removed.is_empty());
        let actions = removed.chain(added).chain(sequence).collect();
        self.write(version, info, actions).await
    }

    /// Writes a checkpoint of the newest version and drops old entries; failing costs speed only.
    pub(super) async fn checkpoint(&self, version: u64) {
        let cutoff = self.now_ms() - LOG_RETENTION_HOURS * MILLIS_PER_HOUR;
        let mut table = deltalake_core::DeltaTable::new(Arc::clone(&self.delta));
        let work = async {
            table.load_version(version).await?;
            create_checkpoint(&table, None).await?;
            cleanup_expired_logs_for(version, &self.delta, cutoff, None).await
        };
        if let Err(error) = work.await {
            tracing::warn!(table = self.table.name(), version, %error, "no checkpoint");
        }
    }

    /// Returns the files that were taken out of the table at or after `since_ms`: somebody may still read them.
    pub(super) async fn removed_since(&self, since_ms: i64) -> Result<Vec<Path>> {
        let failed = |error| Error::at(&self.location, error);
        let state = DeltaTableState::try_new(&self.delta, None)
            .await
            .map_err(failed)?;
        state
            .all_tombstones(&self.delta)
            .map_err(failed)
            .try_filter_map(|tombstone| async move {
                let recent = tombstone
                    .deletion_timestamp()
                    .is_none_or(|at| at >= since_ms);
                Ok(recent.then(|| Path::from(tombstone.path().as_ref())))
            })
            .try_collect()
            .await
    }

    async fn create(&self) -> Result<()> {
        let schema = self.schema()?;
        let properties = [
            ("delta.checkpointInterval", CHECKPOINT_EVERY.to_string()),
            (
                "delta.dataSkippingStatsColumns",
                self.table.pruning_columns().join(","),
            ),
            (
                "delta.deletedFileRetentionDuration",
                format!("interval {FILE_RETENTION_HOURS} hours"),
            ),
            (
                "delta.logRetentionDuration",
                format!("interval {LOG_RETENTION_HOURS} hours"),
            ),
        ];
        let metadata = new_metadata(&schema, [PARTITION_COLUMN], properties);
        let metadata = metadata.map_err(|error| Error::at(&self.location, error))?;
        let protocol = json!({"minReaderVersion": 1, "minWriterVersion": 2});
        let protocol =
            serde_json::from_value(protocol).map_err(|error| Error::at(&self.location, error))?;
        let info = self.info("CREATE TABLE", HashMap::new());
        // When another process was faster, its table is as good.
        self.write(
            0,
            info,
            vec![Action::Protocol(protocol), Action::Metadata(metadata)],
        )
        .await?;
        Ok(())
    }

    async fn add_columns(&self, loaded: &Loaded, missing: Vec<StructField>) -> Result<()> {
        let names: Vec<_> = missing.iter().map(|field| field.name().clone()).collect();
        let fields = loaded.schema.fields().cloned().chain(missing);
        let schema =
            StructType::try_new(fields).map_err(|error| Error::at(&self.location, error))?;
        let metadata = loaded.metadata.clone().with_schema(&schema);
        let metadata = metadata.map_err(|error| Error::at(&self.location, error))?;
        let info = self.info(
            "ADD COLUMNS",
            HashMap::from([("columns".to_owned(), json!(names.join(",")))]),
        );
        // When another writer was faster, the caller looks again.
        self.write(loaded.version + 1, info, vec![Action::Metadata(metadata)])
            .await?;
        Ok(())
    }

    /// Returns the columns that the stored table lacks.
    fn missing_columns(&self, stored: &StructType) -> Result<Vec<StructField>> {
        let ours = self.schema()?;
        let mut missing = Vec::new();
        for field in ours.fields() {
            match stored.field(field.name()) {
                Some(known) if known.data_type() == field.data_type() => {}
                Some(known) => {
                    let (name, known, ours) = (field.name(), known.data_type(), field.data_type());
                    return Err(self
                        .unsupported(format!("its column {name} is of type {known}, not {ours}")));
                }
                None if field.is_nullable() => missing.push(field.clone()),
                None => return Err(self.unsupported(format!("it has no column {}", field.name()))),
            }
        }
        let unknown = stored
            .fields()
            .find(|field| ours.field(field.name()).is_none() && !field.is_nullable());
        match unknown {
            Some(field) => Err(self.unsupported(format!(
                "its column {} is unknown and needs a value",
                field.name()
            ))),
            None => Ok(missing),
        }
    }

    fn schema(&self) -> Result<StructType> {
        let schema: &Schema = &self.table.schema();
        schema
            .try_into_kernel()
            .map_err(|error| Error::at(&self.location, error))
    }

    async fn write(
        &self,
        version: u64,
        info: CommitInfo,
        actions: Vec<Action>,
    ) -> Result<Appended> {
        let mut entry = String::new();
        for action in [Action::CommitInfo(info)].iter().chain(&actions) {
            let line =
                serde_json::to_string(action).map_err(|error| Error::at(&self.location, error))?;
            entry.push_str(&line);
            entry.push('\n');
        }
        let entry = CommitOrBytes::LogBytes(entry.into());
        match self
            .delta
            .write_commit_entry(version, entry, Uuid::new_v4())
            .await
        {
            Ok(()) => Ok(Appended::Done),
            Err(TransactionError::VersionAlreadyExists(_)) => Ok(Appended::Taken),
            Err(error) => Err(Error::at(
                format!("version {version} of {}", self.location),
                error,
            )),
        }
    }

    fn info(&self, operation: &str, parameters: HashMap<String, Value>) -> CommitInfo {
        CommitInfo {
            timestamp: Some(self.now_ms()),
            operation: Some(operation.to_owned()),
            operation_parameters: Some(parameters),
            engine_info: Some(concat!("outspan/", env!("CARGO_PKG_VERSION")).to_owned()),
            ..CommitInfo::default()
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().micros() / 1_000
    }

    fn unsupported(&self, reason: String) -> Error {
        Error::Unsupported {
            table: self.table.name(),
            reason,
        }
    }
}

/// Returns the folder of a table in the store.
pub(super) fn folder(table: Table) -> Path {
    Path::from_iter(["tables", table.name()])
}

/// Returns a day of the partition column as the log and the folders write it.
pub(super) fn day_text(day: i32) -> String {
    NaiveDate::from_epoch_days(day).map_or_else(|| day.to_string(), |day| day.to_string())
}

fn parse_day(text: &str) -> Option<i32> {
    Some(text.parse::<NaiveDate>().ok()?.to_epoch_days())
}

fn partition_values(file: &File) -> HashMap<String, Option<String>> {
    HashMap::from([(PARTITION_COLUMN.to_owned(), Some(day_text(file.day())))])
}

fn add(file: &File, table: Table, data_change: bool) -> Add {
    Add {
        path: file.path().to_string(),
        partition_values: partition_values(file),
        size: file.size().cast_signed(),
        modification_time: file.modified_ms(),
        data_change,
        stats: Some(stats::json(file, table)),
        ..Add::default()
    }
}

fn remove(file: &File, now_ms: i64, data_change: bool) -> Remove {
    Remove {
        path: file.path().to_string(),
        data_change,
        deletion_timestamp: Some(now_ms),
        extended_file_metadata: Some(true),
        partition_values: Some(partition_values(file)),
        size: Some(file.size().cast_signed()),
        ..Remove::default()
    }
}
