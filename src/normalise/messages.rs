//! Messages in one form: `{role, parts: [...]}` as OpenTelemetry has them, from the forms that others use.
//!
//! Known here: OpenTelemetry's own parts, the chat form of OpenAI (`content`, `tool_calls`), the content blocks of
//! Anthropic and Bedrock, and what flattened names give when put together again. What is not known is kept verbatim.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::coerce;
use super::json;
use super::slot::Slot;
use crate::model::{Attributes, Value};

/// Returns whether a text is a list of messages in canonical form already: most are, and then nothing is rebuilt.
pub(super) fn is_canonical(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Message {
        #[serde(rename = "role")]
        _role: IgnoredAny,
        #[serde(rename = "parts")]
        _parts: Vec<IgnoredAny>,
    }
    // An older form has `result` where we write `response`.
    memchr::memmem::find(text.as_bytes(), b"\"result\"").is_none()
        && memchr::memmem::find(text.as_bytes(), b"\"parts\"").is_some()
        && serde_json::from_str::<Vec<Message>>(text).is_ok()
}

/// Turns what was sent as messages into canonical messages; hands it back where it is something else.
pub(super) fn messages(value: Value) -> Result<Value, Value> {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(is_message) => {
            Ok(Value::Array(items.into_iter().map(message).collect()))
        }
        Value::Map(fields) if has(&fields, "role") && is_message_of(&fields) => {
            Ok(Value::Array(vec![message(Value::Map(fields))]))
        }
        other => Err(other),
    }
}

/// Turns system instructions into a list of parts; hands them back where they are something else.
pub(super) fn instructions(value: Value) -> Result<Value, Value> {
    let is_part = |item: &Value| match item {
        Value::Map(entries) => ["type", "text", "content"]
            .iter()
            .any(|key| has(entries, key)),
        _ => false,
    };
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(is_part) => {
            Ok(Value::Array(items.into_iter().map(part).collect()))
        }
        other => Err(other),
    }
}

/// Returns the slot that an event of this name fills, and whose words they are.
pub(super) fn event_slot(event: &str) -> Option<(Slot, &'static str)> {
    Some(match event {
        "gen_ai.system.message" => (Slot::SystemInstructions, "system"),
        "gen_ai.user.message" | "gen_ai.content.prompt" => (Slot::InputMessages, "user"),
        "gen_ai.assistant.message" => (Slot::InputMessages, "assistant"),
        "gen_ai.tool.message" => (Slot::InputMessages, "tool"),
        "gen_ai.choice" | "gen_ai.content.completion" => (Slot::OutputMessages, "assistant"),
        _ => return None,
    })
}

/// Builds the message of such an event from its fields; system instructions become a list of parts.
pub(super) fn from_event(slot: Slot, role: &'static str, mut fields: Attributes) -> Value {
    // A choice has its message inside, as a structure or as a JSON text.
    if let Some(inner) = take(&mut fields, "message") {
        match structure(inner) {
            Value::Map(inner) => fields.extend(inner),
            content => fields.push(("content".to_owned(), content)),
        }
    }
    if !has(&fields, "role") {
        fields.push(("role".to_owned(), Value::Str(role.to_owned())));
    }
    // The id of a tool's message is that of the call it answers.
    if role == "tool"
        && let Some(id) = take(&mut fields, "id")
    {
        fields.push(("tool_call_id".to_owned(), id));
    }
    let built = message(Value::Map(fields));
    match built {
        Value::Map(mut built) if slot == Slot::SystemInstructions => {
            take(&mut built, "parts").unwrap_or(Value::Array(Vec::new()))
        }
        built => Value::Array(vec![built]),
    }
}

/// Writes what a model said, without what differs each time it says the same (ids, thoughts, reasons to stop).
pub(super) fn gist(value: &Value) -> String {
    let mut out = String::new();
    let Value::Array(items) = value else {
        json::write(&mut out, value);
        return out;
    };
    for item in items {
        let parts = match item {
            Value::Map(entries) => get(entries, "parts"),
            _ => None,
        };
        let Some(Value::Array(parts)) = parts else {
            json::write(&mut out, item);
            continue;
        };
        parts.iter().for_each(|part| gist_of_part(part, &mut out));
    }
    out
}

fn gist_of_part(part: &Value, out: &mut String) {
    let Value::Map(entries) = part else {
        return json::write(out, part);
    };
    let text = |key: &str| get(entries, key).and_then(Value::as_str).unwrap_or("");
    match text("type") {
        "text" => out.push_str(text("content").trim()),
        "reasoning" => return,
        "tool_call" => {
            out.push_str(text("name"));
            json::write(out, get(entries, "arguments").unwrap_or(&Value::Null));
        }
        _ => json::write(out, part),
    }
    out.push('\n');
}

fn is_message(value: &Value) -> bool {
    match value {
        Value::Map(entries) => is_message_of(entries),
        _ => false,
    }
}

fn is_message_of(entries: &[(String, Value)]) -> bool {
    let inner =
        ["message", "prompt", "completion"]
            .iter()
            .find_map(|key| match get(entries, key) {
                Some(Value::Map(inner)) => Some(inner),
                _ => None,
            });
    let entries = inner.map_or(entries, Vec::as_slice);
    ["parts", "content", "contents", "tool_calls"]
        .iter()
        .any(|key| has(entries, key))
        || has(entries, "role")
        || (inner.is_some() && has(entries, "text"))
}

/// Turns a message of any known form into a canonical one.
fn message(value: Value) -> Value {
    let Value::Map(mut fields) = value else {
        return value;
    };
    for wrapper in ["message", "prompt", "completion"] {
        if matches!(get(&fields, wrapper), Some(Value::Map(_)))
            && let Some(Value::Map(inner)) = take(&mut fields, wrapper)
        {
            fields.extend(inner);
        }
    }
    let role = take(&mut fields, "role").unwrap_or_else(|| text("assistant"));
    let answers = take(&mut fields, "tool_call_id");
    let mut parts = Vec::new();
    for key in ["reasoning", "reasoning_content"] {
        if let Some(Value::Str(thought)) = take(&mut fields, key)
            && !thought.is_empty()
        {
            parts.push(typed("reasoning", [("content", Value::Str(thought))]));
        }
    }
    if let Some(given) = take(&mut fields, "parts") {
        push_blocks(given, &mut parts);
    }
    for key in ["content", "contents", "text"] {
        if let Some(content) = take(&mut fields, key) {
            push_content(content, answers.as_ref(), &mut parts);
        }
    }
    if let Some(Value::Array(calls)) = take(&mut fields, "tool_calls").map(structure) {
        parts.extend(calls.into_iter().map(tool_call));
    }
    push_legacy_call(&mut fields, &mut parts);
    let mut built = vec![
        ("role".to_owned(), role),
        ("parts".to_owned(), Value::Array(parts)),
    ];
    // What we have no form for stays beside it, as it came.
    built.extend(
        fields
            .into_iter()
            .filter(|(_, value)| *value != Value::Null),
    );
    Value::Map(built)
}

/// Content is a text or a list of blocks; that of a tool's answer is the answer.
fn push_content(content: Value, answers: Option<&Value>, parts: &mut Vec<Value>) {
    if let Some(id) = answers {
        let response = structure(content);
        parts.push(typed(
            "tool_call_response",
            [("id", id.clone()), ("response", response)],
        ));
        return;
    }
    match content {
        Value::Str(words) => match blocks_in(&words) {
            Some(blocks) => push_blocks(blocks, parts),
            None if words.is_empty() => {}
            None => parts.push(typed("text", [("content", Value::Str(words))])),
        },
        Value::Null => {}
        blocks @ Value::Array(_) => push_blocks(blocks, parts),
        other => parts.push(part(other)),
    }
}

/// Reads content blocks that were sent as a JSON text.
fn blocks_in(words: &str) -> Option<Value> {
    if !words.starts_with("[{") {
        return None;
    }
    match json::parse(words)? {
        Value::Array(items) => {
            let block = |item: &Value| match item {
                Value::Map(entries) => BLOCK_MARKS.iter().any(|mark| has(entries, mark)),
                _ => false,
            };
            items.iter().all(block).then_some(Value::Array(items))
        }
        _ => None,
    }
}

/// Keys by which a content block is known.
const BLOCK_MARKS: [&str; 4] = ["type", "text", "toolUse", "toolResult"];

fn push_blocks(blocks: Value, parts: &mut Vec<Value>) {
    match blocks {
        Value::Array(items) => parts.extend(items.into_iter().map(part)),
        Value::Null => {}
        other => parts.push(part(other)),
    }
}

/// Turns a part or a content block of any known form into a canonical part.
fn part(value: Value) -> Value {
    let mut fields = match value {
        Value::Map(fields) => fields,
        Value::Str(words) => return typed("text", [("content", Value::Str(words))]),
        other => return other,
    };
    if let Some(Value::Map(inner)) = take(&mut fields, "message_content") {
        fields.extend(inner);
    }
    if let Some(Value::Map(inner)) = take(&mut fields, "toolUse") {
        return tool_use(inner, "toolUseId");
    }
    if let Some(Value::Map(inner)) = take(&mut fields, "toolResult") {
        return tool_result(inner, "toolUseId");
    }
    let kind = get(&fields, "type")
        .and_then(Value::as_str)
        .unwrap_or("text")
        .to_owned();
    match kind.as_str() {
        "text" | "input_text" | "output_text" if has(&fields, "text") => {
            let words = take(&mut fields, "text").unwrap_or_default();
            typed("text", [("content", words)])
        }
        "thinking" if has(&fields, "thinking") => {
            let thought = take(&mut fields, "thinking").unwrap_or_default();
            typed("reasoning", [("content", thought)])
        }
        "tool_use" => tool_use(fields, "id"),
        "tool_result" => tool_result(fields, "tool_use_id"),
        "tool_call_response" => {
            if let Some(result) = take(&mut fields, "result") {
                fields.push(("response".to_owned(), result));
            }
            Value::Map(fields)
        }
        "image_url" | "image" => image(fields),
        _ => Value::Map(fields),
    }
}

fn image(mut fields: Attributes) -> Value {
    for key in ["image_url", "image"] {
        let uri = match get(&fields, key) {
            Some(Value::Str(uri)) => Some(uri.clone()),
            Some(Value::Map(inner)) => match get(inner, "url").or_else(|| get(inner, "image")) {
                Some(Value::Str(uri)) => Some(uri.clone()),
                Some(Value::Map(inner)) => {
                    get(inner, "url").and_then(Value::as_str).map(str::to_owned)
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(uri) = uri {
            take(&mut fields, key);
            return typed(
                "uri",
                [("modality", text("image")), ("uri", Value::Str(uri))],
            );
        }
    }
    Value::Map(fields)
}

fn tool_use(mut fields: Attributes, id: &str) -> Value {
    let mut field = |key: &str| take(&mut fields, key).unwrap_or_default();
    typed(
        "tool_call",
        [
            ("id", field(id)),
            ("name", field("name")),
            ("arguments", field("input")),
        ],
    )
}

fn tool_result(mut fields: Attributes, id: &str) -> Value {
    let mut field = |key: &str| take(&mut fields, key).unwrap_or_default();
    typed(
        "tool_call_response",
        [("id", field(id)), ("response", field("content"))],
    )
}

/// Turns a call as OpenAI and the flattened names have it (`function.name`, arguments as a JSON text).
fn tool_call(value: Value) -> Value {
    let Value::Map(mut fields) = value else {
        return value;
    };
    for wrapper in ["tool_call", "function"] {
        if let Some(Value::Map(inner)) = take(&mut fields, wrapper) {
            fields.extend(inner);
        }
    }
    // `tool_call.function.name`: the name of a flattened call lies two steps down.
    if let Some(Value::Map(inner)) = take(&mut fields, "function") {
        fields.extend(inner);
    }
    let arguments = structure(take(&mut fields, "arguments").unwrap_or_default());
    let mut field = |key: &str| take(&mut fields, key).unwrap_or_default();
    typed(
        "tool_call",
        [
            ("id", field("id")),
            ("name", field("name")),
            ("arguments", arguments),
        ],
    )
}

fn push_legacy_call(fields: &mut Attributes, parts: &mut Vec<Value>) {
    let Some(name) = take(fields, "function_call_name") else {
        return;
    };
    let arguments = structure(take(fields, "function_call_arguments_json").unwrap_or_default());
    parts.push(typed(
        "tool_call",
        [
            ("id", Value::Null),
            ("name", name),
            ("arguments", arguments),
        ],
    ));
}

/// Reads a structure out of a text; any other text stays one.
fn structure(value: Value) -> Value {
    match value {
        Value::Str(words) => coerce::jsonish(&words).unwrap_or(Value::Str(words)),
        other => other,
    }
}

fn typed<const N: usize>(kind: &str, fields: [(&str, Value); N]) -> Value {
    let mut entries = vec![("type".to_owned(), text(kind))];
    let said = fields
        .into_iter()
        .filter(|(_, value)| *value != Value::Null);
    entries.extend(said.map(|(key, value)| (key.to_owned(), value)));
    Value::Map(entries)
}

fn text(words: &str) -> Value {
    Value::Str(words.to_owned())
}

fn get<'a>(entries: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    entries
        .iter()
        .rev()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

fn has(entries: &[(String, Value)], key: &str) -> bool {
    entries.iter().any(|(name, _)| name == key)
}

/// Moves a field out; of several with the name, the last one, and the others go with it.
pub(super) fn take(entries: &mut Attributes, key: &str) -> Option<Value> {
    let at = entries.iter().rposition(|(name, _)| name == key)?;
    let (_, value) = entries.remove(at);
    entries.retain(|(name, _)| name != key);
    Some(value)
}

#[cfg(test)]
mod tests;
