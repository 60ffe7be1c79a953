//! The OTLP doors, and the one for outcome reports.
//!
//! gRPC and HTTP, protobuf and JSON, gzip, zstd and deflate. A request is admitted by its bytes before it is buffered,
//! inflated and decoded on threads of its own, and answered after the engine has taken it ([`Ingest`]): a success
//! answer is the engine's promise, never ours. What cannot be taken is refused in words that its sender understands:
//! "never again" for what is broken, "later" with a time for what is only too much.

mod admission;
mod engine;
mod export;
mod failure;
mod grpc;
mod http;
mod inflate;
mod outcomes;
mod pool;
mod rate;
mod read;
mod sender;
mod tally;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::base::{Clock, Stop};
use crate::model::limits::HTTP_BODY_BYTES_MAX;
use crate::model::{RawBatch, RawOutcome, Rejected};
use admission::Admission;
use pool::Pool;
use rate::Rates;

/// The engine behind the doors.
///
/// A future of its that is dropped (its sender went away) must leave the engine whole; whether the batch was taken is
/// then unknown to the sender, who may send it again.
pub trait Ingest: Send + Sync + 'static {
    /// Takes a batch; returns when it is durable and visible.
    fn ingest(
        &self,
        batch: RawBatch,
        sender: Sender,
    ) -> impl Future<Output = Result<Receipt, IngestError>> + Send;

    /// Takes outcome reports; returns when they are durable and visible.
    fn outcomes(
        &self,
        reports: Vec<RawOutcome>,
        sender: Sender,
    ) -> impl Future<Output = Result<Receipt, IngestError>> + Send;
}

/// Who sent a request, as far as the door knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The tenant that the sender's key names; `None` where the data itself may say.
    pub tenant: Option<Arc<str>>,
}

/// What the engine did with what it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Items that a stage after decoding refused.
    pub rejected: Rejected,
}

/// Why the engine took nothing. Each is an advice: when to come back, or not to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// Too much at once.
    #[error("too many requests at once")]
    Busy {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The disk, or the share of it that is ours, is used up.
    #[error("no room left to store what comes in")]
    Full,
    /// The log or the store cannot be reached or written.
    #[error("storage is unavailable")]
    Unavailable,
    /// On its way to stop.
    #[error("shutting down")]
    Closed,
    /// The request as a whole can never be taken.
    #[error("{0}")]
    Invalid(String),
    /// A fault of ours.
    #[error("internal error")]
    Bug,
}

/// Settings of the doors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes of requests under way at once, inflated, from their arrival to their answer; beyond them senders are told
    /// to come back.
    pub in_flight_bytes_max: usize,
    /// How long the body of a request may take to arrive.
    pub body_timeout_ms: u64,
    /// Bytes a second, as they come over the wire, that each tenant may send; 0 sets no limit.
    pub tenant_bytes_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_flight_bytes_max: 64 * 1024 * 1024,
            body_timeout_ms: 30_000,
            tenant_bytes_per_second: 0,
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The largest request would never be let in.
    #[error(
        "in_flight_bytes_max is {0}, less than {IN_FLIGHT_BYTES_MIN}, which one request may take"
    )]
    InFlightBytes(usize),
}

/// What one request of the largest size takes: its compressed bytes, the inflated ones, and one more that tells that
/// there are too many.
const IN_FLIGHT_BYTES_MIN: usize = 2 * HTTP_BODY_BYTES_MAX + 1;

/// All doors to one engine; cheap to clone.
#[derive(Debug)]
pub struct Receiver<I>(Arc<Inner<I>>);

#[derive(Debug)]
struct Inner<I> {
    engine: Arc<I>,
    admission: Admission,
    rates: Rates,
    pool: Pool,
    clock: Clock,
    config: Config,
}

impl<I> Inner<I> {
    fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.config.body_timeout_ms)
    }
}

impl<I> Clone for Receiver<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I: Ingest> Receiver<I> {
    /// Returns the doors to an engine. One `Receiver` for all listeners: they share its limits.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn new(config: Config, engine: Arc<I>) -> Result<Self, ConfigError> {
        let limit = config.in_flight_bytes_max;
        if limit < IN_FLIGHT_BYTES_MIN {
            return Err(ConfigError::InFlightBytes(limit));
        }
        Ok(Self(Arc::new(Inner {
            engine,
            admission: Admission::of(limit),
            rates: Rates::of(config.tenant_bytes_per_second),
            pool: Pool::of_all_cores(),
            clock: Clock::system(),
            config,
        })))
    }

    /// Returns the routes of OTLP over HTTP.
    pub fn http_router(&self) -> Router {
        http::router(self.clone())
    }

    /// Returns the route for outcome reports.
    pub fn outcomes_router(&self) -> Router {
        outcomes::router(self.clone())
    }

    /// Serves OTLP over gRPC until a stop is asked for; then takes no new requests and ends when those under way have
    /// their answers.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve_grpc(
        self,
        listener: TcpListener,
        stop: Stop,
    ) -> Result<(), tonic::transport::Error> {
        grpc::serve(listener, self, stop).await
    }

    /// Returns the bytes of requests under way.
    pub fn in_flight_bytes(&self) -> usize {
        self.0.admission.in_flight()
    }
}

/// Serves a router until a stop is asked for; then takes no new connections and ends when the requests under way have
/// their answers.
///
/// # Errors
/// When the listener fails.
pub async fn serve_http(listener: TcpListener, router: Router, mut stop: Stop) -> io::Result<()> {
    use axum::serve::ListenerExt;
    let listener = listener.tap_io(|connection| {
        // Without it an answer may wait for the acknowledgement of the one before.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "cannot set nodelay");
        }
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.asked().await })
        .await
}
