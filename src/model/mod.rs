//! The words: plain values, no I/O, no clock, no async.
