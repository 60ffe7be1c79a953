//! The ledger behind the doors: its errors in the words that doors know.

use std::sync::OnceLock;
use std::time::Duration;

use crate::ledger::{self, Error, Kind, Ledger};
use crate::model::{RawBatch, RawOutcome};
use crate::wal;

use super::{Ingest, IngestError, Receipt, Sender};

/// The log's queue and the buffer drain within a second or so.
const SOON: Duration = Duration::from_secs(1);

/// The engine, once it has recovered; until then senders are told to come back.
impl Ingest for OnceLock<Ledger> {
    async fn ingest(&self, batch: RawBatch, sender: Sender) -> Result<Receipt, IngestError> {
        let ledger = self.get().ok_or(IngestError::Unavailable)?;
        answer(ledger.ingest(batch, known(sender)).await)
    }

    async fn outcomes(
        &self,
        reports: Vec<RawOutcome>,
        sender: Sender,
    ) -> Result<Receipt, IngestError> {
        let ledger = self.get().ok_or(IngestError::Unavailable)?;
        answer(ledger.report(reports, known(sender)).await)
    }
}

fn known(sender: Sender) -> ledger::Sender {
    ledger::Sender {
        tenant: sender.tenant,
    }
}

fn answer(taken: Result<ledger::Receipt, Error>) -> Result<Receipt, IngestError> {
    match taken {
        Ok(receipt) => {
            metrics::counter!("outspan_rows_taken_total").increment(receipt.rows as u64);
            metrics::counter!("outspan_rows_repeated_total").increment(receipt.repeats as u64);
            Ok(Receipt {
                rejected: receipt.rejected,
            })
        }
        Err(error) => Err(refusal(&error)),
    }
}

fn refusal(error: &Error) -> IngestError {
    match error {
        // Both last until a disk is cleared or a store comes back: later, and an operator should know.
        Error::Wal(wal::Error::Full { .. }) | Error::BufferFull { .. } => {
            return told(error, IngestError::Full);
        }
        Error::Wal(wal::Error::TooLarge { .. }) => return IngestError::Invalid(error.to_string()),
        _ => {}
    }
    match error.kind() {
        Kind::Busy => IngestError::Busy { retry_after: SOON },
        Kind::Closed => IngestError::Closed,
        Kind::Invalid => IngestError::Invalid(error.to_string()),
        Kind::Unavailable | Kind::Damaged => told(error, IngestError::Unavailable),
        Kind::Bug => told(error, IngestError::Bug),
    }
}

/// Writes down what an operator has to know; the sender only hears when to come back.
fn told(error: &Error, refusal: IngestError) -> IngestError {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a batch was not taken"
    );
    refusal
}
