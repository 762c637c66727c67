//! The token that every form of the console carries.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

/// Returns the token of this process, which a page of another origin cannot read.
pub(super) fn token() -> &'static str {
    // The keys of a `RandomState` come from the operating system.
    static TOKEN: LazyLock<String> = LazyLock::new(|| {
        let half = || RandomState::new().hash_one("the console's token");
        format!("{:016x}{:016x}", half(), half())
    });
    &TOKEN
}
