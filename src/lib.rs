//! Outspan: trace analytics for AI agents.
//!
//! Agents export OTLP spans; Outspan normalises them, takes personal data out, makes them durable, keeps them as Delta
//! tables on the user's object storage and answers SQL. The modules stand in the order in which data meets them;
//! imports go down the floors only (see `ARCHITECTURE.md`, held by `tests/it/architecture.rs`).

#![cfg_attr(
    test,
    expect(
        clippy::too_many_lines,
        clippy::clone_on_ref_ptr,
        reason = "a test tells one story from its first line to its last"
    )
)]

pub mod receive;

pub mod otlp;

pub mod normalise;

pub mod redact;

pub mod wal;

pub mod buffer;

pub mod table;

pub mod query;

pub mod serve;

pub mod ledger;

pub mod cli;

pub mod base;
pub mod model;
