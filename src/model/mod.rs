//! The words: plain values that the stages exchange. No I/O, no clock, no async.
//!
//! [`RawBatch`] is what a sender meant; [`Batch`] is the same as rows of our tables. [`schema`] knows every table.

mod batch;
pub mod column;
mod evaluation;
pub mod limits;
mod log;
mod metric;
mod money;
pub mod outcome;
mod raw;
mod raw_outcome;
mod rejected;
pub mod schema;
mod span;
mod value;
mod version;

pub use batch::Batch;
pub use column::{Day, Hex, Micros, Privacy};
pub use evaluation::EvaluationRow;
pub use log::{LogContentRow, LogRow};
pub use metric::MetricRow;
pub use money::Usd;
pub use outcome::OutcomeRow;
pub use raw::*;
pub use raw_outcome::RawOutcome;
pub use rejected::{Reason, Rejected};
pub use schema::Table;
pub use span::{ContentRow, EventRow, MAPPING_VERSION, SCHEMA_VERSION, SpanRow};
pub use value::{Attributes, Value};
pub use version::{Key, Version, keys, version_columns, versions};
