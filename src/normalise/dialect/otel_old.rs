//! OpenTelemetry's GenAI names of yesterday, which many libraries still send.

use super::{Definition, Dialect, Name, no_class};
use crate::normalise::field::Field as F;
use crate::normalise::field::Meaning::{Content, Is};
use crate::normalise::field::Place::Slot;
use crate::normalise::field::Read::{Count, List, Provider, Text, Tier, Tokens};
use crate::normalise::slot::Slot as S;

pub(super) const DEFINITION: Definition = Definition {
    dialect: Dialect::OtelOld,
    scopes: &[],
    names: NAMES,
    families: FAMILIES,
    fixup: no_class,
    class: no_class,
};

const NAMES: &[Name] = &[
    ("gen_ai.system", Is(F::Provider, Provider), 3),
    ("gen_ai.user", Is(F::UserId, Text), 4),
    ("gen_ai.request.user", Is(F::UserId, Text), 6),
    (
        "gen_ai.openai.response.service_tier",
        Is(F::ServiceTier, Tier),
        2,
    ),
    (
        "gen_ai.openai.request.service_tier",
        Is(F::ServiceTier, Tier),
        6,
    ),
    (
        "gen_ai.request.max_completion_tokens",
        Is(F::MaxTokens, Count),
        4,
    ),
    ("gen_ai.response_id", Is(F::ResponseId, Text), 3),
    (
        "gen_ai.response.finish_reason",
        Is(F::FinishReasons, List),
        2,
    ),
    ("gen_ai.usage.prompt_tokens", Is(F::TokensInput, Tokens), 3),
    (
        "gen_ai.usage.completion_tokens",
        Is(F::TokensOutput, Tokens),
        3,
    ),
    (
        "gen_ai.usage.cache_read_input_tokens",
        Is(F::TokensCacheRead, Tokens),
        3,
    ),
    (
        "gen_ai.usage.cache_creation_input_tokens",
        Is(F::TokensCacheWrite, Tokens),
        3,
    ),
    (
        "gen_ai.usage.reasoning_tokens",
        Is(F::TokensReasoning, Tokens),
        3,
    ),
    (
        "gen_ai.request.instructions",
        Content(Slot(S::SystemInstructions)),
        2,
    ),
    ("gen_ai.prompt", Content(Slot(S::InputMessages)), 4),
    ("gen_ai.completion", Content(Slot(S::OutputMessages)), 4),
    ("gen_ai.tool.input", Content(Slot(S::ToolArgs)), 2),
    ("gen_ai.tool.args", Content(Slot(S::ToolArgs)), 3),
    ("gen_ai.tool.output", Content(Slot(S::ToolResult)), 2),
];

const FAMILIES: &[Name] = &[
    ("gen_ai.prompt.#", Content(Slot(S::InputMessages)), 3),
    ("gen_ai.completion.#", Content(Slot(S::OutputMessages)), 3),
];
