//! The rules at work: which places of a buffer may hold something, and texts without it.
//!
//! Looking is cheap and rewriting is not, so a text is first looked at as it stands, escapes and all. Only where a rule's
//! check says yes, or where JSON hides what it says behind an escape or a name, is it taken apart. One core looks through
//! some 350 MB/s and rewrites some 90 MB/s of texts most of which hold several values.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;

use super::builtin;
use super::chars::{byte, skip};
use super::class::{Class, Counts};
use super::json;
use super::keys::{self, KEYS};
use super::rule::{Candidate, Find, Rule};
use super::scan::{DigitRuns, Literal, Literals};
use crate::model::Privacy;

/// The rules, ready to use. Compile them once: it takes milliseconds.
pub struct Rules {
    rules: Vec<&'static Rule>,
    literals: Literals,
    patterns: Vec<Pattern>,
    /// For each length of a run of digits, the rules that look at it.
    by_length: [Vec<usize>; 32],
}

/// A literal that the scan looks for, and why.
struct Pattern {
    /// As it must be written, where case matters.
    exact: Option<&'static str>,
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    Rule(usize),
    Key(usize),
    /// Something that only JSON knows to be suspicious.
    Json(fn(&[u8], Range<usize>) -> bool),
}

/// A value to take out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) range: Range<usize>,
    pub(super) class: Class,
}

/// Rewriting changes what stands beside a value, and so may show another one; this often it is looked at again.
const PASSES: usize = 8;

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.rules.iter().map(|rule| rule.name))
            .finish()
    }
}

impl Rules {
    /// Compiles the rules that come with the program.
    pub fn builtin() -> Self {
        let rules: Vec<_> = builtin::rules().collect();
        let mut patterns = Vec::new();
        let mut texts = Vec::new();
        let mut add = |text: &str, exact, target| {
            texts.push(text.to_owned());
            patterns.push(Pattern { exact, target });
        };
        let mut by_length: [Vec<usize>; 32] = Default::default();
        for (index, rule) in rules.iter().enumerate() {
            match rule.find {
                Find::Exact(all) => all
                    .iter()
                    .for_each(|text| add(text, Some(*text), Target::Rule(index))),
                Find::AnyCase(all) => all
                    .iter()
                    .for_each(|text| add(text, None, Target::Rule(index))),
                Find::Digits(lengths) => by_length
                    .iter_mut()
                    .enumerate()
                    .filter(|(length, _)| lengths >> length & 1 == 1)
                    .for_each(|(_, slot)| slot.push(index)),
            }
        }
        for (index, key) in KEYS.iter().enumerate() {
            key.spellings()
                .iter()
                .for_each(|text| add(text, None, Target::Key(index)));
        }
        for text in ["\\u00", "\\u20", "\\/"] {
            add(text, None, Target::Json(hides));
        }
        add("headers", None, Target::Json(names_headers));
        add("$b", None, Target::Json(ends_name));
        Self {
            rules,
            literals: Literals::new(&texts),
            patterns,
            by_length,
        }
    }

    /// Returns a text without personal data and secrets; what is JSON in it stays JSON.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.clean(text, Privacy::Text, &mut Counts::default())
    }

    /// Returns a JSON document without personal data and secrets.
    pub fn json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.clean(text, Privacy::Json, &mut Counts::default())
    }

    /// Returns a text as [`Rules::text`] or [`Rules::json`] does, and counts what it takes out.
    pub fn clean<'t>(&self, text: &'t str, privacy: Privacy, counts: &mut Counts) -> Cow<'t, str> {
        let rows = [0, text.len()];
        if privacy == Privacy::Keep || self.suspects(text.as_bytes(), &rows).is_empty() {
            return Cow::Borrowed(text);
        }
        self.rewrite(text, privacy, counts)
            .map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Rewrites a text; `None` where nothing is to be taken out.
    pub(super) fn rewrite(
        &self,
        text: &str,
        privacy: Privacy,
        counts: &mut Counts,
    ) -> Option<String> {
        if privacy == Privacy::Json || json::may_be(text.as_bytes()) {
            match json::rewrite(self, text, counts) {
                json::Outcome::Same => return None,
                json::Outcome::Changed(clean) => return Some(clean),
                json::Outcome::NotJson => {}
            }
        }
        self.rewrite_plain(text, counts)
    }

    /// Rewrites a text that is not JSON.
    pub(super) fn rewrite_plain(&self, text: &str, counts: &mut Counts) -> Option<String> {
        let mut clean = self.replace(text, counts)?;
        for _ in 1..PASSES {
            match self.replace(&clean, counts) {
                Some(cleaner) => clean = cleaner,
                None => break,
            }
        }
        Some(clean)
    }

    fn replace(&self, text: &str, counts: &mut Counts) -> Option<String> {
        let matches = self.matches(text.as_bytes());
        if matches.is_empty() {
            return None;
        }
        let mut clean = String::with_capacity(text.len() + 32);
        let mut done = 0;
        for found in &matches {
            clean.push_str(&text[done..found.range.start]);
            found.class.write_placeholder(&mut clean);
            counts.add(found.class);
            done = found.range.end;
        }
        clean.push_str(&text[done..]);
        Some(clean)
    }

    /// Returns what is to be taken out of a text, in order; matches that overlap are one.
    fn matches(&self, text: &[u8]) -> Vec<Match> {
        let mut found = Vec::new();
        // A rule's match is not looked into again by the same rule: `token=token=token=...` would take forever.
        let mut done = [0; builtin::COUNT + KEYS.len()];
        for literal in self.literals.cursor(text) {
            let slot = match self.patterns[literal.pattern].target {
                Target::Rule(rule) => rule,
                Target::Key(key) => builtin::COUNT + key,
                Target::Json(_) => continue,
            };
            if literal.start >= done[slot]
                && let Some(value) = self.confirm(text, literal)
            {
                done[slot] = value.range.end;
                found.push(value);
            }
        }
        for (start, end) in DigitRuns::new(text) {
            found.extend(self.confirm_digits(text, start, end));
        }
        merge(found)
    }

    fn confirm(&self, text: &[u8], literal: Literal) -> Option<Match> {
        let pattern = &self.patterns[literal.pattern];
        let Literal { start, end, .. } = literal;
        if pattern
            .exact
            .is_some_and(|exact| &text[start..end] != exact.as_bytes())
        {
            return None;
        }
        match pattern.target {
            Target::Rule(index) => {
                let rule = self.rules[index];
                let range = rule.check.run(Candidate { text, start, end })?;
                Some(Match {
                    range,
                    class: rule.class,
                })
            }
            Target::Key(index) => {
                let key = &KEYS[index];
                Some(Match {
                    range: keys::value(text, start..end, key)?,
                    class: key.class,
                })
            }
            Target::Json(_) => None,
        }
    }

    fn confirm_digits(&self, text: &[u8], start: usize, end: usize) -> Option<Match> {
        self.by_length[(end - start).min(31)]
            .iter()
            .find_map(|index| {
                let rule = self.rules[*index];
                let range = rule.check.run(Candidate { text, start, end })?;
                Some(Match {
                    range,
                    class: rule.class,
                })
            })
    }

    /// Returns the rows of a buffer in which something may have to be taken out, in order. Row `n` reaches from `ends[n]`
    /// to `ends[n + 1]`.
    pub(super) fn suspects<O: Offset>(&self, buffer: &[u8], ends: &[O]) -> Vec<usize> {
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
            return Vec::new();
        };
        let mut suspects = Vec::new();
        let rows = Rows { ends, row: 0 };
        self.suspects_by_literal(&buffer[..last.at()], first.at(), rows, &mut suspects);
        let known = suspects.len();
        let rows = Rows { ends, row: 0 };
        self.suspects_by_digits(&buffer[..last.at()], first.at(), rows, &mut suspects);
        if known > 0 && known < suspects.len() {
            suspects.sort_unstable();
        }
        suspects
    }

    fn suspects_by_literal<O: Offset>(
        &self,
        buffer: &[u8],
        from: usize,
        mut rows: Rows<'_, O>,
        suspects: &mut Vec<usize>,
    ) {
        let mut literals = self.literals.cursor(buffer);
        literals.skip_to(from);
        while let Some(literal) = literals.next() {
            let row = rows.of(literal.start);
            if literal.end > row.end {
                continue; // it reaches from one row into the next
            }
            let (start, end) = (literal.start - row.start, literal.end - row.start);
            let literal = Literal {
                start,
                end,
                ..literal
            };
            if self.is_suspect(&buffer[row.clone()], literal) {
                suspects.push(rows.row);
                literals.skip_to(row.end);
            }
        }
    }

    fn is_suspect(&self, row: &[u8], literal: Literal) -> bool {
        let range = literal.start..literal.end;
        match self.patterns[literal.pattern].target {
            Target::Json(is_suspect) => is_suspect(row, range) && json::may_be(row),
            Target::Key(_) if ends_string(row, literal.end) && json::may_be(row) => true,
            _ => self.confirm(row, literal).is_some(),
        }
    }

    fn suspects_by_digits<O: Offset>(
        &self,
        buffer: &[u8],
        from: usize,
        mut rows: Rows<'_, O>,
        suspects: &mut Vec<usize>,
    ) {
        let mut runs = DigitRuns::new(buffer);
        runs.skip_to(from);
        let mut known = suspects.clone().into_iter().peekable();
        while let Some((run_start, run_end)) = runs.next() {
            let row = rows.of(run_start);
            // What goes on in the next row is another number.
            let end = run_end.min(row.end);
            runs.skip_back(end);
            while known.next_if(|known| *known < rows.row).is_some() {}
            let is_known = known.peek() == Some(&rows.row);
            let (text, start, end) = (&buffer[row.clone()], run_start - row.start, end - row.start);
            if is_known || self.confirm_digits(text, start, end).is_some() {
                runs.skip_to(row.end);
                suspects.extend((!is_known).then_some(rows.row));
            }
        }
    }
}

/// Joins matches that overlap. The longer one says what they are; of equals, and of those that only touch, the first class.
fn merge(mut found: Vec<Match>) -> Vec<Match> {
    // A password in a URL looks like the local part of an address at the host behind it, so it goes first.
    let is_password = |found: &Match| found.class == Class::UrlCredentials;
    found.sort_unstable_by_key(|found| {
        (
            found.range.start,
            !is_password(found),
            Reverse(found.range.end),
            found.class,
        )
    });
    found.dedup_by(|next, first| {
        let overlaps = next.range.start < first.range.end;
        let is_host = is_password(first) && next.class == Class::Email;
        if overlaps && next.range.end > first.range.end && !is_host {
            first.range.end = next.range.end;
            first.class = first.class.min(next.class);
        }
        overlaps
    });
    found
}

/// `\u0040` and `\/` may be part of what a rule looks for; other escapes are not.
fn hides(row: &[u8], escape: Range<usize>) -> bool {
    match byte(row, escape.end) {
        _ if !row[escape.clone()].ends_with(b"00") => true,
        b'0'..=b'7' | b'a' | b'A' => true,
        _ => false,
    }
}

fn names_headers(row: &[u8], name: Range<usize>) -> bool {
    byte(row, name.end) == b'.' || ends_string(row, name.end)
}

fn ends_name(row: &[u8], name: Range<usize>) -> bool {
    ends_string(row, name.end)
}

/// Returns whether a string of JSON ends here, at whatever depth of JSON in JSON.
fn ends_string(row: &[u8], at: usize) -> bool {
    byte(
        row,
        skip(row, at, |row, at| usize::from(byte(row, at) == b'\\')),
    ) == b'"'
}

/// A position in a buffer, as arrays keep it.
pub(super) trait Offset: Copy {
    /// Returns the position.
    fn at(self) -> usize;
}

impl Offset for usize {
    fn at(self) -> usize {
        self
    }
}

impl Offset for i32 {
    fn at(self) -> usize {
        usize::try_from(self).expect("an array's offsets are never negative")
    }
}

/// Finds rows by rising positions.
struct Rows<'a, O> {
    ends: &'a [O],
    row: usize,
}

impl<O: Offset> Rows<'_, O> {
    fn of(&mut self, position: usize) -> Range<usize> {
        while self.ends[self.row + 1].at() <= position {
            self.row += 1;
        }
        self.ends[self.row].at()..self.ends[self.row + 1].at()
    }
}
