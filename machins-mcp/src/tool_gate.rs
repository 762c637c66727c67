//! The gate in front of functions that are tools.

use std::fmt;
use std::future::pending;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;

use machineid_client::Gate;
use serde::Serialize;
use tokio::time::sleep;

use crate::denial::CallDenied;
use crate::event::Event;
use crate::gate::McpGate;

/// How much of a call's arguments is kept, in bytes.
const MAX_ARGUMENTS: usize = 4096;

/// A gate in front of the tools of a program: any asynchronous functions.
///
/// It asks MachineID before each call. The function runs only if the device is allowed to.
///
/// ```
/// use machins_mcp::ToolGate;
///
/// async fn add(a: i64, b: i64) -> i64 { a + b }
///
/// # test_support::gate(async |gate| {
/// let tools = ToolGate::new(gate);
/// let sum = tools.call("add", &[1, 2], add(1, 2)).await?;
/// assert_eq!(sum, 3);
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct ToolGate {
    gate: Arc<McpGate>,
    observer: Option<Arc<Observer>>,
}

type Observer = dyn Fn(&ToolCall<'_>) + Send + Sync;

/// A call of a tool that was decided on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ToolCall<'a> {
    /// The name of the tool.
    pub tool: &'a str,
    /// The arguments as JSON, up to 4 KiB of them. Longer ones end in `…`.
    pub arguments: &'a str,
    /// Whether the tool may run, or else why not.
    pub result: Result<(), &'a CallDenied>,
}

impl ToolGate {
    /// Creates a gate that asks about the device of `gate` before each call.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        McpGate::new(gate).into()
    }

    /// Sets a function that is told of each call once it is decided on, for example to record it. It must
    /// return soon: the call waits for it.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&ToolCall<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Runs `run` if the device is allowed to call this tool now. The arguments are only told to the
    /// [observer](Self::observer), and written to the
    /// [decision log](machineid_client::Gate::decision_log) of the gate if it has one.
    ///
    /// If the gate [asks again](McpGate::recheck_every), `run` is dropped on a denial.
    ///
    /// # Errors
    /// Returns [`CallDenied`] if the tool may not be called, and `run` was not polled; or if the device
    /// was denied while it ran.
    pub async fn call<F: Future>(
        &self,
        tool: &str,
        arguments: &(impl Serialize + ?Sized),
        run: F,
    ) -> Result<F::Output, CallDenied> {
        self.call_for(None, tool, arguments, run).await
    }

    /// Runs `run` if the device is allowed to call this tool for the client of this name.
    pub(crate) async fn call_for<F: Future>(
        &self,
        client: Option<&str>,
        tool: &str,
        arguments: &(impl Serialize + ?Sized),
        run: F,
    ) -> Result<F::Output, CallDenied> {
        let arguments = bounded(arguments);
        let decided = self.gate.check(tool, client, Some(&arguments)).await;
        if let Some(observer) = &self.observer {
            let result = decided.as_ref().map(|_| ());
            observer(&ToolCall { tool, arguments: &arguments, result });
        }
        let permitted_by = decided.inspect_err(|denied| {
            self.gate.observe(Event::Denied { tool: tool.to_owned(), denied: denied.clone() });
        })?;
        let mut run = pin!(run);
        tokio::select! {
            biased;
            output = &mut run => Ok(output),
            denied = self.denied_later(permitted_by) => {
                self.gate.observe(Event::Cancelled { calls: 1, denied: denied.clone() });
                Err(denied)
            }
        }
    }

    /// Waits until the device may no longer run.
    async fn denied_later(&self, permitted_by: usize) -> CallDenied {
        let Some(interval) = self.gate.recheck else { return pending().await };
        loop {
            sleep(interval).await;
            if let Err(denied) = self.gate.ask(permitted_by).await {
                return denied;
            }
        }
    }
}

/// Uses the lists, devices and interval of a gate. What it does on a denial is for the caller to do.
impl From<McpGate> for ToolGate {
    fn from(gate: McpGate) -> Self {
        Self { gate: Arc::new(gate), observer: None }
    }
}

impl fmt::Debug for ToolGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ToolGate").field(&self.gate).finish()
    }
}

/// The beginning of a value as JSON.
fn bounded(value: &(impl Serialize + ?Sized)) -> String {
    struct Beginning(Vec<u8>);

    impl Write for Beginning {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = MAX_ARGUMENTS - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(room);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut beginning = Beginning(Vec::new());
    let is_whole = serde_json::to_writer(&mut beginning, value).is_ok();
    let mut text = String::from_utf8_lossy(&beginning.0).into_owned();
    if !is_whole {
        // A character may have been cut.
        text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_kept_up_to_a_limit() {
        assert_eq!(bounded(&json!({"a": 1})), r#"{"a":1}"#);
        let long = bounded(&json!({"text": "é".repeat(MAX_ARGUMENTS)}));
        assert!(long.len() <= MAX_ARGUMENTS + '…'.len_utf8(), "{}", long.len());
        assert!(long.starts_with(r#"{"text":"éé"#) && long.ends_with("é…"), "{long}");
    }
}
