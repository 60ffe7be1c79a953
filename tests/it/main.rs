//! Outspan from outside, in one binary (DataFusion is linked once): a file per promise.
//!
//! `architecture` holds the sources against the drawing. What needs no second module is tested beside the code.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on says where, and ends; it starts tasks of its own"
)]

mod architecture;
mod captures;
mod cli;
mod durability;
mod import;
mod limits;
mod once;
mod support;
mod tables;
