//! `outspan maintain`: by hand what the server does by itself.

use clap::{Args, Subcommand};

use crate::ledger::{KEPT_AFTER_REPLACED, Ledger, Parts};

use super::config::Settings;
use super::{output, serve};

/// Do by hand the upkeep that the server does by itself.
#[derive(Args, Debug)]
pub(super) struct Flags {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put small files together
    Compact(Where),
    /// Take out rows past their retention (the settings retention.*_days)
    Expire(Where),
    /// Delete files that were replaced more than a day ago, and those that were never committed
    Vacuum(Where),
}

#[derive(Args, Debug)]
struct Where {
    /// The data directory or URL; no server may hold it [default: ./outspan-data]
    #[arg(long, value_name = "DIR_OR_URL")]
    data: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Where a server holds the directory, or the store fails.
pub(super) async fn run(flags: Flags) -> anyhow::Result<()> {
    let (What::Compact(at) | What::Expire(at) | What::Vacuum(at)) = &flags.what;
    let mut settings = Settings::read(None, serde_json::json!({}))?;
    if let Some(data) = &at.data {
        settings.data.clone_from(data);
        settings.wal = None;
    }
    let there = settings.data.contains("://") || std::path::Path::new(&settings.data).is_dir();
    anyhow::ensure!(
        there,
        "there is no directory {}\nhint: name one with --data",
        settings.data
    );
    let opened = Ledger::open(settings.ledger(), Parts::default()).await;
    let ledger = opened.map_err(serve::explained)?;
    ledger.flush().await?;
    match flags.what {
        What::Compact(_) => {
            let done = ledger.compact().await?;
            output::line(format_args!(
                "{} files became {}",
                done.files_before, done.files_after
            ));
        }
        What::Expire(_) => output::line(format_args!("took out {} rows", ledger.expire().await?)),
        What::Vacuum(_) => {
            let gone = ledger.vacuum(KEPT_AFTER_REPLACED).await?;
            output::line(format_args!(
                "deleted {} files, {} bytes",
                gone.files, gone.bytes
            ));
        }
    }
    Ok(ledger.close().await?)
}
