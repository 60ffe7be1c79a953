//! Structures that were flattened into names (`llm.input_messages.0.message.role`), put together again.
//!
//! Gaps between numbers are allowed. What exceeds the limits, or contradicts itself, is handed back as it came.

use crate::model::{Attributes, Value};

/// Numbers below this can be an index.
pub(super) const INDICES_MAX: u32 = 4096;
/// Steps of a path.
pub(super) const DEPTH_MAX: usize = 8;

/// A structure, and the names that do not fit into it.
#[derive(Debug, Default)]
pub(super) struct Rebuilt {
    /// `None` where nothing fits.
    pub(super) value: Option<Value>,
    /// As sent.
    pub(super) rest: Attributes,
}

enum Node {
    Leaf(Value),
    Branch(Vec<(String, Node)>),
}

/// Puts together names (with their first `beginning` bytes left out) and values, given in order of names.
pub(super) fn rebuild(entries: impl Iterator<Item = (String, Value)>, beginning: usize) -> Rebuilt {
    let mut root = Vec::new();
    let mut rest = Vec::new();
    for (name, value) in entries {
        if let Err(value) = insert(&mut root, &name[beginning..], value) {
            rest.push((name, value));
        }
    }
    let value = (!root.is_empty()).then(|| assemble(Node::Branch(root)));
    Rebuilt { value, rest }
}

fn insert(root: &mut Vec<(String, Node)>, path: &str, value: Value) -> Result<(), Value> {
    if !fits(path) {
        return Err(value);
    }
    let mut branch = root;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let known = position(branch, step);
        if steps.peek().is_none() {
            return match known {
                Some(_) => Err(value),
                None => {
                    branch.push((step.to_owned(), Node::Leaf(value)));
                    Ok(())
                }
            };
        }
        let at = known.unwrap_or_else(|| {
            branch.push((step.to_owned(), Node::Branch(Vec::new())));
            branch.len() - 1
        });
        match &mut branch[at].1 {
            Node::Branch(inner) => branch = inner,
            Node::Leaf(_) => return Err(value),
        }
    }
    Err(value)
}

fn fits(path: &str) -> bool {
    let number = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    let mut steps = 0;
    path.split('.').all(|step| {
        steps += 1;
        let small = || step.parse::<u32>().is_ok_and(|index| index < INDICES_MAX);
        steps <= DEPTH_MAX && (!number(step) || small())
    })
}

/// Names come in order, so a step that is known was, but for odd neighbours, the last one.
fn position(branch: &[(String, Node)], step: &str) -> Option<usize> {
    /// How far back is looked for odd neighbours.
    const BACK_MAX: usize = 32;
    branch
        .iter()
        .rev()
        .take(BACK_MAX)
        .position(|(key, _)| key == step)
        .map(|back| branch.len() - 1 - back)
}

fn assemble(node: Node) -> Value {
    let children = match node {
        Node::Leaf(value) => return value,
        Node::Branch(children) => children,
    };
    let indices: Option<Vec<u32>> = children.iter().map(|(key, _)| key.parse().ok()).collect();
    let Some(indices) = indices else {
        let entries = children
            .into_iter()
            .map(|(key, node)| (key, assemble(node)));
        return Value::Map(entries.collect());
    };
    let mut items: Vec<_> = indices.into_iter().zip(children).collect();
    items.sort_by_key(|(index, _)| *index);
    Value::Array(
        items
            .into_iter()
            .map(|(_, (_, node))| assemble(node))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::json;

    fn rebuilt(names: &[&str]) -> (String, usize) {
        let mut entries: Vec<_> = names
            .iter()
            .map(|name| (format!("p.{name}"), Value::Int(1)))
            .collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let rebuilt = rebuild(entries.into_iter(), 2);
        (
            rebuilt
                .value
                .map(|value| json::text(&value))
                .unwrap_or_default(),
            rebuilt.rest.len(),
        )
    }

    #[test]
    fn numbers_order_items_and_gaps_close() {
        let (json, rest) = rebuilt(&["10.a", "2.a", "0.a", "0.b.0"]);
        assert_eq!(
            (json.as_str(), rest),
            (r#"[{"a":1,"b":[1]},{"a":1},{"a":1}]"#, 0)
        );
    }

    #[test]
    fn indices_and_depth_end_at_their_limits() {
        assert_eq!(rebuilt(&["4095.a"]).1, 0);
        assert_eq!(rebuilt(&["4096.a"]), (String::new(), 1));
        assert_eq!(rebuilt(&["99999999999999999999.a"]).1, 1);
        assert_eq!(rebuilt(&["0.b.c.d.e.f.g.h"]).1, 0);
        assert_eq!(rebuilt(&["0.b.c.d.e.f.g.h.i"]).1, 1);
    }

    #[test]
    fn what_contradicts_itself_is_handed_back() {
        let (json, rest) = rebuilt(&["0.a", "0.a.b", "0.a-b.c"]);
        assert_eq!((json.as_str(), rest), (r#"[{"a":1,"a-b":{"c":1}}]"#, 1));
    }
}
