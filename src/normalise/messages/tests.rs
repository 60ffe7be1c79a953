//! Messages of every known form become canonical ones.

use super::*;

fn canonical(json: &str) -> String {
    match messages(json::parse(json).unwrap()) {
        Ok(value) => json::text(&value),
        Err(_) => "no messages".to_owned(),
    }
}

#[test]
fn canonical_messages_stay_as_they_are() {
    let text = r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#;
    assert!(is_canonical(text));
    assert_eq!(
        canonical(text),
        r#"[{"parts":[{"content":"hi","type":"text"}],"role":"user"}]"#
    );
    assert!(!is_canonical(r#"[{"role":"user","content":"parts"}]"#));
    assert!(!is_canonical(
        r#"[{"role":"user","parts":[{"type":"text"}]"#
    ));
    let unknown = r#"[{"parts":[{"speed":9,"type":"hologram"}],"role":"user"}]"#;
    assert_eq!(canonical(unknown), unknown);
}

#[test]
fn an_older_name_of_a_response_is_replaced() {
    let old =
        r#"[{"role":"tool","parts":[{"type":"tool_call_response","id":"1","result":{"a":1}}]}]"#;
    assert!(!is_canonical(old));
    assert_eq!(
        canonical(old),
        r#"[{"parts":[{"id":"1","response":{"a":1},"type":"tool_call_response"}],"role":"tool"}]"#
    );
    // Words are no fields.
    assert!(is_canonical(
        r#"[{"role":"user","parts":[{"type":"text","content":"the \"result\""}]}]"#
    ));
}

#[test]
fn chat_messages_become_parts() {
    assert_eq!(
        canonical(
            r#"[{"role":"system","content":"be kind"},{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]"#
        ),
        r#"[{"parts":[{"content":"be kind","type":"text"}],"role":"system"},{"parts":[{"content":"hi","type":"text"},{"modality":"image","type":"uri","uri":"https://x/y.png"}],"role":"user"}]"#,
    );
    assert_eq!(
        canonical(
            r#"[{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\": 1}"}}]},{"role":"tool","tool_call_id":"c1","content":"2"}]"#
        ),
        r#"[{"parts":[{"arguments":{"a":1},"id":"c1","name":"add","type":"tool_call"}],"role":"assistant"},{"parts":[{"id":"c1","response":"2","type":"tool_call_response"}],"role":"tool"}]"#,
    );
}

#[test]
fn blocks_of_other_providers_become_parts() {
    assert_eq!(
        canonical(
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","id":"t","name":"add","input":{"a":1}}]}]"#
        ),
        r#"[{"parts":[{"content":"hm","type":"reasoning"},{"arguments":{"a":1},"id":"t","name":"add","type":"tool_call"}],"role":"assistant"}]"#,
    );
    assert_eq!(
        canonical(
            r#"[{"role":"user","content":[{"text":"hi"},{"toolResult":{"toolUseId":"t","content":[{"text":"2"}],"status":"success"}}]}]"#
        ),
        r#"[{"parts":[{"content":"hi","type":"text"},{"id":"t","response":[{"text":"2"}],"type":"tool_call_response"}],"role":"user"}]"#,
    );
}

#[test]
fn what_we_have_no_form_for_stays_beside_the_parts() {
    assert_eq!(
        canonical(r#"[{"role":"assistant","content":"no","logprobs":[1],"finish_reason":"stop"}]"#),
        r#"[{"finish_reason":"stop","logprobs":[1],"parts":[{"content":"no","type":"text"}],"role":"assistant"}]"#,
    );
}

#[test]
fn other_structures_are_no_messages() {
    for other in [
        "[]",
        "[1]",
        r#"{"messages":[{"role":"user","content":"x"}]}"#,
        r#"{"content":"x"}"#,
        r#"[{"a":1}]"#,
    ] {
        assert_eq!(canonical(other), "no messages", "{other}");
    }
    assert_eq!(
        canonical(r#"{"role":"user","content":"x"}"#),
        r#"[{"parts":[{"content":"x","type":"text"}],"role":"user"}]"#
    );
}

#[test]
fn the_gist_of_an_answer_leaves_out_what_differs_each_time() {
    let said = |id: &str, finish: &str| {
        let json = format!(
            r#"[{{"role":"assistant","finish_reason":"{finish}","parts":[{{"type":"reasoning","content":"{id}"}},{{"type":"text","content":" hi "}},{{"type":"tool_call","id":"{id}","name":"add","arguments":{{"b":2,"a":1}}}}]}}]"#
        );
        gist(&messages(json::parse(&json).unwrap()).unwrap())
    };
    assert_eq!(said("1", "stop"), said("2", "length"));
    assert_eq!(said("1", "stop"), "hi\nadd{\"a\":1,\"b\":2}\n");
}

#[test]
fn choices_and_messages_of_events_are_read() {
    let fields = |json: &str| match json::parse(json) {
        Some(Value::Map(fields)) => fields,
        _ => panic!("no object"),
    };
    let choice = from_event(
        Slot::OutputMessages,
        "assistant",
        fields(r#"{"finish_reason":"stop","message":{"content":"hi","role":"assistant"}}"#),
    );
    assert_eq!(
        json::text(&choice),
        r#"[{"finish_reason":"stop","parts":[{"content":"hi","type":"text"}],"role":"assistant"}]"#
    );
    let system = from_event(
        Slot::SystemInstructions,
        "system",
        fields(r#"{"content":"be kind"}"#),
    );
    assert_eq!(
        json::text(&system),
        r#"[{"content":"be kind","type":"text"}]"#
    );
    let tool = from_event(
        Slot::InputMessages,
        "tool",
        fields(r#"{"content":"{\"ok\":1}","id":"c1"}"#),
    );
    assert_eq!(
        json::text(&tool),
        r#"[{"parts":[{"id":"c1","response":{"ok":1},"type":"tool_call_response"}],"role":"tool"}]"#
    );
}
