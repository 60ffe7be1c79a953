//! What can be read from an attribute: the fields that names of all dialects point to, and how a value is read.

use super::slot::Slot;

macro_rules! fields {
    ($($field:ident = $column:literal,)*) => {
        /// One thing to know about a span, a log record, an event or a resource.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Field { $($field,)* }

        impl Field {
            /// How many fields there are.
            pub(super) const COUNT: usize = [$(Self::$field,)*].len();

            /// Returns the column that the field ends up in, or the word for it in a warning.
            pub(super) fn column(self) -> &'static str {
                match self { $(Self::$field => $column,)* }
            }
        }
    };
}

fields! {
    // Resource.
    Tenant = "tenant",
    ServiceName = "service_name",
    ServiceVersion = "service_version",
    Environment = "environment",
    // What a span is.
    OutspanKind = "kind",
    Operation = "op",
    SpanKind = "kind",
    DbSystem = "op",
    // Agent, session, user.
    AgentName = "agent_name",
    AgentId = "agent_id",
    AgentVersion = "agent_version",
    WorkflowName = "workflow_name",
    RunKey = "run_key",
    SessionId = "session_id",
    UserId = "user_id",
    // Model and request.
    Provider = "provider",
    ServerAddress = "provider",
    ModelRequest = "model_request",
    ModelResponse = "model_response",
    ServiceTier = "service_tier",
    Processing = "processing",
    Stream = "stream",
    MaxTokens = "max_tokens",
    Temperature = "temperature",
    InvocationParameters = "max_tokens",
    Metadata = "session_id",
    PromptName = "prompt_name",
    PromptVersion = "prompt_version",
    // Usage and money.
    TokensInput = "tokens_input",
    TokensOutput = "tokens_output",
    TokensCacheRead = "tokens_cache_read",
    TokensCacheWrite = "tokens_cache_write",
    TokensCacheWrite1h = "tokens_cache_write_1h",
    TokensReasoning = "tokens_reasoning",
    TokensInputAudio = "tokens_input_audio",
    TokensOutputAudio = "tokens_output_audio",
    TokensInputImage = "tokens_input_image",
    TokensTotal = "tokens_total_reported",
    Cost = "cost_reported",
    CostCurrency = "cost_reported",
    CostSource = "cost_reported_source",
    CacheHit = "response_cache_hit",
    CostSaved = "cost_saved_reported",
    // Response.
    Ttft = "ttft_ns",
    FinishReasons = "finish_reasons",
    ResponseId = "response_id",
    // Tools, MCP, retrieval.
    ToolName = "tool_name",
    ToolCallId = "tool_call_id",
    ToolType = "tool_type",
    McpMethod = "mcp_method",
    McpServer = "mcp_server",
    McpSession = "mcp_session_id",
    DataSource = "data_source_id",
    TopK = "top_k",
    ResultCount = "result_count",
    // Hand-offs, guardrails, approvals, retries.
    HandoffFrom = "handoff_from",
    HandoffTo = "handoff_to",
    GuardrailName = "guardrail_name",
    GuardrailTriggered = "guardrail_verdict",
    GuardrailAction = "guardrail_action",
    ApprovalStatus = "approval_status",
    ApprovalSource = "approval_source",
    ApprovalTool = "approval_status",
    ApprovalWait = "approval_wait_ns",
    Attempt = "attempt",
    ResendCount = "resend_count",
    RetryCause = "retry_cause",
    // Tasks and budgets.
    TaskId = "task_id",
    TaskType = "task_type",
    TaskOutcome = "task_outcome",
    IdempotencyKey = "idempotency_key",
    Variant = "variant",
    CascadeTier = "cascade_tier",
    BudgetToolCalls = "budget_tool_calls",
    BudgetTokens = "budget_tokens",
    BudgetWall = "budget_wall_ms",
    BudgetCost = "budget_cost",
    EscalationReason = "packet_fields",
    PacketFields = "packet_fields",
    // Errors.
    ErrorType = "error_type",
    ExceptionType = "exception_type",
    // Evaluations.
    EvaluationName = "name",
    EvaluationScore = "score",
    EvaluationLabel = "label",
    // Log records.
    EventName = "event_name",
}

/// How a value is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    /// Any scalar, as text.
    Text,
    /// The same, in lower case.
    LowerText,
    /// A model's name; `unknown` is none.
    Model,
    /// A provider in any spelling; a framework's name is none.
    Provider,
    /// A service tier; `auto` is none.
    Tier,
    /// A count of tokens.
    Tokens,
    /// An integer that is not negative.
    Count,
    /// A span of time in seconds.
    Seconds,
    /// A span of time in milliseconds.
    Millis,
    /// A number.
    Number,
    /// A truth value.
    Flag,
    /// US dollars, not negative.
    Money,
    /// A list of texts.
    List,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// A status of HTTP that says error.
    HttpError,
    /// A status of RPC that says error.
    RpcError,
    /// JSON or an object, looked into only when needed.
    Object,
}

/// What a name means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// A field, read this way.
    Is(Field, Read),
    /// Content: it leaves the attributes.
    Content(Place),
    /// A request's headers: their names stay, their values may be credentials and go.
    Headers,
    /// A part of an evaluation about this; only the explanation is content.
    Evaluation(&'static str),
    /// Nothing but the mark of a dialect.
    Mark,
}

/// Where content belongs; for some names that depends on what the span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This slot.
    Slot(Slot),
    /// Whatever went in: messages, a tool's arguments, a query.
    Input,
    /// Whatever came out.
    Output,
    /// A tool's parameters: content when they are values, none when they are a schema.
    Parameters,
}
