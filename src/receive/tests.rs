//! The doors as senders see them, before an engine that does as it is told.

mod captures;
mod grpc;
mod http;
mod outcomes;
mod overload;
mod stopping;
mod support;
