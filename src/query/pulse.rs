//! Lets a running query hear that it has been ended, and keeps what one step makes small.
//!
//! DataFusion yields to the runtime at the leaves of a plan only, and only now and then: a nested loop over ten million
//! rows does not come back for minutes. After planning, [`attach`] puts a [`Pulse`] where time and rows multiply.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

use super::error::Error;
use super::functions::{list_lengths, row_bytes};
use super::watch::Running;

/// Rows of the other side that a nested loop goes through between two looks.
const LOOP_ROWS: usize = 64;
/// The same for a hash join whose matches have to pass a filter too.
const FILTERED_ROWS: usize = 256;
/// Rows that a cross join makes of one row at a time.
const CROSSED_ROWS: usize = 1_024;
/// Bytes that a row may have which a cross join copies once for each row of the other side.
pub(super) const CROSSED_BYTES_MAX: u64 = 64 << 10;
/// Bytes that one step of `unnest` may make.
pub(super) const UNNESTED_BYTES_MAX: u64 = 64 << 20;

/// What a pulse does beside looking whether the query has been ended.
#[derive(Clone, Debug)]
enum Duty {
    /// Nothing.
    Look,
    /// Hands the batches on in pieces of so many rows.
    Slice(usize),
    /// Refuses rows that are too large to be copied for each row of a cross join.
    Crossed,
    /// Hands the batches on in pieces that stay small when these list columns are unnested.
    Unnested(Arc<[usize]>),
}

/// Puts pulses into a plan.
pub(super) fn attach(
    plan: Arc<dyn ExecutionPlan>,
    running: &Arc<Running>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let pulse = |input: &Arc<dyn ExecutionPlan>, duty| -> Arc<dyn ExecutionPlan> {
        Arc::new(Pulse::new(Arc::clone(input), Arc::clone(running), duty))
    };
    plan.transform_up(|node| {
        let any = node.as_ref() as &dyn std::any::Any;
        let node = if let Some(join) = any.downcast_ref::<NestedLoopJoinExec>() {
            let left = pulse(join.left(), Duty::Crossed);
            let right = pulse(join.right(), Duty::Slice(LOOP_ROWS));
            with_children(&node, vec![left, right])?
        } else if let Some(join) = any
            .downcast_ref::<HashJoinExec>()
            .filter(|j| j.filter().is_some())
        {
            let right = pulse(join.right(), Duty::Slice(FILTERED_ROWS));
            with_children(&node, vec![Arc::clone(join.left()), right])?
        } else if let Some(join) = any.downcast_ref::<CrossJoinExec>() {
            let left = pulse(join.left(), Duty::Crossed);
            let right = pulse(join.right(), Duty::Slice(CROSSED_ROWS));
            with_children(&node, vec![left, right])?
        } else if let Some(unnest) = any.downcast_ref::<UnnestExec>() {
            let lists = unnest
                .list_column_indices()
                .iter()
                .map(|list| list.index_in_input_schema);
            let input = pulse(unnest.input(), Duty::Unnested(lists.collect()));
            with_children(&node, vec![input])?
        } else {
            node
        };
        // Leaves start rows, and what has two inputs, or unnests, multiplies them.
        let multiplies = (node.as_ref() as &dyn std::any::Any).is::<UnnestExec>();
        if node.children().len() == 1 && !multiplies {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(pulse(&node, Duty::Look)))
    })
    .data()
}

fn with_children(
    node: &Arc<dyn ExecutionPlan>,
    children: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    datafusion::physical_plan::replace_children_if_necessary(Arc::clone(node), children)
}

/// A step that hands its input on unchanged, unless the query has been ended.
#[derive(Clone, Debug)]
struct Pulse {
    input: Arc<dyn ExecutionPlan>,
    running: Arc<Running>,
    duty: Duty,
    properties: Arc<PlanProperties>,
}

impl Pulse {
    fn new(input: Arc<dyn ExecutionPlan>, running: Arc<Running>, duty: Duty) -> Self {
        let properties = PlanProperties::clone(input.properties())
            .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            input,
            running,
            duty,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for Pulse {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pulse")
    }
}

impl ExecutionPlan for Pulse {
    fn name(&self) -> &'static str {
        "Pulse"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else {
            return Err(DataFusionError::Internal(
                "a pulse has one input".to_owned(),
            ));
        };
        Ok(Arc::new(Self::new(
            input,
            Arc::clone(&self.running),
            self.duty.clone(),
        )))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let keep = datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(keep))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = make_cooperative(self.input.execute(partition, context)?);
        let (running, duty) = (Arc::clone(&self.running), self.duty.clone());
        Ok(Box::pin(Beats {
            input,
            running,
            duty,
            batch: None,
            pieces: Vec::new(),
        }))
    }
}

/// The stream of a [`Pulse`].
struct Beats {
    input: SendableRecordBatchStream,
    running: Arc<Running>,
    duty: Duty,
    /// The batch being handed on in pieces, and the rows of those to come, last first.
    batch: Option<RecordBatch>,
    pieces: Vec<Range<usize>>,
}

impl RecordBatchStream for Beats {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

impl Stream for Beats {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(error) = self.running.verdict() {
            return Poll::Ready(Some(Err(error.into())));
        }
        if self.pieces.is_empty() {
            let batch = match ready!(self.input.poll_next_unpin(cx)) {
                Some(Ok(batch)) => batch,
                other => return Poll::Ready(other),
            };
            match self.duty.pieces(&batch) {
                Ok(pieces) if pieces.len() <= 1 => return Poll::Ready(Some(Ok(batch))),
                Ok(pieces) => self.pieces = pieces,
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            self.batch = Some(batch);
        }
        let piece = self.pieces.pop().zip(self.batch.as_ref());
        Poll::Ready(piece.map(|(rows, batch)| Ok(batch.slice(rows.start, rows.len()))))
    }
}

impl Duty {
    /// Returns the pieces to cut the batch into, last first; one or none leaves it whole.
    fn pieces(&self, batch: &RecordBatch) -> Result<Vec<Range<usize>>> {
        let rows = batch.num_rows();
        let mut pieces: Vec<Range<usize>> = match self {
            Self::Look => Vec::new(),
            Self::Slice(step) => (0..rows)
                .step_by(*step)
                .map(|start| start..rows.min(start + step))
                .collect(),
            Self::Crossed => {
                let largest = copied_bytes(batch, &[]).into_iter().max().unwrap_or(0);
                if largest > CROSSED_BYTES_MAX {
                    return Err(too_large("a cross join", largest, CROSSED_BYTES_MAX));
                }
                Vec::new()
            }
            Self::Unnested(lists) => unnested(batch, lists)?,
        };
        pieces.reverse();
        Ok(pieces)
    }
}

fn too_large(what: &str, found: u64, limit: u64) -> DataFusionError {
    let message = format!("{what} would copy a row into {found} bytes, limit {limit}");
    Error::too_large(message)
        .with_hint("select fewer or shorter columns before it")
        .into()
}

fn unnested(batch: &RecordBatch, lists: &[usize]) -> Result<Vec<Range<usize>>> {
    let beside = copied_bytes(batch, lists);
    let mut times = vec![0_u64; batch.num_rows()];
    let mut inside = vec![0_u64; batch.num_rows()];
    for column in lists.iter().filter_map(|at| batch.columns().get(*at)) {
        for (longest, length) in times.iter_mut().zip(list_lengths(column)) {
            *longest = length.max(*longest);
        }
        for (sum, bytes) in inside.iter_mut().zip(row_bytes(column)) {
            *sum = sum.saturating_add(bytes);
        }
    }
    let (mut pieces, mut start, mut made) = (Vec::new(), 0, 0_u64);
    for row in 0..batch.num_rows() {
        let bytes = beside[row]
            .saturating_mul(times[row])
            .saturating_add(inside[row]);
        if bytes > UNNESTED_BYTES_MAX {
            return Err(too_large("unnest", bytes, UNNESTED_BYTES_MAX));
        }
        if made.saturating_add(bytes) > UNNESTED_BYTES_MAX {
            pieces.push(start..row);
            (start, made) = (row, 0);
        }
        made += bytes;
    }
    pieces.push(start..batch.num_rows());
    Ok(pieces)
}

/// Returns what a copy of each row takes, without the columns `but`; views are copied without what they show.
fn copied_bytes(batch: &RecordBatch, but: &[usize]) -> Vec<u64> {
    let mut rows = vec![0_u64; batch.num_rows()];
    let columns = batch
        .columns()
        .iter()
        .enumerate()
        .filter(|(at, _)| !but.contains(at));
    for (_, column) in columns {
        let bytes = match column.data_type() {
            DataType::Utf8View | DataType::BinaryView => vec![16; column.len()],
            _ => row_bytes(column),
        };
        for (row, bytes) in rows.iter_mut().zip(bytes) {
            *row = row.saturating_add(bytes);
        }
    }
    rows
}
