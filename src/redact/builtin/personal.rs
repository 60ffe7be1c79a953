//! Personal data, and secrets that have the same form wherever they are used.

use crate::redact::check::{email, number, phone, secret};
use crate::redact::class::Class;
use crate::redact::rule::Check::With;
use crate::redact::rule::Find::{AnyCase, Digits, Exact};
use crate::redact::rule::{Rule, lengths};

/// The rules.
pub(in crate::redact) const PERSONAL: &[Rule] = &[
    Rule {
        name: "private key",
        class: Class::PrivateKey,
        find: Exact(&["-----BEGIN "]),
        check: With(secret::pem),
        hits: &[
            (
                concat!(
                    "key: -----BEGIN RSA ",
                    "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234\nabcd==\n-----END RSA ",
                    "PRIVATE KEY----- x"
                ),
                "key: [REDACTED:private_key] x",
            ),
            (
                concat!(
                    "-----BEGIN OPENSSH ",
                    "PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEAAAAA\\nAAAABG5vbmU"
                ),
                "[REDACTED:private_key]",
            ),
        ],
        misses: &[
            "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
            "a file that starts with -----BEGIN PRIVATE KEY----- must not be sent",
        ],
    },
    Rule {
        name: "JSON web token",
        class: Class::Jwt,
        find: Exact(&["eyJ"]),
        check: With(secret::jwt),
        hits: &[
            (
                concat!("jwt=eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxIn0.c2lnbmF0dXJl;"),
                "jwt=[REDACTED:jwt];",
            ),
            (
                concat!("(eyJhbGciOiJub25lIn0.", "eyJzdWIiOiI0MTMzMjUi)"),
                "([REDACTED:jwt])",
            ),
        ],
        misses: &[
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJ.eyJ.eyJ",
            "keyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        ],
    },
    Rule {
        name: "credentials in a URL",
        class: Class::UrlCredentials,
        find: Exact(&["://"]),
        check: With(secret::url_credentials),
        hits: &[
            (
                "postgres://app:BBQ0zVpwc8J0@db:5432/x",
                "postgres://app:[REDACTED:url_credentials]@db:5432/x",
            ),
            (
                "redis://:What?5#3@cache/0",
                "redis://:[REDACTED:url_credentials]@cache/0",
            ),
            (
                "smtp://jo@x.example:tiger@mail",
                "smtp://[REDACTED:email]:[REDACTED:url_credentials]@mail",
            ),
            (
                "https://a8f3Kd92mQx71LpZ@git.example",
                "https://[REDACTED:url_credentials]@git.example",
            ),
        ],
        misses: &[
            "https://example.com:8080/a@b",
            "https://example.com/?next=a:b@c",
            "ssh://git@github.com/x",
            "http://user:[REDACTED:url_credentials]@host",
        ],
    },
    Rule {
        name: "bearer token",
        class: Class::BearerToken,
        find: AnyCase(&["bearer"]),
        check: With(secret::bearer),
        hits: &[
            (
                "Authorization: Bearer hghlES9z9mV4oRR8pKu2Z'",
                "Authorization: Bearer [REDACTED:bearer_token]'",
            ),
            ("bearer%20a1b2c3d4e5f6", "bearer%20[REDACTED:bearer_token]"),
        ],
        misses: &[
            "a bearer token",
            "bearer authentication",
            "Bearer {token}",
            "forebearer a1b2c3d4e5f6",
        ],
    },
    Rule {
        name: "basic authorization",
        class: Class::BasicAuth,
        find: AnyCase(&["basic"]),
        check: With(secret::basic),
        hits: &[
            (
                "Proxy: Basic dXNlcjpwYXNzd29yZA==",
                "Proxy: Basic [REDACTED:basic_auth]",
            ),
            (
                "basic dXNlcjpwYXNz, next",
                "basic [REDACTED:basic_auth], next",
            ),
        ],
        misses: &["basic research", "Basic authentication", "BASIC 10 PRINT"],
    },
    Rule {
        name: "e-mail address",
        class: Class::Email,
        find: Exact(&["@", "%40", "\\u0040"]),
        check: With(email::check),
        hits: &[
            (
                "Mail jane.doe+x@mail.example.co.uk.",
                "Mail [REDACTED:email].",
            ),
            ("'o'hara@example.com','x'", "'[REDACTED:email]','x'"),
            ("<jörg@bücher.example>", "<[REDACTED:email]>"),
            (
                "?email=a%2Bb%40example.com&p=2",
                "?email=[REDACTED:email]&p=2",
            ),
            ("メール:jo@example.jp、", "メール:[REDACTED:email]、"),
            ("宛先jo@example.jpまで", "宛先[REDACTED:email]まで"),
            ("a\\njo@example.com-b", "a\\n[REDACTED:email]-b"),
            ("jo\\u0040example.com", "[REDACTED:email]"),
            (
                "JO@EXAMPLE.COM,al@example.com",
                "[REDACTED:email],[REDACTED:email]",
            ),
        ],
        misses: &[
            "react@18.2.0",
            "logo@2x.png",
            "git@github.com:x/y.git",
            "@app.route",
            "a @ b.com",
            "jo@host",
            "5%40",
        ],
    },
    Rule {
        name: "IBAN",
        class: Class::Iban,
        find: Digits(lengths(2, 31)),
        check: With(number::iban),
        hits: &[
            ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [REDACTED:iban]."),
            ("(GB82WEST12345698765432)", "([REDACTED:iban])"),
            (
                "口座FR1420041010050500013M02606です",
                "口座[REDACTED:iban]です",
            ),
            ("nl91 abna 0417 1643 00", "[REDACTED:iban]"),
            ("BE68-5390-0754-7034", "[REDACTED:iban]"),
        ],
        misses: &[
            "DE88 3704 0044 0532 0130 00",
            "DE8937040044053201300",
            "SO6109716307 is ready for you",
            "XDE89370400440532013000",
            "DE893704004405320130001",
        ],
    },
    Rule {
        name: "payment card",
        class: Class::CreditCard,
        find: Digits(lengths(13, 21) | lengths(4, 4) | lengths(6, 6)),
        check: With(number::card),
        hits: &[
            (
                "card 4111 1111 1111 1111 exp",
                "card [REDACTED:credit_card] exp",
            ),
            ("5555555555554444.", "[REDACTED:credit_card]."),
            ("3782-822463-10005", "[REDACTED:credit_card]"),
            ("pan=30569309025904;", "pan=[REDACTED:credit_card];"),
            ("4222222222222", "[REDACTED:credit_card]"),
            (
                "カード4111111111111111です",
                "カード[REDACTED:credit_card]です",
            ),
            (
                "4111\u{a0}1111\u{a0}1111\u{a0}1111",
                "[REDACTED:credit_card]",
            ),
            ("?q=%204111111111111111&r", "?q=%20[REDACTED:credit_card]&r"),
            ("7 4111 1111 1111 1111 737", "7 [REDACTED:credit_card] 737"),
            ("2026 2223003122003222", "2026 [REDACTED:credit_card]"),
        ],
        misses: &[
            "4111 1111 1111 1112",
            "1750865071077429303",
            "a4111111111111111",
            "0.4111111111111111",
            "802-9840369-1874445",
            "9400102878480958165745",
            "41111111111111110000",
            "4111-1111-1111-1111-1",
            "1111111111111117",
        ],
    },
    Rule {
        name: "US social security number",
        class: Class::UsSsn,
        find: Digits(lengths(3, 3) | lengths(5, 5) | lengths(9, 9) | lengths(11, 11)),
        check: With(number::us_ssn),
        hits: &[
            ("is 078-05-1120.", "is [REDACTED:us_ssn]."),
            ("my SSN 113 43 7903 and", "my SSN [REDACTED:us_ssn] and"),
            ("SSN: 376869050", "SSN: [REDACTED:us_ssn]"),
            ("userSsn=376869050", "userSsn=[REDACTED:us_ssn]"),
            (
                "His social security number is 376869050",
                "His social security number is [REDACTED:us_ssn]",
            ),
        ],
        misses: &[
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
            "376869050",
            "113 43 7903",
            "className 376869050",
            "PO-192-62-4561",
            "123-45-67890",
            "1123-45-6789",
            "123-45-6789-1",
        ],
    },
    Rule {
        name: "telephone number with a plus",
        class: Class::Phone,
        find: Exact(&["+", "%2B", "%2b"]),
        check: With(phone::plus),
        hits: &[
            ("call +1 (415) 555-0132 now", "call [REDACTED:phone] now"),
            ("+44 7700 900551, 2026", "[REDACTED:phone], 2026"),
            ("+44 20 7946 0959 2026-05-15", "[REDACTED:phone] 2026-05-15"),
            ("+1 (385) 555-0119 ext. 409.", "[REDACTED:phone]."),
            ("phone=%2B13465550188&x", "phone=[REDACTED:phone]&x"),
            ("電話:+81 90-4871-1557", "電話:[REDACTED:phone]"),
            ("+919893795618\n", "[REDACTED:phone]\n"),
            ("+44 (0)20 7946 0070", "[REDACTED:phone]"),
            ("+33 1 99 00 52 06", "[REDACTED:phone]"),
        ],
        misses: &[
            "2026-03-26T13:30:27.141323+02:00",
            "1.2.3+20240501123456",
            "a+4915112345670",
            "+12345",
            "+123456789",
            "+0123456789",
            "+1 200 400",
            "+14155550132a",
        ],
    },
    Rule {
        name: "telephone number with two zeros",
        class: Class::Phone,
        find: Digits(lengths(2, 7)),
        check: With(phone::double_zero),
        hits: &[
            ("Tel. 0049 30 1234567", "Tel. [REDACTED:phone]"),
            ("00 44 20 7946 0959", "[REDACTED:phone]"),
            ("(001-415-555-0132)", "([REDACTED:phone])"),
        ],
        misses: &[
            "0012-3456-7890",
            "RMA 0062-5926-1321",
            "1234 0049 30 1234567",
            "10:00 44 2079460959",
            "00491512345678",
            "2000 44 20 7946",
            "0.0049 30 1234567",
        ],
    },
];
