//! Finds candidates in one pass over a buffer: literals by an automaton, runs of digits by arithmetic on eight bytes at a
//! time.
//!
//! A buffer may be one text or all the values of a column, one behind the other. What is found here is a place to look
//! at, nothing more; most of them turn out to be nothing.

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::{Input, MatchKind, dfa};

/// A literal found in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Which of the patterns it is, as numbered when the automaton was built.
    pub(super) pattern: usize,
    /// Where it starts.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
}

/// Finds all literals, in any case, overlapping ones too.
#[derive(Debug)]
pub(super) struct Literals(dfa::DFA);

impl Literals {
    /// Compiles patterns; they are numbered in their order.
    pub(super) fn new(patterns: &[String]) -> Self {
        let automaton = dfa::Builder::new()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(patterns)
            .expect("a few hundred short literals fit an automaton");
        Self(automaton)
    }

    /// Starts to look for them.
    pub(super) fn cursor<'a>(&'a self, buffer: &'a [u8]) -> LiteralCursor<'a> {
        LiteralCursor {
            automaton: &self.0,
            buffer,
            from: 0,
            state: OverlappingState::start(),
        }
    }
}

/// A walk over the literals of a buffer, in the order of their ends.
#[derive(Debug)]
pub(super) struct LiteralCursor<'a> {
    automaton: &'a dfa::DFA,
    buffer: &'a [u8],
    from: usize,
    state: OverlappingState,
}

impl LiteralCursor<'_> {
    /// Goes on behind a position: nothing that starts before it is found any more.
    pub(super) fn skip_to(&mut self, at: usize) {
        self.from = at;
        self.state = OverlappingState::start();
    }
}

impl Iterator for LiteralCursor<'_> {
    type Item = Literal;

    fn next(&mut self) -> Option<Literal> {
        let input = Input::new(self.buffer).span(self.from..self.buffer.len());
        self.automaton
            .try_find_overlapping(&input, &mut self.state)
            .ok()?;
        let found = self.state.get_match()?;
        Some(Literal {
            pattern: found.pattern().as_usize(),
            start: found.start(),
            end: found.end(),
        })
    }
}

/// A walk over the runs of at least two digits of a buffer.
#[derive(Debug)]
pub(super) struct DigitRuns<'a> {
    buffer: &'a [u8],
    at: usize,
    block: usize,
    digits: u64,
}

/// How many bytes are looked at together: one bit each.
const BLOCK: usize = 64;

impl<'a> DigitRuns<'a> {
    /// Starts to look for them.
    pub(super) fn new(buffer: &'a [u8]) -> Self {
        Self {
            buffer,
            at: 0,
            block: 0,
            digits: digits_of_block(buffer, 0),
        }
    }

    /// Goes on at a later position.
    pub(super) fn skip_to(&mut self, at: usize) {
        self.at = self.at.max(at);
    }

    /// Ends the run that was found last here, within it.
    pub(super) fn skip_back(&mut self, at: usize) {
        self.at = self.at.min(at);
    }

    fn enter(&mut self, block: usize) {
        self.block = block;
        self.digits = digits_of_block(self.buffer, block);
    }
}

impl Iterator for DigitRuns<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while self.at < self.buffer.len() {
            let block = self.at - self.at % BLOCK;
            if block != self.block {
                self.enter(block);
            }
            let rest = self.digits >> (self.at - block);
            if rest == 0 {
                self.at = block + BLOCK;
                continue;
            }
            let start = self.at + rest.trailing_zeros() as usize;
            let known = start + (rest >> rest.trailing_zeros()).trailing_ones() as usize;
            // A run may go on in the next block.
            let more = self.buffer.get(known..).unwrap_or_default();
            let end = if known == block + BLOCK {
                known + more.iter().take_while(|byte| byte.is_ascii_digit()).count()
            } else {
                known
            };
            self.at = end;
            if end - start >= 2 {
                return Some((start, end));
            }
        }
        None
    }
}

/// Returns a bit for each digit of a block, the first byte's lowest.
fn digits_of_block(buffer: &[u8], at: usize) -> u64 {
    let rest = buffer.get(at..).unwrap_or_default();
    let Some(block) = rest.first_chunk::<BLOCK>() else {
        return rest
            .iter()
            .rev()
            .fold(0, |bits, byte| bits << 1 | u64::from(byte.is_ascii_digit()));
    };
    let (words, _) = block.as_chunks::<8>();
    words.iter().rev().fold(0, |bits, word| {
        bits << 8 | digits_of_word(u64::from_le_bytes(*word))
    })
}

/// Returns a bit for each digit among eight bytes.
fn digits_of_word(word: u64) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A digit becomes 0 to 9 and stays below 0x80 when 0x76 is added; anything else reaches it or was there before.
    let value = word ^ 0x3030_3030_3030_3030;
    let others = ((value & !HIGH) + 0x7676_7676_7676_7676) | value;
    // Gathers the high bit of each byte into the top byte.
    ((!others & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_from_a_digit_at_every_place() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                let mut word = *b"abcdefgh";
                word[place] = byte;
                let bits = digits_of_word(u64::from_le_bytes(word));
                assert_eq!(
                    bits,
                    u64::from(byte.is_ascii_digit()) << place,
                    "{byte} at {place}"
                );
            }
        }
    }

    #[test]
    fn runs_are_found_across_and_at_the_ends_of_blocks() {
        for length in 0..200 {
            for (start, end) in [
                (0, 2),
                (3, 5),
                (60, 70),
                (62, 64),
                (64, 66),
                (63, 140),
                (1, 199),
            ] {
                if end > length {
                    continue;
                }
                let mut buffer = vec![b'x'; length];
                buffer[start..end].fill(b'7');
                assert_eq!(DigitRuns::new(&buffer).collect::<Vec<_>>(), [(start, end)]);
            }
        }
    }

    #[test]
    fn a_single_digit_is_no_run() {
        assert_eq!(DigitRuns::new(b"a1b2c34d").collect::<Vec<_>>(), [(5, 7)]);
    }

    #[test]
    fn overlapping_literals_in_any_case_are_all_found() {
        let literals = Literals::new(&["secret".into(), "secret_key".into(), "key".into()]);
        let found: Vec<_> = literals
            .cursor(b"SECRET_KEY")
            .map(|l| (l.pattern, l.start, l.end))
            .collect();
        assert_eq!(found, [(0, 0, 6), (1, 0, 10), (2, 7, 10)]);
    }

    #[test]
    fn a_skipped_part_gives_no_literal() {
        let literals = Literals::new(&["key".into()]);
        let mut cursor = literals.cursor(b"key key key");
        assert_eq!(cursor.next().map(|l| l.start), Some(0));
        cursor.skip_to(5);
        assert_eq!(cursor.next().map(|l| l.start), Some(8));
        assert_eq!(cursor.next(), None);
    }
}
