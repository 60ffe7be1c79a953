//! What comes out for what goes in.

use super::support::{attributes, of};

#[test]
fn a_model_call_of_today_fills_its_columns() {
    let rows = of(attributes! {
        "gen_ai.operation.name" => "chat",
        "gen_ai.provider.name" => "openai",
        "gen_ai.request.model" => "gpt-4o",
        "gen_ai.usage.input_tokens" => 120,
    });
    assert_eq!(rows.span("kind"), "llm");
    assert_eq!(rows.span("tokens_input"), "120");
}
