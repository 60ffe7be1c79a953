//! What invented agents are called and what they say.
//!
//! All names, numbers and addresses are made up; the e-mail addresses end in `example.com`.

/// Numbers that look random, the same on every machine and in every version (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`; 0 where that is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn choose<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        let index = self.below(among.len() as u64);
        &among[usize::try_from(index).unwrap_or(0)]
    }
}

/// An agent, its service, and what it works with.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) name: &'static str,
    pub(crate) id: &'static str,
    pub(crate) service: &'static str,
    pub(crate) task: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) server: &'static str,
    /// Requested and answering model: the usual one, then the dear one.
    pub(crate) models: [(&'static str, &'static str); 2],
    pub(crate) tools: &'static [&'static str],
    pub(crate) instructions: &'static str,
}

pub(crate) const AGENTS: &[Agent] = &[
    Agent {
        name: "support-desk",
        id: "asst_5Zq1support",
        service: "support-agent",
        task: "ticket",
        provider: "openai",
        server: "api.openai.com",
        models: [
            ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
            ("gpt-4o", "gpt-4o-2024-08-06"),
        ],
        tools: &[
            "search_orders",
            "lookup_customer",
            "track_parcel",
            "create_refund",
            "search_articles",
        ],
        instructions: r#"[{"type":"text","content":"You are the support desk of a shop for bicycle parts. Look up the order before you answer. Refund up to 50.00 EUR yourself; above that, hand the case to a person with the customer, a summary, what you did, the evidence and your suggestion. Never promise a delivery date. Be brief and polite, answer in the customer's language, and give the order number each time. If a tool fails twice, say so and offer to write later. Articles of the help centre beat your own knowledge."}]"#,
    },
    Agent {
        name: "researcher",
        id: "asst_8Kd2research",
        service: "research-agent",
        task: "report",
        provider: "anthropic",
        server: "api.anthropic.com",
        models: [
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
            ("claude-opus-4-1", "claude-opus-4-1-20250805"),
        ],
        tools: &["web_search", "fetch_page", "read_table", "create_note"],
        instructions: r#"[{"type":"text","content":"You write market notes for a buyer of industrial pumps. Every figure needs a source that you have opened. Say what you could not find. Stop after eight searches. Keep quotations short, name the publisher and the day, and end with three open questions. Compare at least two sources for each estimate, prefer the newer one, and write numbers with their unit and year. Tables have at most six rows. When pages contradict each other, show both and say which you trust."}]"#,
    },
    Agent {
        name: "invoice-clerk",
        id: "asst_1Rt7invoice",
        service: "invoice-agent",
        task: "invoice",
        provider: "gcp.gemini",
        server: "generativelanguage.googleapis.com",
        models: [
            ("gemini-2.5-flash", "gemini-2.5-flash"),
            ("gemini-2.5-pro", "gemini-2.5-pro"),
        ],
        tools: &[
            "read_invoice",
            "match_purchase_order",
            "lookup_supplier",
            "create_booking",
        ],
        instructions: r#"[{"type":"text","content":"You book incoming invoices. Match each line with a purchase order, note differences above one per cent, and book only what is approved. A supplier without a contract goes to the ledger team. Amounts are decimal and carry their currency; a missing tax number stops the booking. Dates follow the invoice, not the day of receipt. Cash discounts are booked apart. Never change a supplier's bank details yourself: open a case for the ledger team and attach the letter that asks for it."}]"#,
    },
    Agent {
        name: "release-helper",
        id: "asst_9Wm4release",
        service: "coding-agent",
        task: "change",
        provider: "openai",
        server: "api.openai.com",
        models: [
            ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
            ("gpt-4.1", "gpt-4.1-2025-04-14"),
        ],
        tools: &[
            "read_file",
            "run_tests",
            "search_code",
            "create_patch",
            "list_issues",
        ],
        instructions: r#"[{"type":"text","content":"You prepare small changes in a repository of a payment service. Read before you write, run the tests after each patch, and keep a patch under eighty lines. Never touch migrations or secrets. When a test fails twice for the same reason, stop and say what you know and what you tried. Follow the style of the file that you change, and name every function that you touch in the summary. New behaviour needs a test that fails without it. Leave formatting, dependencies and generated files as they are."}]"#,
    },
];

const NAMES: &[&str] = &[
    "maria.keller",
    "tom.okafor",
    "li.wei",
    "anna.novak",
    "jonas.berg",
    "priya.nair",
    "sam.ortiz",
    "elif.demir",
];

/// Common words first: a word is drawn twice and the smaller index taken, so that the first ones come most often.
const WORDS: &[&str] = &[
    "the",
    "order",
    "and",
    "to",
    "a",
    "of",
    "is",
    "for",
    "was",
    "on",
    "with",
    "not",
    "in",
    "from",
    "it",
    "this",
    "customer",
    "delivery",
    "has",
    "be",
    "that",
    "after",
    "by",
    "at",
    "which",
    "before",
    "still",
    "our",
    "been",
    "no",
    "invoice",
    "payment",
    "status",
    "checked",
    "found",
    "open",
    "price",
    "number",
    "shows",
    "report",
    "result",
    "date",
    "parcel",
    "carrier",
    "account",
    "address",
    "second",
    "first",
    "request",
    "system",
    "because",
    "would",
    "answer",
    "missing",
    "waiting",
    "received",
    "returned",
    "approved",
    "amount",
    "supplier",
    "contract",
    "stock",
    "warehouse",
    "table",
    "column",
    "change",
    "version",
    "release",
    "branch",
    "failed",
    "passed",
    "retry",
    "limit",
    "several",
    "between",
    "evening",
    "morning",
    "yesterday",
    "tomorrow",
    "monday",
    "friday",
    "week",
    "month",
    "quarter",
    "market",
    "pump",
    "valve",
    "wheel",
    "brake",
    "chain",
    "saddle",
    "frame",
    "bearing",
    "gasket",
    "motor",
    "sensor",
    "cable",
    "manual",
    "warranty",
    "policy",
    "refund",
    "partial",
    "complete",
    "damaged",
    "lost",
    "late",
    "early",
    "cheaper",
    "sample",
    "figure",
    "source",
    "publisher",
    "estimate",
    "growth",
    "share",
    "region",
    "europe",
    "asia",
    "factory",
    "capacity",
    "pressure",
    "litre",
    "hour",
    "energy",
    "saving",
    "maintenance",
    "interval",
    "service",
    "engineer",
    "function",
    "module",
    "parser",
    "buffer",
    "timeout",
    "socket",
    "cache",
    "index",
    "query",
    "schema",
    "migration",
    "rollback",
    "commit",
    "review",
    "comment",
    "merge",
    "conflict",
    "fixture",
    "assertion",
    "coverage",
    "latency",
    "threshold",
    "window",
    "budget",
    "quota",
    "ledger",
    "booking",
    "currency",
    "tax",
    "discount",
    "rounding",
    "total",
    "reference",
    "attachment",
    "signature",
    "consent",
    "evidence",
    "summary",
    "suggestion",
    "escalation",
    "handbook",
    "paragraph",
    "exception",
    "escort",
    "voltage",
    "thread",
    "gearbox",
    "inventory",
    "pallet",
    "customs",
    "tariff",
    "insurance",
    "claim",
    "adjuster",
    "deadline",
    "reminder",
    "calendar",
    "shift",
    "holiday",
    "overtime",
    "rota",
];

fn sentence(random: &mut Random, words: u64) -> String {
    let mut text = String::with_capacity(64);
    for _ in 0..words {
        let count = WORDS.len() as u64;
        let index = random.below(count).min(random.below(count));
        text.push_str(WORDS[usize::try_from(index).unwrap_or(0)]);
        text.push(' ');
    }
    text.pop();
    text.push('.');
    text
}

/// Returns `sentences` sentences.
fn prose(random: &mut Random, sentences: u64) -> String {
    let lines: Vec<String> = (0..sentences)
        .map(|_| {
            let words = 6 + random.below(10);
            sentence(random, words)
        })
        .collect();
    lines.join(" ")
}

fn email(random: &mut Random) -> String {
    format!("{}{}@example.com", random.choose(NAMES), random.below(900))
}

/// Returns what a person asks; one in three says how to be reached, one in forty a card.
pub(crate) fn question(random: &mut Random) -> String {
    let mut text = prose(random, 5);
    if random.one_in(3) {
        text.push_str(&format!(" Write to {} about it.", email(random)));
    }
    if random.one_in(8) {
        text.push_str(&format!(
            " Or call +44 20 7946 0{:03}.",
            random.below(1_000)
        ));
    }
    if random.one_in(40) {
        text.push_str(" My card is 4242 4242 4242 4242.");
    }
    text
}

/// Returns what a model says: the answer when `last`, else why it calls a tool.
pub(crate) fn reply(random: &mut Random, last: bool) -> String {
    prose(random, if last { 9 } else { 6 })
}

/// Returns one message in the parts schema of the GenAI conventions.
pub(crate) fn message(role: &str, text: &str) -> String {
    format!(r#"[{{"role":"{role}","parts":[{{"type":"text","content":"{text}"}}]}}]"#)
}

/// Returns a prompt: the question, and what the last tool said.
pub(crate) fn messages(question: &str, last_result: &str) -> String {
    let asked = format!(r#"{{"role":"user","parts":[{{"type":"text","content":"{question}"}}]}}"#);
    if last_result.is_empty() {
        return format!("[{asked}]");
    }
    let told = format!(
        r#"{{"role":"tool","parts":[{{"type":"tool_call_response","id":"call_1","response":{last_result}}}]}}"#
    );
    format!("[{asked},{told}]")
}

/// Returns the arguments of a tool call.
pub(crate) fn arguments(random: &mut Random) -> String {
    let words = 4 + random.below(4);
    format!(
        r#"{{"query":"{}","limit":{},"page":1}}"#,
        sentence(random, words),
        5 + random.below(20)
    )
}

/// Returns the result of a tool call.
pub(crate) fn record(random: &mut Random) -> String {
    let id = 10_000_000 + random.below(90_000_000);
    let cents = random.below(90_000);
    let contact = if random.one_in(4) {
        email(random)
    } else {
        "none".to_owned()
    };
    format!(
        r#"{{"id":"ORD-{id}","status":"{}","total":"{}.{:02}","currency":"EUR","contact":"{contact}","updated_at":"2026-08-{:02}T{:02}:{:02}:00Z","note":"{}","lines":{}}}"#,
        random.choose(&["open", "shipped", "returned", "paid", "cancelled"]),
        cents / 100,
        cents % 100,
        1 + random.below(30),
        random.below(24),
        random.below(60),
        prose(random, 8),
        1 + random.below(9),
    )
}

/// Returns retrieved documents with their scores.
pub(crate) fn documents(random: &mut Random) -> String {
    let found: Vec<String> = (0..4)
        .map(|_| {
            let id = random.below(4_000);
            let score = 700 + random.below(300);
            format!(
                r#"{{"id":"doc-{id}","score":0.{score},"content":"{}"}}"#,
                prose(random, 6)
            )
        })
        .collect();
    format!("[{}]", found.join(","))
}
