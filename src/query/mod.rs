//! Answers SQL over the tables handed in, within limits.
//!
//! An [`Engine`] lets one reading statement through its gate (`gate`), plans it on a thread that can be given up, and
//! runs it on threads of its own, so that no question takes the server with it: text, plan, time, memory, spill and
//! answer are bounded, and functions cannot make more than a batch may hold (`functions`). It does not know where rows
//! live or what the asker may see: both are the tables' business. [`mod@format`] turns answers into what clients read.

mod config;
mod engine;
mod error;
pub mod format;
mod functions;
mod gate;
mod params;
mod plan;
mod pool;
mod pulse;
mod session;
mod watch;

pub use config::Config;
pub use engine::{Answer, Engine, Query};
pub use error::{Error, Result};
pub use watch::MemoryGate;
