//! Parquet and the Delta log on an object store.
//!
//! A [`DeltaTable`] is the handle of one table: it commits what a flush hands over exactly once, and keeps the newest
//! [`Snapshot`], which queries scan and duplicates are looked up in. The tables belong to the user: any Delta reader
//! understands them without us. What is not known here is that there is a log before the tables, and which rows are
//! better versions of others; callers name rows by [`Rows`].

mod compact;
mod delta;
mod error;
mod file;
mod hide;
mod log;
mod lookup;
mod read;
mod scan;
mod snapshot;
mod stats;
mod upkeep;
mod write;

pub use compact::Compacted;
pub use delta::{Commit, DeltaTable, Rows};
pub use error::{Error, Result};
pub use file::{Bounds, File};
pub use lookup::{Found, Sought};
pub use scan::object_store_url;
pub use snapshot::Snapshot;
pub use upkeep::{Expired, Vacuumed};

#[cfg(test)]
mod tests;
