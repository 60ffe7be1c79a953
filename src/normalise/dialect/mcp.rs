//! OpenTelemetry's conventions for the Model Context Protocol (`mcp.*`): one call, seen from the client and the server.

use super::{Definition, Dialect, Name};
use crate::normalise::class::{Class, ELICITATION, MCP, MCP_SERVER, TOOL};
use crate::normalise::field::Field as F;
use crate::normalise::field::Meaning::{Is, Mark};
use crate::normalise::field::Read::Text;
use crate::normalise::span::View;

pub(super) const DEFINITION: Definition = Definition {
    dialect: Dialect::Mcp,
    scopes: &[],
    names: NAMES,
    families: &[("mcp.", Mark, 0)],
    fixup: server,
    class,
};

const NAMES: &[Name] = &[
    ("mcp.method.name", Is(F::McpMethod, Text), 1),
    ("mcp.session.id", Is(F::McpSession, Text), 1),
];

/// The server's side of a call is not another call, whatever the operation says.
fn server(span: &View<'_>) -> Option<Class> {
    let call = span.is_server() && span.sheet.text(F::McpMethod) == Some("tools/call");
    let operation = || {
        span.sheet
            .text(F::Operation)
            .is_none_or(|name| name == "execute_tool")
    };
    (call && operation()).then_some(MCP_SERVER)
}

fn class(span: &View<'_>) -> Option<Class> {
    Some(match span.sheet.text(F::McpMethod)? {
        "tools/call" if span.is_server() => MCP_SERVER,
        "tools/call" => TOOL,
        "elicitation/create" => ELICITATION,
        _ => MCP,
    })
}
