//! Evaluations: OpenTelemetry's `gen_ai.evaluation.*` (on events, spans and log records) and OpenInference's numbered
//! evaluations and annotations.

use std::sync::Arc;

use super::coerce;
use super::field::{Field as F, Place};
use super::json;
use super::origin::Origin;
use super::sheet::{Part, Sheet};
use super::slot::Slot;
use crate::model::{EvaluationRow, Hex, Micros, SpanId, TraceId, Value};

/// What an evaluation came with.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) ts: Micros,
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_id: Option<SpanId>,
    pub(super) session_id: Option<&'a str>,
    pub(super) response_id: Option<&'a str>,
}

/// Returns the evaluation that a sheet names, by OpenTelemetry's convention.
pub(super) fn named(sheet: &Sheet, about: About<'_>, origin: &Origin) -> Option<EvaluationRow> {
    let name = sheet.text(F::EvaluationName)?.to_owned();
    let own = |field| sheet.text(field).map(str::to_owned);
    let scope = match about {
        About {
            span_id: Some(_), ..
        }
        | About {
            response_id: Some(_),
            ..
        } => "span",
        About {
            trace_id: Some(_), ..
        } => "trace",
        _ => "session",
    };
    let mut row = begun(about, scope, origin);
    row.name = name;
    row.score = sheet.number(F::EvaluationScore);
    row.label = own(F::EvaluationLabel);
    row.error_type = own(F::ErrorType);
    let explains = |place| place == Place::Slot(Slot::EvalExplanation);
    let explanation = sheet
        .contents()
        .iter()
        .find(|content| explains(content.place));
    let explanation = explanation.and_then(|content| sheet.attribute(content.at).1.as_str());
    row.evaluation_id = identity(&row, explanation, origin);
    Some(row)
}

/// Returns the numbered evaluations of a sheet, and what explains them.
pub(super) fn numbered(
    sheet: &mut Sheet,
    about: About<'_>,
    origin: &Origin,
) -> Vec<(EvaluationRow, Option<String>)> {
    let mut found = Vec::new();
    let mut open: Option<(String, EvaluationRow, Option<String>)> = None;
    for part in sheet.parts().to_vec() {
        let Some((group, field)) = split(sheet.attribute(part.at).0, part) else {
            continue;
        };
        if open.as_ref().is_none_or(|(known, ..)| *known != group) {
            found.extend(open.take());
            open = Some((group, begun(about, part.scope, origin), None));
        }
        if let Some((_, row, explanation)) = &mut open {
            if field == "explanation" {
                *explanation = coerce::scalar(&sheet.take_value(part.at));
            } else {
                let field = field.clone();
                fill(row, &field, sheet.attribute(part.at).1);
            }
        }
    }
    found.extend(open);
    let said =
        |row: &EvaluationRow| !row.name.is_empty() || row.score.is_some() || row.label.is_some();
    let rows = found.into_iter().filter(|(_, row, _)| said(row));
    rows.map(|(_, mut row, explanation)| {
        row.evaluation_id = identity(&row, explanation.as_deref(), origin);
        (row, explanation)
    })
    .collect()
}

/// Splits `evaluations.0.evaluation.score` into what tells the evaluation and its field.
fn split(name: &str, part: Part) -> Option<(String, String)> {
    let rest = &name[part.beginning..];
    let (index, rest) = rest.split_once('.')?;
    let (_, field) = rest.split_once('.')?;
    Some((
        format!("{}{index}", &name[..part.beginning]),
        field.to_owned(),
    ))
}

fn begun(about: About<'_>, scope: &'static str, origin: &Origin) -> EvaluationRow {
    EvaluationRow {
        ts: about.ts,
        tenant: Arc::clone(&origin.tenant),
        trace_id: about.trace_id.map(Hex),
        span_id: about.span_id.map(Hex),
        response_id: about.response_id.map(str::to_owned),
        session_id: about.session_id.map(str::to_owned),
        scope,
        ingest_ts: origin.receipt.ts,
        received_date: origin.receipt.day,
        ..EvaluationRow::default()
    }
}

fn fill(row: &mut EvaluationRow, field: &str, value: &Value) {
    match field {
        "name" => row.name = coerce::scalar(value).unwrap_or_default(),
        "score" => row.score = coerce::number(value),
        "label" => row.label = coerce::scalar(value),
        "identifier" => row.evaluator_id = coerce::scalar(value),
        "annotator_kind" => {
            let said = value.as_str().unwrap_or("");
            row.annotator_kind = ["human", "llm", "code"]
                .into_iter()
                .find(|kind| said.eq_ignore_ascii_case(kind));
        }
        "metadata" => {
            row.metadata = Some(match value {
                Value::Str(text) => {
                    json::text(&coerce::jsonish(text).unwrap_or_else(|| value.clone()))
                }
                other => json::text(other),
            });
        }
        _ => {}
    }
}

/// Returns the digest of all that an evaluation says.
fn identity(row: &EvaluationRow, explanation: Option<&str>, origin: &Origin) -> Hex<16> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let digest = origin.key.digest(
        "evaluation",
        &[
            &row.ts.0.to_le_bytes(),
            row.trace_id.as_ref().map_or(&[][..], |id| &id.0),
            row.span_id.as_ref().map_or(&[][..], |id| &id.0),
            &text(&row.response_id),
            &text(&row.session_id),
            row.scope.as_bytes(),
            row.name.as_bytes(),
            &row.score
                .map_or_else(Vec::new, |score| score.to_bits().to_le_bytes().to_vec()),
            &text(&row.label),
            row.annotator_kind.unwrap_or("").as_bytes(),
            &text(&row.evaluator_id),
            &text(&row.error_type),
            &text(&row.metadata),
            explanation.unwrap_or("").as_bytes(),
        ],
    );
    Hex(digest)
}
