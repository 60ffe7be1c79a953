//! Log records as rows: attributes without content, and what was said, in its span's content or in a table of its own.

use std::sync::Arc;

use super::class::Kind;
use super::content::{self, Piece};
use super::evaluation::{self, About};
use super::event;
use super::field::Field as F;
use super::json;
use super::messages;
use super::origin::{Origin, micros, nanos};
use super::rows::Rows;
use super::sheet::Sheet;
use super::slot::Slot;
use crate::model::{
    Attributes, ContentRow, Hex, LogContentRow, LogRow, RawLog, Reason, Rejected, Value,
};

/// Turns log records into rows, one after the other.
#[derive(Debug, Default)]
pub(super) struct LogReader {
    sheet: Sheet,
    pieces: Vec<(Slot, Piece)>,
}

impl LogReader {
    /// Turns to the log records of another scope.
    pub(super) fn enter(&mut self, scope: &str) {
        self.sheet.enter(scope);
    }

    /// Reads one record into `rows`.
    pub(super) fn read(
        &mut self,
        log: RawLog,
        origin: &Origin,
        rows: &mut Rows,
        rejected: &mut Rejected,
    ) {
        let (Some(time), Some(observed)) =
            (nanos(log.time_unix_nano), nanos(log.observed_unix_nano))
        else {
            return rejected.add(Reason::Time, || {
                format!(
                    "log record {:?}: a time is after the year 2262",
                    log.event_name
                )
            });
        };
        let (log_id, body_hash) = identity(&log, origin);
        let mut attributes = String::new();
        let mut raw = log.attributes;
        let event_name = Some(log.event_name).filter(|name| !name.is_empty());
        self.pieces.clear();
        let said = event_name
            .as_deref()
            .or_else(|| name_in(&raw))
            .map(str::to_owned);
        let body = self.body(said.as_deref(), log.body, &mut raw);
        self.sheet.read(raw, &mut attributes);
        let ts = match (time, observed) {
            (0, 0) => origin.receipt.ts,
            (0, observed) => micros(observed),
            (time, _) => micros(time),
        };
        let about = About {
            ts,
            trace_id: log.trace_id,
            span_id: log.span_id,
            session_id: self.sheet.text(F::SessionId),
            response_id: self.sheet.text(F::ResponseId),
        };
        rows.evaluations
            .extend(evaluation::named(&self.sheet, about, origin));
        let row = LogRow {
            tenant: Arc::clone(&origin.tenant),
            log_id,
            trace_id: log.trace_id.map(Hex),
            span_id: log.span_id.map(Hex),
            ts,
            observed_ts: (observed > 0).then(|| micros(observed)),
            event_name: event_name.or_else(|| self.sheet.take_text(F::EventName)),
            severity_number: (log.severity_number > 0).then_some(log.severity_number),
            service_name: Arc::clone(&origin.service_name),
            environment: Arc::clone(&origin.environment),
            scope_name: Arc::clone(&origin.scope_name),
            session_id: self.sheet.take_text(F::SessionId),
            body_hash,
            attributes,
            resource_attributes: Arc::clone(&origin.resource),
            ingest_ts: origin.receipt.ts,
            ingest_seq: 0,
            received_date: origin.receipt.day,
        };
        match (row.trace_id, row.span_id) {
            (Some(trace_id), Some(span_id)) => {
                self.say_of_span(trace_id, span_id, &row, body, rows)
            }
            _ => self.say(&row, body, rows),
        }
        rows.push_log(row);
    }

    /// Turns a body into a piece of content: a message where the event is one.
    fn body(
        &mut self,
        event: Option<&str>,
        body: Value,
        raw: &mut Attributes,
    ) -> Option<(Slot, Piece)> {
        let Some((slot, role)) = event.and_then(messages::event_slot) else {
            let piece = content::piece(Slot::RawOutput, body, false)?;
            return Some((Slot::RawOutput, piece));
        };
        // What is not in the body of a message event may be in its attributes.
        let of_attributes = event::message(slot, role, Kind::Other, raw);
        match body {
            Value::Map(fields) if !fields.is_empty() => {
                let fields = fields
                    .into_iter()
                    .filter(|(name, _)| name != "index")
                    .collect();
                self.pieces.extend(of_attributes);
                let built = messages::from_event(slot, role, fields);
                content::piece(slot, built, false).map(|piece| (slot, piece))
            }
            other => content::piece(slot, other, false)
                .map(|piece| (slot, piece))
                .or(of_attributes),
        }
    }

    fn say_of_span(
        &mut self,
        trace_id: Hex<16>,
        span_id: Hex<8>,
        log: &LogRow,
        body: Option<(Slot, Piece)>,
        rows: &mut Rows,
    ) {
        content::take(&mut self.sheet, None, |_| false, &mut self.pieces);
        let mut seqs = [0; Slot::ALL.len()];
        for (slot, piece) in body.into_iter().chain(self.pieces.drain(..)) {
            let seq = &mut seqs[slot as usize];
            rows.push_log_span_content(ContentRow {
                tenant: Arc::clone(&log.tenant),
                trace_id,
                span_id,
                ts: log.ts,
                slot: slot.name(),
                seq: *seq,
                source: "log",
                log_id: Some(log.log_id),
                ingest_ts: log.ingest_ts,
                received_date: log.received_date,
                ..piece.into_row()
            });
            *seq += 1;
        }
    }

    /// Keeps what a record without a span said: its body, then the content among its attributes, by name.
    fn say(&mut self, log: &LogRow, body: Option<(Slot, Piece)>, rows: &mut Rows) {
        let contents: Vec<usize> = self
            .sheet
            .contents()
            .iter()
            .map(|content| content.at)
            .collect();
        let mut fields = Attributes::new();
        for at in contents {
            let name = self.sheet.attribute(at).0.to_owned();
            fields.push((name, self.sheet.take_value(at)));
        }
        let named = if fields.is_empty() {
            None
        } else {
            content::piece(Slot::RawOutput, Value::Map(fields), false)
        };
        let pieces = body.map(|(_, piece)| piece).into_iter();
        for piece in pieces
            .chain(self.pieces.drain(..).map(|(_, piece)| piece))
            .chain(named)
        {
            rows.push_log_content(log_content(log, piece));
        }
    }
}

fn log_content(log: &LogRow, piece: Piece) -> LogContentRow {
    let row = piece.into_row();
    LogContentRow {
        tenant: Arc::clone(&log.tenant),
        log_id: log.log_id,
        ts: log.ts,
        body: row.body,
        // There are no messages outside of spans: canonical parts are JSON like any other.
        format: if row.format == "text" { "text" } else { "json" },
        bytes_in: row.bytes_in,
        redactions: 0,
        truncated: row.truncated,
        ingest_ts: log.ingest_ts,
        ingest_seq: 0,
        received_date: log.received_date,
    }
}

/// Older senders put an event's name among its attributes.
fn name_in(attributes: &Attributes) -> Option<&str> {
    attributes
        .iter()
        .rev()
        .find(|(name, _)| name == "event.name")
        .and_then(|(_, value)| value.as_str())
}

/// Returns the digest of all that a record says, and that of its body.
fn identity(log: &RawLog, origin: &Origin) -> (Hex<16>, Option<String>) {
    let mut body = String::new();
    json::write(&mut body, &log.body);
    let mut attributes = String::new();
    json::write_object(&mut attributes, &log.attributes);
    let digest = origin.key.digest(
        "log",
        &[
            &log.time_unix_nano.to_le_bytes(),
            &log.observed_unix_nano.to_le_bytes(),
            &log.severity_number.to_le_bytes(),
            log.event_name.as_bytes(),
            log.trace_id.as_ref().map_or(&[][..], |id| id),
            log.span_id.as_ref().map_or(&[][..], |id| id),
            body.as_bytes(),
            attributes.as_bytes(),
            origin.scope_name.as_bytes(),
            origin.scope_version.as_bytes(),
            origin.resource.as_bytes(),
        ],
    );
    let hash = (log.body != Value::Null).then(|| origin.key.text("body", &body));
    (Hex(digest), hash)
}
