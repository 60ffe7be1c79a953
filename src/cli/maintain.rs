//! `outspan maintain`: by hand what the server does by itself.

use clap::{Args, Subcommand};

use crate::ledger::{Ledger, Parts};

use super::config::Settings;
use super::output;

/// Do by hand the upkeep that the server does by itself.
#[derive(Args, Debug)]
pub(super) struct Flags {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put small files together
    Compact {
        /// The data directory; no server may hold it
        #[arg(long, value_name = "DIR")]
        data: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// Where a server holds the directory, or the store fails.
pub(super) async fn run(flags: Flags) -> anyhow::Result<()> {
    let What::Compact { data } = flags.what;
    let said = data
        .map(|data| serde_json::json!({ "data": data }))
        .unwrap_or(serde_json::json!({}));
    let settings = Settings::read(None, said)?;
    let ledger = Ledger::open(settings.ledger(), Parts::default()).await?;
    ledger.flush().await?;
    let done = ledger.compact().await?;
    ledger.close().await?;
    output::line(format_args!(
        "{} files became {}",
        done.files_before, done.files_after
    ));
    Ok(())
}
