//! `outspan sql`: one query, answered by the server or from a directory.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use arrow::ipc::reader::StreamReader;
use clap::{Args, ValueEnum};

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
    if matches!(flags.format, Shape::Json) {
        // As the server says it: the answer, whether it was cut off, and how long it took.
        let answer = target.sql(&sql, Format::Json.media_type()).await?;
        output::write(&answer.bytes().await.context("the answer broke off")?)?;
        output::line("");
        return Ok(());
    }
    // Arrow has what the other formats have, and says how many rows there are.
    let answer = target.sql(&sql, Format::Arrow.media_type()).await?;
    let rows_max = answer
        .headers()
        .get("x-outspan-rows-max")
        .and_then(|max| max.to_str().ok()?.parse().ok());
    let answer = answer.bytes().await.context("the answer broke off")?;
    let rows = print(&answer, flags.format)?;
    if rows_max == Some(rows) {
        output::note(format_args!(
            "warning: the answer has {rows} rows, the most that are given; there may be more\n\
             hint: add a condition or aggregate, or raise query.rows_max"
        ));
    }
    Ok(())
}

/// Prints an Arrow stream in the form asked for; returns how many rows it has.
fn print(stream: &[u8], shape: Shape) -> anyhow::Result<usize> {
    let reader = StreamReader::try_new(stream, None)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let rows = batches
        .iter()
        .map(arrow::array::RecordBatch::num_rows)
        .sum();
    let format = match shape {
        Shape::Table => {
            output::line(table(stream)?);
            return Ok(rows);
        }
        Shape::Arrow => {
            output::write(stream)?;
            return Ok(rows);
        }
        Shape::Csv => Format::Csv,
        Shape::Json => Format::Json,
        Shape::Ndjson => Format::Ndjson,
        Shape::Parquet => Format::Parquet,
    };
    let mut writer = format::Writer::new(format, &schema)?;
    for batch in &batches {
        output::write(&writer.write(batch)?)?;
    }
    output::write(&writer.finish(false, std::time::Duration::ZERO)?)?;
    Ok(rows)
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
    let table = format::table(&schema, &rows)?;
    // What a sender put into a name must not drive the terminal of whoever reads it.
    let harmless = |c: char| {
        if c.is_control() && c != '\n' {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    Ok(table.trim_end().chars().map(harmless).collect())
}
