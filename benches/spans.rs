//! Spans of agents that never were, as their exporters would send them: the same for the same seed.
//!
//! A trace is an agent's run of twelve spans: the agent, five model calls, five tool calls, one retrieval. In protobuf a
//! span takes about 460 bytes without content and 1,907 with; what a span says is as repetitive as real traffic, and now
//! and then it says an address, a number or a card that redaction must find.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::words::{self, Agent, Random};

/// Spans of one trace.
pub(crate) const SPANS_A_TRACE: usize = 12;

/// The first trace starts on 2026-09-01, 00:00 UTC; the next ones follow a quarter of a second apart.
const START_UNIX_NANO: u64 = 1_788_220_800_000_000_000;
const BETWEEN_TRACES_NANOS: u64 = 250_000_000;
const MILLI: u64 = 1_000_000;

const OK: i32 = 1;
const ERROR: i32 = 2;
const INTERNAL: i32 = 1;
const CLIENT: i32 = 3;

/// Makes requests, one service after the other.
#[derive(Debug)]
pub(crate) struct Generator {
    random: Random,
    content: bool,
    traces: u64,
    /// One for each agent: spans made and not yet sent, in the order in which they end.
    waiting: Vec<Vec<Span>>,
    /// One for each agent: what was sent last, to be sent again.
    sent: Vec<Vec<Span>>,
}

/// One request as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) body: Bytes,
    /// Spans in it.
    pub(crate) spans: usize,
    /// Those of them that no earlier request had.
    pub(crate) new: usize,
}

impl Request {
    /// Returns the bytes of the body.
    pub(crate) fn size(&self) -> usize {
        self.body.len()
    }
}

impl Generator {
    pub(crate) fn new(seed: u64, content: bool) -> Self {
        let agents = words::AGENTS.len();
        Self {
            random: Random::new(seed),
            content,
            traces: 0,
            waiting: vec![Vec::new(); agents],
            sent: vec![Vec::new(); agents],
        }
    }

    /// Returns requests of `per_request` spans that hold `spans` in all, `resent` per cent of them sent before.
    pub(crate) fn requests(
        &mut self,
        spans: usize,
        per_request: usize,
        resent: usize,
    ) -> Vec<Request> {
        let count = spans.div_ceil(per_request);
        (0..count)
            .map(|number| self.request(number % words::AGENTS.len(), per_request, resent))
            .collect()
    }

    /// Returns the id, in hex, of a random trace that has been sent: the newest may still be waiting.
    pub(crate) fn some_trace(&mut self) -> String {
        let number = self.random.below(self.traces * 9 / 10);
        hex::encode(trace_id(number))
    }

    fn request(&mut self, agent: usize, per_request: usize, resent: usize) -> Request {
        let again = if self.sent[agent].is_empty() {
            0
        } else {
            per_request * resent / 100
        };
        let new = per_request - again;
        while self.waiting[agent].len() < new {
            let trace = self.trace(agent);
            self.waiting[agent].extend(trace);
        }
        self.waiting[agent].sort_by_key(|span| span.end_time_unix_nano);
        let mut spans: Vec<Span> = self.waiting[agent].drain(..new).collect();
        let fresh = spans.clone();
        // Each at most once a request, as an exporter that repeats a batch would send them.
        let start = self.random.below(self.sent[agent].len().max(1) as u64);
        let before = self.sent[agent]
            .iter()
            .cycle()
            .skip(usize::try_from(start).unwrap_or(0));
        spans.extend(before.take(again).cloned());
        self.sent[agent] = fresh;
        let body = envelope(&words::AGENTS[agent], spans)
            .encode_to_vec()
            .into();
        Request {
            body,
            spans: per_request,
            new,
        }
    }

    /// Returns the spans of one run, the agent's own last.
    fn trace(&mut self, agent: usize) -> Vec<Span> {
        let number = self.traces;
        self.traces += 1;
        let mut run = Run::new(
            &words::AGENTS[agent],
            number,
            self.content,
            &mut self.random,
        );
        run.retrieval();
        for step in 0..5 {
            run.model_call(step);
            run.tool_call();
        }
        run.end()
    }
}

/// Ids are drawn from the number alone, so that a trace can be asked for later.
fn trace_id(number: u64) -> [u8; 16] {
    let mut random = Random::new(number ^ 0x7472_6163_6573_2121);
    (u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes()
}

fn envelope(agent: &Agent, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let attributes = vec![
        text("service.name", agent.service),
        text("service.version", "2.14.3"),
        text("deployment.environment.name", "production"),
        text("telemetry.sdk.language", "python"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "1.45.0"),
    ];
    let scope = InstrumentationScope {
        name: "opentelemetry.instrumentation.openai_v2".to_owned(),
        version: "2.4b0".to_owned(),
        ..InstrumentationScope::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// One run in the making; `now` is where it has come to.
struct Run<'a> {
    agent: &'a Agent,
    random: &'a mut Random,
    content: bool,
    trace_id: [u8; 16],
    root: [u8; 8],
    start: u64,
    now: u64,
    session: String,
    user: String,
    task: String,
    question: String,
    /// What the last tool said: part of the next prompt.
    last_result: String,
    tokens: u64,
    spans: Vec<Span>,
}

impl<'a> Run<'a> {
    fn new(agent: &'a Agent, number: u64, content: bool, random: &'a mut Random) -> Self {
        let start = START_UNIX_NANO + number * BETWEEN_TRACES_NANOS + random.below(200 * MILLI);
        let question = words::question(random);
        Self {
            agent,
            content,
            trace_id: trace_id(number),
            root: random.next().to_be_bytes(),
            start,
            now: start + MILLI,
            session: format!("conv_{:016x}", random.next()),
            user: format!("user-{}", random.below(5_000)),
            task: format!("{}-{}", agent.task, 100_000 + number),
            question,
            last_result: String::new(),
            tokens: 900 + random.below(600),
            random,
            spans: Vec::with_capacity(SPANS_A_TRACE),
        }
    }

    fn retrieval(&mut self) {
        let mut attributes = vec![
            text("gen_ai.operation.name", "retrieval"),
            text("gen_ai.provider.name", self.agent.provider),
            text("gen_ai.data_source.id", "kb-handbook-2026"),
            text("gen_ai.conversation.id", &self.session),
            text("gen_ai.agent.name", self.agent.name),
            text("db.system.name", "qdrant"),
            text("server.address", "vectors.internal"),
            int("gen_ai.retrieval.top_k", 5),
            int("gen_ai.retrieval.result_count", 2 + self.random.below(4)),
        ];
        if self.content {
            attributes.push(text("gen_ai.retrieval.query.text", &self.question));
            attributes.push(text(
                "gen_ai.retrieval.documents",
                &words::documents(self.random),
            ));
        }
        let millis = 15 + self.random.below(90);
        self.span("retrieval kb-handbook-2026", CLIENT, millis, attributes, OK);
    }

    fn model_call(&mut self, step: u64) {
        let model = self.agent.models[usize::from(self.random.one_in(6))];
        let output = 40 + self.random.below(360);
        let cached = if step == 0 {
            0
        } else {
            self.tokens / 128 * 128
        };
        let mut attributes = vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", self.agent.provider),
            text("gen_ai.request.model", model.0),
            text("gen_ai.response.model", model.1),
            text(
                "gen_ai.response.id",
                &format!(
                    "chatcmpl-{:016x}{:08x}",
                    self.random.next(),
                    self.random.below(1 << 32)
                ),
            ),
            text("gen_ai.conversation.id", &self.session),
            text("server.address", self.agent.server),
            int("gen_ai.usage.input_tokens", self.tokens),
            int("gen_ai.usage.output_tokens", output),
            int("gen_ai.usage.cache_read.input_tokens", cached),
            texts(
                "gen_ai.response.finish_reasons",
                if step == 4 { "stop" } else { "tool_calls" },
            ),
        ];
        if self.content {
            let reply = words::reply(self.random, step == 4);
            let prompt = words::messages(&self.question, &self.last_result);
            attributes.push(text("gen_ai.system_instructions", self.agent.instructions));
            attributes.push(text("gen_ai.input.messages", &prompt));
            attributes.push(text(
                "gen_ai.output.messages",
                &words::message("assistant", &reply),
            ));
        }
        self.tokens += output + 150 + self.random.below(500);
        let millis = 300 + output * 12 + self.random.below(400);
        self.span(&format!("chat {}", model.0), CLIENT, millis, attributes, OK);
    }

    fn tool_call(&mut self) {
        let tool = *self.random.choose(self.agent.tools);
        let failed = self.random.one_in(25);
        let mut attributes = vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", tool),
            text(
                "gen_ai.tool.call.id",
                &format!(
                    "call_{:016x}{:08x}",
                    self.random.next(),
                    self.random.below(1 << 32)
                ),
            ),
            text("gen_ai.conversation.id", &self.session),
            text(
                "outspan.side_effect",
                if tool.starts_with("create") {
                    "write"
                } else {
                    "read"
                },
            ),
            int("outspan.attempt", 1 + u64::from(failed)),
        ];
        if failed {
            let cause = self.random.choose(&[
                "timeout",
                "rate_limited",
                "not_found",
                "InternalServerError",
            ]);
            attributes.push(text("error.type", cause));
        }
        if self.content {
            self.last_result = words::record(self.random);
            attributes.push(text(
                "gen_ai.tool.call.arguments",
                &words::arguments(self.random),
            ));
            attributes.push(text("gen_ai.tool.call.result", &self.last_result));
        }
        let millis = 20 + self.random.below(900);
        let status = if failed { ERROR } else { OK };
        self.span(
            &format!("execute_tool {tool}"),
            INTERNAL,
            millis,
            attributes,
            status,
        );
    }

    fn span(&mut self, name: &str, kind: i32, millis: u64, attributes: Vec<KeyValue>, status: i32) {
        let start = self.now;
        self.now += millis * MILLI + self.random.below(MILLI);
        self.spans.push(Span {
            trace_id: self.trace_id.to_vec(),
            span_id: self.random.next().to_be_bytes().to_vec(),
            parent_span_id: self.root.to_vec(),
            name: name.to_owned(),
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: self.now,
            attributes,
            status: Some(Status {
                code: status,
                ..Status::default()
            }),
            flags: 1,
            ..Span::default()
        });
        self.now += self.random.below(3 * MILLI);
    }

    fn end(mut self) -> Vec<Span> {
        let attributes = vec![
            text("gen_ai.operation.name", "invoke_agent"),
            text("gen_ai.provider.name", self.agent.provider),
            text("gen_ai.agent.name", self.agent.name),
            text("gen_ai.agent.id", self.agent.id),
            text("gen_ai.conversation.id", &self.session),
            text("gen_ai.request.model", self.agent.models[0].0),
            text("user.id", &self.user),
            text("outspan.task.id", &self.task),
            text("outspan.task.type", self.agent.task),
            int("outspan.budget.tool_calls", 8),
            int("outspan.budget.tokens", 20_000),
            int("outspan.budget.wall_ms", 60_000),
        ];
        let (start, root) = (self.start, self.root);
        self.span(
            &format!("invoke_agent {}", self.agent.name),
            INTERNAL,
            1,
            attributes,
            OK,
        );
        if let Some(agent) = self.spans.last_mut() {
            agent.span_id = root.to_vec();
            agent.parent_span_id = Vec::new();
            agent.start_time_unix_nano = start;
        }
        self.spans
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn texts(key: &str, value: &str) -> KeyValue {
    let only = AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    };
    attribute(key, Value::ArrayValue(ArrayValue { values: vec![only] }))
}

fn int(key: &str, value: u64) -> KeyValue {
    attribute(
        key,
        Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)),
    )
}
