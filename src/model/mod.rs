//! The words: plain values that the stages exchange. No I/O, no clock, no async.
//!
//! [`RawBatch`] is what a sender meant; [`Batch`] is the same as rows of our tables. [`schema`] knows every table.

pub mod limits;
mod raw;
mod rejected;
mod value;

pub use raw::*;
pub use rejected::{Reason, Rejected};
pub use value::{Attributes, Value};
