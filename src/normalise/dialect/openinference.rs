//! OpenInference (`openinference.span.kind`, `llm.*`, `input.value`), the names of Arize's instrumentations.

use super::{Definition, Dialect, Name, WEAK};
use crate::normalise::class::{AGENT, Class, Kind, STEP, TOOL, WORKFLOW};
use crate::normalise::field::Field as F;
use crate::normalise::field::Meaning::{Content, Evaluation, Headers, Is, Mark};
use crate::normalise::field::Place::{Input, Output, Parameters, Slot};
use crate::normalise::field::Read::{
    Count, Flag, List, Model, Money, Object, Provider, Text, Tokens,
};
use crate::normalise::slot::Slot as S;
use crate::normalise::span::View;

pub(super) const DEFINITION: Definition = Definition {
    dialect: Dialect::OpenInference,
    scopes: &[],
    names: NAMES,
    families: FAMILIES,
    fixup,
    class,
};

const NAMES: &[Name] = &[
    ("openinference.span.kind", Is(F::SpanKind, Text), 1),
    ("agent.name", Is(F::AgentName, Text), 2),
    ("graph.node.name", Is(F::AgentName, Text), 6),
    ("graph.node.id", Is(F::AgentId, Text), 4),
    ("graph.node.parent_id", Is(F::HandoffFrom, Text), WEAK + 5),
    ("metadata", Is(F::Metadata, Object), 1),
    ("llm.user", Is(F::UserId, Text), 5),
    ("llm.provider", Is(F::Provider, Provider), 2),
    ("llm.system", Is(F::Provider, Provider), 4),
    ("llm.request.model_name", Is(F::ModelRequest, Model), 2),
    // Several instrumentors put the response's model there.
    ("llm.model_name", Is(F::ModelRequest, Model), WEAK + 4),
    ("embedding.model_name", Is(F::ModelRequest, Model), WEAK + 6),
    ("reranker.model_name", Is(F::ModelRequest, Model), WEAK + 7),
    (
        "decision.request.model_name",
        Is(F::ModelRequest, Model),
        WEAK + 8,
    ),
    ("llm.response.model_name", Is(F::ModelResponse, Model), 2),
    (
        "decision.response.model_name",
        Is(F::ModelResponse, Model),
        4,
    ),
    ("llm.is_streaming", Is(F::Stream, Flag), 3),
    (
        "llm.invocation_parameters",
        Is(F::InvocationParameters, Object),
        1,
    ),
    ("prompt.id", Is(F::PromptName, Text), 4),
    ("llm.prompt_template.version", Is(F::PromptVersion, Text), 4),
    ("llm.token_count.prompt", Is(F::TokensInput, Tokens), 2),
    ("decision.token_count.input", Is(F::TokensInput, Tokens), 7),
    ("llm.token_count.completion", Is(F::TokensOutput, Tokens), 2),
    (
        "decision.token_count.output",
        Is(F::TokensOutput, Tokens),
        6,
    ),
    (
        "llm.token_count.prompt_details.cache_read",
        Is(F::TokensCacheRead, Tokens),
        2,
    ),
    (
        "llm.token_count.prompt_details.cache_input",
        Is(F::TokensCacheRead, Tokens),
        9,
    ),
    (
        "llm.token_count.prompt_details.cache_write",
        Is(F::TokensCacheWrite, Tokens),
        5,
    ),
    (
        "llm.token_count.prompt_details.audio",
        Is(F::TokensInputAudio, Tokens),
        2,
    ),
    (
        "llm.token_count.completion_details.audio",
        Is(F::TokensOutputAudio, Tokens),
        2,
    ),
    (
        "llm.token_count.completion_details.reasoning",
        Is(F::TokensReasoning, Tokens),
        2,
    ),
    ("llm.token_count.total", Is(F::TokensTotal, Tokens), 2),
    ("llm.cost.total", Is(F::Cost, Money), 4),
    ("llm.finish_reason", Is(F::FinishReasons, List), 3),
    ("tool.name", Is(F::ToolName, Text), 2),
    ("tool.id", Is(F::ToolCallId, Text), 2),
    ("tool_call.id", Is(F::ToolCallId, Text), 3),
    ("reranker.top_k", Is(F::TopK, Count), 2),
    ("input.value", Content(Input), 20),
    ("output.value", Content(Output), 20),
    ("tool.parameters", Content(Parameters), 4),
    ("llm.prompts", Content(Slot(S::InputMessages)), 5),
    ("llm.function_call", Content(Slot(S::OutputMessages)), 10),
    (
        "llm.prompt_template.template",
        Content(Slot(S::PromptTemplate)),
        1,
    ),
    (
        "llm.prompt_template.variables",
        Content(Slot(S::PromptVariables)),
        2,
    ),
    ("llm.tools", Content(Slot(S::ToolDefinitions)), 3),
    ("reranker.query", Content(Slot(S::RetrievalQuery)), 2),
    ("llm.headers", Headers, 1),
    ("input.mime_type", Mark, 0),
    ("output.mime_type", Mark, 0),
];

const FAMILIES: &[Name] = &[
    ("llm.input_messages.#", Content(Slot(S::InputMessages)), 2),
    ("llm.output_messages.#", Content(Slot(S::OutputMessages)), 2),
    ("llm.prompts.#", Content(Slot(S::InputMessages)), 6),
    ("llm.choices.#", Content(Slot(S::OutputMessages)), 6),
    ("llm.tools.#", Content(Slot(S::ToolDefinitions)), 2),
    ("retrieval.documents.#", Content(Slot(S::Documents)), 2),
    ("reranker.input_documents.#", Content(Slot(S::Documents)), 3),
    (
        "reranker.output_documents.#",
        Content(Slot(S::Documents)),
        4,
    ),
    ("embedding.embeddings.#", Content(Slot(S::RawInput)), 9),
    ("llm.headers.", Headers, 1),
    ("evaluations.#", Evaluation("span"), 1),
    ("annotations.#", Evaluation("span"), 1),
    ("span.evaluations.#", Evaluation("span"), 1),
    ("span.annotations.#", Evaluation("span"), 1),
    ("trace.evaluations.#", Evaluation("trace"), 1),
    ("trace.annotations.#", Evaluation("trace"), 1),
    ("session.evaluations.#", Evaluation("session"), 1),
    ("session.annotations.#", Evaluation("session"), 1),
    ("llm.token_count.", Mark, 0),
    ("openinference.", Mark, 0),
];

/// The scope of one of OpenInference's instrumentations, without their common beginning.
fn package<'a>(span: &View<'a>) -> &'a str {
    let scope = span
        .scope
        .strip_prefix("openinference.instrumentation.")
        .unwrap_or("");
    scope.split('.').next().unwrap_or("")
}

fn fixup(span: &View<'_>) -> Option<Class> {
    let kind = span.sheet.text(F::SpanKind)?;
    let is = |word: &str| kind.eq_ignore_ascii_case(word);
    let tool = span.sheet.text(F::ToolName);
    match package(span) {
        // The agent without a parent is the trace itself.
        "openai_agents" if is("AGENT") && span.is_root() => return Some(WORKFLOW),
        // A private method is labelled as a model call, and calls nothing.
        "llama_index" if is("LLM") && span.name.rsplit('.').next()?.starts_with('_') => {
            return Some(STEP);
        }
        "haystack" if is("CHAIN") && span.name == "Agent.run" => return Some(AGENT),
        // These tools only end a loop.
        "smolagents" if is("TOOL") && tool.unwrap_or(span.name) == "final_answer" => {
            return Some(STEP);
        }
        "smolagents" if is("TOOL") && tool.is_none() && span.name == "FinalAnswerTool" => {
            return Some(STEP);
        }
        "dspy"
            if is("TOOL") && tool.unwrap_or(super::super::class::bare(span.name)) == "finish" =>
        {
            return Some(STEP);
        }
        _ => {}
    }
    // More specific than any operation beside them.
    let specific = ["GUARDRAIL", "EVALUATOR", "RETRIEVER", "RERANKER"]
        .iter()
        .any(|word| is(word));
    if specific { class(span) } else { None }
}

fn class(span: &View<'_>) -> Option<Class> {
    let class = |kind, op| Some(Class { kind, op });
    match span.sheet.text(F::SpanKind)?.to_ascii_uppercase().as_str() {
        "AGENT" => Some(AGENT),
        "LLM" => class(Kind::Llm, "chat"),
        "DECISION" => class(Kind::Llm, "decide"),
        "TOOL" => Some(TOOL),
        "CHAIN" | "PROMPT" | "UNKNOWN" => Some(STEP),
        "RETRIEVER" => class(Kind::Retrieval, "retrieve"),
        "RERANKER" => class(Kind::Retrieval, "rerank"),
        "EMBEDDING" => class(Kind::Embedding, "embed"),
        "GUARDRAIL" => class(Kind::Guardrail, "guardrail"),
        "EVALUATOR" => class(Kind::Evaluator, "evaluate"),
        _ => None,
    }
}
