//! A TCP proxy that cuts connections at random bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The maximum number of bytes before a connection is cut: about ten requests.
const MOST_BYTES: usize = 4_000;

/// A proxy, which runs until it is ended or its runtime is dropped.
pub(crate) struct Proxy {
    addr: SocketAddr,
    cuts: Arc<Cuts>,
    task: JoinHandle<()>,
}

/// How often it has cut in which way.
#[derive(Default)]
struct Cuts {
    request: AtomicU64,
    reply: AtomicU64,
    late: AtomicU64,
}

/// Where a connection is cut.
#[derive(Clone, Copy)]
enum Cut {
    /// The server gets no more of the requests than this.
    Request(usize),
    /// The client gets no more of the replies than this.
    Reply(usize),
    /// The client is cut off after it has sent this much. What it had sent by then reaches the
    /// server, but only when this many more connections have come in: perhaps its own next one.
    Late { after: usize, connections: u64 },
}

impl Cut {
    fn draw(random: &mut Rng) -> Self {
        let bytes = random.usize(..MOST_BYTES);
        match random.u32(..3) {
            0 => Self::Request(bytes),
            1 => Self::Reply(2 * bytes),
            _ => Self::Late { after: bytes, connections: random.u64(..4) },
        }
    }
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let cuts = Arc::<Cuts>::default();
        let task = tokio::spawn(accept(listener, server, seed, Arc::clone(&cuts)));
        Self { addr, cuts, task }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How often it has cut in which way.
    pub(crate) fn end(self) -> Vec<(String, u64)> {
        self.task.abort();
        let count = |name: &str, cuts: &AtomicU64| (name.to_owned(), cuts.load(Ordering::Relaxed));
        vec![
            count("cut within requests", &self.cuts.request),
            count("cut within replies", &self.cuts.reply),
            count("cut, with requests that arrive late", &self.cuts.late),
        ]
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, seed: u64, cuts: Arc<Cuts>) {
    let mut random = Rng::with_seed(seed);
    let (accepted, _) = watch::channel(0_u64);
    loop {
        let (client, _) = listener.accept().await.unwrap();
        accepted.send_modify(|count| *count += 1);
        let cut = Cut::draw(&mut random);
        let (cuts, accepted) = (Arc::clone(&cuts), accepted.subscribe());
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(server).await {
                carry(client, server, cut, &cuts, accepted).await;
            }
        });
    }
}

/// Carries bytes both ways until an end closes or the cut comes.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    cut: Cut,
    cuts: &Cuts,
    mut accepted: watch::Receiver<u64>,
) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let (up, down) = match cut {
        Cut::Request(bytes) => (bytes, usize::MAX),
        Cut::Reply(bytes) => (usize::MAX, bytes),
        Cut::Late { after, .. } => (after, usize::MAX),
    };
    let late = tokio::select! {
        rest = copy(&mut from_client, &mut to_server, up, matches!(cut, Cut::Late { .. })) => rest,
        rest = copy(&mut from_server, &mut to_client, down, false) => rest,
    };
    let Some(rest) = late else { return };
    match cut {
        Cut::Request(_) => cuts.request.fetch_add(1, Ordering::Relaxed),
        Cut::Reply(_) => cuts.reply.fetch_add(1, Ordering::Relaxed),
        Cut::Late { .. } => cuts.late.fetch_add(1, Ordering::Relaxed),
    };
    if let Cut::Late { connections, .. } = cut {
        drop(client);
        let until = *accepted.borrow() + connections;
        let came = accepted.wait_for(|count| *count >= until).await.is_ok();
        if came && server.write_all(&rest).await.is_ok() {
            // Nobody receives the answer.
            let _ = server.read(&mut [0; 1024]).await;
        }
    }
}

/// Copies at most `limit` bytes. `None` when an end has closed; else what came beyond the limit,
/// and with `hold` all of the piece in which it was reached.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut limit: usize,
    hold: bool,
) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        let piece = &buffer[..count];
        if count > limit {
            if hold {
                return Some(piece.to_vec());
            }
            to.write_all(&piece[..limit]).await.ok()?;
            return Some(piece[limit..].to_vec());
        }
        to.write_all(piece).await.ok()?;
        limit -= count;
    }
}
