//! Outcome reports as rows: whose they are, and what makes two of them the same.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Batch, Day, Hex, Micros, OutcomeRow, RawOutcome, Reason, Rejected, Table};

use super::{Context, TENANT_BYTES_MAX, TenantPolicy, coerce, is_tenant_name, origin::Receipt};

/// Turns reports into rows, each once; a report whose tenant is not allowed is counted with its reason.
///
/// A report that carries an id is that report whatever else it says, so a later one corrects it; without an id, equal
/// reports are the same report.
pub fn outcomes(raw: Vec<RawOutcome>, context: &Context) -> (Batch, Rejected) {
    let receipt = Receipt::at(context.received);
    let mut rejected = Rejected::default();
    let mut rows: HashMap<([u8; 16], Arc<str>), OutcomeRow> = HashMap::new();
    for (index, report) in raw.into_iter().enumerate() {
        match tenant(&report, context) {
            Ok(tenant) => {
                let row = row(report, &tenant, context, receipt);
                // Within a request the later report of an id is the better one, as it is across requests.
                rows.insert((row.outcome_id.0, tenant), row);
            }
            Err(name) => rejected.add(Reason::Tenant, || {
                format!("report {index}: tenant {name:?} is not 1 to {TENANT_BYTES_MAX} of a-z, 0-9, _ and -")
            }),
        }
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort_by_key(|row| (row.reported_at, row.outcome_id.0));
    let mut batch = Batch::default();
    batch.set_rows(Table::Outcomes, &rows);
    (batch, rejected)
}

fn tenant(report: &RawOutcome, context: &Context) -> Result<Arc<str>, String> {
    match (&context.tenants, &report.tenant) {
        (TenantPolicy::Fixed(tenant), _) => Ok(Arc::clone(tenant)),
        (TenantPolicy::FromResource { default }, None) => Ok(Arc::clone(default)),
        (TenantPolicy::FromResource { .. }, Some(name)) if is_tenant_name(name) => {
            Ok(Arc::from(name.as_str()))
        }
        (TenantPolicy::FromResource { .. }, Some(name)) => {
            Err(coerce::first_chars(name, TENANT_BYTES_MAX).to_owned())
        }
    }
}

fn row(report: RawOutcome, tenant: &Arc<str>, context: &Context, receipt: Receipt) -> OutcomeRow {
    let id = identity(&report, tenant, context);
    let reported = report
        .reported_at_unix_nano
        .map(|nanos| Micros(nanos.div_euclid(1_000)));
    OutcomeRow {
        tenant: Arc::clone(tenant),
        outcome_id: Hex(id),
        trace_id: report.trace_id.map(Hex),
        task_id: report.task_id,
        outcome: report.outcome,
        score: report.score,
        value_usd: report.value_usd,
        reported_at: reported.unwrap_or(context.received),
        received_at: context.received,
        source: report.source,
        human_minutes: report.human_minutes,
        minutes_saved: report.minutes_saved,
        note: report.note,
        ingest_seq: 0,
        received_date: Day(receipt.day.0),
    }
}

fn identity(report: &RawOutcome, tenant: &str, context: &Context) -> [u8; 16] {
    let key = context.secrets.tenant_key(tenant);
    if let Some(id) = &report.id {
        return key.digest("outcome id", &[id.as_bytes()]);
    }
    let number = |number: Option<f64>| number.map(f64::to_bits).unwrap_or(u64::MAX).to_le_bytes();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let value = report
        .value_usd
        .map_or(i128::MIN, |value| value.0)
        .to_le_bytes();
    let at = report
        .reported_at_unix_nano
        .unwrap_or(i64::MIN)
        .to_le_bytes();
    let trace = report.trace_id.unwrap_or_default();
    let (task, source, note) = (
        text(&report.task_id),
        text(&report.source),
        text(&report.note),
    );
    let (score, human, saved) = (
        number(report.score),
        number(report.human_minutes),
        number(report.minutes_saved),
    );
    key.digest(
        "outcome",
        &[
            &trace,
            task.as_bytes(),
            report.outcome.as_bytes(),
            &score,
            &value,
            &at,
            source.as_bytes(),
            &human,
            &saved,
            note.as_bytes(),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::Secrets;

    fn context(received: i64) -> Context {
        Context {
            received: Micros(received),
            tenants: TenantPolicy::FromResource {
                default: Arc::from("default"),
            },
            secrets: Secrets::new(b"test"),
        }
    }

    fn report(outcome: &'static str) -> RawOutcome {
        RawOutcome {
            trace_id: Some([1; 16]),
            outcome,
            ..RawOutcome::default()
        }
    }

    fn ids(reports: Vec<RawOutcome>, received: i64) -> Vec<String> {
        use arrow::array::AsArray;
        let (batch, _) = outcomes(reports, &context(received));
        let rows = batch.table(Table::Outcomes).unwrap();
        let ids = rows["outcome_id"].as_string::<i32>();
        ids.iter().map(|id| id.unwrap().to_owned()).collect()
    }

    #[test]
    fn equal_reports_are_one_whenever_they_come() {
        assert_eq!(
            ids(vec![report("success"), report("success")], 1),
            ids(vec![report("success")], 99)
        );
        assert_ne!(
            ids(vec![report("success")], 1),
            ids(vec![report("failure")], 1)
        );
    }

    #[test]
    fn a_report_with_an_id_is_that_report_whatever_it_says() {
        let named = |outcome| RawOutcome {
            id: Some("r1".to_owned()),
            ..report(outcome)
        };
        assert_eq!(
            ids(vec![named("success")], 1),
            ids(vec![named("failure")], 2)
        );
    }

    #[test]
    fn a_tenant_that_is_not_allowed_is_refused_and_the_rest_is_kept() {
        let bad = RawOutcome {
            tenant: Some("No Such!".to_owned()),
            ..report("success")
        };
        let (batch, rejected) = outcomes(vec![bad, report("success")], &context(1));
        assert_eq!((batch.num_rows(), rejected.total()), (1, 1));
        assert!(rejected.message().unwrap().contains("report 0"));
    }
}
