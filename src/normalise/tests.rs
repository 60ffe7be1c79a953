//! What comes out for what goes in: rows as users see them.

mod captures;

use proptest::prelude::*;

use super::support::{
    NOON_S, Rows, attributes, context, event, log, of, of_log, of_scope, of_spans, request, span,
    value,
};
use super::{Context, TenantPolicy, is_tenant_name, normalise};
use crate::model::limits::ATTRIBUTE_BYTES_MAX;
use crate::model::{
    Attributes, Number, PointData, RawBatch, RawEvent, RawLink, RawLog, RawPoint, RawResource,
    RawScope, RawSpan, Reason, Table, Value, keys,
};

/// Asserts cells of the only span.
fn expect(attributes: Attributes, cells: &[(&str, &str)]) {
    expect_rows(&of(attributes), cells);
}

fn expect_rows(rows: &Rows, cells: &[(&str, &str)]) {
    for (column, expected) in cells {
        assert_eq!(rows.span(column), *expected, "{column}");
    }
}

/// What a model call by today's names says.
const OF_TODAY: &[(&str, &str)] = &[
    ("kind", "llm"),
    ("op", "chat"),
    ("dialect", "otel"),
    ("signal", "span"),
    ("status", "ok"),
    ("otel_kind", "client"),
    ("name", "chat gpt-4o"),
    ("scope_name", "my.scope"),
    ("service_name", "shop"),
    ("environment", "default"),
    ("tenant", "default"),
    ("provider", "openai"),
    ("model_request", "gpt-4o"),
    ("model_response", "GPT-4o-2024-08-06"),
    ("model", "gpt-4o-2024-08-06"),
    ("response_id", "r1"),
    ("finish_reasons", "stop"),
    ("max_tokens", "100"),
    ("temperature", "0.5"),
    ("stream", "true"),
    ("tokens_input", "120"),
    ("tokens_output", "20"),
    ("tokens_cache_read", "30"),
    ("tokens_reasoning", "5"),
    ("tokens_cache_write", ""),
    ("usage_fix", ""),
    ("usage_role", "candidate"),
    ("cost_reported", "0.250000000000"),
    ("cost_reported_source", "local"),
    ("session_id", "c1"),
    ("agent_name", "triage"),
    ("ttft_ns", "250000000"),
    ("service_tier", "flex"),
    ("attribute_count", "18"),
    ("duration_ns", "1000000000"),
    ("map_warnings", ""),
    ("received_date", "2026-11-24"),
    ("trace_id", "07070707070707070707070707070707"),
    ("parent_span_id", "0909090909090909"),
];

#[test]
fn a_model_call_of_today_fills_its_columns() {
    let rows = of_scope(
        "my.scope",
        RawSpan {
            name: "chat gpt-4o".to_owned(),
            kind: 3,
            status_code: 1,
            ..span(attributes! {
                "gen_ai.operation.name" => "chat",
                "gen_ai.provider.name" => "openai",
                "gen_ai.request.model" => "gpt-4o",
                "gen_ai.response.model" => "GPT-4o-2024-08-06",
                "gen_ai.response.id" => "r1",
                "gen_ai.response.finish_reasons" => Value::Array(vec![Value::Str("stop".to_owned())]),
                "gen_ai.request.max_tokens" => 100,
                "gen_ai.request.temperature" => 0.5,
                "gen_ai.request.stream" => true,
                "gen_ai.usage.input_tokens" => 120,
                "gen_ai.usage.output_tokens" => 20,
                "gen_ai.usage.cache_read.input_tokens" => 30,
                "gen_ai.usage.reasoning.output_tokens" => 5,
                "gen_ai.usage.cost.amount" => 0.25,
                "gen_ai.conversation.id" => "c1",
                "gen_ai.agent.name" => "triage",
                "gen_ai.response.time_to_first_chunk" => 0.25,
                "openai.response.service_tier" => "flex",
            })
        },
    );
    expect_rows(&rows, OF_TODAY);
    // Mapped names stay where they were.
    assert!(
        rows.span("attributes")
            .contains(r#""gen_ai.agent.name":"triage""#)
    );
}

#[test]
fn older_names_fill_the_same_columns() {
    expect(
        attributes! {
            "gen_ai.operation.name" => "chat",
            "gen_ai.system" => "az.ai.openai",
            "gen_ai.request.model" => "gpt-4o",
            "gen_ai.usage.prompt_tokens" => 12,
            "gen_ai.usage.completion_tokens" => 3,
            "gen_ai.response.finish_reason" => "stop",
        },
        &[
            ("provider", "azure.ai.openai"),
            ("tokens_input", "12"),
            ("tokens_output", "3"),
            ("finish_reasons", "stop"),
            ("dialect", "otel"),
        ],
    );
}

#[test]
fn openinference_fills_the_same_columns() {
    expect(
        attributes! {
            "openinference.span.kind" => "LLM",
            "llm.provider" => "OpenAI",
            "llm.model_name" => "gpt-4o",
            "llm.token_count.prompt" => 100,
            "llm.token_count.completion" => 20,
            "llm.token_count.total" => 120,
            "llm.token_count.prompt_details.cache_read" => 64,
            "llm.token_count.completion_details.reasoning" => 8,
            "llm.cost.total" => 0.5,
            "llm.invocation_parameters" => r#"{"temperature": 0.2, "max_completion_tokens": 64}"#,
            "llm.finish_reason" => "stop",
            "session.id" => "s1",
            "metadata" => r#"{"thread_id": "t1"}"#,
        },
        &[
            ("kind", "llm"),
            ("dialect", "openinference"),
            ("provider", "openai"),
            ("model", "gpt-4o"),
            ("model_request", "gpt-4o"),
            ("tokens_input", "100"),
            ("tokens_output", "20"),
            ("tokens_cache_read", "64"),
            ("tokens_reasoning", "8"),
            ("tokens_total_reported", "120"),
            ("usage_fix", ""),
            ("temperature", "0.2"),
            ("max_tokens", "64"),
            ("session_id", "s1"),
            ("cost_reported", "0.500000000000"),
        ],
    );
    expect(
        attributes! { "openinference.span.kind" => "CHAIN", "metadata" => r#"{"thread_id": "t1"}"# },
        &[("session_id", "t1")],
    );
}

#[test]
fn usage_in_a_models_whole_response_fills_gaps() {
    let response = r#"{"id":"x","usage":{"prompt_tokens":412,"completion_tokens":23,"prompt_tokens_details":{"cached_tokens":256}}}"#;
    let cells = [
        ("tokens_input", "412"),
        ("tokens_output", "23"),
        ("tokens_cache_read", "256"),
    ];
    expect(
        attributes! { "openinference.span.kind" => "LLM", "output.value" => response },
        &cells,
    );
    expect(
        attributes! { "openinference.span.kind" => "CHAIN", "output.value" => response },
        &[("tokens_input", ""), ("tokens_cache_read", "")],
    );
}

#[test]
fn tokens_in_every_form_become_totals() {
    expect(
        attributes! {
            "gen_ai.usage.input_tokens" => "7",
            "gen_ai.usage.cache_read_input_tokens" => 16399,
            "gen_ai.usage.cache_creation_input_tokens" => 2089,
        },
        &[
            ("tokens_input", "18495"),
            ("tokens_cache_read", "16399"),
            ("tokens_cache_write", "2089"),
            ("usage_fix", "exclusive_input"),
        ],
    );
    expect(
        attributes! {
            "llm.token_count.prompt" => 100,
            "llm.token_count.completion" => 20,
            "llm.token_count.total" => 150,
            "llm.token_count.prompt_details.cache_read" => 30,
        },
        &[("tokens_input", "130"), ("usage_fix", "exclusive_input")],
    );
    expect(
        attributes! {
            "gen_ai.usage.input_tokens" => 500,
            "gen_ai.usage.output_tokens" => 40,
            "gen_ai.usage.reasoning.output_tokens" => 60,
        },
        &[("tokens_output", "100"), ("usage_fix", "detail_gt_total")],
    );
    expect(
        attributes! { "gen_ai.usage.input_tokens" => 10, "gen_ai.usage.cache_write.input_tokens" => 3, "gen_ai.usage.cache_creation.input_tokens" => 4 },
        &[("tokens_cache_write", "3"), ("map_warnings", "")],
    );
}

#[test]
fn one_number_by_two_names_counts_once_and_two_dialects_that_disagree_leave_a_note() {
    expect(
        attributes! { "gen_ai.usage.input_tokens" => 120, "gen_ai.usage.prompt_tokens" => 120 },
        &[("tokens_input", "120"), ("map_warnings", "")],
    );
    expect(
        attributes! { "gen_ai.usage.input_tokens" => 120, "llm.token_count.prompt" => 100 },
        &[
            ("tokens_input", "120"),
            ("map_warnings", "conflict:tokens_input"),
            ("dialect", "otel,openinference"),
        ],
    );
    // The response's model in the wrong place is no disagreement.
    expect(
        attributes! { "gen_ai.request.model" => "gpt-4o", "llm.model_name" => "gpt-4o-2024" },
        &[("model_request", "gpt-4o"), ("map_warnings", "")],
    );
}

#[test]
fn sums_of_a_run_are_no_usage() {
    expect(
        attributes! { "gen_ai.operation.name" => "invoke_agent", "gen_ai.aggregated_usage.input_tokens" => 300 },
        &[
            ("tokens_input", ""),
            ("usage_role", "none"),
            ("kind", "agent"),
        ],
    );
}

#[test]
fn impossible_tokens_are_null_with_a_note() {
    for bad in [
        Value::Int(-1),
        Value::Double(1e12),
        Value::Double(f64::NAN),
        Value::Str("many".to_owned()),
    ] {
        expect(
            attributes! { "gen_ai.usage.input_tokens" => bad },
            &[
                ("tokens_input", ""),
                ("map_warnings", "invalid:tokens_input"),
            ],
        );
    }
    // The next name may be right.
    expect(
        attributes! { "gen_ai.usage.input_tokens" => -1, "gen_ai.usage.prompt_tokens" => 5 },
        &[
            ("tokens_input", "5"),
            ("map_warnings", "invalid:tokens_input"),
        ],
    );
}

#[test]
fn a_spans_part_in_usage_is_known_at_once() {
    let role = |attributes: Attributes| of(attributes).span("usage_role");
    let used = |operation: &str| {
        role(attributes! { "gen_ai.operation.name" => operation, "gen_ai.usage.input_tokens" => 1 })
    };
    assert_eq!(used("chat"), "candidate");
    assert_eq!(used("embeddings"), "candidate");
    assert_eq!(used("rerank"), "candidate");
    assert_eq!(used("invoke_agent"), "container");
    assert_eq!(used("execute_tool"), "container");
    assert_eq!(used("fetch_response"), "none");
    assert_eq!(
        role(attributes! { "gen_ai.operation.name" => "chat", "gen_ai.usage.input_tokens" => 0 }),
        "none"
    );
    assert_eq!(
        role(attributes! { "gen_ai.tool.name" => "t", "outspan.cost.usd" => 0.02 }),
        "fee"
    );
    let hit = attributes! { "gen_ai.operation.name" => "chat", "gen_ai.usage.input_tokens" => 9, "outspan.cache.hit" => true };
    assert_eq!(role(hit), "none");
}

#[test]
fn a_cost_says_whose_it_is_and_another_currency_stays_outside() {
    let cells = [
        ("cost_reported", "0.020000000000"),
        ("cost_reported_source", "provider"),
    ];
    expect(attributes! { "outspan.cost.usd" => 0.02 }, &cells);
    let cells = [
        ("cost_reported", "0.020000000000"),
        ("cost_reported_source", "gateway"),
    ];
    expect(
        attributes! { "gen_ai.usage.cost.amount" => "0.02", "gen_ai.usage.cost.source" => "gateway", "gen_ai.usage.cost.currency" => "USD" },
        &cells,
    );
    let cells = [
        ("cost_reported", ""),
        ("map_warnings", "currency:cost_reported"),
    ];
    expect(
        attributes! { "gen_ai.usage.cost.amount" => 1.5, "gen_ai.usage.cost.currency" => "EUR" },
        &cells,
    );
    expect(
        attributes! { "outspan.cost.usd" => -0.02 },
        &[
            ("cost_reported", ""),
            ("map_warnings", "invalid:cost_reported"),
        ],
    );
}

#[test]
fn frameworks_are_no_providers_and_models_and_hosts_tell() {
    let chat = |provider: &str, model: &str| {
        of(attributes! { "gen_ai.operation.name" => "chat", "gen_ai.system" => provider, "gen_ai.request.model" => model })
            .span("provider")
    };
    assert_eq!(chat("gcp.vertex.agent", "gemini-2.5-pro"), "gcp.gemini");
    assert_eq!(chat("langchain", "unknown-model"), "");
    assert_eq!(chat("orion", "gpt-4o"), "orion");
    expect(
        attributes! { "gen_ai.operation.name" => "chat", "server.address" => "api.openai.com" },
        &[("provider", "openai")],
    );
    expect(
        attributes! { "server.address" => "api.openai.com" },
        &[("provider", "")],
    );
    expect(
        attributes! { "gen_ai.provider.name" => "langchain", "llm.provider" => "anthropic" },
        &[("provider", "anthropic"), ("map_warnings", "")],
    );
}

#[test]
fn small_coercions_of_the_wire() {
    expect(
        attributes! { "gen_ai.response.finish_reasons" => "[\"stop\"]" },
        &[("finish_reasons", "stop")],
    );
    expect(
        attributes! { "gen_ai.response.model" => "unknown", "gen_ai.request.model" => "m" },
        &[("model_response", ""), ("model", "m")],
    );
    expect(
        attributes! { "openai.request.service_tier" => "auto" },
        &[("service_tier", "")],
    );
    expect(
        attributes! { "gen_ai.request.stream" => "true" },
        &[("stream", "true")],
    );
    expect(
        attributes! { "gen_ai.agent.name" => " ", "agent.name" => "a" },
        &[("agent_name", "a"), ("map_warnings", "")],
    );
    expect(
        attributes! { "outspan.cascade.tier" => 2 },
        &[("cascade_tier", "2")],
    );
}

#[test]
fn tasks_budgets_approvals_and_escalations_have_columns() {
    expect(
        attributes! {
            "outspan.task.id" => "t1", "outspan.task.type" => "refund", "outspan.task.outcome" => "Success",
            "outspan.budget.tool_calls" => 9, "outspan.budget.tokens" => 1000, "outspan.budget.wall_ms" => 5000,
            "outspan.budget.cost" => 0.5, "outspan.approval.status" => "approved", "outspan.approval.source" => "human",
            "outspan.approval.wait_ms" => 1500, "outspan.approval.tool" => "refund", "outspan.attempt" => 2,
            "outspan.retry.reason" => "timeout", "outspan.idempotency.key" => "k", "outspan.variant" => "shadow",
        },
        &[
            ("task_id", "t1"),
            ("task_type", "refund"),
            ("task_outcome", "success"),
            ("budget_tool_calls", "9"),
            ("budget_tokens", "1000"),
            ("budget_wall_ms", "5000"),
            ("budget_cost", "0.500000000000"),
            ("approval_status", "approved"),
            ("approval_source", "human"),
            ("approval_wait_ns", "1500000000"),
            ("attempt", "2"),
            ("retry_cause", "timeout"),
            ("idempotency_key", "k"),
            ("variant", "shadow"),
            ("kind", "human"),
            ("op", "approval"),
            ("dialect", "outspan"),
        ],
    );
    expect(
        attributes! { "outspan.task.outcome" => "great" },
        &[
            ("task_outcome", ""),
            ("map_warnings", "invalid:task_outcome"),
        ],
    );
    let packet = r#"{"customer_id":"c","summary":"","actions_taken":[],"evidence_refs":["e"],"suggested_next_step":null,"n":0}"#;
    expect(
        attributes! { "gen_ai.operation.name" => "execute_tool", "gen_ai.tool.name" => "escalate_to_human", "gen_ai.tool.call.arguments" => packet },
        &[
            ("kind", "tool"),
            ("packet_fields", "customer_id,evidence_refs,n"),
        ],
    );
    expect(
        attributes! { "gen_ai.tool.name" => "lookup", "gen_ai.tool.call.arguments" => packet },
        &[("packet_fields", "")],
    );
    expect(
        attributes! { "gen_ai.tool.name" => "page", "outspan.escalation.reason" => "x", "gen_ai.tool.call.arguments" => packet },
        &[("packet_fields", "customer_id,evidence_refs,n")],
    );
}

#[test]
fn deferred_spans_are_no_errors() {
    let thrown = event(
        "exception",
        attributes! { "exception.type" => "GraphInterrupt" },
    );
    let rows = of_scope(
        "",
        RawSpan {
            status_code: 2,
            events: vec![thrown],
            ..span(vec![])
        },
    );
    expect_rows(&rows, &[("status", "deferred"), ("error_class", "")]);
}

#[test]
fn a_tools_result_can_say_that_it_failed() {
    expect(
        attributes! { "gen_ai.tool.name" => "t", "gen_ai.tool.call.result" => r#"{"isError":true,"content":[]}"# },
        &[("status", "error"), ("error_type", "tool_error")],
    );
}

#[test]
fn http_statuses_are_errors_from_400_on() {
    expect(
        attributes! { "http.response.status_code" => 399 },
        &[("error_type", ""), ("map_warnings", "")],
    );
    expect(
        attributes! { "http.response.status_code" => 429 },
        &[("error_type", "429"), ("error_class", "rate_limit")],
    );
}

#[test]
fn status_messages_end_at_512_characters() {
    let length = |chars: usize| {
        let status_message = "é".repeat(chars);
        of_scope(
            "",
            RawSpan {
                status_code: 2,
                status_message,
                ..span(vec![])
            },
        )
        .span("status_message")
        .chars()
        .count()
    };
    assert_eq!((length(512), length(513)), (512, 512));
}

#[test]
fn names_of_spans_end_at_their_limit() {
    let held = |length: usize| {
        let rows = of_scope(
            "",
            RawSpan {
                name: "x".repeat(length),
                ..span(vec![])
            },
        );
        (rows.span("name").len(), rows.span("map_warnings"))
    };
    assert_eq!(
        held(ATTRIBUTE_BYTES_MAX),
        (ATTRIBUTE_BYTES_MAX, String::new())
    );
    assert_eq!(
        held(ATTRIBUTE_BYTES_MAX + 1),
        (ATTRIBUTE_BYTES_MAX, "truncated:name".to_owned())
    );
}

#[test]
fn times_that_no_table_holds_are_refused_and_missing_ones_are_noted() {
    let at = |start, end| {
        of_spans(vec![RawSpan {
            start_unix_nano: start,
            end_unix_nano: end,
            ..span(vec![])
        }])
    };
    let max = u64::try_from(i64::MAX).unwrap();
    assert_eq!(at(1, max).1.total(), 0);
    let (batch, rejected) = at(1, max + 1);
    assert!(batch.is_empty());
    assert_eq!(rejected.counts().collect::<Vec<_>>(), [(Reason::Time, 1)]);
    assert!(rejected.message().unwrap().contains("0101010101010101"));
    let open = Rows(at(5_000, 0).0);
    expect_rows(
        &open,
        &[("duration_ns", "0"), ("map_warnings", "missing:end")],
    );
    let back = Rows(at(5_000, 3_000).0);
    expect_rows(&back, &[("duration_ns", "-2000"), ("map_warnings", "")]);
    let day = 86_400_000_000_000;
    let noon = u64::try_from(NOON_S).unwrap() * 1_000_000_000;
    assert_eq!(Rows(at(noon + day, noon + day).0).span("map_warnings"), "");
    assert_eq!(
        Rows(at(noon + day + 1_000, noon + day + 1_000).0).span("map_warnings"),
        "future:ts"
    );
}

#[test]
fn a_tenant_comes_from_the_policy() {
    let from = |name: Option<&str>, policy: TenantPolicy| {
        let attributes = name
            .map(|name| attributes! { "outspan.tenant.id" => name })
            .unwrap_or_default();
        let scopes = vec![RawScope {
            spans: vec![span(vec![]), span(vec![])],
            logs: vec![RawLog::default()],
            ..RawScope::default()
        }];
        let raw = RawBatch {
            resources: vec![RawResource { attributes, scopes }],
        };
        let (batch, rejected) = normalise(
            raw,
            &Context {
                tenants: policy,
                ..context()
            },
        );
        let rows = Rows(batch);
        let tenant = if rows.count(Table::Spans) > 0 {
            rows.span("tenant")
        } else {
            String::new()
        };
        (tenant, rejected.counts().collect::<Vec<_>>())
    };
    let said = || TenantPolicy::FromResource {
        default: "home".into(),
    };
    assert_eq!(from(Some("acme"), said()).0, "acme");
    assert_eq!(from(None, said()).0, "home");
    assert_eq!(
        from(Some("acme"), TenantPolicy::Fixed("key".into())).0,
        "key"
    );
    assert_eq!(
        from(Some("Acme Inc"), said()),
        (String::new(), vec![(Reason::Tenant, 3)])
    );
}

#[test]
fn tenant_names_end_at_64_characters() {
    assert!(is_tenant_name("a-z_09") && is_tenant_name(&"a".repeat(64)));
    assert!(!is_tenant_name("") && !is_tenant_name(&"a".repeat(65)));
    assert!(
        !is_tenant_name("a b")
            && !is_tenant_name("A")
            && !is_tenant_name("é")
            && !is_tenant_name("a/b")
    );
}

#[test]
fn a_resource_fills_its_columns() {
    let attributes = attributes! {
        "service.name" => "s", "service.version" => "1", "deployment.environment.name" => "prod", "user.id" => "ada",
    };
    let scope = RawScope {
        spans: vec![span(vec![])],
        ..RawScope::default()
    };
    let raw = RawBatch {
        resources: vec![RawResource {
            attributes,
            scopes: vec![scope],
        }],
    };
    let rows = Rows(normalise(raw, &context()).0);
    expect_rows(
        &rows,
        &[
            ("service_name", "s"),
            ("service_version", "1"),
            ("environment", "prod"),
        ],
    );
    assert!(!rows.span("resource_attributes").contains("ada"));
    let bare = RawBatch {
        resources: vec![RawResource {
            scopes: vec![RawScope {
                spans: vec![span(vec![])],
                ..RawScope::default()
            }],
            ..RawResource::default()
        }],
    };
    expect_rows(
        &Rows(normalise(bare, &context()).0),
        &[
            ("service_name", "unknown_service"),
            ("environment", "default"),
        ],
    );
}

#[test]
fn links_are_kept_as_json() {
    let link = RawLink {
        trace_id: [1; 16],
        span_id: [2; 8],
        attributes: attributes! { "a" => 1 },
    };
    let rows = of_scope(
        "",
        RawSpan {
            links: vec![link],
            ..span(vec![])
        },
    );
    assert_eq!(
        rows.span("links"),
        r#"[{"attributes":{"a":1},"span_id":"0202020202020202","trace_id":"01010101010101010101010101010101"}]"#
    );
    assert_eq!(rows.span("link_count"), "1");
    assert_eq!(of(vec![]).span("links"), "");
}

#[test]
fn of_a_span_sent_twice_in_one_request_the_better_one_stays_with_its_content() {
    let version = |seconds: u64, answer: &str| {
        let first = span(
            attributes! { "gen_ai.operation.name" => "chat", "gen_ai.output.messages" => answer },
        );
        let events = vec![event("said", attributes! { "what" => answer })];
        RawSpan {
            end_unix_nano: first.start_unix_nano + seconds,
            events,
            ..first
        }
    };
    let other = RawSpan {
        span_id: [5; 8],
        ..version(1, "other")
    };
    for spans in [
        vec![version(1, "early"), other.clone(), version(9, "late")],
        vec![version(9, "late"), version(1, "early"), other],
    ] {
        let rows = Rows(of_spans(spans).0);
        assert_eq!(rows.count(Table::Spans), 2);
        let mut bodies: Vec<_> = rows
            .content()
            .into_iter()
            .map(|(_, _, body)| body)
            .collect();
        bodies.sort();
        assert_eq!(bodies, ["late", "other"]);
        assert_eq!(rows.count(Table::SpanEvents), 2);
    }
}

#[test]
fn the_same_span_of_two_tenants_is_two_spans() {
    let of_tenant = |tenant: &str| RawResource {
        attributes: attributes! { "outspan.tenant.id" => tenant },
        scopes: vec![RawScope {
            spans: vec![span(vec![])],
            ..RawScope::default()
        }],
    };
    let raw = RawBatch {
        resources: vec![of_tenant("a"), of_tenant("b")],
    };
    assert_eq!(Rows(normalise(raw, &context()).0).count(Table::Spans), 2);
}

#[test]
fn log_records_are_rows_and_what_they_say_stands_apart() {
    let free = of_log(log(
        "app.started",
        "hello Ada",
        attributes! { "session.id" => "s1", "event.kind" => "x" },
    ));
    let cell = |column| free.cell(Table::LogRecords, 0, column);
    assert_eq!(
        (cell("event_name"), cell("session_id"), cell("trace_id")),
        ("app.started".to_owned(), "s1".to_owned(), String::new())
    );
    assert_eq!(cell("log_id").len(), 32);
    assert_eq!(cell("body_hash").len(), 32);
    assert!(!cell("attributes").contains("Ada"));
    assert_eq!(free.cell(Table::LogContent, 0, "body"), "hello Ada");
    assert_eq!(free.cell(Table::LogContent, 0, "log_id"), cell("log_id"));
    assert_eq!(free.count(Table::SpanContent), 0);

    let bound = RawLog {
        trace_id: Some([7; 16]),
        span_id: Some([1; 8]),
        ..log("", "hello Ada", vec![])
    };
    let bound = of_log(bound);
    assert_eq!(bound.body("raw_output"), "hello Ada");
    assert_eq!(bound.cell(Table::SpanContent, 0, "source"), "log");
    assert_eq!(
        bound.cell(Table::SpanContent, 0, "log_id"),
        bound.cell(Table::LogRecords, 0, "log_id")
    );
    assert_eq!(bound.count(Table::LogContent), 0);

    let silent = of_log(RawLog {
        event_name: "beat".to_owned(),
        ..RawLog::default()
    });
    assert_eq!(silent.cell(Table::LogRecords, 0, "body_hash"), "");
    assert_eq!(silent.count(Table::LogContent), 0);
}

#[test]
fn events_in_log_records_are_messages() {
    let in_span = |log: RawLog| {
        of_log(RawLog {
            trace_id: Some([7; 16]),
            span_id: Some([1; 8]),
            ..log
        })
    };
    let choice = Value::Map(attributes! {
        "index" => 0, "finish_reason" => "stop",
        "message" => Value::Map(attributes! { "role" => "assistant", "content" => "hi" }),
    });
    let rows = in_span(log(
        "gen_ai.choice",
        choice,
        attributes! { "gen_ai.system" => "openai" },
    ));
    assert_eq!(
        rows.body("output_messages"),
        r#"[{"finish_reason":"stop","parts":[{"content":"hi","type":"text"}],"role":"assistant"}]"#
    );
    let user = Value::Map(attributes! { "content" => "hello" });
    let named = log(
        "",
        user,
        attributes! { "event.name" => "gen_ai.user.message" },
    );
    let rows = in_span(named);
    assert_eq!(
        rows.body("input_messages"),
        r#"[{"parts":[{"content":"hello","type":"text"}],"role":"user"}]"#
    );
    assert_eq!(
        rows.cell(Table::LogRecords, 0, "event_name"),
        "gen_ai.user.message"
    );
    let details = log(
        "gen_ai.client.inference.operation.details",
        Value::Null,
        attributes! {
            "gen_ai.input.messages" => r#"[{"role":"user","parts":[]}]"#,
            "gen_ai.system_instructions" => r#"[{"type":"text","content":"be kind"}]"#,
        },
    );
    let slots: Vec<_> = in_span(details.clone())
        .content()
        .into_iter()
        .map(|(slot, ..)| slot)
        .collect();
    assert_eq!(slots, ["system_instructions", "input_messages"]);
    let free = of_log(details);
    assert_eq!(free.count(Table::LogContent), 1);
    assert!(free.cell(Table::LogContent, 0, "body").contains("be kind"));
}

#[test]
fn the_same_log_record_counts_once_and_another_does_not() {
    let scope = |logs| RawScope {
        logs,
        ..RawScope::default()
    };
    let one = || log("e", "a", vec![]);
    let rows = Rows(
        normalise(
            request(scope(vec![one(), one(), log("e", "b", vec![])])),
            &context(),
        )
        .0,
    );
    assert_eq!(
        (rows.count(Table::LogRecords), rows.count(Table::LogContent)),
        (2, 2)
    );
}

#[test]
fn metric_points_have_columns_and_an_identity_of_series_and_time() {
    let point = |value: i64, time: u64| RawPoint {
        name: "gen_ai.client.token.usage".to_owned(),
        unit: "{token}".to_owned(),
        data: PointData::Sum {
            value: Number::Int(value),
            temporality: 2,
            monotonic: true,
        },
        start_unix_nano: 1_000,
        time_unix_nano: time,
        attributes: attributes! { "gen_ai.token.type" => "input", "user.id" => "ada" },
    };
    let points = vec![point(1, 2_000), point(1, 2_000), point(2, 3_000)];
    let scope = RawScope {
        points,
        ..RawScope::default()
    };
    let rows = Rows(normalise(request(scope), &context()).0);
    assert_eq!(rows.count(Table::MetricPoints), 2);
    let cell = |column| rows.cell(Table::MetricPoints, 0, column);
    assert_eq!(
        (
            cell("form"),
            cell("temporality"),
            cell("value_int"),
            cell("monotonic")
        ),
        (
            "sum".to_owned(),
            "cumulative".to_owned(),
            "1".to_owned(),
            "true".to_owned()
        )
    );
    assert!(!cell("attributes").contains("ada"));
    let late = RawPoint {
        time_unix_nano: u64::MAX,
        ..point(1, 1)
    };
    let (batch, rejected) = normalise(
        request(RawScope {
            points: vec![late],
            ..RawScope::default()
        }),
        &context(),
    );
    assert!(batch.is_empty() && rejected.total() == 1);
}

#[test]
fn two_values_of_one_point_leave_one_in_either_order() {
    let point = |value| RawPoint {
        name: "m".to_owned(),
        unit: String::new(),
        data: PointData::Gauge(Number::Double(value)),
        start_unix_nano: 0,
        time_unix_nano: 2_000,
        attributes: vec![],
    };
    let left = |points| {
        let rows = Rows(
            normalise(
                request(RawScope {
                    points,
                    ..RawScope::default()
                }),
                &context(),
            )
            .0,
        );
        assert_eq!(rows.count(Table::MetricPoints), 1);
        rows.cell(Table::MetricPoints, 0, "value_double")
    };
    assert_eq!(
        left(vec![point(1.0), point(2.0)]),
        left(vec![point(2.0), point(1.0)])
    );
}

#[test]
fn evaluations_of_events_spans_and_logs_are_rows() {
    let said = || {
        attributes! {
            "gen_ai.evaluation.name" => "task_outcome",
            "gen_ai.evaluation.score.value" => 1.0,
            "gen_ai.evaluation.score.label" => "success",
            "gen_ai.evaluation.explanation" => "went well",
        }
    };
    let of_event = of_scope(
        "",
        RawSpan {
            events: vec![event("gen_ai.evaluation.result", said())],
            ..span(vec![])
        },
    );
    let of_span = of(said());
    let in_log = of_log(RawLog {
        trace_id: Some([7; 16]),
        span_id: Some([1; 8]),
        ..log("gen_ai.evaluation.result", Value::Null, said())
    });
    for rows in [&of_event, &of_span, &in_log] {
        assert_eq!(rows.count(Table::Evaluations), 1);
        let cell = |column| rows.cell(Table::Evaluations, 0, column);
        assert_eq!(
            (cell("name"), cell("score"), cell("label"), cell("scope")),
            (
                "task_outcome".to_owned(),
                "1".to_owned(),
                "success".to_owned(),
                "span".to_owned()
            )
        );
        assert_eq!(cell("span_id"), "0101010101010101");
        assert_eq!(rows.body("eval_explanation"), "went well");
    }
    assert_eq!(of_span.span("kind"), "evaluator");
    assert_eq!(of_event.span("kind"), "other");
    assert_eq!(
        of_event.cell(Table::Evaluations, 0, "ts"),
        "2026-11-24T12:00:00.500Z"
    );
}

#[test]
fn numbered_evaluations_and_annotations_are_rows() {
    let rows = of(attributes! {
        "evaluations.0.evaluation.name" => "relevance",
        "evaluations.0.evaluation.score" => 0.95,
        "evaluations.0.evaluation.annotator_kind" => "LLM",
        "evaluations.0.evaluation.explanation" => "on topic",
        "evaluations.1.evaluation.name" => "tone",
        "evaluations.1.evaluation.label" => "kind",
        "trace.annotations.0.annotation.name" => "outcome",
        "trace.annotations.0.annotation.label" => "success",
        "trace.annotations.0.annotation.metadata" => r#"{"b": 1, "a": 2}"#,
        "annotations.0.annotation.identifier" => "nothing said",
    });
    assert_eq!(rows.count(Table::Evaluations), 3);
    let row = |row| {
        [
            "name",
            "score",
            "label",
            "scope",
            "annotator_kind",
            "metadata",
        ]
        .map(|column| rows.cell(Table::Evaluations, row, column))
    };
    assert_eq!(row(0), ["relevance", "0.95", "", "span", "llm", ""]);
    assert_eq!(row(1), ["tone", "", "kind", "span", "", ""]);
    assert_eq!(
        row(2),
        ["outcome", "", "success", "trace", "", r#"{"a":2,"b":1}"#]
    );
    assert_eq!(rows.body("eval_explanation"), "on topic");
    assert!(!rows.span("attributes").contains("on topic"));
    assert!(
        rows.span("attributes")
            .contains("evaluations.0.evaluation.name")
    );
}

#[test]
fn attributes_are_kept_without_loss_and_in_order() {
    let rows = of(attributes! {
        "z" => 1.0, "b" => Value::Bytes(vec![1]), "a" => i64::MAX, "n" => f64::NAN, "nothing" => Value::Null,
        "list" => Value::Array(vec![Value::Bool(true), Value::Null]), "z.twice" => 1, "z.twice" => 2,
    });
    assert_eq!(
        rows.span("attributes"),
        r#"{"a":9223372036854775807,"b":{"$b":"AQ=="},"list":[true,null],"n":{"$f":"NaN"},"nothing":null,"z":1.0,"z.twice":2}"#
    );
    assert_eq!(rows.span("attribute_count"), "8");
}

#[test]
fn an_empty_request_is_an_empty_batch() {
    let (batch, rejected) = normalise(RawBatch::default(), &context());
    assert!(batch.is_empty() && rejected.total() == 0);
}

/// Names that mean something, so that random attributes reach every corner.
const NAMES: [&str; 36] = [
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.request.model",
    "llm.model_name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "llm.token_count.prompt",
    "llm.token_count.total",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "openinference.span.kind",
    "input.value",
    "output.value",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt.0.content",
    "gen_ai.prompt.1.tool_calls.0.arguments",
    "gen_ai.prompt.x",
    "llm.input_messages.0.message.content",
    "llm.output_messages.0.message.contents",
    "gen_ai.tool.name",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "tool.parameters",
    "mcp.method.name",
    "outspan.kind",
    "outspan.cost.usd",
    "evaluations.0.evaluation.score",
    "evaluations.0.evaluation.explanation",
    "gen_ai.headers",
    "user.id",
    "metadata",
    "retrieval.documents.0.document.content",
    "outspan.tenant.id",
    "gen_ai.evaluation.name",
];

fn attributes_of_any_kind() -> impl Strategy<Value = Attributes> {
    let words = prop_oneof![
        Just("chat"),
        Just("execute_tool"),
        Just("LLM"),
        Just("TOOL"),
        Just("{\"a\":[1]}"),
        Just("[{\"role\":\"user\"}]"),
        Just("transfer_to_x"),
        Just("12"),
        Just("acme"),
        Just("\u{0}é"),
        Just("{'a': None}"),
    ];
    let value = prop_oneof![value(), words.prop_map(|word| Value::Str(word.to_owned()))];
    let name = prop_oneof![
        proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
        "[a-z.0-9]{0,20}",
    ];
    proptest::collection::vec((name, value), 0..12)
}

prop_compose! {
    fn span_of_any_kind()(
        attributes in attributes_of_any_kind(),
        of_event in attributes_of_any_kind(),
        event in prop_oneof![Just("exception"), Just("gen_ai.choice"), Just("gen_ai.user.message"), Just("x")],
        name in ".{0,20}",
        (id, start, end) in (1u8..4, any::<u64>(), any::<u64>()),
        (kind, status) in (-1i32..8, -1i32..4),
    ) -> RawSpan {
        RawSpan {
            trace_id: [1; 16],
            span_id: [id; 8],
            name,
            kind,
            start_unix_nano: start,
            end_unix_nano: end >> 1,
            attributes,
            events: vec![RawEvent { time_unix_nano: end, name: event.to_owned(), attributes: of_event }],
            status_code: status,
            ..RawSpan::default()
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_becomes_rows_or_is_counted(
        resource in attributes_of_any_kind(),
        spans in proptest::collection::vec(span_of_any_kind(), 0..6),
        body in value(),
        of_log in attributes_of_any_kind(),
    ) {
        let logs = vec![RawLog { body, attributes: of_log, event_name: "gen_ai.choice".to_owned(), ..RawLog::default() }];
        let sent = spans.len();
        let raw = RawBatch {
            resources: vec![RawResource { attributes: resource, scopes: vec![RawScope { spans, logs, ..RawScope::default() }] }],
        };
        let (batch, rejected) = normalise(raw.clone(), &context());
        let rows = batch.table(Table::Spans).map_or(0, |rows| rows.num_rows());
        prop_assert!(rows + usize::try_from(rejected.total()).unwrap() <= sent + 1);
        for (table, rows) in batch.tables().filter(|(table, _)| matches!(table, Table::Spans | Table::LogRecords)) {
            let mut keys = keys(table, rows);
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), count, "a key occurs twice");
        }
        // A function of its input: the same again.
        let (again, _) = normalise(raw, &context());
        for ((_, a), (_, b)) in batch.tables().zip(again.tables()) {
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn the_order_of_attributes_does_not_matter(span in span_of_any_kind(), seed in any::<u64>()) {
        let mut sorted = span.clone();
        sorted.attributes.sort_by(|a, b| a.0.cmp(&b.0));
        sorted.attributes.dedup_by(|a, b| a.0 == b.0);
        let mut shuffled = sorted.clone();
        let count = shuffled.attributes.len().max(1);
        for at in 0..shuffled.attributes.len() {
            let other = usize::try_from(seed.wrapping_mul(at as u64 + 3) % count as u64).unwrap();
            shuffled.attributes.swap(at, other);
        }
        let (a, _) = of_spans(vec![sorted]);
        let (b, _) = of_spans(vec![shuffled]);
        for ((_, a), (_, b)) in a.tables().zip(b.tables()) {
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn attributes_are_always_a_json_object(span in span_of_any_kind()) {
        let (batch, _) = of_spans(vec![span]);
        if batch.table(Table::Spans).is_some() {
            let json = Rows(batch).span("attributes");
            prop_assert!(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json).is_ok(), "{json}");
        }
    }
}
