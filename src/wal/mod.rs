//! The durable promise.
