//! Passing the messages of one client and one server on, over streams of lines.
//!
//! Everything passes in the order in which it came: a tool call that waits for its decision holds up what
//! was sent after it. Questions are asked as soon as their calls arrive, so that many calls wait for
//! one decision.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::denial::CallDenied;
use crate::event::{Event, Peer};
use crate::gate::McpGate;
use crate::in_flight::InFlight;
use crate::lines::{Line, Lines, content};
use crate::message::{Id, Message, Refusal};
use crate::queue::{Queue, QueueEnd};
use crate::reply::{self, DeniedCall};

/// How long a server may take to end after its input has, and a client to read the last messages.
const GRACE: Duration = Duration::from_secs(10);

/// How old a decision may be when the server is given the call: it may have waited for the server.
const FRESH: Duration = Duration::from_secs(1);

/// How many messages of the client may wait for their turn.
const MOST_WAITING: usize = 256;

/// How many messages of the gate itself may wait for the server.
const OWN: usize = 8192;

/// Why a session ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The client has closed its side or can no longer be written to.
    ClientClosed,
    /// The server has closed its side. Requests without a response have been answered with an error.
    ServerClosed,
    /// The device may no longer run, and the gate stops on a denial. Contains the denial.
    Denied(CallDenied),
}

impl McpGate {
    /// Passes the messages of a client and a server on until one of them closes its side, with one
    /// message a line as in MCP's stdio transport.
    ///
    /// After the client has closed its side, the server has ten seconds to end. If the future is dropped,
    /// the session has ended. It must run in a tokio runtime.
    pub async fn pass(
        &self,
        from_client: impl AsyncRead + Unpin,
        to_client: impl AsyncWrite + Unpin,
        from_server: impl AsyncRead + Unpin,
        to_server: impl AsyncWrite + Unpin,
    ) -> SessionEnd {
        let never = pin!(pending());
        self.pass_until(|| (), never, from_client, to_client, from_server, to_server).await
    }

    /// Passes messages on like [`pass`](Self::pass). It takes the end of `client_gone` for the end of the
    /// client's input, which is not noticed while messages wait for the server, and calls `on_stop`
    /// on a denial that ends the session.
    pub(crate) async fn pass_until(
        &self,
        on_stop: impl FnOnce(),
        client_gone: Pin<&mut impl Future<Output = ()>>,
        from_client: impl AsyncRead + Unpin,
        to_client: impl AsyncWrite + Unpin,
        from_server: impl AsyncRead + Unpin,
        to_server: impl AsyncWrite + Unpin,
    ) -> SessionEnd {
        let (client, client_queue) = Queue::new(self.max_message);
        let (own, own_queue) = mpsc::channel(OWN);
        let (stop, mut stopped) = mpsc::channel(1);
        let session = Session {
            gate: Arc::new(self.clone()),
            in_flight: Mutex::default(),
            client,
            client_name: OnceLock::new(),
            own,
            stop,
        };
        let mut write_client = pin!(write_client(to_client, client_queue));
        let end = {
            let upstream = async {
                // The server can no longer be written to, or need not be.
                let _ = session.upstream(from_client, to_server, own_queue).await;
                sleep(GRACE).await;
            };
            let gone = async {
                client_gone.await;
                sleep(GRACE).await;
            };
            // What is read is written at once, because writing comes after reading.
            tokio::select! {
                biased;
                Some(denied) = stopped.recv() => SessionEnd::Denied(denied),
                () = session.read_server(from_server) => SessionEnd::ServerClosed,
                () = upstream => SessionEnd::ClientClosed,
                () = gone => SessionEnd::ClientClosed,
                () = session.recheck() => SessionEnd::ClientClosed,
                () = &mut write_client => return SessionEnd::ClientClosed,
            }
        };
        if matches!(end, SessionEnd::Denied(_)) {
            on_stop();
        }
        session.finish(&end, write_client).await;
        end
    }
}

/// A message of the client.
enum Incoming {
    /// A message that nothing is asked about.
    Free(Bytes),
    /// A tool call. Its question has been asked if others wait before it.
    Call {
        line: Bytes,
        id: Id,
        tool: String,
        client: Option<String>,
        asked: Option<AbortOnDropHandle<Decision>>,
    },
    /// A message that is not passed on.
    Refused(Refusal),
}

/// The messages of the client whose turn has not come, and the one whose turn it is.
#[derive(Default)]
struct Waiting {
    messages: VecDeque<(Incoming, usize)>,
    /// The size of all of them.
    bytes: usize,
}

impl Waiting {
    fn has_room(&self, bytes: usize) -> bool {
        self.messages.len() < MOST_WAITING && self.bytes < bytes
    }
}

/// The index of the gate that permitted a call, and when.
type Decision = Result<(usize, Instant), CallDenied>;

struct Session {
    gate: Arc<McpGate>,
    in_flight: Mutex<InFlight>,
    client: Queue,
    /// The name that the client has given itself, in revisions with `initialize`.
    client_name: OnceLock<String>,
    /// Messages of the gate itself to the server.
    own: mpsc::Sender<Bytes>,
    stop: mpsc::Sender<CallDenied>,
}

impl Session {
    /// Passes on what the client sends, in its order, until its input has ended, or with an error when
    /// the server takes no more.
    async fn upstream(
        &self,
        from_client: impl AsyncRead + Unpin,
        to_server: impl AsyncWrite + Unpin,
        mut own: mpsc::Receiver<Bytes>,
    ) -> io::Result<()> {
        let mut lines = Lines::new(from_client, self.gate.max_message);
        let mut to_server = to_server;
        let mut waiting = Waiting::default();
        let mut has_ended = false;
        // The message whose turn it is, and its size.
        let mut turn = pin!(None);
        let mut size = 0;
        loop {
            if turn.is_none() {
                match waiting.messages.pop_front() {
                    Some((message, its_size)) => {
                        turn.set(Some(self.settle(message)));
                        size = its_size;
                    }
                    None if has_ended => break,
                    None => {}
                }
            }
            let settled = async {
                match turn.as_mut().as_pin_mut() {
                    Some(turn) => turn.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(line) = own.recv() => write(&mut to_server, &line, true).await?,
                line = lines.next(), if !has_ended && waiting.has_room(self.gate.max_message) => {
                    let Some(line) = line else {
                        has_ended = true;
                        continue;
                    };
                    let is_next = turn.is_none();
                    let (message, size) = self.receive(line, is_next);
                    waiting.bytes += size;
                    waiting.messages.push_back((message, size));
                }
                line = settled => {
                    turn.set(None);
                    if let Some(line) = line {
                        write(&mut to_server, &line, waiting.messages.is_empty()).await?;
                    }
                    waiting.bytes -= size;
                }
            }
        }
        to_server.shutdown().await
    }

    /// Reads a line of the client, and begins to ask if it is a tool call that has others before it.
    /// Returns its size, too.
    fn receive(&self, line: Line, is_next: bool) -> (Incoming, usize) {
        let (message, size) = match line {
            Line::Whole(line) => {
                let size = line.len();
                (self.understand(line, is_next), size)
            }
            Line::Unreadable(reason) => (Err(Refusal::new(reason)), 1),
        };
        (message.unwrap_or_else(Incoming::Refused), size)
    }

    fn understand(&self, line: Bytes, is_next: bool) -> Result<Incoming, Refusal> {
        Ok(match Message::read(content(&line))? {
            Message::ToolCall { id, tool, client } => {
                self.begin(&id)?;
                let client = client.or_else(|| self.client_name.get().cloned());
                let asked = (!is_next).then(|| self.ask_early(&tool, client.clone()));
                Incoming::Call { line, id, tool, client, asked }
            }
            Message::Initialize { id, client } => {
                self.begin(&id)?;
                if let Some(client) = client {
                    // Fails if the client has introduced itself before; it stays what it was.
                    let _ = self.client_name.set(client);
                }
                Incoming::Free(line)
            }
            Message::Request { id, .. } => {
                self.begin(&id)?;
                Incoming::Free(line)
            }
            // A request that the client cancels is in flight until the server answers it: the server
            // may ignore that, or compare ids differently.
            Message::Notification { .. } | Message::Response { .. } => Incoming::Free(line),
        })
    }

    /// Returns the line that the server is given for a message, or answers it.
    async fn settle(&self, message: Incoming) -> Option<Bytes> {
        match message {
            Incoming::Free(line) => Some(line),
            Incoming::Call { line, id, tool, client, asked } => {
                match self.permitted(&tool, client.as_deref(), asked).await {
                    Ok(gate) => {
                        self.in_flight().run(&id, gate);
                        Some(line)
                    }
                    Err(denied) => {
                        self.deny(&id, tool, denied).await;
                        None
                    }
                }
            }
            Incoming::Refused(refusal) => {
                self.refuse_client(refusal).await;
                None
            }
        }
    }

    /// Asks about a call that has others before it, so that they share a question.
    fn ask_early(&self, tool: &str, client: Option<String>) -> AbortOnDropHandle<Decision> {
        let (gate, tool) = (Arc::clone(&self.gate), tool.to_owned());
        AbortOnDropHandle::new(tokio::spawn(async move {
            let permitted_by = gate.check(&tool, client.as_deref(), None).await?;
            Ok((permitted_by, Instant::now()))
        }))
    }

    fn begin(&self, id: &Id) -> Result<(), Refusal> {
        // Without the id, as the client would take the answer for that of the other request.
        self.in_flight().begin(id).map_err(|error| Refusal::new(error.to_string()))
    }

    async fn refuse_client(&self, refusal: Refusal) {
        if refusal.is_response {
            // The server waits for it.
            let answer = reply::refused(&refusal);
            let _ = self.own.try_send(reply::line(&answer));
        } else {
            self.answer(reply::line(&reply::refused(&refusal))).await;
        }
        self.gate.observe(Event::Refused { from: Peer::Client, reason: refusal.reason });
    }

    /// Returns the gate that permits a call now.
    async fn permitted(
        &self,
        tool: &str,
        client: Option<&str>,
        asked: Option<AbortOnDropHandle<Decision>>,
    ) -> Result<usize, CallDenied> {
        if let Some(asked) = asked {
            match asked.await {
                Ok(Ok((gate, at))) if at.elapsed() <= FRESH => return Ok(gate),
                Ok(Err(denied)) => return Err(denied),
                // Too old, or the task that asked has failed.
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        self.gate.check(tool, client, None).await
    }

    async fn deny(&self, id: &Id, tool: String, denied: CallDenied) {
        let answer = reply::denied(id, DeniedCall::Waiting, &denied, self.gate.on_denial);
        self.gate.observe(Event::Denied { tool, denied: denied.clone() });
        // Before the answer, which waits for a client that does not read.
        self.stop_if_denied(denied);
        self.answer(reply::line(&answer)).await;
        // After it, as the end of the session answers what is left.
        self.in_flight().finish(id);
    }

    fn stop_if_denied(&self, denied: CallDenied) {
        if self.gate.stops(&denied) {
            // Fails if the session is stopping already.
            let _ = self.stop.try_send(denied);
        }
    }

    /// Passes on what the server sends, until its output has ended.
    async fn read_server(&self, from_server: impl AsyncRead + Unpin) {
        let mut lines = Lines::new(from_server, self.gate.max_message);
        while let Some(line) = lines.next().await {
            let refusal = match line {
                Line::Unreadable(reason) => Refusal::new(reason),
                Line::Whole(line) => match Message::read(content(&line)) {
                    Ok(Message::Response { id: Some(id) }) if !self.in_flight().finish(&id) => {
                        Refusal::new("it answers no request that waits for an answer")
                    }
                    Ok(_) => {
                        self.answer(line).await;
                        continue;
                    }
                    Err(refusal) => refusal,
                },
            };
            self.refuse_server(refusal).await;
        }
    }

    async fn refuse_server(&self, refusal: Refusal) {
        match &refusal.id {
            Some(id) if refusal.is_response => {
                let is_awaited = self.in_flight().finish(id);
                if is_awaited {
                    let message =
                        format!("the gate does not pass the response on: {}", refusal.reason);
                    let answer = reply::error(Some(id), reply::INTERNAL_ERROR, &message);
                    self.answer(reply::line(&answer)).await;
                }
            }
            Some(_) => {
                let _ = self.own.try_send(reply::line(&reply::refused(&refusal)));
            }
            None => {}
        }
        self.gate.observe(Event::Refused { from: Peer::Server, reason: refusal.reason });
    }

    /// Asks again for as long as tool calls are running, and cancels them on a denial.
    async fn recheck(&self) {
        let Some(interval) = self.gate.recheck else { return pending().await };
        loop {
            sleep(interval).await;
            let running = self.in_flight().running();
            for gate in running {
                if let Err(denied) = self.gate.ask(gate).await {
                    self.cancel(gate, denied).await;
                }
            }
        }
    }

    /// Cancels the calls that run under the permits of a gate.
    async fn cancel(&self, gate: usize, denied: CallDenied) {
        let ids = self.in_flight().cancel(gate);
        for id in &ids {
            let _ = self.own.try_send(reply::line(&reply::cancelled(id, &denied)));
        }
        if !ids.is_empty() {
            self.gate.observe(Event::Cancelled { calls: ids.len(), denied: denied.clone() });
            self.stop_if_denied(denied.clone());
        }
        for id in &ids {
            let answer = reply::denied(id, DeniedCall::Running, &denied, self.gate.on_denial);
            self.answer(reply::line(&answer)).await;
        }
    }

    /// Answers what is left unanswered, and gives the client time to read it.
    async fn finish(self, end: &SessionEnd, write_client: Pin<&mut impl Future<Output = ()>>) {
        let message = match end {
            SessionEnd::ClientClosed => None,
            SessionEnd::ServerClosed => Some("the server has ended".to_owned()),
            SessionEnd::Denied(denied) => Some(format!("the gate has stopped: {denied:#}")),
        };
        let answers = async move {
            if let Some(message) = message {
                let ids = self.in_flight().end();
                for id in ids {
                    let answer = reply::error(Some(&id), reply::INTERNAL_ERROR, &message);
                    self.answer(reply::line(&answer)).await;
                }
            }
            // The queue to the client ends with the session.
            drop(self);
        };
        let _ = timeout(GRACE, async { tokio::join!(answers, write_client) }).await;
    }

    /// Sends a line to the client, if it is still there.
    async fn answer(&self, line: Bytes) {
        self.client.add(line).await;
    }

    fn in_flight(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes to the client until the queue has ended, or the client takes no more.
async fn write_client(to_client: impl AsyncWrite + Unpin, mut queue: QueueEnd) {
    let mut to_client = to_client;
    while let Some(queued) = queue.recv().await {
        if write(&mut to_client, &queued.line, queue.is_empty()).await.is_err() {
            return;
        }
    }
    // The client may be gone.
    let _ = to_client.shutdown().await;
}

async fn write(to: &mut (impl AsyncWrite + Unpin), line: &[u8], is_last: bool) -> io::Result<()> {
    to.write_all(line).await?;
    if is_last { to.flush().await } else { Ok(()) }
}
