//! A table in a place of its own, and rows to put into it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::prelude::{Expr, SessionConfig, SessionContext};
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use parking_lot::Mutex;

use crate::base::store::Store;
use crate::base::{Clock, Timestamp};
use crate::model::column::Row;
use crate::model::{Batch, Day, Hex, Key, Micros, SpanRow, Table, keys};
use crate::table::{Commit, DeltaTable, Rows, Snapshot, object_store_url};

/// 2026-01-02, in days and in microseconds.
pub(super) const DAY: i32 = 20_455;
pub(super) const NOON: i64 = DAY as i64 * 86_400_000_000 + 43_200_000_000;

/// A directory with tables.
pub(super) struct Place {
    pub(super) directory: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) clock: Clock,
}

impl Place {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().to_str().unwrap(), &HashMap::new()).unwrap();
        let now = std::fs::metadata(directory.path())
            .unwrap()
            .modified()
            .unwrap();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
        let clock = Clock::set_to(Timestamp(now.as_nanos().try_into().unwrap()));
        Self {
            directory,
            store,
            clock,
        }
    }

    pub(super) async fn table(&self, table: Table) -> DeltaTable {
        DeltaTable::open(&self.store, table, "node", &self.clock)
            .await
            .unwrap()
    }

    pub(super) async fn spans(&self) -> DeltaTable {
        self.table(Table::Spans).await
    }

    /// Returns the Parquet files of a table that are on the disk, whether they belong to it or not.
    pub(super) fn parquet_files(&self, table: Table) -> Vec<String> {
        let folder = self.directory.path().join("tables").join(table.name());
        let mut found = Vec::new();
        for day in std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap())
        {
            let name = day.file_name().into_string().unwrap();
            if name.starts_with("received_date=") {
                for file in std::fs::read_dir(day.path()).unwrap() {
                    found.push(format!(
                        "{name}/{}",
                        file.unwrap().file_name().into_string().unwrap()
                    ));
                }
            }
        }
        found.sort();
        found
    }
}

/// A span of a trace that starts `seconds` after noon; its name tells it apart.
pub(super) fn span(trace: u32, span: u32, seconds: i64, sequence: i64) -> SpanRow {
    let mut trace_id = [7; 16];
    trace_id[..4].copy_from_slice(&trace.to_be_bytes());
    let mut span_id = [9; 8];
    span_id[..4].copy_from_slice(&span.to_be_bytes());
    let ts = NOON + seconds * 1_000_000;
    SpanRow {
        tenant: "acme".into(),
        trace_id: Hex(trace_id),
        span_id: Hex(span_id),
        ts: Micros(ts),
        end_ts: Micros(ts + 500),
        start_unix_nano: ts * 1_000,
        duration_ns: 500_000,
        ingest_seq: sequence,
        received_date: Day(DAY),
        service_name: "agent".into(),
        name: format!("span {trace}/{span}"),
        attributes: "{}".into(),
        ..SpanRow::default()
    }
}

pub(super) fn batch<R: Row>(table: Table, rows: &[R]) -> RecordBatch {
    let mut batch = Batch::default();
    batch.set_rows(table, rows);
    batch.table(table).unwrap().clone()
}

pub(super) fn spans(rows: &[SpanRow]) -> RecordBatch {
    batch(Table::Spans, rows)
}

pub(super) fn key(row: &SpanRow) -> Key {
    keys(Table::Spans, &spans(std::slice::from_ref(row)))[0]
}

pub(super) fn rows_named(rows: &[&SpanRow]) -> Arc<Rows> {
    Arc::new(rows.iter().map(|row| (key(row), row.ingest_seq)).collect())
}

pub(super) fn put(rows: &[SpanRow], sequence: u64) -> Commit {
    Commit {
        rows: vec![spans(rows)],
        dead: Arc::default(),
        sequence,
    }
}

/// A query engine that knows a snapshot as `t`.
pub(super) fn engine(
    store: &Store,
    snapshot: &Arc<Snapshot>,
    hidden: &Arc<Rows>,
) -> SessionContext {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    context.register_object_store(object_store_url().as_ref(), Arc::clone(store.objects()));
    let provider = View {
        snapshot: Arc::clone(snapshot),
        hidden: Arc::clone(hidden),
    };
    context.register_table("t", Arc::new(provider)).unwrap();
    context
}

pub(super) async fn ask(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

/// Returns the one number that a question has for an answer.
pub(super) async fn number(context: &SessionContext, sql: &str) -> i64 {
    let answer = ask(context, sql).await;
    answer[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Returns the texts in the first column of an answer.
pub(super) async fn texts(context: &SessionContext, sql: &str) -> Vec<String> {
    let answer = ask(context, sql).await;
    answer
        .iter()
        .flat_map(|rows| {
            rows.column(0)
                .as_string::<i32>()
                .iter()
                .map(|text| text.unwrap().to_owned())
        })
        .collect()
}

pub(super) async fn plan(context: &SessionContext, sql: &str) -> String {
    let plan = context
        .sql(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    DisplayableExecutionPlan::new(plan.as_ref())
        .indent(false)
        .to_string()
}

pub(super) async fn count(store: &Store, snapshot: &Arc<Snapshot>) -> i64 {
    number(
        &engine(store, snapshot, &Arc::default()),
        "select count(*) from t",
    )
    .await
}

/// Returns all rows of a snapshot, as text, in an order that files do not decide.
pub(super) async fn contents(store: &Store, snapshot: &Arc<Snapshot>) -> Vec<String> {
    let context = engine(store, snapshot, &Arc::default());
    let rows = ask(&context, "select * from t").await;
    let shown = arrow::util::pretty::pretty_format_batches(&rows)
        .unwrap()
        .to_string();
    let mut lines: Vec<_> = shown.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A table provider as the ledger's view will be one.
#[derive(Debug)]
struct View {
    snapshot: Arc<Snapshot>,
    hidden: Arc<Rows>,
}

#[async_trait]
impl TableProvider for View {
    fn schema(&self) -> SchemaRef {
        self.snapshot.table().schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        self.snapshot
            .scan(state, projection, filters, limit, &self.hidden)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// What goes wrong with the next writes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The write does not happen.
    Refused,
    /// The write happens, but the answer is lost.
    AnswerLost,
}

/// A store whose writes to the log fail on order.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    pub(super) fault: Mutex<Option<Fault>>,
}

impl Faulty {
    pub(super) fn over(store: &Store) -> (Arc<Self>, Store) {
        let faulty = Arc::new(Self {
            inner: Arc::clone(store.objects()),
            fault: Mutex::new(None),
        });
        let objects: Arc<dyn ObjectStore> = Arc::<Self>::clone(&faulty);
        (faulty, Store::new(objects, store.url().clone()))
    }
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faulty")
    }
}

fn away() -> object_store::Error {
    object_store::Error::Generic {
        store: "faulty",
        source: "as ordered".into(),
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        let fault = self
            .fault
            .lock()
            .filter(|_| location.as_ref().contains("_delta_log"));
        if fault == Some(Fault::Refused) {
            return Err(away());
        }
        let written = self.inner.put_opts(location, payload, opts).await?;
        if fault == Some(Fault::AnswerLost) {
            Err(away())
        } else {
            Ok(written)
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
