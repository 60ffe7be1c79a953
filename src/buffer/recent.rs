//! The exact set of keys that came lately, each with the best version known of it.
//!
//! Keys of buffered rows are always here; keys of stored rows stay for a while, so that a sender who repeats itself is
//! recognised without a look into files. Who is missing here may still be in a file: the ledger looks there first and
//! tells [`Recent::learn`].

use std::collections::{HashMap, VecDeque};

use crate::model::{Key, Version};

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The best version so far.
    pub version: Version,
    /// The sequence number that it came with.
    pub sequence: i64,
}

/// What becomes of a row that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing was known of its key.
    New,
    /// It is better than the version that came with this sequence number.
    Replaces(i64),
    /// It says nothing new.
    Repeats,
}

/// Keys in generations; one ends with each flush.
#[derive(Debug)]
pub struct Recent {
    keys: HashMap<Key, (Known, u64)>,
    /// For each generation its number and the keys that were put in; a key may have moved on since.
    generations: VecDeque<(u64, Vec<Key>)>,
    capacity: usize,
}

/// Generations that stay whatever the capacity: what a look-up found out must not be forgotten before it is used.
const GENERATIONS_MIN: usize = 3;

impl Recent {
    /// Makes an empty set that holds about `capacity` keys of stored rows, and all of buffered ones.
    pub fn new(capacity: usize) -> Self {
        Self {
            keys: HashMap::new(),
            generations: VecDeque::from([(0, Vec::new())]),
            capacity,
        }
    }

    /// Returns whether something is known of `key`.
    pub fn contains(&self, key: &Key) -> bool {
        self.keys.contains_key(key)
    }

    /// Puts in what a file says of a key, unless something newer is known.
    pub fn learn(&mut self, key: Key, known: Known) {
        if !self.keys.contains_key(&key) {
            self.put(key, known);
        }
    }

    /// Rules on a row that arrives, and remembers it where it is the best so far.
    pub fn rule(&mut self, key: Key, version: Version, sequence: i64) -> Ruling {
        let ruling = match self.keys.get(&key) {
            None => Ruling::New,
            Some((known, _)) if version.replaces(&known.version) => {
                Ruling::Replaces(known.sequence)
            }
            Some(_) => return Ruling::Repeats,
        };
        self.put(key, Known { version, sequence });
        ruling
    }

    /// Ends a generation: its rows are in the table now. Forgets the oldest ones that are over capacity.
    pub fn turn(&mut self) {
        if self
            .generations
            .back()
            .is_some_and(|(_, keys)| keys.is_empty())
        {
            return;
        }
        let next = self.newest() + 1;
        self.generations.push_back((next, Vec::new()));
        while self.keys.len() > self.capacity && self.generations.len() > GENERATIONS_MIN {
            let Some((number, keys)) = self.generations.pop_front() else {
                return;
            };
            for key in keys {
                if self
                    .keys
                    .get(&key)
                    .is_some_and(|(_, generation)| *generation == number)
                {
                    self.keys.remove(&key);
                }
            }
        }
    }

    /// Returns how many keys are known.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn put(&mut self, key: Key, known: Known) {
        let generation = self.newest();
        self.keys.insert(key, (known, generation));
        if let Some((_, keys)) = self.generations.back_mut() {
            keys.push(key);
        }
    }

    fn newest(&self) -> u64 {
        self.generations.back().map_or(0, |(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Batch, Hex, SpanRow, Table, keys, versions};

    fn row(id: u8, end: i64) -> (Key, Version) {
        let row = SpanRow {
            span_id: Hex([id; 8]),
            duration_ns: end,
            ..SpanRow::default()
        };
        let mut batch = Batch::default();
        batch.set_rows(Table::Spans, &[row]);
        let rows = batch.table(Table::Spans).unwrap();
        (keys(Table::Spans, rows)[0], versions(Table::Spans, rows)[0])
    }

    #[test]
    fn a_repeat_is_told_from_news_and_from_a_better_version() {
        let mut recent = Recent::new(10);
        let ((key, short), (_, long)) = (row(1, 10), row(1, 20));
        assert_eq!(recent.rule(key, short, 1), Ruling::New);
        assert_eq!(recent.rule(key, short, 2), Ruling::Repeats);
        assert_eq!(recent.rule(key, long, 3), Ruling::Replaces(1));
        assert_eq!(recent.rule(key, short, 4), Ruling::Repeats);
    }

    #[test]
    fn what_a_file_says_never_beats_what_came_since() {
        let mut recent = Recent::new(10);
        let ((key, short), (_, long)) = (row(1, 10), row(1, 20));
        recent.rule(key, long, 5);
        recent.learn(
            key,
            Known {
                version: short,
                sequence: 1,
            },
        );
        assert_eq!(recent.rule(key, long, 6), Ruling::Repeats);
    }

    #[test]
    fn keys_over_capacity_go_with_their_generation_and_never_the_last_ones() {
        let mut recent = Recent::new(2);
        for id in 1..=6 {
            let (key, version) = row(id, 1);
            recent.rule(key, version, i64::from(id));
            recent.turn();
        }
        assert!(
            !recent.contains(&row(1, 1).0),
            "the oldest generation is gone"
        );
        assert!(recent.contains(&row(6, 1).0) && recent.contains(&row(5, 1).0));
        assert!(recent.len() <= GENERATIONS_MIN);
    }

    #[test]
    fn a_key_within_capacity_is_kept_however_many_generations_pass() {
        let mut recent = Recent::new(2);
        let (key, version) = row(1, 1);
        recent.rule(key, version, 1);
        (0..50).for_each(|_| recent.turn());
        assert!(recent.contains(&key));
    }
}
