//! How a query reads a snapshot.
//!
//! Files that cannot hold an answer are left out before planning, by their bounds and filters. The others are read by
//! DataFusion's own Parquet source, with exact row counts and bounds, so that a count costs nothing and a plan can be
//! sent to another machine. Only files that may hold hidden rows are read through [`HideExec`], which drops them; all
//! others stay on the fast path.
//!
//! No order is declared: it would bind each file to one thread, and `order by ts limit n` prunes by bounds without it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::utils::Guarantee;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::Expr;

use crate::model::Table;
use crate::model::schema::PARTITION_COLUMN;

use super::delta::{Rows, key_columns};
use super::file::File;
use super::hide::HideExec;
use super::read::FOOTER_HINT_BYTES;
use super::snapshot::Snapshot;
use super::write::file_schema;

/// Columns of few rows a value: a question for one value of them decodes the column first and then only what matches.
const SELECTIVE: [&str; 8] = [
    "trace_id",
    "span_id",
    "session_id",
    "task_id",
    "log_id",
    "point_id",
    "evaluation_id",
    "outcome_id",
];

/// Returns the URL under which a query engine has to know the store of the tables, and nothing else.
pub fn object_store_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("outspan://store").expect("a scheme and a host are a URL")
}

impl Snapshot {
    /// Returns the plan that reads the rows, without those of `hidden`. The projection counts in the table's schema.
    ///
    /// The filters leave out files and, once the optimizer has pushed them down, row groups and pages; a row that does
    /// not match may still come out. The engine has to know the store as [`object_store_url`].
    ///
    /// # Errors
    /// Where the projection names columns that are none.
    pub fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        hidden: &Arc<Rows>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = Scan::new(self, state, filters)?;
        let all: Vec<usize> = (0..self.table.columns().len()).collect();
        let wanted = scan.in_file_order(projection.unwrap_or(&all));
        let files = scan.files();
        let suspects: HashSet<_> = self
            .files_that_may_hold(hidden)
            .map(|file| file.path())
            .collect();
        let (suspect, clean): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| suspects.contains(file.path()));
        let mut plans = Vec::new();
        if !clean.is_empty() {
            plans.push(scan.read(&clean, &wanted, limit)?);
        }
        if !suspect.is_empty() {
            let mut columns = wanted.clone();
            columns.extend(
                scan.positions(&key_columns(self.table))
                    .filter(|column| !wanted.contains(column)),
            );
            let source = scan.read(&suspect, &columns, None)?;
            plans.push(Arc::new(HideExec::new(
                source,
                self.table,
                Arc::clone(hidden),
                wanted.len(),
            )?));
        }
        match plans.pop() {
            None => Ok(Arc::new(EmptyExec::new(Arc::new(
                scan.schema.table_schema().project(&wanted)?,
            )))),
            Some(only) if plans.is_empty() => Ok(only),
            Some(last) => {
                plans.push(last);
                UnionExec::try_new(plans)
            }
        }
    }
}

/// What the parts of one scan share.
struct Scan<'a> {
    snapshot: &'a Snapshot,
    state: &'a dyn Session,
    /// The columns of the files, then the partition column.
    schema: TableSchema,
    pruning: Option<Arc<PruningPredicate>>,
}

impl<'a> Scan<'a> {
    fn new(snapshot: &'a Snapshot, state: &'a dyn Session, filters: &[Expr]) -> Result<Self> {
        let table = snapshot.table;
        let partition: FieldRef =
            Arc::new(table.schema().field_with_name(PARTITION_COLUMN)?.clone());
        let schema = TableSchema::builder(file_schema(table))
            .with_table_partition_cols(vec![partition])
            .build();
        let pruning = conjunction(filters.iter().cloned()).and_then(|filter| {
            let columns = DFSchema::try_from(Arc::clone(schema.table_schema())).ok()?;
            let filter = state.create_physical_expr(filter, &columns).ok()?;
            PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(schema.table_schema()))
                .with_max_in_list_size(usize::MAX)
                .try_build(filter)
                .ok()
                .map(Arc::new)
        });
        Ok(Self {
            snapshot,
            state,
            schema,
            pruning,
        })
    }

    /// Returns the files that may hold an answer.
    fn files(&self) -> Vec<Arc<File>> {
        let files = self.snapshot.files.iter();
        let facts = Facts {
            files: &self.snapshot.files,
            table: self.snapshot.table,
        };
        match self
            .pruning
            .as_ref()
            .and_then(|pruning| pruning.prune(&facts).ok())
        {
            Some(kept) => files
                .zip(kept)
                .filter(|(_, kept)| *kept)
                .map(|(file, _)| Arc::clone(file))
                .collect(),
            None => files.cloned().collect(),
        }
    }

    /// Turns positions in the table's schema into positions in the scan's, where the partition column is last.
    fn in_file_order(&self, projection: &[usize]) -> Vec<usize> {
        let schema = self.snapshot.table.schema();
        let partition = schema
            .index_of(PARTITION_COLUMN)
            .expect("every table has the partition column");
        let last = schema.fields().len() - 1;
        let place = |column: &usize| match column.cmp(&partition) {
            std::cmp::Ordering::Less => *column,
            std::cmp::Ordering::Equal => last,
            std::cmp::Ordering::Greater => column - 1,
        };
        projection.iter().map(place).collect()
    }

    fn positions(&self, names: &[&str]) -> impl Iterator<Item = usize> {
        names
            .iter()
            .filter_map(|name| self.schema.table_schema().index_of(name).ok())
    }

    /// Returns whether the filters ask for few rows by an id: then rows are filtered while they are decoded.
    fn is_selective(&self) -> bool {
        self.pruning
            .iter()
            .flat_map(|pruning| pruning.literal_guarantees())
            .any(|guarantee| {
                guarantee.guarantee == Guarantee::In && SELECTIVE.contains(&guarantee.column.name())
            })
    }

    /// Returns the plan that reads files.
    fn read(
        &self,
        files: &[Arc<File>],
        columns: &[usize],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let runtime = self.state.runtime_env();
        let readers = CachedParquetFileReaderFactory::new(
            Arc::clone(&self.snapshot.store),
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let options = TableParquetOptions {
            global: self.state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let mut source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(options)
            .with_metadata_size_hint(FOOTER_HINT_BYTES)
            .with_parquet_file_reader_factory(Arc::new(readers));
        if self.is_selective() {
            source = source.with_pushdown_filters(true);
        }
        let statistics: Vec<_> = files.iter().map(|file| self.statistics(file)).collect();
        let parts = files
            .iter()
            .zip(&statistics)
            .map(|(file, statistics)| part(file, statistics))
            .collect();
        let groups = FileGroup::new(parts).split_files(self.state.config().target_partitions());
        let groups = groups
            .into_iter()
            .map(|group| self.with_statistics(group))
            .collect::<Result<Vec<_>>>()?;
        let whole = parts_together(groups_statistics(&groups), self.schema.table_schema())?;
        let config = FileScanConfigBuilder::new(object_store_url(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(whole)
            .with_limit(limit)
            .with_projection_indices(Some(columns.to_vec()))?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Returns what DataFusion may know of a file: of each column of the file.
    fn statistics(&self, file: &File) -> Arc<Statistics> {
        let column = |field: &FieldRef| {
            let Some(bounds) = file.column(field.name()) else {
                let mut unknown = ColumnStatistics::new_unknown();
                if !field.is_nullable() {
                    unknown.null_count = Precision::Exact(0);
                }
                return unknown;
            };
            let value = |value: &Option<ScalarValue>| match value {
                Some(value) if bounds.exact => Precision::Exact(value.clone()),
                Some(value) => Precision::Inexact(value.clone()),
                None => Precision::Absent,
            };
            ColumnStatistics {
                null_count: bounds
                    .nulls
                    .map_or(Precision::Absent, |count| Precision::Exact(size(count))),
                min_value: value(&bounds.min),
                max_value: value(&bounds.max),
                ..ColumnStatistics::new_unknown()
            }
        };
        Arc::new(Statistics {
            num_rows: Precision::Exact(size(file.rows())),
            total_byte_size: Precision::Absent,
            column_statistics: self
                .schema
                .file_schema()
                .fields()
                .iter()
                .map(column)
                .collect(),
        })
    }

    fn with_statistics(&self, group: FileGroup) -> Result<FileGroup> {
        let statistics = group.iter().filter_map(|part| part.statistics.as_deref());
        let statistics = parts_together(statistics, self.schema.table_schema())?;
        Ok(group.with_statistics(Arc::new(statistics)))
    }
}

fn part(file: &File, statistics: &Arc<Statistics>) -> PartitionedFile {
    PartitionedFile::new_from_meta(file.object())
        .with_partition_values(vec![ScalarValue::Date32(Some(file.day()))])
        .with_statistics(Arc::clone(statistics))
}

fn groups_statistics(groups: &[FileGroup]) -> impl Iterator<Item = &Statistics> {
    groups
        .iter()
        .filter_map(|group| group.file_statistics(None))
}

fn parts_together<'a>(
    parts: impl IntoIterator<Item = &'a Statistics>,
    schema: &SchemaRef,
) -> Result<Statistics> {
    Statistics::try_merge_iter(parts, schema)
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// What is known of each file, as pruning asks for it.
struct Facts<'a> {
    files: &'a [Arc<File>],
    table: Table,
}

impl Facts<'_> {
    fn each(
        &self,
        column: &Column,
        value: impl Fn(&File) -> Option<ScalarValue>,
    ) -> Option<ArrayRef> {
        let data_type = self
            .table
            .schema()
            .field_with_name(column.name())
            .ok()?
            .data_type()
            .clone();
        let missing = ScalarValue::try_from(&data_type).ok()?;
        ScalarValue::iter_to_array(
            self.files
                .iter()
                .map(|file| value(file).unwrap_or_else(|| missing.clone())),
        )
        .ok()
    }
}

impl PruningStatistics for Facts<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        if column.name() == PARTITION_COLUMN {
            return self.each(column, |file| Some(ScalarValue::Date32(Some(file.day()))));
        }
        self.files.first()?.column(column.name())?;
        self.each(column, |file| file.column(column.name())?.min.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        if column.name() == PARTITION_COLUMN {
            return self.min_values(column);
        }
        self.files.first()?.column(column.name())?;
        self.each(column, |file| file.column(column.name())?.max.clone())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        if column.name() == PARTITION_COLUMN {
            return Some(Arc::new(UInt64Array::from(vec![0; self.files.len()])));
        }
        self.files.first()?.column(column.name())?;
        let counts = self
            .files
            .iter()
            .map(|file| file.column(column.name())?.nulls);
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(
            self.files
                .iter()
                .map(|file| Some(file.rows()))
                .collect::<UInt64Array>(),
        ))
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        if column.name() != self.table.lookup_column() {
            return None;
        }
        let texts: Option<Vec<&str>> = values
            .iter()
            .map(|value| value.try_as_str().flatten())
            .collect();
        let texts = texts?;
        // A filter knows for sure only what is not there.
        let absent = |file: &Arc<File>| {
            let maybe = texts.iter().any(|text| file.maybe_contains(text));
            (!maybe).then_some(false)
        };
        Some(self.files.iter().map(absent).collect())
    }
}
