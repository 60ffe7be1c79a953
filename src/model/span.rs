//! Spans and what belongs to them: content and events. Columns as in the canonical schema, version 1.

use std::sync::Arc;

use super::column::{Day, Hex, Micros, table};
use super::money::Usd;

/// Version of the canonical schema that rows are written in.
pub const SCHEMA_VERSION: i16 = 1;
/// Version of the mapping from dialects to the schema; goes up with any change of it.
pub const MAPPING_VERSION: i32 = 1;

table! {
    /// One span: what it was, how long it took, what it used. No content.
    SpanRow {
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// 32 hex digits.
        trace_id: Hex<16>, Keep;
        /// 16 hex digits.
        span_id: Hex<8>, Keep;
        /// Null at a root.
        parent_span_id: Option<Hex<8>>, Keep;
        /// [`SCHEMA_VERSION`].
        schema_version: i16, Keep;
        /// [`MAPPING_VERSION`].
        mapping_version: i32, Keep;
        /// Comma list, winner first.
        dialect: &'static str, Keep;
        /// `span`, `log` or `message`: what the row was made from.
        signal: &'static str, Keep;
        /// Instrumentation scope.
        scope_name: Arc<str>, Text;
        /// Its version.
        scope_version: Arc<str>, Text;
        /// Start.
        ts: Micros, Keep;
        /// End.
        end_ts: Micros, Keep;
        /// Start, exact.
        start_unix_nano: i64, Keep;
        /// End minus start, exact; negative where the sender's clock was.
        duration_ns: i64, Keep;
        /// Time received.
        ingest_ts: Micros, Keep;
        /// Sequence number in the log; stamped once the row is durable.
        ingest_seq: i64, Keep;
        /// UTC day of receipt; the partition.
        received_date: Day, Keep;
        /// `service.name`.
        service_name: Arc<str>, Text;
        /// `service.version`.
        service_version: Option<Arc<str>>, Text;
        /// Deployment environment.
        environment: Arc<str>, Text;
        /// Span name as sent.
        name: String, Text;
        /// `internal`, `server`, `client`, `producer`, `consumer`; null where unspecified.
        otel_kind: Option<&'static str>, Keep;
        /// Canonical kind.
        kind: &'static str, Keep;
        /// Finer operation.
        op: &'static str, Keep;
        /// `ok`, `error`, `unset`, `deferred`, `cancelled`.
        status: &'static str, Keep;
        /// At most 512 characters.
        status_message: Option<String>, Text;
        /// Low-cardinality class of the error.
        error_type: Option<String>, Text;
        /// Class of `error_type` for budgets.
        error_class: Option<&'static str>, Keep;
        /// Own span's agent.
        agent_name: Option<String>, Text;
        /// Its id.
        agent_id: Option<String>, Text;
        /// Its version.
        agent_version: Option<String>, Text;
        /// Workflow the span belongs to.
        workflow_name: Option<String>, Text;
        /// Framework's run or invocation id.
        run_key: Option<String>, Text;
        /// Conversation, session, thread.
        session_id: Option<String>, Text;
        /// Keyed hash of the end user's id.
        user_id: Option<String>, Keep;
        /// Canonical provider.
        provider: Option<String>, Text;
        /// Model asked for, as sent.
        model_request: Option<String>, Text;
        /// Model that answered, as sent.
        model_response: Option<String>, Text;
        /// For grouping: lower-case, without the provider's prefix.
        model: Option<String>, Text;
        /// `default`, `flex`, `priority`, `fast`...
        service_tier: Option<String>, Text;
        /// `batch` or null.
        processing: Option<String>, Text;
        /// Whether the answer was streamed.
        stream: Option<bool>, Keep;
        /// Limit of the request.
        max_tokens: Option<i64>, Keep;
        /// Sampling temperature.
        temperature: Option<f64>, Keep;
        /// Total input, cache read and write included.
        tokens_input: Option<i64>, Keep;
        /// Total output, reasoning included.
        tokens_output: Option<i64>, Keep;
        /// Part of the input.
        tokens_cache_read: Option<i64>, Keep;
        /// Part of the input.
        tokens_cache_write: Option<i64>, Keep;
        /// Part of the cache write.
        tokens_cache_write_1h: Option<i64>, Keep;
        /// Part of the output.
        tokens_reasoning: Option<i64>, Keep;
        /// Part of the input.
        tokens_input_audio: Option<i64>, Keep;
        /// Part of the output.
        tokens_output_audio: Option<i64>, Keep;
        /// Part of the input.
        tokens_input_image: Option<i64>, Keep;
        /// As sent; a check only.
        tokens_total_reported: Option<i64>, Keep;
        /// Null, `exclusive_input`, `total_only`, `clamped`, `detail_gt_total`.
        usage_fix: Option<&'static str>, Keep;
        /// Provisional: `candidate`, `container`, `fee`, `none`.
        usage_role: &'static str, Keep;
        /// From the emitter.
        cost_reported: Option<Usd>, Keep;
        /// `provider`, `gateway`, `local`.
        cost_reported_source: Option<&'static str>, Keep;
        /// Answered by a response cache.
        response_cache_hit: Option<bool>, Keep;
        /// What that saved, from the emitter.
        cost_saved_reported: Option<Usd>, Keep;
        /// Time to the first chunk.
        ttft_ns: Option<i64>, Keep;
        /// As sent.
        finish_reasons: Vec<String>, Text;
        /// Provider's id of the response: identity of the call.
        response_id: Option<String>, Text;
        /// Name of the tool.
        tool_name: Option<String>, Text;
        /// Id of the tool call.
        tool_call_id: Option<String>, Text;
        /// `function`, `extension`, `datastore`, `mcp`...
        tool_type: Option<String>, Text;
        /// Keyed hash of the canonical arguments, before redaction.
        tool_args_hash: Option<String>, Keep;
        /// Keyed hash of the canonical result, before redaction.
        tool_result_hash: Option<String>, Keep;
        /// As `tool_args_hash`, digit runs masked.
        tool_args_shape_hash: Option<String>, Keep;
        /// Keyed hash of the normalised model output.
        output_hash: Option<String>, Keep;
        /// Names of the non-empty top-level fields of an escalating call's arguments.
        packet_fields: Vec<String>, Text;
        /// MCP method.
        mcp_method: Option<String>, Text;
        /// MCP server.
        mcp_server: Option<String>, Text;
        /// MCP session.
        mcp_session_id: Option<String>, Text;
        /// Data source of a retrieval.
        data_source_id: Option<String>, Text;
        /// Results asked for.
        top_k: Option<i32>, Keep;
        /// Results found.
        result_count: Option<i32>, Keep;
        /// Agent that gave control away.
        handoff_from: Option<String>, Text;
        /// Agent that took it.
        handoff_to: Option<String>, Text;
        /// Name of the guardrail.
        guardrail_name: Option<String>, Text;
        /// `pass`, `fail`, `error`.
        guardrail_verdict: Option<&'static str>, Keep;
        /// `none`, `blocked`, `modified`, `flagged`.
        guardrail_action: Option<&'static str>, Keep;
        /// `requested`, `approved`, `rejected`, `modified`, `expired`, `aborted`, `deferred`.
        approval_status: Option<&'static str>, Keep;
        /// `human`, `policy`, `hook`, `timeout`.
        approval_source: Option<&'static str>, Keep;
        /// Time blocked on a person.
        approval_wait_ns: Option<i64>, Keep;
        /// 1 = first try.
        attempt: Option<i32>, Keep;
        /// Retries inside this span.
        resend_count: Option<i32>, Keep;
        /// Why it was tried again.
        retry_cause: Option<String>, Text;
        /// Name of the prompt.
        prompt_name: Option<String>, Text;
        /// Its version.
        prompt_version: Option<String>, Text;
        /// Unit of business work; may span traces.
        task_id: Option<String>, Text;
        /// Its type.
        task_type: Option<String>, Text;
        /// How it ended, as the span says.
        task_outcome: Option<&'static str>, Keep;
        /// Same key = same side effect.
        idempotency_key: Option<String>, Text;
        /// `live` (where absent), `shadow`, `canary`.
        variant: Option<String>, Text;
        /// Position in a model cascade.
        cascade_tier: Option<String>, Text;
        /// Limit declared on this span.
        budget_tool_calls: Option<i64>, Keep;
        /// Limit declared on this span.
        budget_tokens: Option<i64>, Keep;
        /// Limit declared on this span.
        budget_wall_ms: Option<i64>, Keep;
        /// Limit declared on this span.
        budget_cost: Option<Usd>, Keep;
        /// Events sent with the span.
        event_count: i32, Keep;
        /// Links sent with the span.
        link_count: i32, Keep;
        /// Attributes, events and links dropped by the SDK or by our limits.
        dropped_count: i32, Keep;
        /// Every attribute that is not content, as JSON with sorted keys.
        attributes: String, Json;
        /// Attributes of the resource, as JSON with sorted keys.
        resource_attributes: Arc<str>, Json;
        /// Links, as a JSON array; null where there are none.
        links: Option<String>, Json;
        /// Coercions and conflicts.
        map_warnings: Vec<String>, Text;
        /// Attributes as sent, content included: the second rank of a version.
        attribute_count: i32, Keep;
    }
}

table! {
    /// One piece of content of a span: a prompt, an answer, arguments, a result.
    ContentRow {
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// Trace of the span.
        trace_id: Hex<16>, Keep;
        /// The span.
        span_id: Hex<8>, Keep;
        /// Start of the span.
        ts: Micros, Keep;
        /// What it is of the span.
        slot: &'static str, Keep;
        /// Order where there are several.
        seq: i32, Keep;
        /// Canonical JSON, or text.
        body: String, Text;
        /// `otel_parts`, `json`, `text`, `ref`.
        format: &'static str, Keep;
        /// `attribute`, `event`, `log`.
        source: &'static str, Keep;
        /// Bytes before redaction.
        bytes_in: i64, Keep;
        /// How many values redaction replaced.
        redactions: i32, Keep;
        /// Cut by the sender or by us.
        truncated: bool, Keep;
        /// The log record it came from; null where the span itself brought it.
        log_id: Option<Hex<16>>, Keep;
        /// Time received.
        ingest_ts: Micros, Keep;
        /// Sequence number in the log.
        ingest_seq: i64, Keep;
        /// UTC day of receipt; the partition.
        received_date: Day, Keep;
    }
}

table! {
    /// One event of a span, without its content.
    EventRow {
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// Trace of the span.
        trace_id: Hex<16>, Keep;
        /// The span.
        span_id: Hex<8>, Keep;
        /// Position among the span's events.
        seq: i32, Keep;
        /// When it happened.
        ts: Micros, Keep;
        /// Its name.
        name: String, Text;
        /// Class of an exception event.
        exception_type: Option<String>, Text;
        /// Attributes without content, as JSON with sorted keys.
        attributes: String, Json;
        /// Time received.
        ingest_ts: Micros, Keep;
        /// Sequence number in the log.
        ingest_seq: i64, Keep;
        /// UTC day of receipt; the partition.
        received_date: Day, Keep;
    }
}
