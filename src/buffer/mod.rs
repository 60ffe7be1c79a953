//! Rows that are acknowledged but not yet in the table.
//!
//! A plain value, owned by the ledger and changed under its lock: [`Buffer`] holds the rows, [`Recent`] the exact set of
//! keys that came lately. A row is here from the moment `insert` returns until `release` is told that the table holds
//! it. Durability is the log's promise, not ours: this module may lose everything at any time.

mod chunks;
mod recent;

pub use chunks::{Buffer, Dead};
pub use recent::{Known, Recent, Ruling};
