//! OpenTelemetry's GenAI conventions of today (`gen_ai.*`).

use super::{Definition, Dialect, Name};
use crate::normalise::class::{Class, HANDOFF, Kind, STEP, TOOL, WORKFLOW};
use crate::normalise::field::Field as F;
use crate::normalise::field::Meaning::{Content, Headers, Is, Mark};
use crate::normalise::field::Place::Slot;
use crate::normalise::field::Read::{
    Count, Flag, List, LowerText, Model, Money, Number, Provider, Seconds, Text, Tier, Tokens, Word,
};
use crate::normalise::slot::Slot as S;
use crate::normalise::span::View;

pub(super) const DEFINITION: Definition = Definition {
    dialect: Dialect::Otel,
    scopes: &[],
    names: NAMES,
    families: FAMILIES,
    fixup,
    class,
};

const NAMES: &[Name] = &[
    ("gen_ai.operation.name", Is(F::Operation, LowerText), 1),
    // Identity.
    ("gen_ai.agent.name", Is(F::AgentName, Text), 1),
    ("gen_ai.agent.id", Is(F::AgentId, Text), 1),
    ("gen_ai.agent.version", Is(F::AgentVersion, Text), 1),
    ("gen_ai.workflow.name", Is(F::WorkflowName, Text), 1),
    ("gen_ai.agent.call.id", Is(F::RunKey, Text), 1),
    ("gen_ai.conversation.id", Is(F::SessionId, Text), 1),
    // Model and request.
    ("gen_ai.provider.name", Is(F::Provider, Provider), 1),
    ("gen_ai.request.model", Is(F::ModelRequest, Model), 1),
    ("gen_ai.response.model", Is(F::ModelResponse, Model), 1),
    ("openai.response.service_tier", Is(F::ServiceTier, Tier), 1),
    ("gen_ai.response.service_tier", Is(F::ServiceTier, Tier), 3),
    ("openai.request.service_tier", Is(F::ServiceTier, Tier), 5),
    ("gen_ai.request.service_tier", Is(F::ServiceTier, Tier), 7),
    ("gen_ai.request.stream", Is(F::Stream, Flag), 1),
    ("gen_ai.request.max_tokens", Is(F::MaxTokens, Count), 1),
    ("gen_ai.request.temperature", Is(F::Temperature, Number), 1),
    ("gen_ai.response.id", Is(F::ResponseId, Text), 1),
    ("gen_ai.prompt.name", Is(F::PromptName, Text), 1),
    ("gen_ai.prompt.version", Is(F::PromptVersion, Text), 1),
    // Usage.
    ("gen_ai.usage.input_tokens", Is(F::TokensInput, Tokens), 1),
    ("gen_ai.usage.output_tokens", Is(F::TokensOutput, Tokens), 1),
    (
        "gen_ai.usage.cache_read.input_tokens",
        Is(F::TokensCacheRead, Tokens),
        1,
    ),
    (
        "gen_ai.usage.cache_write.input_tokens",
        Is(F::TokensCacheWrite, Tokens),
        1,
    ),
    (
        "gen_ai.usage.cache_creation.input_tokens",
        Is(F::TokensCacheWrite, Tokens),
        2,
    ),
    (
        "gen_ai.usage.reasoning.output_tokens",
        Is(F::TokensReasoning, Tokens),
        1,
    ),
    (
        "gen_ai.usage.audio.input_tokens",
        Is(F::TokensInputAudio, Tokens),
        1,
    ),
    (
        "gen_ai.usage.audio.output_tokens",
        Is(F::TokensOutputAudio, Tokens),
        1,
    ),
    (
        "gen_ai.usage.image.input_tokens",
        Is(F::TokensInputImage, Tokens),
        1,
    ),
    ("gen_ai.usage.total_tokens", Is(F::TokensTotal, Tokens), 1),
    ("gen_ai.usage.cost.amount", Is(F::Cost, Money), 1),
    ("gen_ai.usage.cost.currency", Is(F::CostCurrency, Text), 1),
    (
        "gen_ai.usage.cost.source",
        Is(F::CostSource, Word(&["provider", "gateway", "local"])),
        1,
    ),
    // Response.
    (
        "gen_ai.response.time_to_first_chunk",
        Is(F::Ttft, Seconds),
        1,
    ),
    (
        "gen_ai.client.operation.time_to_first_chunk",
        Is(F::Ttft, Seconds),
        2,
    ),
    (
        "gen_ai.response.finish_reasons",
        Is(F::FinishReasons, List),
        1,
    ),
    // Tools.
    ("gen_ai.tool.name", Is(F::ToolName, Text), 1),
    ("gen_ai.tool.call.id", Is(F::ToolCallId, Text), 1),
    ("gen_ai.tool.type", Is(F::ToolType, LowerText), 1),
    // Retrieval and memory.
    ("gen_ai.data_source.id", Is(F::DataSource, Text), 1),
    ("gen_ai.retrieval.top_k", Is(F::TopK, Count), 1),
    // Hand-offs and guardrails.
    ("gen_ai.handoff.from_agent", Is(F::HandoffFrom, Text), 1),
    ("gen_ai.handoff.to_agent", Is(F::HandoffTo, Text), 1),
    ("gen_ai.guardrail.name", Is(F::GuardrailName, Text), 1),
    (
        "gen_ai.guardrail.triggered",
        Is(F::GuardrailTriggered, Flag),
        1,
    ),
    (
        "gen_ai.security.guardrail.name",
        Is(F::GuardrailName, Text),
        3,
    ),
    (
        "gen_ai.security.action.type",
        Is(
            F::GuardrailAction,
            Word(&["none", "blocked", "modified", "flagged"]),
        ),
        3,
    ),
    // Evaluations.
    ("gen_ai.evaluation.name", Is(F::EvaluationName, Text), 1),
    (
        "gen_ai.evaluation.score.value",
        Is(F::EvaluationScore, Number),
        1,
    ),
    (
        "gen_ai.evaluation.score.label",
        Is(F::EvaluationLabel, Text),
        1,
    ),
    (
        "gen_ai.evaluation.explanation",
        Content(Slot(S::EvalExplanation)),
        1,
    ),
    // Content.
    (
        "gen_ai.system_instructions",
        Content(Slot(S::SystemInstructions)),
        1,
    ),
    ("gen_ai.input.messages", Content(Slot(S::InputMessages)), 1),
    (
        "gen_ai.output.messages",
        Content(Slot(S::OutputMessages)),
        1,
    ),
    (
        "gen_ai.tool.definitions",
        Content(Slot(S::ToolDefinitions)),
        1,
    ),
    ("gen_ai.tool.call.arguments", Content(Slot(S::ToolArgs)), 1),
    ("gen_ai.tool.call.result", Content(Slot(S::ToolResult)), 1),
    (
        "gen_ai.retrieval.query.text",
        Content(Slot(S::RetrievalQuery)),
        1,
    ),
    ("gen_ai.retrieval.documents", Content(Slot(S::Documents)), 1),
    ("gen_ai.memory.query.text", Content(Slot(S::MemoryQuery)), 1),
    ("gen_ai.memory.records", Content(Slot(S::MemoryRecords)), 1),
    ("gen_ai.headers", Headers, 1),
];

const FAMILIES: &[Name] = &[
    (
        "gen_ai.prompt.variable.",
        Content(Slot(S::PromptVariables)),
        1,
    ),
    ("gen_ai.", Mark, 0),
];

/// The scope of OpenTelemetry's own instrumentation of the OpenAI Agents SDK.
const AGENTS_SCOPE: &str = "opentelemetry.instrumentation.openai_agents";

fn fixup(span: &View<'_>) -> Option<Class> {
    if span.sheet.text(F::ToolName) == Some("(merged tools)") {
        return Some(STEP);
    }
    if span.name.starts_with("handoff to ") {
        return Some(HANDOFF);
    }
    // This instrumentation wraps each trace in one more invocation, which would count the run twice.
    let wrapper = span.is_root() && span.is_server() && span.scope.starts_with(AGENTS_SCOPE);
    (wrapper && span.sheet.text(F::Operation) == Some("invoke_agent")).then_some(WORKFLOW)
}

fn class(span: &View<'_>) -> Option<Class> {
    class_of_operation(span.sheet.text(F::Operation)?)
}

/// Returns what an operation's name says; `None` for one that is not known.
fn class_of_operation(name: &str) -> Option<Class> {
    let class = |kind, op| Some(Class { kind, op });
    match name {
        "invoke_agent" | "agent_call" => class(Kind::Agent, "invoke_agent"),
        "invoke_workflow" => class(Kind::Agent, "invoke_workflow"),
        "create_agent" => class(Kind::Agent, "create_agent"),
        "chat" | "generate" | "llm_call" | "model_request" | "llm_request" => {
            class(Kind::Llm, "chat")
        }
        "text_completion" | "completion" => class(Kind::Llm, "text_completion"),
        "generate_content" => class(Kind::Llm, "generate_content"),
        "responses" => class(Kind::Llm, "responses"),
        "image" => class(Kind::Llm, "image"),
        "speech" => class(Kind::Llm, "speech"),
        "transcription" => class(Kind::Llm, "transcription"),
        "realtime" => class(Kind::Llm, "realtime"),
        "decide" => class(Kind::Llm, "decide"),
        "moderation" | "litellm.moderation" => class(Kind::Llm, "moderation"),
        "embeddings" => class(Kind::Embedding, "embed"),
        "retrieval" | "vector_db_retrieve" => class(Kind::Retrieval, "retrieve"),
        "rerank" => class(Kind::Retrieval, "rerank"),
        "search_memory" => class(Kind::Retrieval, "memory_read"),
        "create_memory" | "update_memory" | "upsert_memory" | "delete_memory" => {
            class(Kind::Retrieval, "memory_write")
        }
        "execute_tool" | "tool_call" => Some(TOOL),
        "run_guardrail" | "guardrail_check" | "apply_guardrail" => {
            class(Kind::Guardrail, "guardrail")
        }
        "handoff" | "agent_handoff" => Some(HANDOFF),
        "agent_step"
        | "plan"
        | "execute_task"
        | "execute_event_loop_cycle"
        | "compact_events"
        | "schedule_tool_calls" => Some(STEP),
        "fetch_response" => class(Kind::Other, "fetch_response"),
        store if store.ends_with("_memory_store") => class(Kind::Retrieval, "memory_write"),
        _ => None,
    }
}
