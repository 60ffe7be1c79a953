//! What a span is: its canonical kind and operation (semconv.md §5). The first rule that yields a value wins.
//!
//! The dialects' own words are in their files; here are the order in which they are asked, and the rules that belong
//! to no dialect: hand-offs by a tool's name, the presence of telling attributes, and what remains.

use super::dialect::DEFINITIONS;
use super::field::{Field as F, Place};
use super::sheet::Family;
use super::slot::Slot;
use super::span::View;

/// The canonical kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Agent,
    Llm,
    Tool,
    Retrieval,
    Embedding,
    Guardrail,
    Evaluator,
    Handoff,
    Human,
    Other,
}

impl Kind {
    /// Returns the name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Llm => "llm",
            Self::Tool => "tool",
            Self::Retrieval => "retrieval",
            Self::Embedding => "embedding",
            Self::Guardrail => "guardrail",
            Self::Evaluator => "evaluator",
            Self::Handoff => "handoff",
            Self::Human => "human",
            Self::Other => "other",
        }
    }
}

/// Kind and operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) op: &'static str,
}

const fn is(kind: Kind, op: &'static str) -> Class {
    Class { kind, op }
}

pub(super) const AGENT: Class = is(Kind::Agent, "invoke_agent");
pub(super) const WORKFLOW: Class = is(Kind::Agent, "invoke_workflow");
pub(super) const TOOL: Class = is(Kind::Tool, "execute_tool");
pub(super) const MCP_SERVER: Class = is(Kind::Tool, "mcp_server");
pub(super) const MCP: Class = is(Kind::Other, "mcp");
pub(super) const STEP: Class = is(Kind::Other, "step");
pub(super) const HANDOFF: Class = is(Kind::Handoff, "handoff");
pub(super) const APPROVAL: Class = is(Kind::Human, "approval");
pub(super) const ELICITATION: Class = is(Kind::Human, "elicitation");
const CHAT: Class = is(Kind::Llm, "chat");
const RETRIEVE: Class = is(Kind::Retrieval, "retrieve");
const EVALUATE: Class = is(Kind::Evaluator, "evaluate");

impl Class {
    /// Returns the class that `outspan.kind` names, with the kind's usual operation.
    pub(super) fn of_kind(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "agent" => AGENT,
            "llm" => CHAT,
            "tool" => TOOL,
            "retrieval" => RETRIEVE,
            "embedding" => is(Kind::Embedding, "embed"),
            "guardrail" => is(Kind::Guardrail, "guardrail"),
            "evaluator" => EVALUATE,
            "handoff" => HANDOFF,
            "human" => is(Kind::Human, "input"),
            "other" => is(Kind::Other, "other"),
            _ => return None,
        })
    }

    /// Returns whether spans of this class are calls of a model, an embedder or a reranker.
    pub(super) fn is_call(self) -> bool {
        matches!(self.kind, Kind::Llm | Kind::Embedding) || self.op == "rerank"
    }
}

/// Returns what a span is.
pub(super) fn classify(span: &View<'_>) -> Class {
    let spoken = DEFINITIONS
        .iter()
        .filter(|d| span.sheet.spoken().has(d.dialect));
    let class = spoken
        .clone()
        .find_map(|definition| (definition.fixup)(span))
        .or_else(|| span.name.starts_with("handoff to ").then_some(HANDOFF))
        .or_else(|| {
            spoken
                .clone()
                .find_map(|definition| (definition.class)(span))
        })
        .or_else(|| by_presence(span))
        .unwrap_or_else(|| remaining(span));
    let overridden = span.sheet.has(F::OutspanKind);
    if class == TOOL && !overridden && span.sheet.text(F::ToolName).is_some_and(hands_over) {
        return HANDOFF;
    }
    refined(class, span)
}

/// An overridden kind keeps the finer operation that the span names, where the two agree.
fn refined(class: Class, span: &View<'_>) -> Class {
    if !span.sheet.has(F::OutspanKind) {
        return class;
    }
    let spoken = DEFINITIONS
        .iter()
        .filter(|d| span.sheet.spoken().has(d.dialect));
    spoken
        .filter_map(|definition| (definition.class)(span))
        .find(|finer| finer.kind == class.kind)
        .unwrap_or(class)
}

fn by_presence(span: &View<'_>) -> Option<Class> {
    let sheet = span.sheet;
    let has = |field| sheet.has(field);
    if has(F::ToolName) || has(F::ToolCallId) {
        return Some(TOOL);
    }
    if has(F::EvaluationName) {
        return Some(EVALUATE);
    }
    let content = |slot| {
        sheet
            .contents()
            .iter()
            .any(|content| content.place == Place::Slot(slot))
    };
    if has(F::TopK) || content(Slot::RetrievalQuery) || content(Slot::Documents) {
        return Some(RETRIEVE);
    }
    let usage = [F::TokensInput, F::TokensOutput, F::TokensTotal];
    let answered = usage.into_iter().any(has) || content(Slot::OutputMessages);
    // A model's name alone says nothing: agents and workflows carry it too.
    if has(F::ModelRequest) && answered {
        return Some(CHAT);
    }
    sheet
        .text(F::DbSystem)
        .is_some_and(holds_vectors)
        .then_some(RETRIEVE)
}

fn holds_vectors(system: &str) -> bool {
    const STORES: [&str; 8] = [
        "pinecone", "qdrant", "chroma", "weaviate", "milvus", "marqo", "lancedb", "pgvector",
    ];
    STORES
        .iter()
        .any(|store| system.to_ascii_lowercase().contains(store))
}

fn remaining(span: &View<'_>) -> Class {
    let families = [
        (Family::Http, "http"),
        (Family::Db, "db"),
        (Family::Rpc, "rpc"),
        (Family::Messaging, "messaging"),
    ];
    let found = families
        .into_iter()
        .find(|(family, _)| span.sheet.has_family(*family));
    is(Kind::Other, found.map_or("other", |(_, op)| op))
}

/// Returns whether a tool hands control over to another agent. Handing over to a person is an escalation and stays a
/// tool call.
fn hands_over(tool: &str) -> bool {
    let named = ["transfer_to_agent", "handoff_to_agent", "handoff"].contains(&tool);
    let target = ["transfer_to_", "handoff_to_", "delegate_to_"]
        .iter()
        .any(|beginning| tool.len() > beginning.len() && tool.starts_with(beginning));
    (named || target) && !reaches_a_person(tool)
}

/// Returns whether a tool's name says that it hands over to a person.
pub(super) fn reaches_a_person(tool: &str) -> bool {
    const PEOPLE: [&str; 6] = [
        "human",
        "person",
        "operator",
        "representative",
        "supervisor",
        "live_",
    ];
    tool.match_indices("_to_").any(|(at, found)| {
        let target = &tool[at + found.len()..];
        let target = ["a_", "an_", "the_"]
            .iter()
            .find_map(|article| target.strip_prefix(article))
            .unwrap_or(target);
        PEOPLE.iter().any(|person| target.starts_with(person))
    })
}

/// Returns a span's name without the suffix by which instrumentations name the method they wrapped.
pub(super) fn bare(name: &str) -> &str {
    const SUFFIXES: [&str; 13] = [
        ".__call__",
        ".call",
        ".acall",
        ".run",
        ".arun",
        "._execute_core",
        ".kickoff",
        ".forward",
        ".tool",
        ".agent",
        ".workflow",
        ".task",
        ".session",
    ];
    let bare = SUFFIXES
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    if bare.is_empty() { name } else { bare }
}

#[cfg(test)]
mod tests;
