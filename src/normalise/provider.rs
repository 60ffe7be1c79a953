//! Who serves a model: one name for each provider, whatever the sender calls it (semconv.md §4.3).

use super::coerce::first_chars;

/// What a provider's name turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A provider we know, by OpenTelemetry's name for it.
    Known(&'static str),
    /// No provider: a framework that calls one.
    Framework,
    /// Somebody else: kept as sent.
    Unknown,
}

/// Spellings of providers; the first column is OpenTelemetry's name.
const SPELLINGS: &[(&str, &[&str])] = &[
    (
        "openai",
        &[
            "openai",
            "openai.chat",
            "openai.responses",
            "openai.completion",
            "openai.embedding",
        ],
    ),
    (
        "azure.ai.openai",
        &[
            "azure.ai.openai",
            "az.ai.openai",
            "azure",
            "azure_openai",
            "azure-openai",
            "azure-openai.chat",
        ],
    ),
    (
        "azure.ai.inference",
        &["azure.ai.inference", "az.ai.inference", "azure_ai"],
    ),
    ("anthropic", &["anthropic", "anthropic.messages"]),
    (
        "aws.bedrock",
        &[
            "aws.bedrock",
            "aws",
            "bedrock",
            "amazon-bedrock",
            "amazon_bedrock",
            "bedrock_converse",
        ],
    ),
    (
        "gcp.gemini",
        &[
            "gcp.gemini",
            "gemini",
            "google",
            "google.generative-ai",
            "gcp.gen_ai",
            "google_genai",
        ],
    ),
    (
        "gcp.vertex_ai",
        &[
            "gcp.vertex_ai",
            "vertex_ai",
            "vertexai",
            "google.vertex",
            "google-vertex",
        ],
    ),
    (
        "mistral_ai",
        &["mistral_ai", "mistralai", "mistral", "mistral.chat"],
    ),
    ("x_ai", &["x_ai", "xai", "x-ai", "xai.chat"]),
    ("moonshot_ai", &["moonshot_ai", "moonshotai", "moonshot"]),
    ("deepseek", &["deepseek", "deepseek.chat"]),
    ("groq", &["groq", "groq.chat"]),
    ("cohere", &["cohere", "cohere.chat"]),
    ("perplexity", &["perplexity"]),
    ("together_ai", &["together_ai", "together", "togetherai"]),
    ("fireworks", &["fireworks", "fireworks_ai"]),
    ("cerebras", &["cerebras"]),
    ("openrouter", &["openrouter"]),
    (
        "ibm.watsonx.ai",
        &["ibm.watsonx.ai", "watsonx", "ibm_watsonx"],
    ),
    ("ollama", &["ollama"]),
    ("vllm", &["vllm", "hosted_vllm"]),
    (
        "hugging_face",
        &["hugging_face", "huggingface", "hugging-face"],
    ),
    ("self_hosted", &["self_hosted"]),
];

const FRAMEWORKS: &[&str] = &[
    "gcp.vertex.agent",
    "strands-agents",
    "strands",
    "microsoft.agent_framework",
    "langchain",
    "langgraph",
    "crewai",
    "autogen",
    "litellm",
    "pydantic_ai",
    "pydantic-ai",
    "semantic_kernel",
    "openlit",
    "llama_index",
    "llamaindex",
    "haystack",
    "dspy",
    "smolagents",
    "agno",
];

/// Returns what a name means; its case does not matter.
pub(super) fn named(name: &str) -> Named {
    let name = name.trim_ascii();
    let is = |spelling: &&str| name.eq_ignore_ascii_case(spelling);
    if let Some((known, _)) = SPELLINGS
        .iter()
        .find(|(_, spellings)| spellings.iter().any(is))
    {
        return Named::Known(known);
    }
    if FRAMEWORKS.iter().any(is) {
        Named::Framework
    } else {
        Named::Unknown
    }
}

/// Returns who answers at a host.
pub(super) fn at_host(host: &str) -> Option<&'static str> {
    const HOSTS: &[(&str, &str)] = &[
        ("openai.azure.com", "azure.ai.openai"),
        ("inference.ai.azure.com", "azure.ai.inference"),
        ("api.openai.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("api.mistral.ai", "mistral_ai"),
        ("api.x.ai", "x_ai"),
        ("api.moonshot.ai", "moonshot_ai"),
        ("api.moonshot.cn", "moonshot_ai"),
        ("api.deepseek.com", "deepseek"),
        ("api.groq.com", "groq"),
        ("api.cohere.com", "cohere"),
        ("api.cohere.ai", "cohere"),
        ("api.perplexity.ai", "perplexity"),
        ("api.together.xyz", "together_ai"),
        ("api.together.ai", "together_ai"),
        ("api.fireworks.ai", "fireworks"),
        ("api.cerebras.ai", "cerebras"),
        ("openrouter.ai", "openrouter"),
        ("ml.cloud.ibm.com", "ibm.watsonx.ai"),
    ];
    let host = first_chars(host, 255).to_ascii_lowercase();
    let host = host.split_once("://").map_or(&*host, |(_, rest)| rest);
    let host = host.split([':', '/']).next().unwrap_or(host);
    if host.starts_with("bedrock-runtime.") && host.ends_with(".amazonaws.com") {
        return Some("aws.bedrock");
    }
    let serves = |known: &str| {
        host.strip_suffix(known)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '-']))
    };
    HOSTS
        .iter()
        .find(|(known, _)| serves(known))
        .map(|(_, provider)| *provider)
}

/// Guesses who made a model from its name.
pub(super) fn of_model(model: &str) -> Option<&'static str> {
    let model = first_chars(model, 255).to_ascii_lowercase();
    let begins = |beginning: &str| model.starts_with(beginning);
    // Bedrock's names begin with a region or a vendor: us.anthropic.claude..., anthropic.claude...
    if [
        "us.",
        "eu.",
        "apac.",
        "anthropic.",
        "amazon.",
        "meta.",
        "cohere.",
    ]
    .into_iter()
    .any(begins)
    {
        return Some("aws.bedrock");
    }
    let reasons = model
        .strip_prefix('o')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if begins("gpt-") || reasons {
        return Some("openai");
    }
    if begins("claude-") {
        return Some("anthropic");
    }
    begins("gemini-").then_some("gcp.gemini")
}

/// Returns a model's name for grouping: lower case, without a provider's name before a slash.
pub(super) fn grouped(model: &str) -> String {
    let model = model.trim().to_lowercase();
    let mut rest = &*model;
    while let Some((before, after)) = rest.split_once('/') {
        let prefix =
            matches!(named(before), Named::Known(_) | Named::Framework) || before == "models";
        if !prefix || after.is_empty() {
            break;
        }
        rest = after;
    }
    if rest.len() == model.len() {
        model
    } else {
        rest.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_one_name() {
        for (name, known) in [
            ("OpenAI", "openai"),
            ("az.ai.openai", "azure.ai.openai"),
            ("bedrock_converse", "aws.bedrock"),
            ("google", "gcp.gemini"),
            ("vertex_ai", "gcp.vertex_ai"),
            ("xai", "x_ai"),
            ("mistralai", "mistral_ai"),
        ] {
            assert_eq!(named(name), Named::Known(known), "{name}");
        }
        assert_eq!(named("orion"), Named::Unknown);
    }

    #[test]
    fn a_framework_is_no_provider() {
        for name in ["gcp.vertex.agent", "strands-agents", "langchain", "litellm"] {
            assert_eq!(named(name), Named::Framework, "{name}");
        }
    }

    #[test]
    fn hosts_tell_who_answers() {
        assert_eq!(at_host("api.openai.com"), Some("openai"));
        assert_eq!(
            at_host("my-company.openai.azure.com"),
            Some("azure.ai.openai")
        );
        assert_eq!(
            at_host("https://bedrock-runtime.eu-west-1.amazonaws.com/x"),
            Some("aws.bedrock")
        );
        assert_eq!(
            at_host("europe-west1-aiplatform.googleapis.com"),
            Some("gcp.vertex_ai")
        );
        assert_eq!(at_host("notapi.openai.com.example.org"), None);
        assert_eq!(at_host("evilapi.x.ai"), None);
    }

    #[test]
    fn models_tell_who_made_them() {
        assert_eq!(of_model("gpt-4o"), Some("openai"));
        assert_eq!(of_model("o3-mini"), Some("openai"));
        assert_eq!(of_model("omni"), None);
        assert_eq!(of_model("claude-sonnet"), Some("anthropic"));
        assert_eq!(of_model("us.anthropic.claude-3"), Some("aws.bedrock"));
        assert_eq!(of_model("gemini-2.5-pro"), Some("gcp.gemini"));
    }

    #[test]
    fn models_are_grouped_without_their_provider() {
        assert_eq!(grouped("OpenAI/GPT-4o"), "gpt-4o");
        assert_eq!(grouped("openrouter/anthropic/claude-3"), "claude-3");
        assert_eq!(grouped("models/gemini-2.5"), "gemini-2.5");
        assert_eq!(grouped("meta-llama/Llama-3"), "meta-llama/llama-3");
        assert_eq!(grouped("openai/"), "openai/");
    }
}
