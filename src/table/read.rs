//! Reads rows back from files.
//!
//! Rows come with the columns that were asked for, in the types of the model, whatever the file holds: a column that is
//! younger than the file is null.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, RowFilter,
};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use tokio_util::sync::CancellationToken;

use super::error::{Error, Result};
use super::file::File;

/// So many bytes at the end of a file are read at once: the footer of most.
pub(super) const FOOTER_HINT_BYTES: usize = 64 << 10;
/// Rows that are read at once.
const BATCH_ROWS: usize = 4_096;

/// Reads the bytes of one object of known size.
#[derive(Clone, Debug)]
pub(super) struct FileReader {
    store: Arc<dyn ObjectStore>,
    location: Path,
    size: u64,
}

impl FileReader {
    pub(super) fn new(store: &Arc<dyn ObjectStore>, location: &Path, size: u64) -> Self {
        Self {
            store: Arc::clone(store),
            location: location.clone(),
            size,
        }
    }
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move { Ok(self.store.get_range(&self.location, range).await?) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { Ok(self.store.get_ranges(&self.location, &ranges).await?) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let policy = |wanted: fn(&ArrowReaderOptions) -> PageIndexPolicy| {
                options.map_or(PageIndexPolicy::Skip, wanted)
            };
            let footer = ParquetMetaDataReader::new()
                .with_prefetch_hint(Some(FOOTER_HINT_BYTES))
                .with_column_index_policy(policy(ArrowReaderOptions::column_index_policy))
                .with_offset_index_policy(policy(ArrowReaderOptions::offset_index_policy));
            let size = self.size;
            Ok(Arc::new(footer.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

/// A file that is being read.
pub(super) struct Reading {
    store: Arc<dyn ObjectStore>,
    file: Arc<File>,
    footer: ArrowReaderMetadata,
}

/// Which rows of a file to read; all by default.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) row_groups: Option<Vec<usize>>,
    pub(super) filter: Option<Filter>,
}

/// Says for each value of a column whether it matches.
type Matches = Box<dyn Fn(&dyn Array) -> BooleanArray + Send>;

/// Which values of a column a row must have to be read.
pub(super) struct Filter {
    pub(super) column: &'static str,
    pub(super) matches: Matches,
}

impl Reading {
    /// Opens a file for reading all of it.
    pub(super) async fn open(store: &Arc<dyn ObjectStore>, file: &Arc<File>) -> Result<Self> {
        Self::open_with(store, file, PageIndexPolicy::Skip).await
    }

    /// Opens a file for reading few rows of it: what is known of its pages tells where they are.
    pub(super) async fn open_for_few(
        store: &Arc<dyn ObjectStore>,
        file: &Arc<File>,
    ) -> Result<Self> {
        Self::open_with(store, file, PageIndexPolicy::Optional).await
    }

    async fn open_with(
        store: &Arc<dyn ObjectStore>,
        file: &Arc<File>,
        pages: PageIndexPolicy,
    ) -> Result<Self> {
        let mut reader = file.reader(store);
        // Our files say nothing about Arrow; in a foreign one it would bring types that are not the model's.
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(pages);
        let footer = reader.get_metadata(Some(&options)).await;
        let footer = footer.and_then(|footer| ArrowReaderMetadata::try_new(footer, options));
        let footer = footer.map_err(|error| Error::at(file.location(), error))?;
        Ok(Self {
            store: Arc::clone(store),
            file: Arc::clone(file),
            footer,
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn footer(&self) -> &ParquetMetaData {
        self.footer.metadata()
    }

    /// Returns the columns of these names that the file has.
    pub(super) fn columns<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> ProjectionMask {
        let schema = self.footer().file_metadata().schema_descr();
        let fields = schema.root_schema().get_fields();
        let roots: Vec<_> = names
            .into_iter()
            .filter_map(|name| fields.iter().position(|field| field.name() == name))
            .collect();
        ProjectionMask::roots(schema, roots)
    }

    /// Returns the rows, with the columns of `schema`.
    pub(super) fn rows(
        &self,
        schema: &SchemaRef,
        wanted: Wanted,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let columns = self.columns(schema.fields().iter().map(|field| field.name().as_str()));
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(
            self.file.reader(&self.store),
            self.footer.clone(),
        )
        .with_projection(columns)
        .with_batch_size(BATCH_ROWS);
        if let Some(groups) = wanted.row_groups {
            builder = builder.with_row_groups(groups);
        }
        if let Some(filter) = wanted.filter {
            builder = builder.with_row_filter(self.row_filter(filter));
        }
        let (location, schema) = (self.file.location().clone(), Arc::clone(schema));
        match builder.build() {
            Ok(rows) => rows
                .map(move |rows| {
                    let rows = rows.and_then(|rows| Ok(complete(&rows, &schema)?));
                    rows.map_err(|error| Error::at(&location, error))
                })
                .boxed(),
            Err(error) => futures::stream::iter([Err(Error::at(location, error))]).boxed(),
        }
    }
}

impl Reading {
    fn row_filter(&self, filter: Filter) -> RowFilter {
        let column = self.columns([filter.column]);
        let predicate = ArrowPredicateFn::new(column, move |rows: RecordBatch| {
            // A file without the column is not filtered: its rows are the caller's to judge.
            Ok(match rows.columns().first() {
                Some(values) => (filter.matches)(values),
                None => BooleanArray::from(vec![true; rows.num_rows()]),
            })
        });
        RowFilter::new(vec![Box::new(predicate)])
    }
}

/// Returns rows with the columns of `schema`: those that are missing are null.
pub(super) fn complete(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| match rows.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows.num_rows())),
        });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Returns the part of a schema with these columns, in the schema's order.
pub(super) fn only(schema: &Schema, names: &[&str]) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .filter(|field| names.contains(&field.name().as_str()))
        .cloned()
        .collect();
    Arc::new(Schema::new(fields))
}

/// Runs work that keeps a processor busy away from the threads that serve others. Who stops waiting for it stops it.
pub(super) async fn aside<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let stop = CancellationToken::new();
    let _stopped_when_dropped = stop.clone().drop_guard();
    let runtime = tokio::runtime::Handle::current();
    let work =
        tokio::task::spawn_blocking(move || runtime.block_on(stop.run_until_cancelled(work)));
    match work.await {
        Ok(Some(result)) => result,
        Ok(None) => Err(Error::at("a table's working thread", "it was stopped")),
        Err(error) => Err(Error::at("a table's working thread", error)),
    }
}
