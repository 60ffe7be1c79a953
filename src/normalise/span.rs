//! One span as rows: the pass over its attributes, what it is, its content and events, its columns and digests.

use std::sync::Arc;

use super::class::{self, Class, Kind};
use super::coerce;
use super::columns;
use super::content::{self, Piece};
use super::digest;
use super::errors::{self, Ending, Exceptions};
use super::evaluation::{self, About};
use super::event::{self, Owner, Told};
use super::field::Field as F;
use super::origin::{Origin, micros, nanos};
use super::rows::Rows;
use super::sheet::Sheet;
use super::slot::Slot;
use crate::model::limits::ATTRIBUTE_BYTES_MAX;
use crate::model::{ContentRow, Hex, RawLink, RawSpan, Reason, Rejected, SpanRow, Value};

/// Characters kept of a status message.
const STATUS_MESSAGE_CHARS_MAX: usize = 512;
/// A span that starts later than this after its receipt has a wrong clock.
const FUTURE_MICROS_MAX: i64 = 86_400_000_000;

/// What classification sees of a span.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) name: &'a str,
    pub(super) scope: &'a str,
    otel_kind: i32,
    root: bool,
}

impl View<'_> {
    /// Returns whether the span has no parent.
    pub(super) fn is_root(&self) -> bool {
        self.root
    }

    /// Returns whether the span is the server's side of a call.
    pub(super) fn is_server(&self) -> bool {
        self.otel_kind == 2
    }
}

/// Turns spans into rows, one after the other; what it needs on the way is used again.
#[derive(Debug, Default)]
pub(super) struct SpanReader {
    sheet: Sheet,
    event_sheet: Sheet,
    pieces: Vec<(Slot, Piece)>,
    /// Length of the last attributes written: the next ones will be as long.
    json_hint: usize,
    /// Where the pieces of events begin among `pieces`.
    event_pieces_at: usize,
    /// What explains evaluations.
    explanations: Vec<Piece>,
    /// The last person's id, and its hash: they repeat.
    last_user: Option<(String, String)>,
}

impl SpanReader {
    /// Forgets the last person: the key is another tenant's.
    pub(super) fn forget_users(&mut self) {
        self.last_user = None;
    }

    /// Turns to the spans of another scope.
    pub(super) fn enter(&mut self, scope: &str) {
        self.sheet.enter(scope);
        self.event_sheet.enter(scope);
    }

    /// Reads one span into `rows`.
    pub(super) fn read(
        &mut self,
        mut span: RawSpan,
        origin: &Origin,
        rows: &mut Rows,
        rejected: &mut Rejected,
    ) {
        let (Some(start), Some(end)) = (nanos(span.start_unix_nano), nanos(span.end_unix_nano))
        else {
            rejected.add(Reason::Time, || {
                let id = hex::encode(span.span_id);
                format!("span {id}: a time is after the year 2262")
            });
            return;
        };
        let attribute_count = count(span.attributes.len());
        let event_count = count(span.events.len());
        let mut attributes = String::with_capacity(self.json_hint);
        self.sheet
            .read(std::mem::take(&mut span.attributes), &mut attributes);
        self.json_hint = attributes.len() + attributes.len() / 4;
        if coerce::cut(&mut span.name, ATTRIBUTE_BYTES_MAX) {
            self.sheet.warnings.add("truncated", "name");
        }
        let class = class::classify(&View {
            sheet: &self.sheet,
            name: &span.name,
            scope: &origin.scope_name,
            otel_kind: span.kind,
            root: span.parent_span_id.is_none(),
        });
        let mut row = origin.span_row(Hex(span.trace_id), Hex(span.span_id));
        row.kind = class.kind.name();
        row.op = class.op;
        row.attributes = attributes;
        row.attribute_count = attribute_count;
        row.event_count = event_count;
        self.times(&mut row, start, end);
        columns::usage(&self.sheet, &mut row, class);
        columns::handoff(&mut self.sheet, &mut row, class, &span.name);
        let mut told = Told::default();
        self.evaluations(&row, origin, &mut told);
        self.content(&mut span, class, &row, origin, rows, &mut told);
        self.ending(
            &mut row,
            span.status_code,
            class,
            std::mem::take(&mut told.exceptions),
        );
        self.columns(&mut row, class, &span.name, origin);
        row.packet_fields = told.packet_fields;
        let escalates = self.sheet.has(F::EscalationReason);
        digest::fill(&mut row, class, &self.pieces, &origin.key, escalates);
        rows.evaluations.append(&mut told.evaluations);
        self.emit_content(&row, rows);
        self.shape(&mut row, span);
        rows.push_span(row);
    }

    fn times(&mut self, row: &mut SpanRow, start: i64, end: i64) {
        // A time that was not sent is the other one.
        let (start, end) = match (start, end) {
            (0, end) if end > 0 => {
                self.sheet.warnings.add("missing", "start");
                (end, end)
            }
            (start, 0) => {
                self.sheet.warnings.add("missing", "end");
                (start, start)
            }
            both => both,
        };
        row.ts = micros(start);
        row.end_ts = micros(end);
        row.start_unix_nano = start;
        row.duration_ns = end - start;
        if row.ts.0.saturating_sub(row.ingest_ts.0) > FUTURE_MICROS_MAX {
            self.sheet.warnings.add("future", "ts");
        }
    }

    fn evaluations(&mut self, row: &SpanRow, origin: &Origin, told: &mut Told) {
        if !self.sheet.has(F::EvaluationName) && self.sheet.parts().is_empty() {
            return;
        }
        let session = self.sheet.text(F::SessionId).map(str::to_owned);
        let response = self.sheet.text(F::ResponseId).map(str::to_owned);
        let about = About {
            ts: row.end_ts,
            trace_id: Some(row.trace_id.0),
            span_id: Some(row.span_id.0),
            session_id: session.as_deref(),
            response_id: response.as_deref(),
        };
        told.evaluations
            .extend(evaluation::named(&self.sheet, about, origin));
        for (evaluation, explanation) in evaluation::numbered(&mut self.sheet, about, origin) {
            told.evaluations.push(evaluation);
            let explanation = explanation.map(|words| content::text_piece(words, false));
            self.explanations.extend(explanation);
        }
    }

    fn content(
        &mut self,
        span: &mut RawSpan,
        class: Class,
        row: &SpanRow,
        origin: &Origin,
        rows: &mut Rows,
        told: &mut Told,
    ) {
        self.pieces.clear();
        let keep_tree = |slot| match slot {
            Slot::ToolArgs | Slot::ToolResult => matches!(class.kind, Kind::Tool | Kind::Handoff),
            Slot::OutputMessages => class.kind == Kind::Llm,
            Slot::Documents => true,
            _ => false,
        };
        content::take(&mut self.sheet, Some(class), keep_tree, &mut self.pieces);
        let explanations = self
            .explanations
            .drain(..)
            .map(|piece| (Slot::EvalExplanation, piece));
        self.pieces.extend(explanations);
        self.event_pieces_at = self.pieces.len();
        let owner = Owner {
            origin,
            trace_id: row.trace_id,
            span_id: row.span_id,
            ts: row.ts,
            class,
            session_id: self.sheet.text(F::SessionId),
        };
        for (seq, event) in std::mem::take(&mut span.events).into_iter().enumerate() {
            let row = event::read(
                event,
                seq,
                owner,
                &mut self.event_sheet,
                &mut self.pieces,
                told,
            );
            rows.push_event(row);
        }
    }

    fn ending(
        &mut self,
        row: &mut SpanRow,
        status_code: i32,
        class: Class,
        exceptions: Exceptions,
    ) {
        let result = digest::first(&self.pieces, Slot::ToolResult);
        let failed = class.kind == Kind::Tool && result.is_some_and(says_is_error);
        let named = self
            .sheet
            .text(F::ErrorType)
            .or_else(|| self.sheet.text(F::ExceptionType));
        let Ending {
            status,
            error_type,
            error_class,
        } = errors::ending(status_code, named, exceptions, failed);
        row.status = status;
        row.error_type = error_type;
        row.error_class = error_class;
    }

    fn columns(&mut self, row: &mut SpanRow, class: Class, name: &str, origin: &Origin) {
        let sheet = &mut self.sheet;
        columns::identity(sheet, row, class, name);
        columns::request(sheet, row, class);
        columns::cost(sheet, row, class);
        columns::tool(sheet, row, class, name);
        columns::control(sheet, row);
        let documents =
            digest::first(&self.pieces, Slot::Documents).and_then(|piece| piece.tree.as_ref());
        if row.result_count.is_none()
            && let Some(Value::Array(documents)) = documents
        {
            row.result_count = Some(count(documents.len()));
        }
        row.user_id = sheet
            .take_text(F::UserId)
            .map(|user| self.hidden_user(user, origin));
    }

    fn hidden_user(&mut self, user: String, origin: &Origin) -> String {
        if let Some((known, hash)) = &self.last_user
            && *known == user
        {
            return hash.clone();
        }
        let hash = origin.key.text("user", &user);
        self.last_user = Some((user, hash.clone()));
        hash
    }

    fn emit_content(&mut self, row: &SpanRow, rows: &mut Rows) {
        let mut seqs = [0; Slot::ALL.len()];
        for (at, (slot, piece)) in self.pieces.drain(..).enumerate() {
            let seq = &mut seqs[slot as usize];
            rows.push_content(ContentRow {
                tenant: Arc::clone(&row.tenant),
                trace_id: row.trace_id,
                span_id: row.span_id,
                ts: row.ts,
                slot: slot.name(),
                seq: *seq,
                source: if at < self.event_pieces_at {
                    "attribute"
                } else {
                    "event"
                },
                ingest_ts: row.ingest_ts,
                received_date: row.received_date,
                ..piece.into_row()
            });
            *seq += 1;
        }
    }

    /// Fills in what the span is besides its attributes.
    fn shape(&mut self, row: &mut SpanRow, span: RawSpan) {
        row.parent_span_id = span.parent_span_id.map(Hex);
        row.dialect = self.sheet.spoken().label();
        row.name = span.name;
        row.otel_kind = match span.kind {
            1 => Some("internal"),
            2 => Some("server"),
            3 => Some("client"),
            4 => Some("producer"),
            5 => Some("consumer"),
            _ => None,
        };
        if !span.status_message.is_empty() {
            let mut message = span.status_message;
            coerce::cut_chars(&mut message, STATUS_MESSAGE_CHARS_MAX);
            row.status_message = Some(message);
        }
        row.link_count = count(span.links.len());
        row.dropped_count = i32::try_from(span.dropped_count).unwrap_or(i32::MAX);
        row.links = self.links(span.links);
        row.map_warnings = self.sheet.warnings.take();
    }

    fn links(&mut self, links: Vec<RawLink>) -> Option<String> {
        if links.is_empty() {
            return None;
        }
        let mut out = String::from("[");
        for link in links {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str("{\"attributes\":");
            self.event_sheet.read(link.attributes, &mut out);
            out.push_str(",\"span_id\":\"");
            out.push_str(&hex::encode(link.span_id));
            out.push_str("\",\"trace_id\":\"");
            out.push_str(&hex::encode(link.trace_id));
            out.push_str("\"}");
        }
        out.push(']');
        Some(out)
    }
}

/// Returns whether an MCP result says that its tool failed.
fn says_is_error(piece: &Piece) -> bool {
    match &piece.tree {
        Some(Value::Map(fields)) => fields
            .iter()
            .any(|(key, value)| key == "isError" && *value == Value::Bool(true)),
        _ => false,
    }
}

/// A length in the range of a column.
fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
