//! Many GenAI dialects in, one schema out.
//!
//! [`normalise`] is a pure function: a request as its sender meant it becomes rows of our tables, with content apart,
//! what it means in columns, and digests where content will not stay. What cannot be rows is counted in [`Rejected`];
//! what is odd leaves a note in its row. Personal data is still in the rows: taking it out is the next stage's work.
//!
//! `dialect` says who names what how; `sheet` reads attributes by it; `span`, `event`, `log` and `metric` make rows,
//! with `columns`, `content` and `digest`.

mod class;
mod coerce;
mod columns;
mod content;
mod dialect;
mod digest;
mod errors;
mod evaluation;
mod event;
mod field;
mod flat;
mod hash;
mod json;
mod log;
mod messages;
mod metric;
mod origin;
mod outcome;
mod provider;
mod readings;
mod rows;
mod sheet;
mod slot;
mod span;
mod usage;
mod warnings;

#[cfg(test)]
mod support;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use hash::Secrets;
pub use outcome::outcomes;

use crate::model::{Batch, Micros, RawBatch, RawResource, RawScope, Reason, Rejected};
use field::Field;
use hash::TenantKey;
use log::LogReader;
use origin::{Origin, Receipt};
use rows::Rows;
use sheet::Sheet;
use span::SpanReader;

/// Bytes of a tenant's name at most.
const TENANT_BYTES_MAX: usize = 64;

/// What a request does not say itself: when it came, whose it is, and the secret behind digests.
#[derive(Clone, Debug)]
pub struct Context {
    /// When the request was received.
    pub received: Micros,
    /// Whose data the request is.
    pub tenants: TenantPolicy,
    /// The secret from which each tenant's key is derived.
    pub secrets: Secrets,
}

/// Who decides whose data a request is.
#[derive(Clone, Debug)]
pub enum TenantPolicy {
    /// The sender's key: this tenant, whatever the request says.
    Fixed(Arc<str>),
    /// The resource attribute `outspan.tenant.id`.
    FromResource {
        /// Where a resource has none.
        default: Arc<str>,
    },
}

/// Turns a request into rows, each key once; what could not be taken is counted with its reason.
pub fn normalise(raw: RawBatch, context: &Context) -> (Batch, Rejected) {
    let scopes = raw.resources.iter().flat_map(|resource| &resource.scopes);
    let spans = scopes.map(|scope| scope.spans.len()).sum();
    let mut normaliser = Normaliser::new(context, spans);
    for resource in raw.resources {
        normaliser.resource(resource);
    }
    (normaliser.rows.into_batch(), normaliser.rejected)
}

struct Normaliser<'a> {
    context: &'a Context,
    receipt: Receipt,
    rows: Rows,
    rejected: Rejected,
    spans: SpanReader,
    logs: LogReader,
    sheet: Sheet,
    /// The last tenant and its key: they repeat.
    last_key: Option<(Arc<str>, TenantKey)>,
}

impl<'a> Normaliser<'a> {
    fn new(context: &'a Context, spans: usize) -> Self {
        Self {
            context,
            receipt: Receipt::at(context.received),
            rows: Rows::with_room_for(spans),
            rejected: Rejected::default(),
            spans: SpanReader::default(),
            logs: LogReader::default(),
            sheet: Sheet::default(),
            last_key: None,
        }
    }

    fn resource(&mut self, resource: RawResource) {
        let mut json = String::new();
        self.sheet.read(resource.attributes, &mut json);
        let tenant = match self.tenant() {
            Ok(tenant) => tenant,
            Err(name) => return self.refuse(&resource.scopes, &name),
        };
        let key = self.key_of(&tenant);
        let text = |field| self.sheet.text(field).map(Arc::from);
        let mut origin = Origin {
            receipt: self.receipt,
            tenant,
            key,
            service_name: text(Field::ServiceName).unwrap_or_else(|| Arc::from("unknown_service")),
            service_version: text(Field::ServiceVersion),
            environment: text(Field::Environment).unwrap_or_else(|| Arc::from("default")),
            resource: json.into(),
            scope_name: Arc::from(""),
            scope_version: Arc::from(""),
        };
        for scope in resource.scopes {
            self.scope(scope, &mut origin);
        }
    }

    fn scope(&mut self, scope: RawScope, origin: &mut Origin) {
        origin.scope_name = scope.name.into();
        origin.scope_version = scope.version.into();
        self.spans.enter(&origin.scope_name);
        self.logs.enter(&origin.scope_name);
        for span in scope.spans {
            self.spans
                .read(span, origin, &mut self.rows, &mut self.rejected);
        }
        for log in scope.logs {
            self.logs
                .read(log, origin, &mut self.rows, &mut self.rejected);
        }
        for point in scope.points {
            metric::read(
                point,
                origin,
                &mut self.sheet,
                &mut self.rows,
                &mut self.rejected,
            );
        }
    }

    /// Returns whose the resource is, or the name that is not allowed.
    fn tenant(&self) -> Result<Arc<str>, String> {
        match &self.context.tenants {
            TenantPolicy::Fixed(tenant) => Ok(Arc::clone(tenant)),
            TenantPolicy::FromResource { default } => match self.sheet.text(Field::Tenant) {
                None => Ok(Arc::clone(default)),
                Some(name) if is_tenant_name(name) => Ok(Arc::from(name)),
                Some(name) => Err(coerce::first_chars(name, TENANT_BYTES_MAX).to_owned()),
            },
        }
    }

    fn key_of(&mut self, tenant: &Arc<str>) -> TenantKey {
        if let Some((known, key)) = &self.last_key
            && known == tenant
        {
            return key.clone();
        }
        let key = self.context.secrets.tenant_key(tenant);
        self.spans.forget_users();
        self.last_key = Some((Arc::clone(tenant), key.clone()));
        key
    }

    fn refuse(&mut self, scopes: &[RawScope], name: &str) {
        for scope in scopes {
            for _ in 0..scope.spans.len() + scope.logs.len() + scope.points.len() {
                self.rejected.add(Reason::Tenant, || {
                    format!("tenant {name:?} is not 1 to {TENANT_BYTES_MAX} of a-z, 0-9, _ and -")
                });
            }
        }
    }
}

/// Returns whether a tenant may be called so: 1 to 64 of `a-z`, `0-9`, `_` and `-`.
pub fn is_tenant_name(name: &str) -> bool {
    (1..=TENANT_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}
