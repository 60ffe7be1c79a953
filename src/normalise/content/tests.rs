//! Content leaves the attributes, stands once in its slot, and ends at its limits.

use super::*;
use crate::model::limits::{ATTRIBUTE_BYTES_MAX, CONTENT_BYTES_MAX};
use crate::model::{RawSpan, Table};
use crate::normalise::support::{attributes, event, of, of_scope, span};

fn tool() -> (String, Value) {
    (
        "gen_ai.operation.name".to_owned(),
        Value::Str("execute_tool".to_owned()),
    )
}

fn llm() -> (String, Value) {
    (
        "gen_ai.operation.name".to_owned(),
        Value::Str("chat".to_owned()),
    )
}

#[test]
fn messages_leave_the_attributes() {
    let messages = r#"[{"role":"user","parts":[{"type":"text","content":"secret"}]}]"#;
    let rows = of(attributes! { "gen_ai.input.messages" => messages, "kept" => 1 });
    assert_eq!(rows.span("attributes"), r#"{"kept":1}"#);
    assert_eq!(
        rows.content(),
        [(
            "input_messages".to_owned(),
            "otel_parts".to_owned(),
            messages.to_owned()
        )]
    );
    assert_eq!(rows.cell(Table::SpanContent, 0, "source"), "attribute");
    assert_eq!(
        rows.cell(Table::SpanContent, 0, "bytes_in"),
        messages.len().to_string()
    );
}

#[test]
fn structures_are_content_as_texts_are() {
    let text = Value::Map(attributes! { "type" => "text", "content" => "hi" });
    let message = Value::Map(attributes! { "role" => "user", "parts" => Value::Array(vec![text]) });
    let rows = of(attributes! { "gen_ai.input.messages" => Value::Array(vec![message]) });
    assert_eq!(
        rows.body("input_messages"),
        r#"[{"parts":[{"content":"hi","type":"text"}],"role":"user"}]"#
    );
}

#[test]
fn flattened_messages_are_put_together() {
    let mut all = attributes! {
        "gen_ai.prompt.0.role" => "user",
        "gen_ai.prompt.0.content" => "what is 1+1",
        "gen_ai.completion.0.role" => "assistant",
        "gen_ai.completion.0.finish_reason" => "tool_calls",
        "gen_ai.completion.0.tool_calls.0.id" => "c1",
        "gen_ai.completion.0.tool_calls.0.name" => "add",
        "gen_ai.completion.0.tool_calls.0.arguments" => r#"{"a":1}"#,
    };
    all.push(llm());
    let rows = of(all);
    assert_eq!(
        rows.body("input_messages"),
        r#"[{"parts":[{"content":"what is 1+1","type":"text"}],"role":"user"}]"#
    );
    assert_eq!(
        rows.body("output_messages"),
        r#"[{"finish_reason":"tool_calls","parts":[{"arguments":{"a":1},"id":"c1","name":"add","type":"tool_call"}],"role":"assistant"}]"#
    );
    assert_eq!(
        rows.span("attributes"),
        r#"{"gen_ai.operation.name":"chat"}"#
    );
    assert!(!rows.span("output_hash").is_empty());
}

#[test]
fn messages_of_openinference_are_put_together() {
    let rows = of(attributes! {
        "openinference.span.kind" => "LLM",
        "input.value" => "{\"messages\":[]}",
        "llm.input_messages.0.message.role" => "user",
        "llm.input_messages.0.message.contents.0.message_content.type" => "text",
        "llm.input_messages.0.message.contents.0.message_content.text" => "hi",
        "llm.input_messages.1.message.role" => "assistant",
        "llm.input_messages.1.message.tool_calls.0.tool_call.id" => "c1",
        "llm.input_messages.1.message.tool_calls.0.tool_call.function.name" => "add",
        "llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments" => "{\"a\":1}",
        "llm.input_messages.2.message.role" => "tool",
        "llm.input_messages.2.message.tool_call_id" => "c1",
        "llm.input_messages.2.message.content" => "2",
        "llm.tools.0.tool.json_schema" => "{\"name\":\"add\"}",
    });
    assert_eq!(
        rows.body("input_messages"),
        r#"[{"parts":[{"content":"hi","type":"text"}],"role":"user"},{"parts":[{"arguments":{"a":1},"id":"c1","name":"add","type":"tool_call"}],"role":"assistant"},{"parts":[{"id":"c1","response":"2","type":"tool_call_response"}],"role":"tool"}]"#
    );
    assert_eq!(rows.body("tool_definitions"), r#"[{"name":"add"}]"#);
    // The same content by another name is kept once.
    assert_eq!(rows.content().len(), 2);
    assert_eq!(
        rows.span("attributes"),
        r#"{"openinference.span.kind":"LLM"}"#
    );
}

#[test]
fn the_current_name_beats_the_flattened_copy_and_an_absent_one_does_not() {
    let current = r#"[{"role":"user","parts":[]}]"#;
    let rows =
        of(attributes! { "gen_ai.input.messages" => current, "gen_ai.prompt.0.content" => "copy" });
    assert_eq!(rows.content().len(), 1);
    assert_eq!(rows.body("input_messages"), current);
    let rows = of(
        attributes! { "gen_ai.input.messages" => "<REDACTED>", "gen_ai.prompt.0.content" => "copy" },
    );
    assert!(rows.body("input_messages").contains("copy"));
}

#[test]
fn what_a_sender_left_out_is_no_content() {
    for word in ["<REDACTED>", "__REDACTED__", "\"__REDACTED__\"", "", "  "] {
        let rows = of(attributes! { "input.value" => word });
        assert_eq!(rows.content().len(), 0, "{word}");
        assert_eq!(rows.span("attributes"), "{}");
    }
}

#[test]
fn input_and_output_mean_what_the_span_makes_of_them() {
    let of_kind = |kind: &str| {
        let rows = of(
            attributes! { "openinference.span.kind" => kind, "input.value" => "a", "output.value" => "b" },
        );
        rows.content()
            .into_iter()
            .map(|(slot, ..)| slot)
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(of_kind("TOOL"), "tool_args,tool_result");
    assert_eq!(of_kind("LLM"), "input_messages,output_messages");
    assert_eq!(of_kind("CHAIN"), "input_messages,output_messages");
    assert_eq!(of_kind("RETRIEVER"), "output_messages,retrieval_query");
    let both = of(attributes! {
        "openinference.span.kind" => "AGENT",
        "input.value" => "state",
        "llm.input_messages.0.message.role" => "user",
        "llm.input_messages.0.message.content" => "hi",
    });
    assert_eq!(both.body("raw_input"), "state");
    assert!(both.body("input_messages").contains("hi"));
}

#[test]
fn parameters_are_content_when_they_are_values() {
    let parameters = |json: &str| {
        of(attributes! { "openinference.span.kind" => "TOOL", "tool.parameters" => json })
    };
    assert_eq!(
        parameters(r#"{"city":"Lisbon"}"#).body("tool_args"),
        r#"{"city":"Lisbon"}"#
    );
    for schema in [
        r#"{"type":"object","properties":{}}"#,
        r#"{"city":{"type":"string"}}"#,
    ] {
        let rows = parameters(schema);
        assert_eq!(rows.content().len(), 0);
        assert!(rows.span("attributes").contains("tool.parameters"));
    }
}

#[test]
fn documents_and_variables_are_structures() {
    let rows = of(attributes! {
        "openinference.span.kind" => "RETRIEVER",
        "retrieval.documents.0.document.id" => "d1",
        "retrieval.documents.0.document.score" => 0.5,
        "retrieval.documents.1.document.content" => "words",
        "gen_ai.prompt.variable.user.name" => "Ada",
    });
    assert_eq!(
        rows.body("documents"),
        r#"[{"id":"d1","score":0.5},{"content":"words"}]"#
    );
    assert_eq!(rows.body("prompt_variables"), r#"{"user.name":"Ada"}"#);
    assert_eq!(rows.span("result_count"), "2");
    assert_eq!(
        rows.span("attributes"),
        r#"{"openinference.span.kind":"RETRIEVER"}"#
    );
}

#[test]
fn an_index_beyond_the_limit_is_kept_as_text() {
    let rows = of(
        attributes! { "gen_ai.prompt.4095.content" => "a", "gen_ai.prompt.4096.content" => "b" },
    );
    let content = rows.content();
    assert_eq!(content.len(), 2);
    assert_eq!(
        content[1],
        (
            "input_messages".to_owned(),
            "text".to_owned(),
            r#"{"gen_ai.prompt.4096.content":"b"}"#.to_owned()
        )
    );
    assert_eq!(rows.cell(Table::SpanContent, 1, "seq"), "1");
}

#[test]
fn arguments_and_results_have_digests_that_do_not_depend_on_their_form() {
    let call = |arguments: &str| {
        let mut all = attributes! { "gen_ai.tool.call.arguments" => arguments, "gen_ai.tool.call.result" => "ok" };
        all.push(tool());
        let rows = of(all);
        (
            rows.span("tool_args_hash"),
            rows.span("tool_args_shape_hash"),
            rows.span("tool_result_hash"),
        )
    };
    let (hash, shape, result) = call(r#"{"a":1,"b":2}"#);
    assert_eq!(hash.len(), 32);
    assert_eq!(call(r#"{ "b": 2, "a": 1 }"#).0, hash);
    let (other, same_shape, _) = call(r#"{"a":17,"b":2}"#);
    assert_ne!(other, hash);
    assert_eq!(same_shape, shape);
    assert_ne!(call(r#"{"a":"x","b":2}"#).1, shape);
    assert_eq!(result.len(), 32);
    let (plain, plain_shape, _) = call("no digits");
    assert_eq!(plain, plain_shape);
}

#[test]
fn a_cut_json_is_text_and_has_no_digest() {
    let cut = |length: usize| {
        let arguments = format!(r#"{{"text":"{}"#, "x".repeat(length - 9));
        assert_eq!(arguments.len(), length);
        let mut all = attributes! { "gen_ai.tool.call.arguments" => arguments };
        all.push(tool());
        let rows = of(all);
        let cell = |column| rows.cell(Table::SpanContent, 0, column);
        (
            cell("format"),
            cell("truncated"),
            rows.span("tool_args_hash").is_empty(),
        )
    };
    assert_eq!(cut(4096), ("text".to_owned(), "true".to_owned(), true));
    assert_eq!(
        cut(CUT_BYTES_MIN),
        ("text".to_owned(), "true".to_owned(), true)
    );
    assert_eq!(
        cut(CUT_BYTES_MIN - 1),
        ("text".to_owned(), "false".to_owned(), false)
    );
    // A long plain text is no JSON that was cut.
    let rows = of(
        attributes! { "gen_ai.tool.name" => "t", "gen_ai.tool.call.result" => "x".repeat(4096) },
    );
    assert_eq!(rows.cell(Table::SpanContent, 0, "truncated"), "false");
    assert!(!rows.span("tool_result_hash").is_empty());
}

#[test]
fn content_ends_at_its_limit() {
    let held = |length: usize| {
        let mut all = attributes! { "gen_ai.tool.call.result" => "é".repeat(length / 2) };
        all.push(tool());
        let rows = of(all);
        let cell = |column| rows.cell(Table::SpanContent, 0, column);
        (
            cell("body").len(),
            cell("truncated"),
            cell("bytes_in"),
            rows.span("tool_result_hash").is_empty(),
        )
    };
    let max = CONTENT_BYTES_MAX;
    assert_eq!(held(max), (max, "false".to_owned(), max.to_string(), false));
    assert_eq!(
        held(max + 2),
        (max, "true".to_owned(), (max + 2).to_string(), true)
    );
}

#[test]
fn an_attribute_ends_at_its_limit_and_content_is_not_held_to_it() {
    let max = ATTRIBUTE_BYTES_MAX;
    let held = |length: usize| {
        let rows = of(attributes! { "long" => "x".repeat(length) });
        (
            rows.span("attributes").len() - r#"{"long":""}"#.len(),
            rows.span("map_warnings"),
        )
    };
    assert_eq!(held(max), (max, String::new()));
    assert_eq!(held(max + 1), (max, "truncated:long".to_owned()));
    let list = |length: usize| {
        let rows =
            of(attributes! { "list" => Value::Array(vec![Value::Str("x".repeat(length - 4))]) });
        rows.span("map_warnings")
    };
    assert_eq!(list(max), "");
    assert_eq!(list(max + 1), "truncated:list");
    let rows = of(attributes! { "gen_ai.tool.call.result" => "x".repeat(max + 1) });
    assert_eq!(
        (rows.body("tool_result").len(), rows.span("map_warnings")),
        (max + 1, String::new())
    );
}

#[test]
fn headers_keep_their_names_and_lose_their_values() {
    let rows = of(attributes! {
        "gen_ai.headers" => r#"{"Authorization":"Bearer abc","X-Team":"x"}"#,
        "llm.headers.cookie" => "abc",
        "http.request.header.authorization" => "Bearer abc",
    });
    let attributes = rows.span("attributes");
    assert!(!attributes.contains("abc"), "{attributes}");
    assert!(attributes.contains(
        r#""gen_ai.headers":{"Authorization":"[REDACTED:header]","X-Team":"[REDACTED:header]"}"#
    ));
    assert!(attributes.contains("llm.headers.cookie"));
}

#[test]
fn a_person_is_a_digest_and_no_more() {
    let rows =
        of(attributes! { "user.id" => "ada@example.com", "gen_ai.operation.name" => "chat" });
    assert!(!rows.span("attributes").contains("ada"));
    assert_eq!(rows.span("user_id").len(), 32);
    let again = of(attributes! { "enduser.id" => "ada@example.com" });
    assert_eq!(again.span("user_id"), rows.span("user_id"));
    let metadata = of(attributes! { "metadata" => r#"{"user_id": "zoe", "thread_id": "t1"}"# });
    assert_eq!(
        metadata.span("attributes"),
        r#"{"metadata":"{\"thread_id\":\"t1\",\"user_id\":\"[REDACTED:user_id]\"}"}"#
    );
    assert_eq!(metadata.span("session_id"), "t1");
    let cut = of(attributes! { "metadata" => r#"{"user_id": "zoe", "#  });
    assert!(!cut.span("attributes").contains("zoe"));
}

#[test]
fn events_lose_their_content_to_their_span() {
    let exception = event(
        "exception",
        attributes! {
            "exception.type" => "app.errors.NotFound", "exception.message" => "no Ada", "exception.stacktrace" => "at x",
        },
    );
    let choice = event(
        "gen_ai.choice",
        attributes! { "message" => "hello", "finish_reason" => "stop", "index" => 0 },
    );
    let rows = of_scope(
        "",
        RawSpan {
            events: vec![exception, choice],
            status_code: 2,
            ..span(vec![llm()])
        },
    );
    assert_eq!(rows.count(Table::SpanEvents), 2);
    assert_eq!(
        rows.cell(Table::SpanEvents, 0, "exception_type"),
        "app.errors.NotFound"
    );
    assert_eq!(
        rows.cell(Table::SpanEvents, 0, "attributes"),
        r#"{"exception.type":"app.errors.NotFound"}"#
    );
    assert_eq!(
        rows.cell(Table::SpanEvents, 1, "attributes"),
        r#"{"finish_reason":"stop","index":0}"#
    );
    assert_eq!(rows.body("error_message"), "no Ada");
    assert_eq!(rows.body("stacktrace"), "at x");
    assert_eq!(
        rows.body("output_messages"),
        r#"[{"finish_reason":"stop","parts":[{"content":"hello","type":"text"}],"role":"assistant"}]"#
    );
    assert_eq!(
        (rows.span("error_type"), rows.span("error_class")),
        ("NotFound".to_owned(), "not_found".to_owned())
    );
    assert!(!rows.span("output_hash").is_empty());
}

#[test]
fn events_of_a_tools_span_are_its_call() {
    let asked = event(
        "gen_ai.tool.message",
        attributes! { "content" => r#"{"city":"Lisbon"}"#, "id" => "c1", "role" => "tool" },
    );
    let told = event(
        "gen_ai.choice",
        attributes! { "message" => "sunny", "id" => "c1" },
    );
    let rows = of_scope(
        "",
        RawSpan {
            events: vec![asked, told],
            ..span(vec![tool()])
        },
    );
    assert_eq!(rows.body("tool_args"), r#"{"city":"Lisbon"}"#);
    assert_eq!(rows.body("tool_result"), "sunny");
    let named = of(
        attributes! { "gen_ai.tool.name" => "t", "gen_ai.tool.call.arguments" => r#"{"city":"Lisbon"}"# },
    );
    assert_eq!(rows.span("tool_args_hash"), named.span("tool_args_hash"));
}

#[test]
fn several_messages_are_numbered_in_their_slot() {
    let say = |words: &str| event("gen_ai.user.message", attributes! { "content" => words });
    let rows = of_scope(
        "",
        RawSpan {
            events: vec![say("a"), say("b")],
            ..span(vec![llm()])
        },
    );
    let seqs: Vec<_> = (0..2)
        .map(|row| rows.cell(Table::SpanContent, row, "seq"))
        .collect();
    assert_eq!(seqs, ["0", "1"]);
    assert_eq!(rows.cell(Table::SpanContent, 0, "source"), "event");
}
