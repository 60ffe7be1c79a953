//! The command line: what it says, what it takes, how it fails.

use crate::support::{outspan, scratch};

/// Returns what a command printed and how it ended: standard output, standard error, exit code.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (String, String, Option<i32>) {
    let (room, _) = scratch();
    let mut command = outspan();
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(room.path());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

#[test]
fn the_environment_sets_what_no_flag_does() {
    let environment = [
        ("OUTSPAN_FLUSH_AFTER_MS", "250"),
        ("OUTSPAN_QUERY__DEADLINE_MS", "4000"),
        ("OUTSPAN_DATA", "from-environment"),
        ("OUTSPAN_SECRET_KEY", "a secret that is never shown"),
        ("OUTSPAN_NOT_A_SETTING", "ignored"),
    ];
    let (config, errors, code) = run(&["config", "--data", "from-flag"], &environment);
    assert_eq!((errors.as_str(), code), ("", Some(0)));
    for line in [
        "data = \"from-flag\"",
        "flush_after_ms = 250",
        "deadline_ms = 4000",
    ] {
        assert!(
            config.lines().any(|found| found == line),
            "{line} in {config}"
        );
    }
    assert!(!config.contains("never shown"), "{config}");
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let (_, errors, code) = run(&["config"], &[("OUTSPAN_MEMORY_MIB", "plenty")]);
    assert_eq!(code, Some(1));
    assert!(errors.to_lowercase().contains("memory_mib"), "{errors}");
}

#[test]
fn wrong_usage_ends_with_two_and_a_failure_with_one_and_a_hint() {
    let (_, errors, code) = run(&["sql"], &[]);
    assert_eq!(code, Some(2), "{errors}");
    let (_, errors, code) = run(&["sql", "select 1", "--data", "nowhere"], &[]);
    assert_eq!(code, Some(1), "{errors}");
    let lines: Vec<_> = errors.lines().collect();
    assert!(
        matches!(lines[..], [error, hint] if error.starts_with("error: ") && hint.starts_with("hint: ")),
        "{errors}"
    );
}

#[test]
fn every_command_explains_itself() {
    let (help, _, code) = run(&["--help"], &[]);
    assert_eq!(code, Some(0));
    for command in ["serve", "demo", "sql", "import", "maintain", "config"] {
        assert!(help.contains(command), "{command} in {help}");
        let (help, _, code) = run(&[command, "--help"], &[]);
        assert!(code == Some(0) && help.contains("Usage:"), "{help}");
    }
}

#[test]
fn the_demo_shows_its_answers_and_ends() {
    let (answers, errors, code) = run(&["demo", "--once"], &[]);
    assert_eq!(code, Some(0), "{errors}");
    for word in ["tokens by model", "gpt-4o-mini", "success", "personal data"] {
        assert!(answers.contains(word), "{word} in {answers}");
    }
}
