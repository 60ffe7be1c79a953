//! Our own names, for what no convention has (semconv.md §10). They beat all others.

use super::{Definition, Dialect, Name};
use crate::model::outcome::OUTCOMES;
use crate::normalise::class::{APPROVAL, Class};
use crate::normalise::field::Field as F;
use crate::normalise::field::Meaning::{Is, Mark};
use crate::normalise::field::Read::{Count, Flag, List, Millis, Money, Text, Word};
use crate::normalise::span::View;

pub(super) const DEFINITION: Definition = Definition {
    dialect: Dialect::Outspan,
    scopes: &[],
    names: NAMES,
    families: &[("outspan.", Mark, 0)],
    fixup: kind,
    class: approval,
};

const NAMES: &[Name] = &[
    ("outspan.tenant.id", Is(F::Tenant, Text), 0),
    ("outspan.kind", Is(F::OutspanKind, Text), 0),
    ("outspan.task.id", Is(F::TaskId, Text), 0),
    ("outspan.task.type", Is(F::TaskType, Text), 0),
    (
        "outspan.task.outcome",
        Is(F::TaskOutcome, Word(&OUTCOMES)),
        0,
    ),
    ("outspan.attempt", Is(F::Attempt, Count), 0),
    ("outspan.retry.reason", Is(F::RetryCause, Text), 0),
    ("outspan.idempotency.key", Is(F::IdempotencyKey, Text), 0),
    (
        "outspan.budget.tool_calls",
        Is(F::BudgetToolCalls, Count),
        0,
    ),
    ("outspan.budget.tokens", Is(F::BudgetTokens, Count), 0),
    ("outspan.budget.wall_ms", Is(F::BudgetWall, Count), 0),
    ("outspan.budget.cost", Is(F::BudgetCost, Money), 0),
    (
        "outspan.approval.status",
        Is(F::ApprovalStatus, Word(APPROVALS)),
        0,
    ),
    (
        "outspan.approval.source",
        Is(F::ApprovalSource, Word(SOURCES)),
        0,
    ),
    ("outspan.approval.tool", Is(F::ApprovalTool, Text), 0),
    ("outspan.approval.wait_ms", Is(F::ApprovalWait, Millis), 0),
    ("outspan.cascade.tier", Is(F::CascadeTier, Text), 0),
    ("outspan.cache.hit", Is(F::CacheHit, Flag), 0),
    ("outspan.cache.saved_cost", Is(F::CostSaved, Money), 0),
    ("outspan.cost.usd", Is(F::Cost, Money), 0),
    ("outspan.processing", Is(F::Processing, Text), 0),
    ("outspan.variant", Is(F::Variant, Text), 0),
    (
        "outspan.escalation.reason",
        Is(F::EscalationReason, Text),
        0,
    ),
    (
        "outspan.escalation.packet.fields",
        Is(F::PacketFields, List),
        0,
    ),
];

const APPROVALS: &[&str] = &[
    "requested",
    "approved",
    "rejected",
    "modified",
    "expired",
    "aborted",
    "deferred",
];
const SOURCES: &[&str] = &["human", "policy", "hook", "timeout"];

fn kind(span: &View<'_>) -> Option<Class> {
    Class::of_kind(span.sheet.text(F::OutspanKind)?)
}

/// A span about an approval is a person's, unless another dialect says what it is: approvals are also noted on tool
/// spans.
fn approval(span: &View<'_>) -> Option<Class> {
    let about = span.sheet.has(F::ApprovalStatus) || span.sheet.has(F::ApprovalTool);
    let claimed = [F::Operation, F::SpanKind, F::ToolName, F::McpMethod];
    (about && !claimed.iter().any(|field| span.sheet.has(*field))).then_some(APPROVAL)
}
