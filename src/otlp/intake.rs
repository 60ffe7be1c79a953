//! Sorts what was read into what is kept and what is refused, and names the latter.

use super::allowance::Allowance;
use super::ids::{Id, Item};
use super::metric::Metric;
use super::refusal::Refusal;
use crate::model::{RawLog, RawResource, RawScope, RawSpan, Rejected};

/// Counts the items of one request and collects the refusals.
#[derive(Debug)]
pub(super) struct Intake {
    next_index: u64,
    allowance: Allowance,
    rejected: Rejected,
}

impl Intake {
    /// Starts a request of this many bytes.
    pub(super) fn of_request(bytes: usize) -> Self {
        Self {
            next_index: 0,
            allowance: Allowance::of_items(bytes),
            rejected: Rejected::default(),
        }
    }

    /// Returns what was refused.
    pub(super) fn into_rejected(self) -> Rejected {
        self.rejected
    }

    /// Keeps a span or counts it as refused; `read` fills in the span id as soon as it knows it.
    pub(super) fn span(
        &mut self,
        scope: &mut RawScope,
        read: impl FnOnce(&mut Id<8>) -> Result<RawSpan, Refusal>,
    ) {
        scope.spans.extend(self.item("span", read));
    }

    /// Keeps a log record or counts it as refused.
    pub(super) fn log(
        &mut self,
        scope: &mut RawScope,
        read: impl FnOnce(&mut Id<8>) -> Result<RawLog, Refusal>,
    ) {
        scope.logs.extend(self.item("log record", read));
    }

    /// Keeps a metric's points, each alone; a metric that cannot be read counts as one point.
    pub(super) fn metric(
        &mut self,
        scope: &mut RawScope,
        read: impl FnOnce() -> Result<Metric, Refusal>,
    ) {
        let index = self.next_index;
        let Some(metric) = self.item("metric", |_| read()) else {
            return;
        };
        metric.points(|point| match point {
            Ok(point) => scope.points.push(point),
            Err(refusal) => refusal.count(1, format_args!("metric {index}"), &mut self.rejected),
        });
    }

    /// Keeps a scope that holds anything; where its name cannot be read, what it holds goes with it.
    pub(super) fn scope(&mut self, fault: Option<Refusal>, scope: RawScope) -> Option<RawScope> {
        let Some(fault) = fault else {
            return (items_of(&scope) > 0).then_some(scope);
        };
        fault.count(items_of(&scope), "scope", &mut self.rejected);
        None
    }

    /// Keeps a resource that sent anything; where it cannot be read, what it sent goes with it.
    pub(super) fn resource(
        &mut self,
        fault: Option<Refusal>,
        resource: RawResource,
    ) -> Option<RawResource> {
        let Some(fault) = fault else {
            return (!resource.scopes.is_empty()).then_some(resource);
        };
        let lost = resource.scopes.iter().map(items_of).sum();
        fault.count(lost, "resource", &mut self.rejected);
        None
    }

    fn item<T>(
        &mut self,
        noun: &'static str,
        read: impl FnOnce(&mut Id<8>) -> Result<T, Refusal>,
    ) -> Option<T> {
        let mut item = Item {
            noun,
            index: self.next_index,
            span_id: Id::Missing,
        };
        self.next_index += 1;
        match self.allowance.take().and_then(|()| read(&mut item.span_id)) {
            Ok(read) => Some(read),
            Err(refusal) => {
                refusal.count(1, item, &mut self.rejected);
                None
            }
        }
    }
}

fn items_of(scope: &RawScope) -> u64 {
    (scope.spans.len() + scope.logs.len() + scope.points.len()) as u64
}
