//! Keys and secrets of services, known by how the services make them.
//!
//! The examples are cut in two, so that nobody's search for leaked secrets finds them here.

use crate::redact::check::secret;
use crate::redact::class::Class;
use crate::redact::rule::Alphabet::{Alnum, Dotted, Hex, Upper, Url};
use crate::redact::rule::Check::{Prefixed, With};
use crate::redact::rule::Find::{Digits, Exact};
use crate::redact::rule::{Rule, lengths};

/// The longest body of a key without a fixed length.
const LONG: usize = 512;

/// The rules.
pub(in crate::redact) const SERVICE: &[Rule] = &[
    Rule {
        name: "AWS access key id",
        class: Class::ApiKey,
        find: Exact(&["AKIA", "ASIA", "ABIA", "ACCA"]),
        check: Prefixed {
            body: Upper,
            min: 16,
            max: 16,
        },
        hits: &[
            (
                concat!("id AKIA", "IOSFODNN7EXAMPLE."),
                "id [REDACTED:api_key].",
            ),
            (
                concat!("X=ASIA", "WECEXAMPLE25GYKB\n"),
                "X=[REDACTED:api_key]\n",
            ),
        ],
        misses: &[
            "AKIAIOSFODNN7",
            "AKIAIOSFODNN7EXAMPLEX",
            "MAKIAIOSFODNN7EXAMPLE",
            "EURASIA AND MALAYSIA",
        ],
    },
    Rule {
        name: "key of OpenAI, Anthropic and others that begin with sk-",
        class: Class::ApiKey,
        find: Exact(&["sk-"]),
        check: Prefixed {
            body: Url,
            min: 20,
            max: LONG,
        },
        hits: &[
            (
                concat!("use sk-", "ant-api03-SMUxnKR0Wbsc56Vu4PcLw751YdW."),
                "use [REDACTED:api_key].",
            ),
            (
                concat!("sk-", "test-FAKEFAKEFAKEFAKEFAKEFAKEFAKE0001"),
                "[REDACTED:api_key]",
            ),
            (
                concat!("sk-", "PLXegzdYkT3BlbkFJyNeScxiUdrUS2"),
                "[REDACTED:api_key]",
            ),
        ],
        misses: &[
            "task-PLXegzdYkT3BlbkFJyNeScxiUdrUS2",
            "sk-learn",
            "sk-a-very-long-name-of-some-thing",
        ],
    },
    Rule {
        name: "GitHub token",
        class: Class::ApiKey,
        find: Exact(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]),
        check: Prefixed {
            body: Alnum,
            min: 30,
            max: 255,
        },
        hits: &[(
            concat!("ghp_", "bkvQnRnLxFLkXTdE95UObkvQnRnLxFLkXTdE"),
            "[REDACTED:api_key]",
        )],
        misses: &["ghp_bkvQnRn", "ghs_token_for_the_runner_of_this_job"],
    },
    Rule {
        name: "GitHub fine-grained token",
        class: Class::ApiKey,
        find: Exact(&["github_pat_"]),
        check: Prefixed {
            body: Url,
            min: 30,
            max: 255,
        },
        hits: &[(
            concat!("'github_pat_", "11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz'"),
            "'[REDACTED:api_key]'",
        )],
        misses: &["github_pat_of_the_bot"],
    },
    Rule {
        name: "GitLab token",
        class: Class::ApiKey,
        find: Exact(&["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glsoat-"]),
        check: Prefixed {
            body: Dotted,
            min: 20,
            max: 255,
        },
        hits: &[(
            concat!("glpat-", "leNEqHm5Ev71aC4anvpQ"),
            "[REDACTED:api_key]",
        )],
        misses: &["glpat-", "glrt-runner-of-the-second-team"],
    },
    Rule {
        name: "Slack token",
        class: Class::ApiKey,
        find: Exact(&[
            "xoxa-",
            "xoxb-",
            "xoxp-",
            "xoxr-",
            "xoxs-",
            "xoxe-",
            "xoxe.xoxp-",
            "xapp-",
        ]),
        check: Prefixed {
            body: Url,
            min: 16,
            max: LONG,
        },
        hits: &[(
            concat!("xoxb-", "231800426105-922361116430-RIhg1OoJAVhwLx"),
            "[REDACTED:api_key]",
        )],
        misses: &["xoxb-1234"],
    },
    Rule {
        name: "Slack web hook",
        class: Class::ApiKey,
        find: Exact(&[
            "hooks.slack.com/services/",
            "hooks.slack.com/workflows/",
            "hooks.slack.com/triggers/",
        ]),
        check: With(secret::webhook),
        hits: &[(
            concat!(
                "https://hooks.slack.com/",
                "services/T2ED11DG4/B3Y1KLOBX/od5wPmR8aQ"
            ),
            "https://hooks.slack.com/services/[REDACTED:api_key]",
        )],
        misses: &[
            "https://hooks.slack.com/services/",
            "https://hooks.slack.com/services/how-to-create-one-of-them",
        ],
    },
    Rule {
        name: "Stripe key",
        class: Class::ApiKey,
        find: Exact(&["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"]),
        check: Prefixed {
            body: Alnum,
            min: 16,
            max: 255,
        },
        hits: &[
            (
                concat!("\"sk_", "live_6iEmThWVbKva6wF4D\""),
                "\"[REDACTED:api_key]\"",
            ),
            (
                concat!("whsec_", "o8RdbDKSylyiemo8RdbDK"),
                "[REDACTED:api_key]",
            ),
        ],
        misses: &["sk_test_mode", "risk_live_6iEmThWVbKva6wF4D"],
    },
    Rule {
        name: "Google API key",
        class: Class::ApiKey,
        find: Exact(&["AIza"]),
        check: Prefixed {
            body: Url,
            min: 35,
            max: 35,
        },
        hits: &[(
            concat!("?key=AIza", "0K8PNayBH1EN_yEF6K-0K8PNayBH1EN_yEF&q"),
            "?key=[REDACTED:api_key]&q",
        )],
        misses: &["AIzaK8PNayBH1EN"],
    },
    Rule {
        name: "Google access token or client secret",
        class: Class::ApiKey,
        find: Exact(&["ya29.", "GOCSPX-"]),
        check: Prefixed {
            body: Dotted,
            min: 20,
            max: 2048,
        },
        hits: &[(
            concat!("ya29.", "UE7Do4WWxvnswILDsFq4ZyTn8D--RoiB"),
            "[REDACTED:api_key]",
        )],
        misses: &["ya29.com"],
    },
    Rule {
        name: "npm token",
        class: Class::ApiKey,
        find: Exact(&["npm_"]),
        check: Prefixed {
            body: Alnum,
            min: 30,
            max: 64,
        },
        hits: &[(
            concat!("npm_", "wfVp2ZH9XH3IhyxwfVp2ZH9XH3Ihyx2sEq5e"),
            "[REDACTED:api_key]",
        )],
        misses: &[
            "npm_config_registry",
            "npm_package_version_of_the_first_module",
        ],
    },
    Rule {
        name: "PyPI token",
        class: Class::ApiKey,
        find: Exact(&["pypi-"]),
        check: Prefixed {
            body: Url,
            min: 40,
            max: LONG,
        },
        hits: &[(
            concat!("pypi-", "AgEIcHlwaS5vcmcYd5s2CQntqIDqFINZYd5s2CQntqIDq"),
            "[REDACTED:api_key]",
        )],
        misses: &["pypi-mirror"],
    },
    Rule {
        name: "Hugging Face token",
        class: Class::ApiKey,
        find: Exact(&["hf_"]),
        check: Prefixed {
            body: Alnum,
            min: 30,
            max: 64,
        },
        hits: &[(
            concat!("hf_", "LzdwZoadFbuOxeyLzdwZoadFbuOxeyqhxL"),
            "[REDACTED:api_key]",
        )],
        misses: &["hf_model", "half_LzdwZoadFbuOxeyLzdwZoadFbuOxeyqhxL"],
    },
    Rule {
        name: "SendGrid key",
        class: Class::ApiKey,
        find: Exact(&["SG."]),
        check: Prefixed {
            body: Dotted,
            min: 60,
            max: 80,
        },
        hits: &[(
            concat!(
                "SG.",
                "HmgE4IrIXCNEPa5j7R.JjWUL0-Wvnwb9OtoJjWUL0-Wvnwb9OtoJjWUL0-Wvnwb9"
            ),
            "[REDACTED:api_key]",
        )],
        misses: &["SG.example.com"],
    },
    Rule {
        name: "Twilio key",
        class: Class::ApiKey,
        find: Exact(&["SK"]),
        check: Prefixed {
            body: Hex,
            min: 32,
            max: 32,
        },
        hits: &[(
            concat!("SK", "7d2b0a6e600ef4e3dfdac68993487d2b"),
            "[REDACTED:api_key]",
        )],
        misses: &["SK7d2b0a6e600e", "TASK7d2b0a6e600ef4e3dfdac68993487d2b"],
    },
    Rule {
        name: "Mailgun or Databricks key",
        class: Class::ApiKey,
        find: Exact(&["key-", "dapi"]),
        check: Prefixed {
            body: Hex,
            min: 32,
            max: 32,
        },
        hits: &[
            (
                concat!("key-", "28d7b0a3f8d9dc54e3ecec6332b028d7"),
                "[REDACTED:api_key]",
            ),
            (
                concat!("dapi", "edad0a7b70017fa4ea9ab6325d5edad0"),
                "[REDACTED:api_key]",
            ),
        ],
        misses: &["key-1", "monkey-28d7b0a3f8d9dc54e3ecec6332b028d7", "dapi"],
    },
    Rule {
        name: "Telegram bot token",
        class: Class::ApiKey,
        find: Digits(lengths(8, 10)),
        check: With(secret::telegram),
        hits: &[(
            concat!("5864990810:", "AARBM2B35dGKjJy69AARBM2B35dGKjJy69x"),
            "[REDACTED:api_key]",
        )],
        misses: &["5864990810:443", "1589646081:AAR"],
    },
    Rule {
        name: "key of another service, known by its prefix",
        class: Class::ApiKey,
        find: Exact(&[
            "gsk_",
            "xai-",
            "pplx-",
            "r8_",
            "tvly-",
            "lsv2_pt_",
            "lsv2_sk_",
            "pcsk_",
            "hvs.",
            "dop_v1_",
            "doo_v1_",
            "shpat_",
            "shpss_",
            "lin_api_",
            "ntn_",
            "nvapi-",
            "dckr_pat_",
            "sbp_",
            "glsa_",
            "sntrys_",
            "PMAK-",
            "NRAK-",
            "ATATT3",
            "AGE-SECRET-KEY-",
            "dp.pt.",
            "sq0csp-",
            "fo1_",
            "phx_",
            "secret_",
        ]),
        check: Prefixed {
            body: Url,
            min: 24,
            max: LONG,
        },
        hits: &[
            (
                concat!("gsk_", "7GLkYM71aC4anvpQleNEqHm5Ev7"),
                "[REDACTED:api_key]",
            ),
            (
                concat!("hvs.", "CAESIJ7GLkYM71aC4anvpQleNEqHm5Ev7"),
                "[REDACTED:api_key]",
            ),
        ],
        misses: &[
            "gsk_model",
            "secret_santa_is_what_we_play_this_year",
            "xai-org",
        ],
    },
    Rule {
        name: "web hook of Discord or Teams",
        class: Class::ApiKey,
        find: Exact(&["discord.com/api/webhooks/", "webhook.office.com/webhookb2/"]),
        check: With(secret::webhook),
        hits: &[(
            concat!(
                "https://discord.com/",
                "api/webhooks/81234567/od5wPmR8aQod5wPmR8aQ"
            ),
            "https://discord.com/api/webhooks/[REDACTED:api_key]",
        )],
        misses: &["https://discord.com/api/webhooks/"],
    },
];
