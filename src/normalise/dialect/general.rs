//! Names that every instrumented program has, GenAI or not: services, sessions, users, errors, HTTP.
//!
//! They fill columns and say nothing about the dialect.

use super::{Definition, Dialect, Name, no_class};
use crate::normalise::field::Field as F;
use crate::normalise::field::Meaning::{Content, Headers, Is};
use crate::normalise::field::Place::Slot;
use crate::normalise::field::Read::{Count, HttpError, RpcError, Text};
use crate::normalise::slot::Slot::{ErrorMessage, Stacktrace};

pub(super) const DEFINITION: Definition = Definition {
    dialect: Dialect::General,
    scopes: &[],
    names: NAMES,
    families: &[],
    fixup: no_class,
    class: no_class,
};

const NAMES: &[Name] = &[
    ("service.name", Is(F::ServiceName, Text), 1),
    ("service.version", Is(F::ServiceVersion, Text), 1),
    ("deployment.environment.name", Is(F::Environment, Text), 1),
    ("deployment.environment", Is(F::Environment, Text), 2),
    ("session.id", Is(F::SessionId, Text), 2),
    ("user.id", Is(F::UserId, Text), 1),
    ("enduser.id", Is(F::UserId, Text), 2),
    ("error.type", Is(F::ErrorType, Text), 1),
    ("exception.type", Is(F::ExceptionType, Text), 1),
    ("exception.message", Content(Slot(ErrorMessage)), 1),
    ("exception.stacktrace", Content(Slot(Stacktrace)), 1),
    ("status_code", Is(F::ErrorType, HttpError), 5),
    ("http.response.status_code", Is(F::ErrorType, HttpError), 6),
    ("http.status_code", Is(F::ErrorType, HttpError), 7),
    ("rpc.response.status_code", Is(F::ErrorType, RpcError), 8),
    ("http.request.resend_count", Is(F::ResendCount, Count), 3),
    ("server.address", Is(F::ServerAddress, Text), 1),
    ("db.system.name", Is(F::DbSystem, Text), 1),
    ("db.system", Is(F::DbSystem, Text), 2),
    ("event.name", Is(F::EventName, Text), 1),
    ("http.request.header.authorization", Headers, 1),
    ("http.request.header.proxy-authorization", Headers, 1),
    ("http.request.header.cookie", Headers, 1),
    ("http.request.header.x-api-key", Headers, 1),
    ("http.request.header.api-key", Headers, 1),
    ("http.response.header.set-cookie", Headers, 1),
];
