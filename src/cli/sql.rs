//! `outspan sql`: one query, answered by the server or from a directory.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use arrow::ipc::reader::StreamReader;
use clap::{Args, ValueEnum};
use futures::TryStreamExt;

use crate::query::format::{self, Format};

use super::{output, target};

/// Run one query.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The query
    #[arg(
        value_name = "SQL",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    sql: Option<String>,
    /// Read the query from a file; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How to print the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Shape,
    #[command(flatten)]
    target: target::Flags,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    /// Aligned columns, for people.
    Table,
    /// A header line, then one line a row.
    Csv,
    /// One object: columns and rows.
    Json,
    /// One object a row.
    Ndjson,
    /// Arrow's IPC stream.
    Arrow,
    /// One Parquet file.
    Parquet,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the query, or that nobody can be asked.
pub(super) async fn run(flags: Flags) -> anyhow::Result<()> {
    let sql = match (&flags.sql, &flags.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) => {
            bail!("there is no query\nhint: outspan sql \"select count(*) from spans\"")
        }
    };
    let target = flags.target.open(false).await?;
    let format = match flags.format {
        Shape::Table | Shape::Arrow => Format::Arrow,
        Shape::Csv => Format::Csv,
        Shape::Json => Format::Json,
        Shape::Ndjson => Format::Ndjson,
        Shape::Parquet => Format::Parquet,
    };
    let answer = target.sql(&sql, format.media_type()).await?;
    if matches!(flags.format, Shape::Table) {
        output::line(table(
            &answer.bytes().await.context("the answer broke off")?,
        )?);
        return Ok(());
    }
    let mut body = answer.bytes_stream();
    let mut last = None;
    while let Some(bytes) = body.try_next().await.context("the answer broke off")? {
        output::write(&bytes)?;
        last = bytes.last().copied().or(last);
    }
    if matches!(flags.format, Shape::Json) && last != Some(b'\n') {
        output::write(b"\n")?;
    }
    Ok(())
}

fn read(file: &std::path::Path) -> anyhow::Result<String> {
    let mut sql = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut sql)?;
    } else {
        sql = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(sql)
}

/// Returns an Arrow stream as aligned columns.
pub(super) fn table(stream: &[u8]) -> anyhow::Result<String> {
    let reader = StreamReader::try_new(stream, None)?;
    let schema = reader.schema();
    let rows = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(format::table(&schema, &rows)?.trim_end().to_owned())
}
