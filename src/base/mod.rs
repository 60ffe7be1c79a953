//! The tools: nothing here knows about agents, spans or money.
//!
//! Time ([`Clock`]), tasks ([`Tasks`]) and the object store ([`store`]) each have one door, so that a test can set the
//! clock, wait for every task, and make a disk fail on order.

mod clock;
pub mod store;
mod tasks;
#[cfg(test)]
pub(crate) mod testing;

pub use clock::{Clock, Timestamp};
pub use tasks::{Stop, Tasks};
