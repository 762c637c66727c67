//! Runs relays in a process of its own, and prints what they took as a JSON object. The benchmarks start
//! it.
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::error::Error;
use std::fs;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use clap::Parser;
use machins_client::{AgentId, ApiKey, CancellationToken, Client};
use machins_relay::{EventStream, NatsConnection, Relay};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::json;

/// How long relays run before it is measured what they cost while nothing happens.
const WARM_UP: Duration = Duration::from_secs(5);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Relays the inboxes of some agents to a new stream.
#[derive(Parser)]
struct Arguments {
    /// Base URL of the marketplace.
    base_url: String,
    /// URL of NATS.
    nats: String,
    /// The number of agents, whose keys are `at_benchmark_0` and so on.
    #[arg(long, default_value_t = 1)]
    agents: u32,
    #[arg(long, default_value_t = NonZeroU16::new(8).unwrap_or(NonZeroU16::MIN))]
    partitions: NonZeroU16,
    /// Ends when so many events are stored.
    #[arg(long, conflicts_with = "seconds")]
    events: Option<u64>,
    /// Ends after this time.
    #[arg(long)]
    seconds: Option<u64>,
    /// Milliseconds between two looks at an empty inbox.
    #[arg(long)]
    interval: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let context = jetstream::new(async_nats::connect(&arguments.nats).await?);
    // That of the run before.
    let _ = context.delete_stream("EVENTS").await;
    let stream = EventStream::new("EVENTS")?.partitions(arguments.partitions);
    let (start, stop) = (Instant::now(), CancellationToken::new());
    let mut relay = Relay::new().stop(stop.clone());
    for number in 0..arguments.agents {
        let key = ApiKey::new(&format!("at_benchmark_{number}"))?;
        let client = Client::builder().base_url(&arguments.base_url).api_key(key).build()?;
        relay = relay.agent(&client, AgentId::new(&format!("agent-{number}"))?);
    }
    if let Some(interval) = arguments.interval.map(Duration::from_millis) {
        relay = relay.every(interval, interval);
    }
    let connection = NatsConnection::new(&arguments.nats)?;
    let relaying = tokio::spawn(async move { relay.to_nats(&connection, &stream).await });
    let mut stored = 0;
    let mut before = (start, 0.0);
    if let Some(seconds) = arguments.seconds {
        // Starting costs more than running.
        tokio::time::sleep(WARM_UP).await;
        before = (Instant::now(), cpu()?);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    while arguments.events.is_some_and(|events| stored < events) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if let Ok(found) = context.get_stream("EVENTS").await {
            stored = found.cached_info().state.messages;
        }
    }
    let (since, cpu_before) = before;
    let (measured, used) = (since.elapsed().as_secs_f64(), cpu()? - cpu_before);
    stop.cancel();
    relaying.await??;
    let found = json!({"seconds": measured, "cpu_seconds": used, "peak_kib": peak_kib()?});
    println!("{found}");
    Ok(())
}

/// The processor time of this process so far, in seconds.
fn cpu() -> Result<f64> {
    let used = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = used.user_time().num_microseconds() + used.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?).as_secs_f64())
}

/// The peak memory of this process.
fn peak_kib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmHWM")?;
    Ok(kib.trim().parse()?)
}
