//! Any status, headers and body over a real connection give a permit only for an exact allow.
#![no_main]

#[path = "../../machineid-client/tests/support/hostile.rs"]
mod hostile;

use std::sync::{LazyLock, Mutex};

use arbitrary::Arbitrary;
use hostile::{Framing, Judge, MAX_BODY, Reply, Server};
use libfuzzer_sys::fuzz_target;
use machineid_client::{Client, DeviceId, Gate, ClientOptions, OrgKey, MockClock};
use tokio::runtime::{Builder, Runtime};

/// What the splices of a body begin with. The client takes its own key out before it reads.
const ALLOW: &[u8] = br#"{"allowed":true,"code":"ALLOW","request_id":"NEW-ID","status":"ok","handler":"devices/validate","key":"org_0123456789abcdef"}"#;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// All others are refused alike, so half of them are one.
    success: bool,
    status: u16,
    framing: u8,
    headers: &'a str,
    body: Body<'a>,
}

#[derive(Debug, Arbitrary)]
enum Body<'a> {
    Any(&'a [u8]),
    /// The reply that allows, with bytes replaced by others.
    Spliced(Vec<Splice<'a>>),
}

#[derive(Debug, Arbitrary)]
struct Splice<'a> {
    start: u8,
    length: u8,
    with: &'a [u8],
}

impl Body<'_> {
    fn bytes(&self) -> Vec<u8> {
        let splices = match self {
            Self::Any(bytes) => return bytes.to_vec(),
            Self::Spliced(splices) => splices,
        };
        let mut bytes = ALLOW.to_vec();
        for Splice { start, length, with } in splices {
            let start = usize::from(*start) % (bytes.len() + 1);
            let end = bytes.len().min(start + usize::from(*length));
            bytes.splice(start..end, with.iter().copied());
        }
        bytes
    }
}

impl Input<'_> {
    fn reply(&self) -> Reply {
        let lines = self.headers.split('\n').filter(|line| !line.is_empty());
        Reply {
            status: if self.success { 200 + self.status % 100 } else { 200 + self.status % 800 },
            headers: lines.filter(|line| !is_framing(line)).map(str::to_owned).collect(),
            body: self.body.bytes(),
            framing: match self.framing % 9 {
                4 => Framing::LengthAndChunked,
                0 => Framing::Chunked,
                1 => Framing::UntilClose,
                2 => Framing::Short,
                3 => Framing::Unfinished,
                _ => Framing::Length,
            },
            piece: usize::MAX,
        }
    }
}

/// A line that would move the end of the body or of the line itself.
fn is_framing(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(name.as_str(), "content-length" | "transfer-encoding") || line.contains('\r')
}

struct World {
    runtime: Runtime,
    server: Server,
    gate: Gate,
    judge: Mutex<Judge>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::start());
    let options = ClientOptions::new().max_reply_bytes(MAX_BODY).clock(MockClock::new(0.0));
    let client = Client::builder()
        .org_key(OrgKey::new("org_0123456789abcdef").unwrap())
        .base_url(&server.url)
        .options(options)
        .build()
        .unwrap();
    let gate = Gate::new(&client, DeviceId::new("agent-01").unwrap());
    World { runtime, server, gate, judge: Mutex::default() }
});

fuzz_target!(|input: Input| {
    let mut judge = WORLD.judge.lock().unwrap();
    let reply = judge.with_new_id(input.reply());
    WORLD.server.answer_with(reply.clone());
    let permit = WORLD.runtime.block_on(WORLD.gate.check());
    // A denial too many is the business of the test with generated replies.
    if let Ok(permit) = &permit {
        let judged = judge.judge(&reply, permit.request_id());
        assert!(judged.is_ok(), "{judged:?}: {reply:?}\n{permit:?}");
    }
});
