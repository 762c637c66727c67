//! The gate: which tools may be called, and under whose permit.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use machineid_client::{Denied, Gate};

use crate::denial::CallDenied;
use crate::event::Event;

/// The largest message that is passed on unless told otherwise: 64 MiB.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// What becomes of a tool call that is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDenial {
    /// It is answered with a tool result that is an error (`isError`), which a model reads.
    #[default]
    Result,
    /// It is answered with a JSON-RPC error, which the client handles.
    Error,
    /// It is answered like [`Result`](Self::Result), and the session ends: a server that the gate has
    /// started is ended with everything it started. A tool that is not allowed ends nothing.
    Stop,
}

/// A gate in front of the tools of an MCP server.
///
/// It passes messages on in both directions as they are, byte for byte and in order, and asks MachineID
/// before each `tools/call`. The question begins after the call has arrived; no decision is kept.
///
/// A message that two readers could understand differently is refused: a batch, an object with the
/// same key twice, text that is not UTF-8, and whatever else is not beyond doubt.
///
/// ```
/// use machins_mcp::McpGate;
/// use tokio::io::split;
///
/// # test_support::gate(async |gate| {
/// let gate = McpGate::new(gate).deny_tools(["delete_everything"]);
/// // Two streams, as a client and a server have them:
/// let (client, mut of_client) = tokio::io::duplex(1024);
/// let (server, of_server) = tokio::io::duplex(1024);
/// # tokio::io::AsyncWriteExt::shutdown(&mut of_client).await?;
/// # drop(of_server);
/// let ((from_client, to_client), (from_server, to_server)) = (split(client), split(server));
/// let end = gate.pass(from_client, to_client, from_server, to_server).await;
/// println!("{end:?}");
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct McpGate {
    /// The gate of all tools and clients that have none of their own. Its index is 0.
    default: Gate,
    /// Further gates. Their indices begin with 1.
    others: Vec<Gate>,
    by_tool: HashMap<String, usize>,
    by_client: HashMap<String, usize>,
    allowed: Option<HashSet<String>>,
    denied: HashSet<String>,
    observer: Option<Arc<Observer>>,
    pub(crate) on_denial: OnDenial,
    pub(crate) recheck: Option<Duration>,
    pub(crate) max_message: usize,
}

type Observer = dyn Fn(Event) + Send + Sync;

impl McpGate {
    /// Creates a gate that asks about the device of `gate` before each tool call.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self {
            default: gate,
            others: Vec::new(),
            by_tool: HashMap::new(),
            by_client: HashMap::new(),
            allowed: None,
            denied: HashSet::new(),
            observer: None,
            on_denial: OnDenial::default(),
            recheck: None,
            max_message: MAX_MESSAGE,
        }
    }

    /// Sets another gate for the calls of one tool, which are then asked about with its device.
    #[must_use]
    pub fn device_for(mut self, tool: impl Into<String>, gate: Gate) -> Self {
        let index = self.index_of(gate);
        self.by_tool.insert(tool.into(), index);
        self
    }

    /// Sets another gate for the calls of clients with this name, which are then asked about with its
    /// device, unless the tool has one of [its own](Self::device_for).
    ///
    /// The name is the one that the client gives itself in `clientInfo`: in `initialize`, or in the
    /// `_meta` of each call. So it tells apart clients that are configured alike, and does not keep out
    /// one that gives itself another name. Use a gate for each client for that.
    #[must_use]
    pub fn device_for_client(mut self, name: impl Into<String>, gate: Gate) -> Self {
        let index = self.index_of(gate);
        self.by_client.insert(name.into(), index);
        self
    }

    /// The index of a gate, which is added if there is none for its device.
    fn index_of(&mut self, gate: Gate) -> usize {
        let known = self.gates().position(|other| other.device() == gate.device());
        known.unwrap_or_else(|| {
            self.others.push(gate);
            self.others.len()
        })
    }

    /// Whether it matters which client makes a call.
    #[cfg(feature = "http")]
    pub(crate) fn tells_clients_apart(&self) -> bool {
        !self.by_client.is_empty()
    }

    /// Lets only these tools be called, and those of earlier calls of this method. Without it all tools
    /// may be called that are not [denied](Self::deny_tools). Lists of tools are not changed.
    #[must_use]
    pub fn allow_tools<T: Into<String>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.allowed.get_or_insert_default().extend(tools.into_iter().map(Into::into));
        self
    }

    /// Lets these tools never be called, whatever MachineID decides.
    #[must_use]
    pub fn deny_tools<T: Into<String>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.denied.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Sets what becomes of a tool call that is denied. The default is [`OnDenial::Result`].
    #[must_use]
    pub fn on_denial(mut self, on_denial: OnDenial) -> Self {
        self.on_denial = on_denial;
        self
    }

    /// Asks again at this interval while tool calls are running, and cancels them on a denial: the
    /// server is sent `notifications/cancelled`, or its connection is closed, and the client is given
    /// the denial instead of the result. Without it a call that was allowed runs to its end.
    #[must_use]
    pub fn recheck_every(mut self, interval: Duration) -> Self {
        self.recheck = Some(interval);
        self
    }

    /// Sets the size of the largest message that is passed on, in bytes. The default is 64 MiB.
    ///
    /// A session holds up to two messages of this size in each direction, and not more.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message = bytes.min(u32::MAX as usize / 2);
        self
    }

    /// Sets a function that is told what happens, for example to log it. It must return soon.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Registers the devices of this gate.
    ///
    /// # Errors
    /// Returns [`Denied`] if a device is not registered afterwards.
    pub async fn register(&self) -> Result<(), Denied> {
        for gate in self.gates() {
            let _registration = gate.register().await?;
        }
        Ok(())
    }

    /// Asks whether a tool may be called now by the client of this name. Returns the index of the gate
    /// that permitted it.
    pub(crate) async fn check(
        &self,
        tool: &str,
        client: Option<&str>,
        arguments: Option<&str>,
    ) -> Result<usize, CallDenied> {
        let is_listed = self.allowed.as_ref().is_none_or(|allowed| allowed.contains(tool));
        if !is_listed || self.denied.contains(tool) {
            return Err(CallDenied::Tool(tool.to_owned()));
        }
        let of_client = || client.and_then(|client| self.by_client.get(client));
        let index = self.by_tool.get(tool).or_else(of_client).copied().unwrap_or(0);
        let checked = self.of_index(index).check_tool(tool, arguments).await;
        let _permit = checked.map_err(CallDenied::Device)?;
        Ok(index)
    }

    /// Asks with the gate of this index.
    pub(crate) async fn ask(&self, index: usize) -> Result<(), CallDenied> {
        let _permit = self.of_index(index).check().await.map_err(CallDenied::Device)?;
        Ok(())
    }

    fn of_index(&self, index: usize) -> &Gate {
        self.gates().nth(index).unwrap_or(&self.default)
    }

    fn gates(&self) -> impl Iterator<Item = &Gate> {
        std::iter::once(&self.default).chain(&self.others)
    }

    /// Whether this denial ends the session.
    pub(crate) fn stops(&self, denied: &CallDenied) -> bool {
        self.on_denial == OnDenial::Stop && matches!(denied, CallDenied::Device(_))
    }

    pub(crate) fn observe(&self, event: Event) {
        tracing::info!(%event);
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }
}

impl fmt::Debug for McpGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpGate")
            .field("default", &self.default)
            .field("others", &self.others)
            .field("on_denial", &self.on_denial)
            .finish_non_exhaustive()
    }
}
