//! The async runtime of commands that wait for several things at once.

use tokio::runtime::Builder;

use crate::error::Failure;

/// Runs a future to completion on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local("could not start the async runtime", error))?;
    let output = runtime.block_on(future);
    // A pending name lookup would delay the exit.
    runtime.shutdown_background();
    Ok(output)
}
