//! The engine as a whole, in one process, on a disk and a store that fail on order.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;

use super::*;
use crate::model::{RawBatch, RawResource, RawScope, RawSpan};
use crate::wal::{Disk, DiskFile, LocalDisk};

/// A disk that does as it is told.
#[derive(Clone, Debug, Default)]
struct FaultyDisk(Arc<AtomicU8>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None = 0,
    /// Writes find no room.
    Full = 1,
    /// Writes fail.
    Write = 2,
    /// Syncs fail.
    Sync = 3,
}

impl FaultyDisk {
    fn fail(&self, fault: Fault) {
        self.0.store(fault as u8, Ordering::SeqCst);
    }

    fn is(&self, fault: Fault) -> bool {
        self.0.load(Ordering::SeqCst) == fault as u8
    }
}

#[derive(Debug)]
struct FaultyFile(FaultyDisk, Box<dyn DiskFile>);

impl Disk for FaultyDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<(String, u64)>> {
        LocalDisk.list(dir)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FaultyFile(self.clone(), LocalDisk.open(path)?)))
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FaultyFile(self.clone(), LocalDisk.create(path)?)))
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        LocalDisk.lock(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }
}

impl DiskFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.1.size()
    }
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.1.read_at(offset, into)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if self.0.is(Fault::Full) {
            // Half of it goes in, then there is no room: what a full disk does.
            self.1.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.0.is(Fault::Write) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.1.write_at(offset, bytes)
    }
    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.1.truncate(size)
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.0.is(Fault::Sync) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.1.sync()
    }
}

struct Room {
    dir: tempfile::TempDir,
    disk: FaultyDisk,
}

impl Room {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            disk: FaultyDisk::default(),
        }
    }

    async fn open(&self) -> Ledger {
        let config = Config {
            data: self.dir.path().to_str().unwrap().to_owned(),
            ..Config::default()
        };
        let parts = Parts {
            disk: Arc::new(self.disk.clone()),
            ..Parts::default()
        };
        Ledger::open(config, parts).await.unwrap()
    }
}

/// Returns spans with these ids, all of one trace.
fn spans(ids: impl IntoIterator<Item = u64>) -> RawBatch {
    let span = |id: u64| RawSpan {
        trace_id: [7; 16],
        span_id: id.to_be_bytes(),
        name: format!("span {id}"),
        start_unix_nano: 1_760_000_000_000_000_000 + id,
        end_unix_nano: 1_760_000_000_000_000_500 + id,
        ..RawSpan::default()
    };
    let scope = RawScope {
        spans: ids.into_iter().map(span).collect(),
        ..RawScope::default()
    };
    RawBatch {
        resources: vec![RawResource {
            scopes: vec![scope],
            ..RawResource::default()
        }],
    }
}

async fn send(ledger: &Ledger, ids: impl IntoIterator<Item = u64>) -> Result<Receipt, Error> {
    ledger.ingest(spans(ids), Sender::default()).await
}

/// Returns how many spans there are, and how many distinct ones.
async fn counted(ledger: &Ledger) -> (i64, i64) {
    let sql = "select count(*), count(distinct span_id) from spans".to_owned();
    let answer = ledger
        .query(Query {
            sql,
            ..Query::default()
        })
        .await
        .unwrap();
    let rows: Vec<_> = answer.try_collect().await.unwrap();
    let number = |column: usize| rows[0].column(column).as_primitive::<Int64Type>().value(0);
    (number(0), number(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_visible_at_once_and_after_a_flush_and_after_opening_again() {
    let room = Room::new();
    let ledger = room.open().await;
    let receipt = send(&ledger, 1..=10).await.unwrap();
    assert_eq!((receipt.rows, receipt.repeats), (10, 0));
    assert_eq!(counted(&ledger).await, (10, 10));
    ledger.flush().await.unwrap();
    assert_eq!(counted(&ledger).await, (10, 10));
    assert_eq!(ledger.stats().buffer_rows, 0);
    let _receipt = send(&ledger, 5..=15).await.unwrap();
    assert_eq!(counted(&ledger).await, (15, 15));
    // Dropped without a flush: what the tables lack comes from the log.
    drop(ledger);
    let ledger = room.open().await;
    assert_eq!(counted(&ledger).await, (15, 15));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_as_busy_loses_nothing_and_is_over_when_there_is_room() {
    let room = Room::new();
    let ledger = room.open().await;
    let _receipt = send(&ledger, 1..=5).await.unwrap();
    room.disk.fail(Fault::Full);
    let error = send(&ledger, 6..=9).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Busy, "{error:?}");
    assert_eq!(counted(&ledger).await, (5, 5));
    room.disk.fail(Fault::None);
    let _receipt = send(&ledger, 8..=12).await.unwrap();
    drop(ledger);
    assert_eq!(counted(&room.open().await).await, (10, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_error_refuses_as_unavailable_and_loses_nothing() {
    let room = Room::new();
    let ledger = room.open().await;
    let _receipt = send(&ledger, 1..=5).await.unwrap();
    room.disk.fail(Fault::Write);
    assert_eq!(
        send(&ledger, 6..=9).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    room.disk.fail(Fault::None);
    drop(ledger);
    assert_eq!(counted(&room.open().await).await, (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let room = Room::new();
    let ledger = room.open().await;
    let _receipt = send(&ledger, 1..=5).await.unwrap();
    room.disk.fail(Fault::Sync);
    assert_eq!(
        send(&ledger, 6..=9).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    assert_eq!(
        counted(&ledger).await,
        (5, 5),
        "what may not be durable is not shown"
    );
    room.disk.fail(Fault::None);
    assert_eq!(
        send(&ledger, 6..=9).await.unwrap_err().kind(),
        Kind::Unavailable,
        "the log stays shut"
    );
    assert!(!ledger.is_ready());
    drop(ledger);
    let found = counted(&room.open().await).await;
    assert!(found.0 == found.1 && found.0 >= 5, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_never_sees_a_row_twice_or_not_at_all_while_flushes_go_on() {
    let room = Room::new();
    let ledger = room.open().await;
    let writer = ledger.clone();
    let mut writing = tokio::task::JoinSet::new();
    writing.spawn(async move {
        for batch in 0..40u64 {
            let _receipt = send(&writer, batch * 10..batch * 10 + 10).await.unwrap();
            if batch % 4 == 0 {
                writer.flush().await.unwrap();
            }
            if batch == 20 {
                writer.compact().await.unwrap();
            }
        }
    });
    let mut last = 0;
    while writing.try_join_next().transpose().unwrap().is_none() {
        let (rows, distinct) = counted(&ledger).await;
        assert_eq!(rows, distinct);
        assert!(rows >= last && rows % 10 == 0, "{rows} after {last}");
        last = rows;
    }
    assert_eq!(counted(&ledger).await, (400, 400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_refused_with_other_tables_and_its_rows_stay_in_it() {
    let room = tempfile::tempdir().unwrap();
    let at = |tables: &str| Config {
        data: room.path().join(tables).to_str().unwrap().to_owned(),
        wal: Some(room.path().join("log")),
        ..Config::default()
    };
    let ledger = Ledger::open(at("ours"), Parts::default()).await.unwrap();
    let _receipt = send(&ledger, 1..=5).await.unwrap();
    drop(ledger);
    let other = Ledger::open(at("other"), Parts::default()).await;
    assert!(matches!(other, Err(Error::OtherTables { .. })), "{other:?}");
    let ledger = Ledger::open(at("ours"), Parts::default()).await.unwrap();
    assert_eq!(counted(&ledger).await, (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_beside_its_tables_may_be_moved_with_them() {
    let room = tempfile::tempdir().unwrap();
    let at = |name: &str| Config {
        data: room.path().join(name).to_str().unwrap().to_owned(),
        ..Config::default()
    };
    let ledger = Ledger::open(at("here"), Parts::default()).await.unwrap();
    let _receipt = send(&ledger, 1..=5).await.unwrap();
    drop(ledger);
    std::fs::rename(room.path().join("here"), room.path().join("there")).unwrap();
    let ledger = Ledger::open(at("there"), Parts::default()).await.unwrap();
    assert_eq!(counted(&ledger).await, (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_replaced_are_deleted_after_a_day_and_no_row_with_them() {
    let room = tempfile::tempdir().unwrap();
    let config = Config {
        data: room.path().to_str().unwrap().to_owned(),
        ..Config::default()
    };
    let clock = Clock::system();
    let clock = Clock::set_to(clock.now());
    let parts = Parts {
        clock: clock.clone(),
        ..Parts::default()
    };
    let ledger = Ledger::open(config, parts).await.unwrap();
    for batch in 0..20u64 {
        let _receipt = send(&ledger, batch * 10..batch * 10 + 10).await.unwrap();
        ledger.flush().await.unwrap();
    }
    let compacted = ledger.compact().await.unwrap();
    assert!(
        compacted.files_before > compacted.files_after,
        "{compacted:?}"
    );
    assert_eq!(
        ledger.vacuum(KEPT_AFTER_REPLACED).await.unwrap().files,
        0,
        "too early"
    );
    clock.advance(KEPT_AFTER_REPLACED + std::time::Duration::from_secs(60));
    let gone = ledger.vacuum(KEPT_AFTER_REPLACED).await.unwrap();
    assert_eq!(gone.files, compacted.files_before, "{gone:?}");
    assert_eq!(counted(&ledger).await, (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_kept_to_the_last_day_of_their_retention_and_no_longer() {
    let room = tempfile::tempdir().unwrap();
    let day = |days: u64| std::time::Duration::from_secs(days * 24 * 3600);
    let config = Config {
        data: room.path().to_str().unwrap().to_owned(),
        retention: Retention {
            spans_days: 10,
            ..Retention::default()
        },
        ..Config::default()
    };
    let clock = Clock::system();
    let clock = Clock::set_to(clock.now());
    let parts = Parts {
        clock: clock.clone(),
        ..Parts::default()
    };
    let ledger = Ledger::open(config, parts).await.unwrap();
    let _receipt = send(&ledger, 1..=10).await.unwrap();
    ledger.flush().await.unwrap();
    clock.advance(day(10));
    let _receipt = send(&ledger, 11..=15).await.unwrap();
    ledger.flush().await.unwrap();
    assert_eq!(ledger.expire().await.unwrap(), 0, "the tenth day is kept");
    clock.advance(day(1));
    assert_eq!(ledger.expire().await.unwrap(), 10);
    assert_eq!(counted(&ledger).await, (5, 5));
    clock.advance(day(2));
    assert!(
        ledger.vacuum(KEPT_AFTER_REPLACED).await.unwrap().files >= 1,
        "gone means gone from the disk"
    );
    assert_eq!(counted(&ledger).await, (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_engine_takes_nothing() {
    let room = Room::new();
    let ledger = room.open().await;
    ledger.close().await.unwrap();
    assert_eq!(send(&ledger, 1..=2).await.unwrap_err().kind(), Kind::Closed);
}
