//! The rules that come with the program: one entry each, with its examples.
//!
//! Names that make a value private (`password = ...`) are in `keys.rs`.

mod personal;
mod service;

use personal::PERSONAL;
use service::SERVICE;

use super::rule::Rule;

/// How many rules there are.
pub(super) const COUNT: usize = PERSONAL.len() + SERVICE.len();

/// Returns all rules, always in the same order.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    PERSONAL.iter().chain(SERVICE)
}
