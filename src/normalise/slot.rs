//! The slots of a span's content.

macro_rules! slots {
    ($($slot:ident = $name:literal,)*) => {
        /// What a piece of content is of its span.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub(super) enum Slot { $(#[doc = $name] $slot,)* }

        impl Slot {
            /// All slots, in the order of their rows.
            pub(super) const ALL: &[Self] = &[$(Self::$slot,)*];

            /// Returns the name in the table.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$slot => $name,)* }
            }
        }
    };
}

slots! {
    SystemInstructions = "system_instructions",
    InputMessages = "input_messages",
    OutputMessages = "output_messages",
    ToolDefinitions = "tool_definitions",
    ToolArgs = "tool_args",
    ToolResult = "tool_result",
    RetrievalQuery = "retrieval_query",
    Documents = "documents",
    MemoryQuery = "memory_query",
    MemoryRecords = "memory_records",
    PromptTemplate = "prompt_template",
    PromptVariables = "prompt_variables",
    EvalExplanation = "eval_explanation",
    ErrorMessage = "error_message",
    Stacktrace = "stacktrace",
    RawInput = "raw_input",
    RawOutput = "raw_output",
    StructuredSchema = "structured_schema",
}

impl Slot {
    /// Returns whether what several names say belongs there side by side; elsewhere they say the same twice.
    pub(super) fn collects(self) -> bool {
        matches!(
            self,
            Self::Documents | Self::RawInput | Self::RawOutput | Self::EvalExplanation
        )
    }

    /// Returns whether messages stand there.
    pub(super) fn holds_messages(self) -> bool {
        matches!(self, Self::InputMessages | Self::OutputMessages)
    }
}
