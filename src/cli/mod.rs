//! What people start: one file per command. Only here are files of settings and the environment read, and only
//! `output` prints.

mod config;
mod demo;
mod import;
mod maintain;
mod output;
mod serve;
mod sql;
mod target;
mod telemetry;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use config::{Listen, Settings};
pub use serve::{Addresses, Server};

/// Trace analytics for AI agents: every dollar once, every outcome joined, in a table you own.
#[derive(Parser, Debug)]
#[command(name = "outspan", version, about, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  outspan demo                                   sample agents, a server, first answers
  outspan serve                                  OTLP on 4317 and 4318, SQL on 7317, data in ./outspan-data
  outspan sql \"select count(*) from spans\"       asks the running server
  outspan import traces.otlp.pb.gz               OTLP files, safe to repeat";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server: OTLP in, tables out, SQL on top
    Serve(Box<serve::Flags>),
    /// Replay sample agents into a fresh server and show first answers
    Demo(demo::Flags),
    /// Run one query
    Sql(sql::Flags),
    /// Import OTLP files and outcome reports; safe to repeat
    Import(import::Flags),
    /// Do by hand the upkeep that the server does by itself
    Maintain(maintain::Flags),
    /// Show the effective configuration, secrets hidden
    Config(Box<serve::Flags>),
}

/// Parses the command line and runs the command. Exit codes: 0 done, 1 a runtime error, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(flags) => serve::run(*flags).await,
        Command::Demo(flags) => demo::run(flags).await,
        Command::Sql(flags) => sql::run(flags).await,
        Command::Import(flags) => import::run(flags).await,
        Command::Maintain(flags) => maintain::run(flags).await,
        Command::Config(flags) => {
            output::line(toml::to_string(&flags.settings()?)?.trim_end());
            Ok(())
        }
    }
}
