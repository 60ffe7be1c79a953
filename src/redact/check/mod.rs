//! The checks of the rules: each looks at the text around one candidate and says from where to where a value reaches.
//!
//! A check never looks further than a bounded way, so that no text makes the whole slow.

pub(super) mod email;
pub(super) mod number;
pub(super) mod phone;
pub(super) mod secret;
