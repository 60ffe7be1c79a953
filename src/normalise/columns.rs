//! From fields to columns: what a span's attributes say about agents, models, tokens, money, tools and control.
//!
//! Each function fills one group of columns from the best values that the sheet found, by the rows of semconv.md §4.
//! Texts are moved out of the sheet.

use super::class::{self, Class, Kind};
use super::coerce;
use super::dialect::Dialect;
use super::field::{Field as F, Place};
use super::provider;
use super::sheet::{Family, Sheet};
use super::usage::{self, Said};
use crate::model::{SpanRow, Value};

/// Bytes of an agent's name at most; anything longer is content.
const PARTY_BYTES_MAX: usize = 256;

/// Fills the columns of agent, workflow and session.
pub(super) fn identity(sheet: &mut Sheet, row: &mut SpanRow, class: Class, name: &str) {
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
}

/// Fills the columns of provider, model, request and response.
pub(super) fn request(sheet: &mut Sheet, row: &mut SpanRow, class: Class) {
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
    if sheet.has(F::InvocationParameters) && (row.max_tokens.is_none() || row.temperature.is_none())
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
}

/// Fills the columns of tokens.
pub(super) fn usage(sheet: &Sheet, row: &mut SpanRow, class: Class) {
    let int = |field| sheet.int(field);
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
        usage_of_response(sheet, &mut said);
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
fn usage_of_response(sheet: &Sheet, said: &mut Said) {
    if said.input.is_some()
        && said.output.is_some()
        && said.cache_read.is_some()
        && said.reasoning.is_some()
    {
        return;
    }
    let outputs = sheet
        .contents()
        .iter()
        .filter(|content| content.place == Place::Output);
    for output in outputs {
        let Value::Str(text) = sheet.attribute(output.at).1 else {
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

/// Fills the columns of the emitter's own cost, and the span's part in its trace's usage.
pub(super) fn cost(sheet: &mut Sheet, row: &mut SpanRow, class: Class) {
    reported_cost(sheet, row);
    row.usage_role = usage_role(row, class);
}

fn reported_cost(sheet: &mut Sheet, row: &mut SpanRow) {
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

/// Fills the columns of tools, MCP and retrieval.
pub(super) fn tool(sheet: &mut Sheet, row: &mut SpanRow, class: Class, name: &str) {
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
        let address = speaks_mcp
            .then(|| sheet.take_text(F::ServerAddress))
            .flatten();
        // Some clients name an MCP server's tool `mcp__server__tool`.
        let tool = || {
            row.tool_name
                .as_deref()?
                .strip_prefix("mcp__")?
                .split_once("__")
        };
        row.mcp_server = address.or_else(|| tool().map(|(server, _)| server.to_owned()));
    }
    row.data_source_id = sheet.take_text(F::DataSource);
    row.top_k = sheet.small(F::TopK);
    row.result_count = sheet.small(F::ResultCount);
}

/// Fills the columns of a hand-over of control.
pub(super) fn handoff(sheet: &mut Sheet, row: &mut SpanRow, class: Class, name: &str) {
    let party = |text: Option<String>| text.filter(|text| text.len() <= PARTY_BYTES_MAX);
    // A node's parent in a graph gave control away only where an agent took it.
    let linked = sheet.dialect_of(F::HandoffFrom) == Some(Dialect::OpenInference);
    if !linked || matches!(class.kind, Kind::Agent | Kind::Handoff) {
        row.handoff_from = sheet.take_text(F::HandoffFrom);
    }
    row.handoff_to = sheet.take_text(F::HandoffTo);
    if class.kind != Kind::Handoff {
        return;
    }
    let said = |place: Place| {
        let content = sheet
            .contents()
            .iter()
            .find(|content| content.place == place)?;
        coerce::scalar(sheet.attribute(content.at).1)
    };
    let from = party(said(Place::Input));
    let to = name.strip_prefix("handoff to ").map(str::to_owned);
    let to = party(said(Place::Output)).or(to);
    row.handoff_from = row.handoff_from.take().or(from);
    row.handoff_to = row.handoff_to.take().or(to);
}

/// Fills the columns of guardrails, approvals, retries, tasks and budgets.
pub(super) fn control(sheet: &mut Sheet, row: &mut SpanRow) {
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
