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
mod spoken;

use std::sync::LazyLock;

use ahash::RandomState;
use hashbrown::HashMap;

pub(super) use self::spoken::{Dialect, Spoken};
use super::class::Class;
use super::field::Meaning;
use super::span::View;

/// Ranks from here on are last resorts: they fill a gap, and their disagreement is no news.
pub(super) const WEAK: u8 = 100;

/// A name, its meaning and its rank among the names of that meaning.
pub(super) type Name = (&'static str, Meaning, u8);

/// All that is to know of a dialect.
pub(super) struct Definition {
    /// Whose it is.
    pub(super) dialect: Dialect,
    /// Beginnings of the scopes in which its names count; none: everywhere. For names that others use otherwise.
    pub(super) scopes: &'static [&'static str],
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
    /// A name may mean different things in different scopes.
    names: HashMap<&'static str, Vec<Rule>, RandomState>,
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
        // What holds in a scope is asked before what holds everywhere.
        let (anywhere, scoped): (Vec<_>, Vec<_>) = DEFINITIONS
            .into_iter()
            .partition(|definition| definition.scopes.is_empty());
        for definition in scoped.into_iter().chain(anywhere) {
            index.add(definition);
        }
        // The longest beginning says most.
        for families in &mut index.families {
            families.sort_by_key(|family| std::cmp::Reverse(family.rule.beginning));
        }
        index
    }

    fn add(&mut self, definition: &Definition) {
        let dialect = definition.dialect;
        for &(name, meaning, rank) in definition.names {
            let rule = Rule {
                dialect,
                meaning,
                rank,
                beginning: 0,
            };
            self.names.entry(name).or_default().push(rule);
        }
        for &(pattern, meaning, rank) in definition.families {
            let beginning = pattern.trim_end_matches('#');
            let length = u8::try_from(beginning.len()).expect("beginnings are short");
            let rule = Rule {
                dialect,
                meaning,
                rank,
                beginning: length,
            };
            let family = Family {
                beginning,
                indexed: pattern.ends_with('#'),
                rule,
            };
            self.families[usize::from(pattern.as_bytes()[0])].push(family);
        }
    }
}

/// Returns the dialects whose names count in a scope.
pub(super) fn known_in(scope: &str) -> Spoken {
    let mut known = Spoken::default();
    let counts = |definition: &&&Definition| {
        let scopes = definition.scopes;
        scopes.is_empty() || scopes.iter().any(|beginning| scope.starts_with(beginning))
    };
    DEFINITIONS
        .iter()
        .filter(counts)
        .for_each(|definition| known.add(definition.dialect));
    known
}

/// Returns what a name means to the dialects `known`; `None` where it means nothing.
pub(super) fn rule_of(name: &str, known: Spoken) -> Option<Rule> {
    if let Some(rules) = INDEX.names.get(name)
        && let Some(rule) = rules.iter().find(|rule| known.has(rule.dialect))
    {
        return Some(*rule);
    }
    let first = name.as_bytes().first()?;
    let family = INDEX.families[usize::from(*first)].iter().find(|family| {
        known.has(family.rule.dialect)
            && name.strip_prefix(family.beginning).is_some_and(|rest| {
                !family.indexed || rest.starts_with(|first: char| first.is_ascii_digit())
            })
    })?;
    Some(family.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_counts_everywhere_is_in_one_table_only() {
        let mut names: Vec<_> = DEFINITIONS
            .iter()
            .filter(|definition| definition.scopes.is_empty())
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
        assert!(rule_of("gen_ai.prompt.0.content", known_in("")).is_some());
        assert!(matches!(
            rule_of("gen_ai.prompt.weather", known_in("")),
            Some(Rule {
                meaning: Meaning::Mark,
                ..
            })
        ));
        assert!(rule_of("gen_ai.prompt", known_in("")).is_some());
        assert!(rule_of("", known_in("")).is_none());
        assert!(rule_of("my.own", known_in("")).is_none());
    }
}
