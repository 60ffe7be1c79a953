//! What spans are, by the tables of semconv.md §5 and the rows of §9 that concern classification.

use crate::model::{Attributes, RawSpan};
use crate::normalise::support::{attributes, of, of_scope, span};

fn kind_op(attributes: Attributes) -> String {
    let rows = of(attributes);
    format!("{}/{}", rows.span("kind"), rows.span("op"))
}

fn in_scope(scope: &str, span: RawSpan) -> String {
    let rows = of_scope(scope, span);
    format!("{}/{}", rows.span("kind"), rows.span("op"))
}

fn named(name: &str, attributes: Attributes) -> RawSpan {
    RawSpan {
        name: name.to_owned(),
        ..span(attributes)
    }
}

#[test]
fn operations_mean_what_the_table_says() {
    for (operation, expected) in [
        ("invoke_agent", "agent/invoke_agent"),
        ("agent_call", "agent/invoke_agent"),
        ("invoke_workflow", "agent/invoke_workflow"),
        ("create_agent", "agent/create_agent"),
        ("chat", "llm/chat"),
        ("CHAT", "llm/chat"),
        ("llm_call", "llm/chat"),
        ("model_request", "llm/chat"),
        ("text_completion", "llm/text_completion"),
        ("completion", "llm/text_completion"),
        ("generate_content", "llm/generate_content"),
        ("responses", "llm/responses"),
        ("transcription", "llm/transcription"),
        ("litellm.moderation", "llm/moderation"),
        ("embeddings", "embedding/embed"),
        ("retrieval", "retrieval/retrieve"),
        ("vector_db_retrieve", "retrieval/retrieve"),
        ("rerank", "retrieval/rerank"),
        ("search_memory", "retrieval/memory_read"),
        ("upsert_memory", "retrieval/memory_write"),
        ("create_memory_store", "retrieval/memory_write"),
        ("execute_tool", "tool/execute_tool"),
        ("tool_call", "tool/execute_tool"),
        ("guardrail_check", "guardrail/guardrail"),
        ("agent_handoff", "handoff/handoff"),
        ("agent_step", "other/step"),
        ("execute_event_loop_cycle", "other/step"),
        ("fetch_response", "other/fetch_response"),
        ("something_new", "other/other"),
    ] {
        assert_eq!(
            kind_op(attributes! { "gen_ai.operation.name" => operation }),
            expected,
            "{operation}"
        );
    }
}

#[test]
fn kinds_of_openinference_mean_what_the_table_says() {
    for (kind, expected) in [
        ("AGENT", "agent/invoke_agent"),
        ("LLM", "llm/chat"),
        ("DECISION", "llm/decide"),
        ("EMBEDDING", "embedding/embed"),
        ("RETRIEVER", "retrieval/retrieve"),
        ("RERANKER", "retrieval/rerank"),
        ("TOOL", "tool/execute_tool"),
        ("GUARDRAIL", "guardrail/guardrail"),
        ("EVALUATOR", "evaluator/evaluate"),
        ("CHAIN", "other/step"),
        ("PROMPT", "other/step"),
        ("UNKNOWN", "other/step"),
        ("llm", "llm/chat"),
    ] {
        assert_eq!(
            kind_op(attributes! { "openinference.span.kind" => kind }),
            expected,
            "{kind}"
        );
    }
}

#[test]
fn an_operation_beats_a_kind_unless_the_kind_is_more_specific() {
    let both = |operation, kind| {
        kind_op(
            attributes! { "gen_ai.operation.name" => operation, "openinference.span.kind" => kind },
        )
    };
    assert_eq!(both("invoke_agent", "CHAIN"), "agent/invoke_agent");
    assert_eq!(both("chat", "GUARDRAIL"), "guardrail/guardrail");
    assert_eq!(both("chat", "RETRIEVER"), "retrieval/retrieve");
    assert_eq!(both("something_new", "TOOL"), "tool/execute_tool");
}

#[test]
fn our_own_kind_beats_all_and_keeps_the_finer_operation() {
    let both = |kind, operation| {
        kind_op(attributes! { "outspan.kind" => kind, "gen_ai.operation.name" => operation })
    };
    assert_eq!(both("tool", "chat"), "tool/execute_tool");
    assert_eq!(both("llm", "responses"), "llm/responses");
    assert_eq!(both("nonsense", "chat"), "llm/chat");
    let escalation =
        attributes! { "outspan.kind" => "tool", "gen_ai.tool.name" => "transfer_to_billing" };
    assert_eq!(kind_op(escalation), "tool/execute_tool");
}

#[test]
fn a_tool_that_reaches_an_agent_is_a_handoff_and_one_that_reaches_a_person_is_not() {
    let tool = |name| {
        kind_op(
            attributes! { "gen_ai.operation.name" => "execute_tool", "gen_ai.tool.name" => name },
        )
    };
    for name in [
        "transfer_to_billing",
        "handoff_to_agent",
        "transfer_to_agent",
        "handoff",
        "delegate_to_researcher",
    ] {
        assert_eq!(tool(name), "handoff/handoff", "{name}");
    }
    for name in [
        "transfer_to_human_agents",
        "transfer_to_a_human",
        "handoff_to_the_supervisor",
        "transfer_to_live_agent",
        "escalate_to_human",
        "transfer_to_",
        "transfer_money",
        "send_handoff",
    ] {
        assert_eq!(tool(name), "tool/execute_tool", "{name}");
    }
    let rows = of(
        attributes! { "gen_ai.operation.name" => "execute_tool", "gen_ai.tool.name" => "transfer_to_billing" },
    );
    assert_eq!(rows.span("tool_name"), "transfer_to_billing");
}

#[test]
fn a_span_named_handoff_is_one() {
    let rows = of_scope(
        "",
        named(
            "handoff to billing",
            attributes! { "openinference.span.kind" => "TOOL" },
        ),
    );
    assert_eq!(
        (rows.span("kind"), rows.span("handoff_to")),
        ("handoff".to_owned(), "billing".to_owned())
    );
    let told = attributes! {
        "openinference.span.kind" => "TOOL", "input.value" => "triage", "output.value" => "refunds",
    };
    let rows = of_scope("", named("handoff to billing", told));
    assert_eq!(
        (rows.span("handoff_from"), rows.span("handoff_to")),
        ("triage".to_owned(), "refunds".to_owned())
    );
}

#[test]
fn a_merged_tool_is_no_call() {
    let merged = attributes! { "gen_ai.operation.name" => "execute_tool", "gen_ai.tool.name" => "(merged tools)" };
    assert_eq!(kind_op(merged), "other/step");
}

#[test]
fn the_methods_of_mcp_are_told_apart() {
    let method = |method| kind_op(attributes! { "mcp.method.name" => method });
    assert_eq!(method("tools/call"), "tool/execute_tool");
    assert_eq!(method("tools/list"), "other/mcp");
    assert_eq!(method("initialize"), "other/mcp");
    assert_eq!(method("elicitation/create"), "human/elicitation");
    let server = |attributes| {
        in_scope(
            "",
            RawSpan {
                kind: 2,
                ..span(attributes)
            },
        )
    };
    assert_eq!(
        server(attributes! { "mcp.method.name" => "tools/call" }),
        "tool/mcp_server"
    );
    let both = attributes! { "mcp.method.name" => "tools/call", "gen_ai.operation.name" => "execute_tool" };
    assert_eq!(server(both), "tool/mcp_server");
    assert_eq!(
        server(attributes! { "mcp.method.name" => "tools/list" }),
        "other/mcp"
    );
}

#[test]
fn a_clients_call_over_mcp_has_its_tool_in_its_name() {
    let rows = of_scope(
        "",
        named(
            "MCP send tools/call get_weather",
            attributes! { "mcp.method.name" => "tools/call" },
        ),
    );
    assert_eq!(
        (rows.span("tool_name"), rows.span("tool_type")),
        ("get_weather".to_owned(), "mcp".to_owned())
    );
    let rows = of_scope(
        "",
        named(
            "tools/call get_weather",
            attributes! { "mcp.method.name" => "tools/call" },
        ),
    );
    assert_eq!(rows.span("tool_name"), "get_weather");
}

#[test]
fn what_is_present_tells_what_a_span_is() {
    assert_eq!(
        kind_op(attributes! { "gen_ai.tool.name" => "x" }),
        "tool/execute_tool"
    );
    assert_eq!(
        kind_op(attributes! { "gen_ai.tool.call.id" => "x" }),
        "tool/execute_tool"
    );
    assert_eq!(
        kind_op(attributes! { "tool.name" => "x" }),
        "tool/execute_tool"
    );
    assert_eq!(
        kind_op(attributes! { "gen_ai.evaluation.name" => "x" }),
        "evaluator/evaluate"
    );
    assert_eq!(
        kind_op(attributes! { "gen_ai.retrieval.query.text" => "x" }),
        "retrieval/retrieve"
    );
    assert_eq!(
        kind_op(attributes! { "retrieval.documents.0.document.id" => "x" }),
        "retrieval/retrieve"
    );
    assert_eq!(
        kind_op(attributes! { "outspan.approval.tool" => "x" }),
        "human/approval"
    );
    assert_eq!(
        kind_op(attributes! { "db.system.name" => "qdrant" }),
        "retrieval/retrieve"
    );
    let tool = attributes! { "gen_ai.operation.name" => "execute_tool", "outspan.approval.status" => "approved" };
    assert_eq!(kind_op(tool), "tool/execute_tool");
}

#[test]
fn a_models_name_alone_makes_no_model_call() {
    assert_eq!(
        kind_op(attributes! { "gen_ai.request.model" => "gpt-4o" }),
        "other/other"
    );
    assert_eq!(
        kind_op(attributes! { "gen_ai.request.model" => "m", "gen_ai.usage.output_tokens" => 1 }),
        "llm/chat"
    );
    assert_eq!(
        kind_op(attributes! { "llm.model_name" => "m", "llm.token_count.prompt" => 1 }),
        "llm/chat"
    );
    assert_eq!(
        kind_op(attributes! { "gen_ai.request.model" => "m", "gen_ai.output.messages" => "[]" }),
        "llm/chat"
    );
}

#[test]
fn what_remains_is_told_by_its_family() {
    assert_eq!(
        kind_op(attributes! { "http.request.method" => "POST" }),
        "other/http"
    );
    assert_eq!(
        kind_op(attributes! { "db.system.name" => "postgresql" }),
        "other/db"
    );
    assert_eq!(kind_op(attributes! { "rpc.system" => "grpc" }), "other/rpc");
    assert_eq!(
        kind_op(attributes! { "messaging.system" => "kafka" }),
        "other/messaging"
    );
    assert_eq!(kind_op(attributes! {}), "other/other");
}

#[test]
fn odd_cases_of_openinference_packages() {
    let oi = |package: &str, name: &str, attributes: Attributes, root: bool| {
        let parent_span_id = (!root).then_some([9; 8]);
        let span = RawSpan {
            parent_span_id,
            ..named(name, attributes)
        };
        in_scope(&format!("openinference.instrumentation.{package}"), span)
    };
    let kind = |kind: &str| attributes! { "openinference.span.kind" => kind };
    assert_eq!(
        oi("openai_agents", "a", kind("AGENT"), true),
        "agent/invoke_workflow"
    );
    assert_eq!(
        oi("openai_agents", "a", kind("AGENT"), false),
        "agent/invoke_agent"
    );
    assert_eq!(
        oi(
            "llama_index",
            "OpenAILike._prepare_chat_with_tools",
            kind("LLM"),
            false
        ),
        "other/step"
    );
    assert_eq!(
        oi("llama_index", "OpenAILike.chat", kind("LLM"), false),
        "llm/chat"
    );
    assert_eq!(
        oi("haystack", "Agent.run", kind("CHAIN"), false),
        "agent/invoke_agent"
    );
    assert_eq!(
        oi("haystack", "Pipeline.run", kind("CHAIN"), false),
        "other/step"
    );
    let tool =
        |name: &str| attributes! { "openinference.span.kind" => "TOOL", "tool.name" => name };
    assert_eq!(
        oi("smolagents", "x", tool("final_answer"), false),
        "other/step"
    );
    assert_eq!(
        oi("smolagents", "x", tool("search"), false),
        "tool/execute_tool"
    );
    assert_eq!(
        oi("dspy", "finish.__call__", kind("TOOL"), false),
        "other/step"
    );
    assert_eq!(
        oi("dspy", "get_weather.__call__", kind("TOOL"), false),
        "tool/execute_tool"
    );
    assert_eq!(
        in_scope(
            "openinference.instrumentation.dspy",
            named("get_weather.__call__", kind("TOOL"))
        ),
        "tool/execute_tool"
    );
    let rows = of_scope(
        "openinference.instrumentation.dspy",
        named("get_weather.__call__", kind("TOOL")),
    );
    assert_eq!(rows.span("tool_name"), "get_weather");
}

#[test]
fn the_wrapper_of_the_agents_instrumentation_is_a_workflow() {
    let invoke = || attributes! { "gen_ai.operation.name" => "invoke_agent" };
    let scope = "opentelemetry.instrumentation.openai_agents";
    let root = RawSpan {
        kind: 2,
        parent_span_id: None,
        ..span(invoke())
    };
    assert_eq!(in_scope(scope, root.clone()), "agent/invoke_workflow");
    assert_eq!(in_scope("another", root), "agent/invoke_agent");
    assert_eq!(in_scope(scope, span(invoke())), "agent/invoke_agent");
}

#[test]
fn an_agent_without_a_name_is_called_as_its_span() {
    let name = |name: &str, attributes| of_scope("", named(name, attributes)).span("agent_name");
    let invoke = || attributes! { "gen_ai.operation.name" => "invoke_agent" };
    assert_eq!(name("invoke_agent triage", invoke()), "triage");
    assert_eq!(name("Support._execute_core", invoke()), "Support");
    let told =
        attributes! { "gen_ai.operation.name" => "invoke_agent", "gen_ai.agent.name" => "billing" };
    assert_eq!(name("invoke_agent triage", told), "billing");
    assert_eq!(
        name("triage", attributes! { "gen_ai.operation.name" => "chat" }),
        ""
    );
}
