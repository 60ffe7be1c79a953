//! One span as rows: the pass over its attributes, then column by column what they mean.

use std::sync::Arc;

use super::class::{self, Class, Kind};
use super::coerce;
use super::content::{self, Piece};
use super::dialect::Dialect;
use super::errors::{self, Ending, Exceptions};
use super::evaluation::{self, About};
use super::event::{self, Owner, Told};
use super::field::{Field as F, Place};
use super::messages;
use super::origin::{Origin, micros, nanos};
use super::provider;
use super::rows::Rows;
use super::sheet::{Family, Sheet};
use super::slot::Slot;
use super::usage::{self, Said};
use crate::model::limits::ATTRIBUTE_BYTES_MAX;
use crate::model::{ContentRow, Hex, RawLink, RawSpan, Reason, Rejected, SpanRow, Value};

/// Characters kept of a status message.
const STATUS_MESSAGE_CHARS_MAX: usize = 512;
/// Names kept of a context packet's fields.
const PACKET_FIELDS_MAX: usize = 64;
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
        self.usage(&mut row, class);
        self.handoff(&mut row, class, &span.name);
        let mut told = Told::default();
        self.evaluations(&row, origin, &mut told);
        self.content(&mut span, class, &row, origin, rows, &mut told);
        self.ending(
            &mut row,
            span.status_code,
            class,
            std::mem::take(&mut told.exceptions),
        );
        self.identity(&mut row, class, &span.name, origin);
        self.request(&mut row, class);
        self.tool(&mut row, class, &span.name);
        self.control(&mut row);
        self.digests(&mut row, class, origin, told.packet_fields);
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

    fn usage(&self, row: &mut SpanRow, class: Class) {
        let int = |field| self.sheet.int(field);
        let mut said = Said {
            input: int(F::TokensInput),
            output: int(F::TokensOutput),
            cache_read: int(F::TokensCacheRead),
            cache_write: int(F::TokensCacheWrite),
            cache_write_1h: int(F::TokensCacheWrite1h),
            reasoning: int(F::TokensReasoning),
            input_audio: int(F::TokensInputAudio),
            output_audio: int(F::TokensOutputAudio),
            input_image: int(F::TokensInputImage),
            total: int(F::TokensTotal),
            ..Said::default()
        };
        row.tokens_total_reported = said.total;
        if class.kind == Kind::Llm {
            self.usage_of_response(&mut said);
        }
        let tokens = usage::canonical(said);
        row.tokens_input = tokens.said.input;
        row.tokens_output = tokens.said.output;
        row.tokens_cache_read = tokens.said.cache_read;
        row.tokens_cache_write = tokens.said.cache_write;
        row.tokens_cache_write_1h = tokens.said.cache_write_1h;
        row.tokens_reasoning = tokens.said.reasoning;
        row.tokens_input_audio = tokens.said.input_audio;
        row.tokens_output_audio = tokens.said.output_audio;
        row.tokens_input_image = tokens.said.input_image;
        row.usage_fix = tokens.fix;
    }

    /// Reads the usage in a model's whole response, for what no attribute says.
    fn usage_of_response(&self, said: &mut Said) {
        if said.input.is_some()
            && said.output.is_some()
            && said.cache_read.is_some()
            && said.reasoning.is_some()
        {
            return;
        }
        let outputs = self
            .sheet
            .contents()
            .iter()
            .filter(|content| content.place == Place::Output);
        for output in outputs {
            let Value::Str(text) = self.sheet.attribute(output.at).1 else {
                continue;
            };
            if memchr::memmem::find(text.as_bytes(), b"\"usage\"").is_none() {
                continue;
            }
            let Some(Value::Map(response)) = coerce::jsonish(text) else {
                continue;
            };
            if let Some((_, usage)) = response.iter().find(|(key, _)| key == "usage") {
                usage::fill_from_object(said, usage);
            }
        }
    }

    fn handoff(&mut self, row: &mut SpanRow, class: Class, name: &str) {
        let party = |text: Option<String>| text.filter(|text| text.len() <= PARTY_BYTES_MAX);
        // A node's parent in a graph gave control away only where an agent took it.
        let linked = self.sheet.dialect_of(F::HandoffFrom) == Some(Dialect::OpenInference);
        if !linked || matches!(class.kind, Kind::Agent | Kind::Handoff) {
            row.handoff_from = self.sheet.take_text(F::HandoffFrom);
        }
        row.handoff_to = self.sheet.take_text(F::HandoffTo);
        if class.kind != Kind::Handoff {
            return;
        }
        let said = |place: Place| {
            let content = self
                .sheet
                .contents()
                .iter()
                .find(|content| content.place == place)?;
            coerce::scalar(self.sheet.attribute(content.at).1)
        };
        let from = party(said(Place::Input));
        let to = name.strip_prefix("handoff to ").map(str::to_owned);
        let to = party(said(Place::Output)).or(to);
        row.handoff_from = row.handoff_from.take().or(from);
        row.handoff_to = row.handoff_to.take().or(to);
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
        let failed =
            class.kind == Kind::Tool && self.piece(Slot::ToolResult).is_some_and(says_is_error);
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

    fn identity(&mut self, row: &mut SpanRow, class: Class, name: &str, origin: &Origin) {
        let sheet = &mut self.sheet;
        row.agent_name = sheet.take_text(F::AgentName);
        if row.agent_name.is_none() && class.kind == Kind::Agent {
            let prefixes = ["invoke_agent ", "create_agent ", "invoke_workflow "];
            let rest = prefixes
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix))
                .unwrap_or(name);
            row.agent_name = Some(class::bare(rest).to_owned()).filter(|name| !name.is_empty());
        }
        row.agent_id = sheet.take_text(F::AgentId);
        row.agent_version = sheet.take_text(F::AgentVersion);
        row.workflow_name = sheet.take_text(F::WorkflowName);
        row.run_key = sheet.take_text(F::RunKey);
        row.session_id = sheet
            .take_text(F::SessionId)
            .or_else(|| session_in_metadata(sheet));
        row.user_id = self
            .sheet
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

    fn request(&mut self, row: &mut SpanRow, class: Class) {
        let sheet = &mut self.sheet;
        let model = sheet
            .text(F::ModelResponse)
            .or_else(|| sheet.text(F::ModelRequest));
        row.model = model.map(provider::grouped);
        let host = || sheet.text(F::ServerAddress).and_then(provider::at_host);
        // The host tells who served a model only where one was called.
        let guessed = if class.is_call() || row.model.is_some() {
            host()
        } else {
            None
        };
        let guessed = guessed.or_else(|| {
            let model = row.model.as_deref().filter(|_| sheet.names_framework())?;
            provider::of_model(model)
        });
        row.provider = sheet
            .take_text(F::Provider)
            .or_else(|| guessed.map(str::to_owned));
        row.model_request = sheet.take_text(F::ModelRequest);
        row.model_response = sheet.take_text(F::ModelResponse);
        row.service_tier = sheet.take_text(F::ServiceTier);
        row.processing = sheet.take_text(F::Processing);
        row.stream = sheet.flag(F::Stream);
        row.max_tokens = sheet.int(F::MaxTokens);
        row.temperature = sheet.number(F::Temperature);
        if sheet.has(F::InvocationParameters)
            && (row.max_tokens.is_none() || row.temperature.is_none())
        {
            parameters_in(sheet, row);
        }
        row.ttft_ns = sheet.int(F::Ttft);
        row.finish_reasons = sheet.take_list(F::FinishReasons);
        row.response_id = sheet.take_text(F::ResponseId);
        row.prompt_name = sheet.take_text(F::PromptName);
        row.prompt_version = sheet.take_text(F::PromptVersion);
        row.response_cache_hit = sheet.flag(F::CacheHit);
        row.cost_saved_reported = sheet.usd(F::CostSaved);
        self.cost(row);
        row.usage_role = usage_role(row, class);
    }

    fn cost(&mut self, row: &mut SpanRow) {
        let sheet = &mut self.sheet;
        let Some(cost) = sheet.usd(F::Cost) else {
            return;
        };
        let ours = sheet.dialect_of(F::Cost) == Some(Dialect::Outspan);
        let foreign = sheet
            .text(F::CostCurrency)
            .is_some_and(|currency| !currency.eq_ignore_ascii_case("usd"));
        if foreign && !ours {
            // There is no rate here; the amount and its currency stay in the attributes.
            return sheet.warnings.add("currency", F::Cost.column());
        }
        row.cost_reported = Some(cost);
        row.cost_reported_source = Some(match sheet.word(F::CostSource) {
            _ if ours => "provider",
            Some(source) => source,
            None => "local",
        });
    }

    fn tool(&mut self, row: &mut SpanRow, class: Class, name: &str) {
        let sheet = &mut self.sheet;
        row.tool_name = sheet.take_text(F::ToolName);
        if row.tool_name.is_none() && class.kind == Kind::Tool {
            row.tool_name = Some(tool_in(name).to_owned()).filter(|name| !name.is_empty());
        }
        row.tool_call_id = sheet.take_text(F::ToolCallId);
        row.tool_type = sheet.take_text(F::ToolType);
        row.mcp_method = sheet.take_text(F::McpMethod);
        row.mcp_session_id = sheet.take_text(F::McpSession);
        row.mcp_server = sheet.take_text(F::McpServer);
        let speaks_mcp = sheet.has_family(Family::Mcp);
        if speaks_mcp && row.tool_type.is_none() && class.kind == Kind::Tool {
            row.tool_type = Some("mcp".to_owned());
        }
        if row.mcp_server.is_none() {
            let address = if speaks_mcp {
                sheet.take_text(F::ServerAddress)
            } else {
                None
            };
            // Some clients name an MCP server's tool `mcp__server__tool`.
            let named = || {
                Some(
                    row.tool_name
                        .as_deref()?
                        .strip_prefix("mcp__")?
                        .split_once("__")?
                        .0
                        .to_owned(),
                )
            };
            row.mcp_server = address.or_else(named);
        }
        row.data_source_id = sheet.take_text(F::DataSource);
        row.top_k = sheet.small(F::TopK);
        row.result_count = sheet.small(F::ResultCount);
        if row.result_count.is_none()
            && let Some(Value::Array(documents)) = self
                .piece(Slot::Documents)
                .and_then(|piece| piece.tree.as_ref())
        {
            row.result_count = Some(count(documents.len()));
        }
    }

    fn control(&mut self, row: &mut SpanRow) {
        let sheet = &mut self.sheet;
        row.guardrail_name = sheet.take_text(F::GuardrailName);
        row.guardrail_verdict = sheet
            .flag(F::GuardrailTriggered)
            .map(|triggered| if triggered { "fail" } else { "pass" });
        row.guardrail_action = sheet.word(F::GuardrailAction);
        row.approval_status = sheet.word(F::ApprovalStatus);
        row.approval_source = sheet.word(F::ApprovalSource);
        row.approval_wait_ns = sheet.int(F::ApprovalWait);
        row.attempt = sheet.small(F::Attempt);
        row.resend_count = sheet.small(F::ResendCount);
        row.retry_cause = sheet.take_text(F::RetryCause);
        row.task_id = sheet.take_text(F::TaskId);
        row.task_type = sheet.take_text(F::TaskType);
        row.task_outcome = sheet.word(F::TaskOutcome);
        row.idempotency_key = sheet.take_text(F::IdempotencyKey);
        row.variant = sheet.take_text(F::Variant);
        row.cascade_tier = sheet.take_text(F::CascadeTier);
        row.budget_tool_calls = sheet.int(F::BudgetToolCalls);
        row.budget_tokens = sheet.int(F::BudgetTokens);
        row.budget_wall_ms = sheet.int(F::BudgetWall);
        row.budget_cost = sheet.usd(F::BudgetCost);
    }

    /// Makes the digests that outlive content: of calls, results and answers, never of what was cut.
    fn digests(
        &mut self,
        row: &mut SpanRow,
        class: Class,
        origin: &Origin,
        told_fields: Vec<String>,
    ) {
        row.packet_fields = told_fields;
        if matches!(class.kind, Kind::Tool | Kind::Handoff) {
            if let Some(arguments) = self.piece(Slot::ToolArgs).and_then(Piece::canonical) {
                let hash = origin.key.text("arguments", &arguments);
                let shape = shape_of(&arguments);
                row.tool_args_shape_hash = Some(shape.map_or_else(
                    || hash.clone(),
                    |shape| origin.key.text("arguments", &shape),
                ));
                row.tool_args_hash = Some(hash);
            }
            let result = self.piece(Slot::ToolResult).and_then(Piece::canonical);
            row.tool_result_hash = result.map(|result| origin.key.text("result", &result));
            let escalates = self.sheet.has(F::EscalationReason)
                || row
                    .tool_name
                    .as_deref()
                    .is_some_and(class::reaches_a_person);
            if escalates && let Some(arguments) = self.piece(Slot::ToolArgs) {
                row.packet_fields = present_fields(arguments);
            }
        }
        if class.kind == Kind::Llm
            && let Some(output) = self
                .piece(Slot::OutputMessages)
                .filter(|piece| !piece.truncated)
        {
            let said = output.tree.as_ref().map(messages::gist);
            row.output_hash = Some(
                origin
                    .key
                    .text("output", said.as_deref().unwrap_or(output.body.trim())),
            );
        }
    }

    /// Returns the first piece in a slot.
    fn piece(&self, slot: Slot) -> Option<&Piece> {
        self.pieces
            .iter()
            .find(|(at, _)| *at == slot)
            .map(|(_, piece)| piece)
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
            let length = coerce::first_chars(&message, STATUS_MESSAGE_CHARS_MAX).len();
            message.truncate(length);
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

/// Bytes of an agent's name at most; anything longer is content.
const PARTY_BYTES_MAX: usize = 256;

/// What is known at ingest of a span's part in its trace's usage (semconv.md §6.3).
fn usage_role(row: &SpanRow, class: Class) -> &'static str {
    let more = |tokens: Option<i64>| tokens.is_some_and(|tokens| tokens > 0);
    let tokens = more(row.tokens_input) || more(row.tokens_output);
    let cost = row.cost_reported.is_some_and(|cost| cost.0 > 0);
    let replayed = row.response_cache_hit == Some(true) || row.op == "fetch_response";
    if replayed || !(tokens || cost) {
        "none"
    } else if class.is_call() {
        "candidate"
    } else if class.kind == Kind::Tool && !tokens {
        "fee"
    } else {
        "container"
    }
}

/// Returns a tool's name from that of its span.
fn tool_in(name: &str) -> &str {
    let prefixes = ["execute_tool ", "MCP send tools/call ", "tools/call "];
    match prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        Some(tool) => tool.trim(),
        None => class::bare(name),
    }
}

/// LangChain puts the conversation's id into its own metadata.
fn session_in_metadata(sheet: &Sheet) -> Option<String> {
    let metadata = sheet.object(F::Metadata)?;
    ["session_id", "thread_id", "conversation_id"]
        .iter()
        .find_map(|wanted| {
            let (_, value) = metadata.iter().find(|(key, _)| key == wanted)?;
            coerce::scalar(value)
        })
}

fn parameters_in(sheet: &Sheet, row: &mut SpanRow) {
    let Some(parameters) = sheet.object(F::InvocationParameters) else {
        return;
    };
    let get = |wanted: &&str| {
        parameters
            .iter()
            .find(|(key, _)| key == wanted)
            .map(|(_, value)| value)
    };
    let limits = [
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "maxOutputTokens",
    ];
    let limit = || {
        limits
            .iter()
            .filter_map(get)
            .find_map(coerce::whole)
            .filter(|limit| *limit >= 0)
    };
    row.max_tokens = row.max_tokens.or_else(limit);
    row.temperature = row
        .temperature
        .or_else(|| get(&"temperature").and_then(coerce::number));
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

/// Masks each run of digits; `None` where there is none.
fn shape_of(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut shape = String::with_capacity(text.len());
    let mut in_digits = false;
    for character in text.chars() {
        let digit = character.is_ascii_digit();
        if !digit {
            shape.push(character);
        } else if !in_digits {
            shape.push('#');
        }
        in_digits = digit;
    }
    Some(shape)
}

/// Returns the names of the top-level fields that say something.
fn present_fields(arguments: &Piece) -> Vec<String> {
    let Some(Value::Map(fields)) = &arguments.tree else {
        return Vec::new();
    };
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Str(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        _ => true,
    };
    let mut names: Vec<_> = fields
        .iter()
        .filter(|(_, value)| says(value))
        .map(|(name, _)| coerce::first_chars(name, 128).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names.truncate(PACKET_FIELDS_MAX);
    names
}

/// A length in the range of a column.
fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
