//! Runs queries on threads of its own, each within its limits.
//!
//! A query goes through the gate, is planned on a thread that can be given up, and runs as one task that sends its
//! batches through a short channel. Whoever holds the [`Answer`] holds the query: dropping it ends the query.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::Transformed;
use datafusion::error::DataFusionError;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::object_store::ObjectStore;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{Stream, StreamExt};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::WaitForCancellationFutureOwned;
use url::Url;

use super::config::Config;
use super::error::{Error, Result};
use super::session::Sessions;
use super::watch::{MemoryGate, Registered, Running, Watch};
use super::{functions, gate, params, plan, pulse};
use crate::base::Clock;

/// Batches that wait for a reader; the query waits when they are not taken.
const BATCHES_AHEAD: usize = 2;
/// Beyond so many rows a limit is not worth a step of the plan.
const ROWS_COUNTED: usize = 1 << 40;
/// Plans nest, and an unoptimised build's frames are large; the pages are only taken when used.
const STACK_BYTES: usize = 16 << 20;

/// A question and what it may read.
#[derive(Clone, Default)]
pub struct Query {
    /// One statement: select, explain, show or describe.
    pub sql: String,
    /// Values of the `$parameters` in it, by name without the dollar.
    pub params: Map<String, Value>,
    /// Rows wanted; never more than the engine's own limit.
    pub limit_rows: Option<usize>,
    /// The tables that `public` holds. They enforce what the asker may see.
    pub tables: HashMap<String, Arc<dyn TableProvider>>,
    /// How long the asker will wait; never longer than the engine's own deadline.
    pub deadline: Option<Duration>,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may quote what people said: it stays out of logs.
        let mut tables: Vec<&str> = self.tables.keys().map(String::as_str).collect();
        tables.sort_unstable();
        f.debug_struct("Query")
            .field("sql_bytes", &self.sql.len())
            .field("tables", &tables)
            .field("limit_rows", &self.limit_rows)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Answers queries. Keep one; it owns threads.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    clock: Clock,
    sessions: Arc<Sessions>,
    watch: Arc<Watch>,
    planning: Arc<Semaphore>,
    /// Present until the engine is dropped.
    runtime: Option<Runtime>,
}

impl Engine {
    /// Starts an engine on threads of its own.
    ///
    /// # Errors
    /// `Internal` when the threads or the spill directory cannot be had.
    pub fn new(config: Config) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads.max(1))
            .max_blocking_threads(config.planning_threads.max(1) + 16)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| Error::internal("cannot start the query threads", error))?;
        let watch = Watch::start()
            .map_err(|error| Error::internal("cannot start the query watch", error))?;
        Ok(Self {
            clock: Clock::system(),
            sessions: Arc::new(Sessions::new(&config)?),
            watch,
            planning: Arc::new(Semaphore::new(config.planning_threads.max(1))),
            runtime: Some(runtime),
            config,
        })
    }

    /// Ends queries when the process has more allocated than `gate` allows.
    #[must_use]
    pub fn with_memory_gate(self, gate: MemoryGate) -> Self {
        self.watch.set_gate(gate);
        self
    }

    /// Takes `now()` from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Lets the scans of the tables read objects under `url`; no other store can be reached.
    pub fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) {
        self.sessions.register_store(url, store);
    }

    /// Plans the query and starts it; the answer's batches follow as they are made.
    ///
    /// # Errors
    /// Any but `Cancelled`; what goes wrong later comes as the last item of the answer.
    pub async fn run(&self, query: Query) -> Result<Answer> {
        let measured = gate::measure(&query.sql)?;
        let deadline = query
            .deadline
            .unwrap_or(Duration::MAX)
            .min(self.config.deadline());
        let planning = self.config.planning_deadline();
        let entered = self
            .watch
            .enter(deadline, planning, self.config.queries_max)?;
        let running = Arc::clone(entered.running());
        let leave = LeaveOnDrop(Some(Arc::clone(&running)));
        let rows_max = query
            .limit_rows
            .unwrap_or(usize::MAX)
            .min(self.config.rows_max);
        let planned = self.plan(measured, query, rows_max, &running).await?;
        running.planned();

        let (batches, received) = mpsc::channel(BATCHES_AHEAD);
        let schema = planned.plan.schema();
        let caps = Caps {
            rows: rows_max,
            bytes: self.config.result_bytes_max,
        };
        let Some(runtime) = &self.runtime else {
            return Err(Error::Cancelled);
        };
        runtime.spawn(drive(planned, entered, batches, caps));
        Ok(Answer {
            schema,
            batches: received,
            ended: Box::pin(running.ended().clone().cancelled_owned()),
            truncated: None,
            done: false,
            running,
            _leave: leave,
        })
    }

    /// Plans on a thread that is given up, not waited for, when the query is ended.
    async fn plan(
        &self,
        measured: gate::Measured,
        query: Query,
        rows_max: usize,
        running: &Arc<Running>,
    ) -> Result<Planned> {
        let given_up = |running: &Running| running.verdict().unwrap_or(Error::Cancelled);
        let permit = tokio::select! { biased;
            () = running.ended().cancelled() => {
                return Err(Error::busy("all planning threads are taken"));
            }
            permit = Arc::clone(&self.planning).acquire_owned() => {
                permit.map_err(|_closed| Error::Cancelled)?
            }
        };
        let Some(runtime) = &self.runtime else {
            return Err(Error::Cancelled);
        };
        let (sessions, seen) = (Arc::clone(&self.sessions), Arc::clone(running));
        let (now, handle) = (self.clock.now(), runtime.handle().clone());
        let work = runtime.spawn_blocking(move || {
            // A thread given up keeps its place until it has ended: that bounds how many there are.
            let _permit = permit;
            let session = sessions.open(query.tables.clone(), &seen, now)?;
            handle.block_on(make_plan(session, measured, &query, rows_max, &seen))
        });
        tokio::select! { biased;
            planned = work => match planned {
                Ok(planned) => planned,
                Err(error) => Err(Error::internal("planning stopped unexpectedly", error)),
            },
            () = running.ended().cancelled() => Err(given_up(running)),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.watch.close();
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed where a runtime may be dropped, and a given-up plan may take long.
            runtime.shutdown_background();
        }
    }
}

/// Ends the query when the one who waits for it goes away.
#[derive(Debug)]
struct LeaveOnDrop(Option<Arc<Running>>);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.leave();
        }
    }
}

/// A plan that is ready to run.
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

async fn make_plan(
    mut session: SessionState,
    measured: gate::Measured,
    query: &Query,
    rows_max: usize,
    running: &Arc<Running>,
) -> Result<Planned> {
    let mut tables: Vec<String> = query.tables.keys().cloned().collect();
    tables.sort_unstable();
    let mut checked = gate::check(measured, &tables)?;
    params::bind(&mut checked.statement, &checked.parameters, &query.params)?;
    let mut logical = session.statement_to_plan(checked.statement).await?;
    let facts = plan::inspect(&logical)?;
    if checked.is_rows && rows_max < ROWS_COUNTED {
        // One row more than wanted tells whether there are more.
        logical = LogicalPlanBuilder::from(logical)
            .limit(0, Some(rows_max + 1))?
            .build()?;
    }
    session
        .config_mut()
        .options_mut()
        .execution
        .parquet
        .pushdown_filters = facts.by_id;
    let optimized = optimize(&session, logical, running)?;
    let usual = session.config().batch_size();
    let rows = plan::batch_rows(&optimized, usual)?;
    session.config_mut().options_mut().execution.batch_size =
        datafusion::common::config::ConfigNonZeroUsize::try_new(rows)?;
    let physical = session
        .query_planner()
        .create_physical_plan(&optimized, &session)
        .await?;
    let plan = pulse::attach(physical, running)?;
    Ok(Planned {
        plan,
        context: session.task_ctx(),
    })
}

/// Optimises a plan, looking between all rules whether the query has been ended.
fn optimize(
    session: &SessionState,
    logical: LogicalPlan,
    running: &Arc<Running>,
) -> Result<LogicalPlan> {
    if matches!(logical, LogicalPlan::Explain(_)) {
        // Keeps the text of each step, which only the session itself does.
        return Ok(session.optimize(&logical)?);
    }
    let analyzed =
        session
            .analyzer()
            .execute_and_check(logical, session.config_options(), |_, _| {})?;
    let look: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(Look(Arc::clone(running)));
    let rules = session
        .optimizers()
        .iter()
        .flat_map(|rule| [Arc::clone(&look), Arc::clone(rule)]);
    let optimizer = Optimizer::with_rules(rules.collect());
    Ok(optimizer.optimize(analyzed, session, |_, _| {})?)
}

/// An optimizer rule that changes nothing, but fails once the query has been ended.
#[derive(Debug)]
struct Look(Arc<Running>);

impl OptimizerRule for Look {
    fn name(&self) -> &'static str {
        "look"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>, DataFusionError> {
        match self.0.verdict() {
            Some(error) => Err(error.into()),
            None => Ok(Transformed::no(plan)),
        }
    }
}

/// How much of an answer is sent.
#[derive(Clone, Copy, Debug)]
struct Caps {
    rows: usize,
    bytes: u64,
}

/// What goes through the channel.
#[derive(Debug)]
enum Message {
    Batch(RecordBatch),
    End { truncated: bool },
    Failed(Error),
}

/// Runs a plan to its end, or until nobody wants it.
async fn drive(planned: Planned, entered: Registered, batches: mpsc::Sender<Message>, caps: Caps) {
    let running = Arc::clone(entered.running());
    let last = tokio::select! { biased;
        () = running.ended().cancelled() => {
            Message::Failed(running.verdict().unwrap_or(Error::Cancelled))
        }
        sent = send_all(planned, &batches, caps) => match sent {
            Ok(truncated) => Message::End { truncated },
            Err(error) => Message::Failed(error),
        },
    };
    // The reader that has left needs no end.
    drop(entered);
    let _gone = batches.send(last).await.is_err();
}

/// Sends all batches; returns whether rows were cut off.
async fn send_all(planned: Planned, batches: &mpsc::Sender<Message>, caps: Caps) -> Result<bool> {
    let mut stream = execute_stream(planned.plan, planned.context)?;
    let (mut rows_left, mut bytes) = (caps.rows, 0_u64);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let cut = batch.num_rows() > rows_left;
        let batch = if cut {
            batch.slice(0, rows_left)
        } else {
            batch
        };
        rows_left -= batch.num_rows();
        bytes += batch
            .columns()
            .iter()
            .flat_map(|c| functions::row_bytes(c))
            .sum::<u64>();
        if bytes > caps.bytes {
            let message = format!(
                "the answer is larger than the limit of {} bytes",
                caps.bytes
            );
            let hint = "select fewer columns, add a limit or aggregate";
            return Err(Error::too_large(message).with_hint(hint));
        }
        if batch.num_rows() > 0 && batches.send(Message::Batch(batch)).await.is_err() {
            return Err(Error::Cancelled);
        }
        if cut {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The batches of an answer, as they are made. The query ends when this is dropped.
pub struct Answer {
    schema: SchemaRef,
    batches: mpsc::Receiver<Message>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    truncated: Option<bool>,
    done: bool,
    running: Arc<Running>,
    _leave: LeaveOnDrop,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Returns the columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Returns whether rows were cut off; nothing before the end of the stream.
    pub fn truncated(&self) -> Option<bool> {
        self.truncated
    }

    /// Returns the time since the query arrived.
    pub fn elapsed(&self) -> Duration {
        self.running.elapsed()
    }

    /// Returns all batches at once.
    ///
    /// # Errors
    /// The error that the stream ends with, if it does.
    pub async fn batches(&mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}

impl Stream for Answer {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        let message = match self.batches.poll_recv(cx) {
            Poll::Ready(message) => message,
            // The task may be busy for a while before it hears of its end; the reader hears of it now.
            Poll::Pending => {
                ready!(self.ended.as_mut().poll(cx));
                Some(Message::Failed(
                    self.running.verdict().unwrap_or(Error::Cancelled),
                ))
            }
        };
        let result = match message {
            Some(Message::Batch(batch)) => return Poll::Ready(Some(Ok(batch))),
            Some(Message::End { truncated }) => {
                self.truncated = Some(truncated);
                None
            }
            Some(Message::Failed(error)) => Some(Err(error)),
            None => Some(Err(Error::bug("the query stopped unexpectedly"))),
        };
        self.done = true;
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod tests;
