//! Drops rows that a better version has replaced but that are still in their file.
//!
//! The plan below reads, behind the columns that are asked for, those that name a row; they end here.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionMapping;
use datafusion::physical_plan::execution_plan::{EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use crate::model::Table;

use super::delta::{Rows, is_in};

/// Passes on all rows but the hidden ones, and of each the first columns.
#[derive(Debug)]
pub(super) struct HideExec {
    input: Arc<dyn ExecutionPlan>,
    table: Table,
    hidden: Arc<Rows>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl HideExec {
    /// Returns the plan over `input`, whose first `columns` columns come out; it needs those that name a row.
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        table: Table,
        hidden: Arc<Rows>,
        columns: usize,
    ) -> Result<Self> {
        let kept: Vec<_> = (0..columns).collect();
        let schema = Arc::new(input.schema().project(&kept)?);
        let mapping = ProjectionMapping::from_indices(&kept, &input.schema())?;
        let equivalences = input
            .equivalence_properties()
            .project(&mapping, Arc::clone(&schema));
        let properties = Arc::new(PlanProperties::new(
            equivalences,
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            input.boundedness(),
        ));
        Ok(Self {
            input,
            table,
            hidden,
            schema,
            properties,
        })
    }
}

impl DisplayAs for HideExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "HideExec: table={}, rows={}",
            self.table.name(),
            self.hidden.len()
        )
    }
}

impl ExecutionPlan for HideExec {
    fn name(&self) -> &'static str {
        "HideExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("HideExec has one child");
        };
        let columns = self.schema.fields().len();
        Ok(Arc::new(Self::new(
            input,
            self.table,
            Arc::clone(&self.hidden),
            columns,
        )?))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (table, hidden, schema) = (
            self.table,
            Arc::clone(&self.hidden),
            Arc::clone(&self.schema),
        );
        let rows = self.input.execute(partition, context)?;
        let rows = rows.map(move |rows| hide(&rows?, table, &hidden, &schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        )))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(
        &self,
        input: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let Some(input) = input.first() else {
            return Ok(Arc::new(Statistics::new_unknown(&self.schema)));
        };
        let mut statistics = Statistics::clone(input).to_inexact();
        statistics
            .column_statistics
            .truncate(self.schema.fields().len());
        Ok(Arc::new(statistics))
    }

    // Hiding rows and filtering them may change places: both look at one row at a time.
    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(child_pushdown_result))
    }
}

fn hide(
    rows: &RecordBatch,
    table: Table,
    hidden: &Rows,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let shown = not(&is_in(table, rows, hidden))?;
    let kept: Vec<_> = (0..schema.fields().len()).collect();
    Ok(filter_record_batch(&rows.project(&kept)?, &shown)?)
}
