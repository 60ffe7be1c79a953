//! The dialects: who names what how.
//!
//! A dialect is one file: a table of names, with the meaning of each and its rank among all names of that meaning (its
//! place in the rows of semconv.md §4; a lower rank wins), and its odd cases as small functions. All tables together
//! make one map, so that a known name costs one look-up and an unknown one a miss. A new dialect is a file and two
//! lines here.

mod general;
mod mcp;
mod openinference;
mod otel;
mod otel_old;
mod outspan;

use std::sync::LazyLock;

use ahash::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;

use super::class::Class;
use super::field::Meaning;
use super::span::View;

/// Ranks from here on are last resorts: they fill a gap, and their disagreement is no news.
pub(super) const WEAK: u8 = 100;

/// Who speaks; in order of precedence (semconv.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Dialect {
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

/// The dialects that a span speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Spoken(u32);

impl Spoken {
    /// Adds a dialect.
    pub(super) fn add(&mut self, dialect: Dialect) {
        self.0 |= 1 << dialect as u8;
    }

    /// Returns whether a dialect is among them.
    pub(super) fn has(self, dialect: Dialect) -> bool {
        self.0 & (1 << dialect as u8) != 0
    }

    /// Returns the names as a comma list, by precedence, at most four of them; `none` where there are none.
    pub(super) fn label(self) -> &'static str {
        /// Dialects named; more of them on one span say nothing, and this bounds how many lists there can be.
        const NAMED_MAX: usize = 4;
        static LABELS: LazyLock<RwLock<HashMap<Spoken, &'static str, RandomState>>> =
            LazyLock::new(RwLock::default);
        if let Some(label) = LABELS.read().get(&self) {
            return label;
        }
        let mut names = Vec::new();
        for name in Dialect::ALL
            .into_iter()
            .filter(|known| self.has(*known))
            .filter_map(Dialect::label)
        {
            if !names.contains(&name) && names.len() < NAMED_MAX {
                names.push(name);
            }
        }
        let label = if names.is_empty() {
            "none"
        } else {
            names.join(",").leak()
        };
        LABELS.write().entry(self).or_insert(label)
    }
}

/// A name, its meaning and its rank among the names of that meaning.
pub(super) type Name = (&'static str, Meaning, u8);

/// All that is to know of a dialect.
pub(super) struct Definition {
    /// Whose it is.
    pub(super) dialect: Dialect,
    /// Whole names.
    pub(super) names: &'static [Name],
    /// Beginnings of names; where a beginning ends in `#`, a number follows.
    pub(super) families: &'static [Name],
    /// What beats the general rules of classification (semconv.md §5.1, step 2).
    pub(super) fixup: fn(&View<'_>) -> Option<Class>,
    /// The dialect's own word for what a span is (steps 3 to 7).
    pub(super) class: fn(&View<'_>) -> Option<Class>,
}

/// In the order in which they are asked what a span is.
pub(super) const DEFINITIONS: [&Definition; 6] = [
    &outspan::DEFINITION,
    &otel::DEFINITION,
    &openinference::DEFINITION,
    &otel_old::DEFINITION,
    &mcp::DEFINITION,
    &general::DEFINITION,
];

/// For a dialect without such a case.
fn no_class(_: &View<'_>) -> Option<Class> {
    None
}

/// What an index holds of a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Whose name it is.
    pub(super) dialect: Dialect,
    /// What it means.
    pub(super) meaning: Meaning,
    /// Its rank.
    pub(super) rank: u8,
    /// Bytes of the name's beginning; 0 for a whole name.
    pub(super) beginning: u8,
}

struct Family {
    beginning: &'static str,
    indexed: bool,
    rule: Rule,
}

struct Index {
    names: HashMap<&'static str, Rule, RandomState>,
    /// By the first byte of a name: a miss mostly ends here.
    families: Vec<Vec<Family>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::build);

impl Index {
    fn build() -> Self {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut index = Self {
            names: HashMap::with_capacity_and_hasher(1024, hasher),
            families: (0..256).map(|_| Vec::new()).collect(),
        };
        for definition in DEFINITIONS {
            for &(name, meaning, rank) in definition.names {
                let rule = Rule {
                    dialect: definition.dialect,
                    meaning,
                    rank,
                    beginning: 0,
                };
                let before = index.names.insert(name, rule);
                debug_assert!(before.is_none(), "{name} is in two tables");
            }
            for &(pattern, meaning, rank) in definition.families {
                let beginning = pattern.trim_end_matches('#');
                let length = u8::try_from(beginning.len()).expect("beginnings are short");
                let rule = Rule {
                    dialect: definition.dialect,
                    meaning,
                    rank,
                    beginning: length,
                };
                let family = Family {
                    beginning,
                    indexed: pattern.ends_with('#'),
                    rule,
                };
                index.families[usize::from(pattern.as_bytes()[0])].push(family);
            }
        }
        // The longest beginning says most.
        for families in &mut index.families {
            families.sort_by_key(|family| std::cmp::Reverse(family.rule.beginning));
        }
        index
    }
}

/// Returns what a name means; `None` where no dialect knows it.
pub(super) fn rule_of(name: &str) -> Option<Rule> {
    if let Some(rule) = INDEX.names.get(name) {
        return Some(*rule);
    }
    let first = name.as_bytes().first()?;
    let family = INDEX.families[usize::from(*first)].iter().find(|family| {
        name.strip_prefix(family.beginning).is_some_and(|rest| {
            !family.indexed || rest.starts_with(|first: char| first.is_ascii_digit())
        })
    })?;
    Some(family.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_one_table_only() {
        let mut names: Vec<_> = DEFINITIONS
            .iter()
            .flat_map(|definition| definition.names)
            .map(|name| name.0)
            .collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(before, names.len());
        assert!(names.len() > 100);
    }

    #[test]
    fn a_numbered_name_is_known_and_an_unknown_one_is_not() {
        assert!(rule_of("gen_ai.prompt.0.content").is_some());
        assert!(matches!(
            rule_of("gen_ai.prompt.weather"),
            Some(Rule {
                meaning: Meaning::Mark,
                ..
            })
        ));
        assert!(rule_of("gen_ai.prompt").is_some());
        assert!(rule_of("").is_none());
        assert!(rule_of("my.own").is_none());
    }

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
    }
}
