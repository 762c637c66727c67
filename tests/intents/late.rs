//! A proxy that lets the first proposal arrive late, when its sender is gone.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The number of searches after which the proposal arrives.
const SEARCHES: u32 = 3;

/// A proxy in front of a mock server. It ends with the test's process.
pub(crate) struct Late {
    addr: SocketAddr,
    server: SocketAddr,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    proposal: Option<Vec<u8>>,
    searches: u32,
}

impl Late {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let held = Arc::<Mutex<Held>>::default();
        let shared = Arc::clone(&held);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, held) = (client.unwrap(), Arc::clone(&shared));
                // A client that was killed breaks its connection.
                thread::spawn(move || drop(carry(client, server, &held)));
            }
        });
        Self { addr, server, held }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/api/v1", self.addr)
    }

    /// Lets the proposal arrive now, unless it has.
    pub(crate) fn let_arrive(&self) {
        if let Some(proposal) = self.held.lock().unwrap().proposal.take() {
            exchange(&proposal, self.server).unwrap();
        }
    }

    pub(crate) fn holds_a_proposal(&self) -> bool {
        self.held.lock().unwrap().proposal.is_some()
    }
}

/// Carries one request and its reply.
fn carry(mut client: TcpStream, server: SocketAddr, held: &Mutex<Held>) -> io::Result<()> {
    let request = read_request(&mut client)?;
    let mut held = held.lock().unwrap();
    let is_first = held.proposal.is_none() && held.searches == 0;
    if request.starts_with(b"POST /api/v1/trades ") && is_first {
        held.proposal = Some(request);
        drop(held);
        // Until the client is gone.
        return client.read_to_end(&mut Vec::new()).map(drop);
    }
    if held.proposal.is_some() {
        held.searches += 1;
        if held.searches == SEARCHES {
            let proposal = held.proposal.take().unwrap();
            exchange(&proposal, server)?;
        }
    }
    drop(held);
    client.write_all(&exchange(&request, server)?)
}

/// Reads a request, and makes it the last one of its connection.
fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = client.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(format!("{head}\r\nconnection: close\r\n\r\n{body}").into_bytes());
        }
    }
}

fn exchange(request: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(server)?;
    server.write_all(request)?;
    let mut reply = Vec::new();
    server.read_to_end(&mut reply)?;
    Ok(reply)
}
