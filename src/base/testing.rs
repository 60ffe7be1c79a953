//! What tests share: the recorded inputs beside the checkout.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Returns a file or folder of `../shared`; where there is none, says so and returns `None`, so that the test is
/// skipped in sight. Where `OUTSPAN_REQUIRE_SHARED` is set, that is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own switch, not configuration"
)]
pub(crate) fn shared(relative: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(relative);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("OUTSPAN_REQUIRE_SHARED").is_ok();
    assert!(!required, "{} is required and absent", path.display());
    // Past the test runner, which keeps what a passing test prints to itself.
    let skipped = format!("SKIPPED: {} is absent\n", path.display());
    let _unread = std::io::stderr().write_all(skipped.as_bytes()).is_err();
    None
}
