//! The tables as they are at one moment: files and buffer, each row exactly once.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;

use crate::buffer::Dead;
use crate::model::Table;
use crate::table::Snapshot;

use super::state::State;

/// All tables at one moment. A query reads every table from one view.
#[derive(Debug)]
pub(super) struct View {
    tables: Vec<TableView>,
}

impl View {
    /// Takes the handles; no row is copied.
    pub(super) fn of(state: &State) -> Self {
        let tables = Table::ALL.map(|table| TableView {
            table,
            rows: state.buffer.rows(table),
            snapshot: Arc::clone(&state.snapshots[table.index()]),
            dead: Arc::clone(&state.dead[table.index()]),
        });
        Self {
            tables: tables.into(),
        }
    }

    /// Returns the tables by name, for the query engine.
    pub(super) fn providers(self) -> HashMap<String, Arc<dyn TableProvider>> {
        let named = |view: TableView| (view.table.name().to_owned(), Arc::new(view) as _);
        self.tables.into_iter().map(named).collect()
    }
}

/// One table at one moment.
#[derive(Debug)]
struct TableView {
    table: Table,
    rows: Vec<Arc<RecordBatch>>,
    snapshot: Arc<Snapshot>,
    dead: Arc<Dead>,
}

#[async_trait]
impl TableProvider for TableView {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self
            .snapshot
            .scan(state, projection, filters, limit, &self.dead)?;
        if self.rows.is_empty() {
            return Ok(files);
        }
        let all: Vec<usize> = (0..self.table.columns().len()).collect();
        let columns = projection.unwrap_or(&all);
        let rows = self
            .rows
            .iter()
            .map(|rows| rows.project(columns))
            .collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(self.schema().project(columns)?);
        let buffered = MemorySourceConfig::try_new_exec(&[rows], schema, None)?;
        if self.snapshot.files().is_empty() {
            return Ok(buffered);
        }
        UnionExec::try_new(vec![files, buffered])
    }
}
