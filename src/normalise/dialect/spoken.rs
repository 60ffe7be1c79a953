//! Who speaks: the dialects by precedence, and the set of those that a span speaks.

use std::sync::LazyLock;

use ahash::RandomState;
use hashbrown::HashMap;

/// A way of naming things; in order of precedence (semconv.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in crate::normalise) enum Dialect {
    /// Our own names.
    Outspan,
    /// OpenTelemetry's GenAI conventions of today.
    Otel,
    /// OpenTelemetry's MCP conventions.
    Mcp,
    /// OpenInference.
    OpenInference,
    /// OpenTelemetry's GenAI names of yesterday.
    OtelOld,
    /// Names that every instrumented program has.
    General,
}

impl Dialect {
    const ALL: [Self; 6] = [
        Self::Outspan,
        Self::Otel,
        Self::Mcp,
        Self::OpenInference,
        Self::OtelOld,
        Self::General,
    ];

    /// Returns the name in the table; `None` for what says nothing about GenAI.
    fn label(self) -> Option<&'static str> {
        match self {
            Self::Outspan => Some("outspan"),
            Self::Otel | Self::Mcp | Self::OtelOld => Some("otel"),
            Self::OpenInference => Some("openinference"),
            Self::General => None,
        }
    }
}

/// A set of dialects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::normalise) struct Spoken(u32);

impl Spoken {
    /// Adds a dialect.
    pub(in crate::normalise) fn add(&mut self, dialect: Dialect) {
        self.0 |= 1 << dialect as u8;
    }

    /// Returns whether a dialect is among them.
    pub(in crate::normalise) fn has(self, dialect: Dialect) -> bool {
        self.0 & (1 << dialect as u8) != 0
    }

    /// Returns the names as a comma list, by precedence, at most four of them; `none` where there are none.
    pub(in crate::normalise) fn label(self) -> &'static str {
        let mut names = [0; NAMED_MAX];
        let mut count = 0;
        for dialect in Dialect::ALL
            .into_iter()
            .filter(|dialect| self.has(*dialect))
        {
            let Some(label) = dialect.label() else {
                continue;
            };
            let name = NAMES.iter().position(|known| *known == label).unwrap_or(0);
            if count < NAMED_MAX && !names[..count].contains(&name) {
                names[count] = name;
                count += 1;
            }
        }
        LABELS.get(&names[..count]).map_or("none", String::as_str)
    }
}

/// Dialects named of one span; more say nothing, and this bounds how many lists there are.
const NAMED_MAX: usize = 4;

/// The names in the table, each once, by precedence.
static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names: Vec<_> = Dialect::ALL
        .into_iter()
        .filter_map(Dialect::label)
        .collect();
    let mut seen = Vec::new();
    names.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name);
        new
    });
    names
});

/// Every list of up to [`NAMED_MAX`] names, by their positions in [`NAMES`]: rows borrow theirs from here.
static LABELS: LazyLock<HashMap<Vec<usize>, String, RandomState>> = LazyLock::new(|| {
    let mut lists = vec![Vec::new()];
    let mut at = 0;
    while let Some(list) = lists.get(at).cloned() {
        if list.len() < NAMED_MAX {
            let next = list.last().map_or(0, |last| last + 1);
            lists.extend((next..NAMES.len()).map(|name| [&list[..], &[name]].concat()));
        }
        at += 1;
    }
    let label = |list: &Vec<usize>| match &list[..] {
        [] => "none".to_owned(),
        names => names
            .iter()
            .map(|name| NAMES[*name])
            .collect::<Vec<_>>()
            .join(","),
    };
    lists
        .into_iter()
        .map(|list| (list.clone(), label(&list)))
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_are_named_by_precedence_and_once() {
        let mut spoken = Spoken::default();
        assert_eq!(spoken.label(), "none");
        spoken.add(Dialect::General);
        assert_eq!(spoken.label(), "none");
        spoken.add(Dialect::OpenInference);
        spoken.add(Dialect::OtelOld);
        spoken.add(Dialect::Otel);
        assert_eq!(spoken.label(), "otel,openinference");
        spoken.add(Dialect::Outspan);
        assert_eq!(spoken.label(), "outspan,otel,openinference");
    }
}
