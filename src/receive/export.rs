//! One export request from its bytes to its answer, whichever door it came through.

use bytes::Bytes;

use super::failure::{Failure, Kind};
use super::inflate::{Compression, inflate};
use super::read::Wire;
use super::tally::{self, Request};
use super::{Ingest, Receiver, Sender};
use crate::base::Clock;
use crate::model::{RawBatch, Rejected};
use crate::otlp::{self, Encoding, Signal};

/// What is asked of the decoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) compression: Compression,
    /// Bytes after decompression.
    pub(super) limit: usize,
}

impl<I: Ingest> Receiver<I> {
    /// Inflates, decodes and ingests; returns what was refused of it. The request's bytes stay admitted until then.
    pub(super) async fn export(
        &self,
        form: Form,
        wire: Wire,
        sender: Sender,
    ) -> Result<Rejected, Failure> {
        self.0.rates.take(&sender, wire.bytes.len())?;
        let clock = self.0.clock.clone();
        let (decoded, _admitted) = self
            .0
            .pool
            .run(move || {
                let wire_bytes = wire.bytes.len();
                let body = plain(wire, form.compression, form.limit)?;
                tally::body(form.signal, wire_bytes, body.bytes.len());
                Ok((decode(form, &body.bytes, &clock)?, body.permit))
            })
            .await?;
        let (batch, mut rejected) = decoded;
        if !batch.resources.is_empty() {
            let receipt = self.0.engine.ingest(batch, sender).await?;
            rejected.merge(receipt.rejected);
        }
        tally::rejected(form.signal.label(), &rejected);
        Ok(rejected)
    }

    /// Counts how a request ended.
    pub(super) fn count(&self, request: Request, result: &Result<Rejected, Failure>) {
        let status = match result {
            Ok(rejected) if rejected.total() == 0 => "ok",
            Ok(_) => "partial",
            Err(failure) => failure.kind.label(),
        };
        tally::request(request, status);
        if let Err(Failure {
            kind: kind @ (Kind::Unavailable(_) | Kind::Bug),
            message,
        }) = result
        {
            tracing::warn!(status = kind.label(), reason = message, "export refused");
        }
    }
}

/// Takes compression off; the compressed bytes are let go of.
pub(super) fn plain(wire: Wire, compression: Compression, limit: usize) -> Result<Wire, Failure> {
    if compression == Compression::Identity {
        return Ok(wire);
    }
    let mut permit = wire.permit.another();
    let bytes = Bytes::from(inflate(compression, &wire.bytes, limit, &mut permit)?);
    Ok(Wire { bytes, permit })
}

fn decode(form: Form, body: &[u8], clock: &Clock) -> Result<(RawBatch, Rejected), Failure> {
    let start = clock.now();
    let (batch, rejected) = otlp::decode(form.signal, body, form.encoding)?;
    tally::decoded(form.signal, form.encoding, clock.now().0 - start.0);
    tally::items(form.signal, items(&batch) + rejected.total());
    Ok((batch, rejected))
}

fn items(batch: &RawBatch) -> u64 {
    let scopes = batch.resources.iter().flat_map(|resource| &resource.scopes);
    scopes
        .map(|scope| (scope.spans.len() + scope.logs.len() + scope.points.len()) as u64)
        .sum()
}
