//! The one place that prints: to standard output what was asked for, to standard error what was not.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Writes bytes of an answer.
///
/// # Errors
/// Where nobody reads any more.
pub(super) fn write(bytes: &[u8]) -> std::io::Result<()> {
    std::io::stdout().write_all(bytes)
}

/// Writes a line of an answer. Where nobody reads any more (`| head`), there is nobody to tell either.
pub(super) fn line(text: impl std::fmt::Display) {
    let _unread = writeln!(std::io::stdout(), "{text}").is_err();
}

/// Says something about the work to whoever watches.
pub(super) fn note(text: impl std::fmt::Display) {
    let _unread = writeln!(std::io::stderr(), "{text}").is_err();
}

/// Prints an error as one line, then its hint where it has one; returns the exit code for it.
///
/// A message may bring its hint along behind a line break: `what is wrong\nhint: what would help`.
pub(super) fn failure(error: &anyhow::Error) -> ExitCode {
    let (mut told, mut hint) = (Vec::<String>::new(), None);
    for cause in error.chain() {
        let text = cause.to_string();
        let (message, helps) = text
            .split_once("\nhint: ")
            .map_or((text.as_str(), None), |(m, h)| (m, Some(h)));
        hint = hint.or_else(|| helps.map(str::to_owned));
        // A cause that its parent quotes already says nothing new.
        if !told.iter().any(|said| said.contains(message)) {
            told.push(message.replace('\n', " "));
        }
    }
    note(format_args!("error: {}", told.join(": ")));
    if let Some(hint) = hint {
        note(format_args!("hint: {hint}"));
    }
    ExitCode::from(1)
}

/// Returns a bar that counts bytes; invisible where nobody watches.
pub(super) fn bytes_bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    let style = "{wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} {msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
