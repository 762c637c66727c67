//! The MCP gate: the time that it adds to a call, its throughput, and its memory.

use std::fs;
use std::process::Command;
use std::time::Instant;

use machineid_client::{Client, DeviceId, Gate, OrgKey};
use machins_mcp::McpGate;
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex, split,
};
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Result, in_turns, micros_each, on_one_core};
use crate::programs::{Talker, machins, succeed};
use crate::report::{Bound, Figure, Line};
use crate::server;

const CALLS: u32 = 500;
const CALL: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"text\":\"hello\"}}}\n";
const ANSWER: &[u8] =
    b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hello\"}]}}\n";
const MOST_ADDED: f64 = 1.15;

/// The size of a large message, and how many are sent.
const LARGE: usize = 1024 * 1024;
const MESSAGES: usize = 32;
const LEAST_MEGABYTES: f64 = 50.0;

const MOST_MEBIBYTES: f64 = 2.0;
const SESSIONS: usize = 5;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let mut lines = vec![on_one_core(|| calls(rounds))?];
    lines.push(throughput(rounds, "one string", || format!("\"{}\"", "x".repeat(LARGE)))?);
    lines.push(throughput(rounds, "numbers and short objects", || {
        let item = "{\"id\":12345,\"name\":\"item\",\"values\":[1,2.5,true]}";
        format!("[{}]", vec![item; LARGE / item.len()].join(","))
    })?);
    lines.push(memory()?);
    Ok(lines)
}

fn client() -> Result<(Client, DeviceId)> {
    let server = server::start(|_| server::decision())?;
    let client = Client::builder()
        .org_key(OrgKey::new("org_benchmark")?)
        .base_url(format!("http://{server}"))
        .build()?;
    Ok((client, DeviceId::new("agent-01")?))
}

/// One client and its server, with or without a gate between them.
struct Session {
    runtime: Runtime,
    reader: BufReader<tokio::io::ReadHalf<DuplexStream>>,
    writer: tokio::io::WriteHalf<DuplexStream>,
}

impl Session {
    fn start(gate: Option<McpGate>) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (client, of_client) = duplex(64 * 1024);
        match gate {
            None => drop(runtime.spawn(answer(of_client))),
            Some(gate) => {
                let (server, of_server) = duplex(64 * 1024);
                runtime.spawn(answer(server));
                runtime.spawn(async move {
                    let ((from_client, to_client), (from_server, to_server)) =
                        (split(of_client), split(of_server));
                    gate.pass(from_client, to_client, from_server, to_server).await
                });
            }
        }
        let (reader, writer) = split(client);
        Ok(Self { runtime, reader: BufReader::new(reader), writer })
    }

    fn call(&mut self) -> Result<()> {
        let Self { runtime, reader, writer } = self;
        runtime.block_on(async {
            writer.write_all(CALL.as_bytes()).await?;
            let mut line = String::new();
            reader.read_line(&mut line).await?;
            if line.contains("hello") { Ok(()) } else { Err(line.into()) }
        })
    }
}

/// A server that answers every line.
async fn answer(stream: DuplexStream) -> std::io::Result<()> {
    let (reader, mut writer) = split(stream);
    let mut lines = BufReader::new(reader).lines();
    while lines.next_line().await?.is_some() {
        writer.write_all(ANSWER).await?;
    }
    Ok(())
}

fn calls(rounds: usize) -> Result<Line> {
    let (client, device) = client()?;
    let mut gated = Session::start(Some(McpGate::new(Gate::new(&client, device.clone()))))?;
    let mut bare = Session::start(None)?;
    let (bare_client, bare_device) = self::client()?;
    let samples = in_turns(
        rounds,
        [&mut || micros_each(CALLS, || gated.call()), &mut || {
            micros_each(CALLS, || {
                bare.runtime.block_on(bare_client.validate(&bare_device))?;
                bare.call()
            })
        }],
    )?;
    Ok(Line::new(17, "`tools/call` through the MCP gate", "µs", samples.figure(0))
        .against("bare `validate`, then the bare call", samples.figure(1), samples.ratio(0, 1))
        .goal(Bound::AtMost(MOST_ADDED)))
}

fn throughput(rounds: usize, what: &str, content: impl Fn() -> String) -> Result<Line> {
    let line =
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{{\"a\":{}}}}}\n", content());
    let (client, device) = client()?;
    let gate = McpGate::new(Gate::new(&client, device));
    let runtime = Runtime::new()?;
    let rate = || -> Result<f64> {
        let start = Instant::now();
        let bytes = line.len() * MESSAGES;
        runtime.block_on(through(gate.clone(), line.clone().into_bytes(), bytes))?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let bytes = bytes as f64;
        Ok(bytes / 1e6 / start.elapsed().as_secs_f64())
    };
    let mut rates = Vec::new();
    for _ in 0..=rounds {
        rates.push(rate()?);
    }
    let figure = Figure::of(rates.into_iter().skip(1));
    let met = figure.median >= LEAST_MEGABYTES;
    Ok(Line::new(17, format!("large messages through the MCP gate: {what}"), "MB/s", figure)
        .goal_text("≥ 50 MB/s", met))
}

/// Sends messages through a gate and waits until all of their bytes have arrived.
async fn through(gate: McpGate, line: Vec<u8>, bytes: usize) -> Result<()> {
    let (mut client, of_client) = duplex(64 * 1024);
    let (mut server, of_server) = duplex(64 * 1024);
    let session = tokio::spawn(async move {
        let ((from_client, to_client), (from_server, to_server)) =
            (split(of_client), split(of_server));
        gate.pass(from_client, to_client, from_server, to_server).await
    });
    let send = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            client.write_all(&line).await?;
        }
        Ok::<_, std::io::Error>(client)
    });
    let mut buffer = vec![0; 64 * 1024];
    let mut received = 0;
    while received < bytes {
        received += server.read(&mut buffer).await?;
    }
    drop(send.await??);
    drop(server);
    session.await?;
    Ok(())
}

/// The memory of the gate and of the keeper of its server, which no other process shares.
fn memory() -> Result<Line> {
    let machins = machins()?;
    let server = server::start(|_| server::decision())?;
    let mut figures = Vec::new();
    for _ in 0..SESSIONS {
        let mut command = Command::new(&machins);
        command
            .args(["mcp", "gate", "-q", "--device", "agent-01", "--", "cat"])
            .env("MACHINEID_BASE_URL", format!("http://{server}"))
            .env("MACHINEID_ORG_KEY", "org_benchmark");
        let mut session = Talker::start(&mut command)?;
        for _ in 0..100 {
            // The server gives the call back, which is a request of its own then.
            session.ask(CALL.trim_end().replace("\"id\":1", "\"id\":2").as_str())?;
        }
        let gate = session.id();
        let children = succeed(Command::new("pgrep").args(["-P", &gate.to_string()]))?;
        let keeper = children.lines().next().ok_or("no keeper")?.parse()?;
        figures.push(anonymous(gate)? + anonymous(keeper)?);
    }
    let figure = Figure::of(figures.into_iter());
    Ok(Line::new(17, "memory of an `mcp gate` session, over its server's", "MiB", figure)
        .goal_text("≤ 2 MiB", figure.median <= MOST_MEBIBYTES))
}

fn anonymous(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut lines = status.lines();
    let kibibytes = lines.find_map(|line| line.strip_prefix("RssAnon:")?.strip_suffix("kB"));
    Ok(kibibytes.ok_or("no RssAnon")?.trim().parse::<f64>()? / 1024.0)
}
