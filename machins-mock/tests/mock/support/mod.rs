//! What the tests share.

pub(crate) mod http;
pub(crate) mod platform;
pub(crate) mod raw;
pub(crate) mod receiver;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether to run at full size.
pub(crate) fn is_full_size() -> bool {
    std::env::var_os("FULL_SIZE").is_some()
}

/// The turn of a test that needs thousands of file descriptors.
pub(crate) struct Turn {
    _guard: MutexGuard<'static, ()>,
}

/// Waits for a turn and makes room for this many connections, both of whose ends are in this
/// process: many systems give it 1,024 file descriptors unless it asks for more.
pub(crate) fn reserve_connections(count: usize) -> Turn {
    static ONE_TEST: Mutex<()> = Mutex::new(());
    let guard = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
    let files = rlimit::increase_nofile_limit(8192).unwrap();
    let needed = 2 * count as u64 + 200;
    assert!(files > needed, "this system gives a process only {files} file descriptors");
    Turn { _guard: guard }
}
