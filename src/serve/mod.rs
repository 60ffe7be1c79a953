//! The SQL doors: they turn protocols into queries and answers into protocols, and hold no SQL of their own.

mod http;
mod status;

pub use http::{Doors, router};
