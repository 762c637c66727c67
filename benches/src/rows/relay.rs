//! Events from inboxes to a stream of NATS JetStream, by `machins-relay`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use test_support::NatsServer;
use tokio::runtime::Builder;

use crate::bench::{Result, in_turns};
use crate::programs::{succeed, tool};
use crate::report::{Figure, Line};
use crate::server::{body, parameter, start_delayed};

/// The number of events in a round.
const EVENTS: u32 = 20_000;
/// The number of events that are timed one by one.
const TIMED: u32 = 2_000;
/// The number of events behind, and of those that are stored before the memory is read.
const FEW: u32 = 50_000;
const MANY: u32 = 1_000_000;
const STORED: u32 = 20_000;
/// The distance of a service that is not on this machine.
const DISTANCE: Duration = Duration::from_millis(20);
/// How long agents are looked at while nothing happens, and how often in milliseconds.
const IDLE_SECONDS: u32 = 10;
const IDLE_INTERVAL: u32 = 1_000;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let nats = NatsServer::start(&[]).ok_or("the relay needs a nats-server")?;
    let (near, far) = (Inboxes::start(Duration::ZERO)?, Inboxes::start(DISTANCE)?);
    let rounds = rounds.min(5);
    let mut lines = Vec::new();

    let pass = |inboxes: &Inboxes, agents, partitions| -> Result<f64> {
        Ok(f64::from(EVENTS) / inboxes.pass_on(&nats, agents, partitions)?.seconds)
    };
    let throughput = in_turns(
        rounds,
        [
            &mut || pass(&near, 1, 8),
            &mut || pass(&far, 1, 8),
            &mut || pass(&near, 1, 1),
            &mut || pass(&near, 1, 64),
            &mut || pass(&near, 100, 8),
            &mut || pass(&near, 1_000, 8),
        ],
    )?;
    let line = |side, what: &str| {
        let what = format!("relay, {what}: from the inbox to the stream, and acknowledged");
        Line::new(22, what, "events/s", throughput.figure(side))
    };
    let beside_one = |side, what: &str| {
        line(side, what).against(
            "1 agent, 8 partitions",
            throughput.figure(0),
            throughput.ratio(side, 0),
        )
    };
    lines.push(line(0, "1 agent, 8 partitions"));
    lines.push(beside_one(1, "the same, a service 20 ms away"));
    lines.push(beside_one(2, "1 agent, 1 partition"));
    lines.push(beside_one(3, "1 agent, 64 partitions"));
    lines.push(beside_one(4, "100 agents"));
    lines.push(beside_one(5, "1,000 agents, their start included"));

    let cost = |agents| -> Result<f64> {
        Ok(near.pass_on(&nats, agents, 8)?.cpu_seconds * 1e6 / f64::from(EVENTS))
    };
    let processor = in_turns(rounds, [&mut || cost(1), &mut || cost(100), &mut || cost(1_000)])?;
    for (side, (agents, named)) in
        [(1, "1 agent"), (100, "100 agents"), (1_000, "1,000 agents, their start included")]
            .into_iter()
            .enumerate()
    {
        let what = format!("relay, {named}: processor time of an event");
        let line = Line::new(22, what, "µs", processor.figure(side));
        lines.push(line.point("relay, an event, by agents", agents));
    }
    for agents in [1, 100, 1_000] {
        let idle = near.idle(&nats, agents)?;
        let what = format!("relay, {agents} agents without events, each looked at every second");
        let share = 100.0 * idle.cpu_seconds / idle.seconds;
        let line = Line::new(22, what, "% of a core", Figure::exact(share));
        lines.push(line.note(format!("{:.1} MiB", idle.peak_kib / 1024.0)));
    }

    let mut delays = near.delays(&nats)?;
    delays.sort_by(f64::total_cmp);
    for (percent, name) in [(50, "p50"), (99, "p99")] {
        let delay = delays[(delays.len() - 1) * percent / 100];
        let what = format!("relay, from the service's reply to the stream's subscriber, {name}");
        lines.push(Line::new(22, what, "µs", Figure::exact(delay)));
    }

    let (few, many) = (near.behind(&nats, FEW)?, near.behind(&nats, MANY)?);
    let exact = Figure::exact;
    let what = "relay, 1,000,000 events behind, peak memory after 20,000 of them";
    lines.push(Line::new(22, what, "MiB", exact(many.peak_kib / 1024.0)).against(
        "50,000 behind",
        exact(few.peak_kib / 1024.0),
        exact(many.peak_kib / few.peak_kib),
    ));
    let rate = |taken: &Taken| f64::from(STORED) / taken.seconds;
    let what = "the same, from the inbox to the stream; measured once";
    lines.push(Line::new(22, what, "events/s", exact(rate(&many))).against(
        "50,000 behind",
        exact(rate(&few)),
        exact(rate(&many) / rate(&few)),
    ));
    Ok(lines)
}

/// What the relays took.
#[derive(Deserialize)]
struct Taken {
    seconds: f64,
    cpu_seconds: f64,
    peak_kib: f64,
}

/// The inboxes of any number of agents, which list what is unread, the newest first.
struct Inboxes {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    unread: BTreeMap<u32, BTreeSet<u32>>,
    /// When a notification was listed first, for those that are timed.
    listed: BTreeMap<u32, Instant>,
    is_timed: bool,
    next: u32,
}

impl Inboxes {
    fn start(distance: Duration) -> Result<Self> {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let address = start_delayed(distance, move |request| {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let agent = agent(request);
            if request.starts_with(b"GET") {
                list(&mut state, agent, request)
            } else {
                mark(&mut state, agent, request)
            }
        })?;
        Ok(Self { address, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts events into the inboxes of so many agents, by turns.
    fn fill(&self, agents: u32, events: u32) {
        let mut state = self.state();
        let first = state.next;
        state.next += events;
        for number in first..first + events {
            state.unread.entry(number % agents).or_default().insert(number);
        }
    }

    fn relays(&self, nats: &NatsServer, agents: u32, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(tool("relay")?);
        command.arg(format!("http://{}/api/v1", self.address)).arg(nats.url());
        command.args(["--agents", &agents.to_string()]).args(arguments);
        Ok(command)
    }

    /// Passes the events of a round on.
    fn pass_on(&self, nats: &NatsServer, agents: u32, partitions: u32) -> Result<Taken> {
        self.fill(agents, EVENTS);
        let (partitions, events) = (partitions.to_string(), EVENTS.to_string());
        let arguments = ["--partitions", &partitions, "--events", &events];
        let taken = succeed(&mut self.relays(nats, agents, &arguments)?)?;
        let left: usize = self.state().unread.values().map(BTreeSet::len).sum();
        if left > 0 {
            return Err(format!("{left} notifications are unread").into());
        }
        Ok(serde_json::from_str(&taken)?)
    }

    /// Lets relays look at empty inboxes.
    fn idle(&self, nats: &NatsServer, agents: u32) -> Result<Taken> {
        let (seconds, interval) = (IDLE_SECONDS.to_string(), IDLE_INTERVAL.to_string());
        let arguments = ["--seconds", &seconds, "--interval", &interval];
        Ok(serde_json::from_str(&succeed(&mut self.relays(nats, agents, &arguments)?)?)?)
    }

    /// Passes the oldest events on while so many are behind.
    fn behind(&self, nats: &NatsServer, events: u32) -> Result<Taken> {
        self.fill(1, events);
        let stored = STORED.to_string();
        let taken = succeed(&mut self.relays(nats, 1, &["--events", &stored])?)?;
        self.state().unread.clear();
        Ok(serde_json::from_str(&taken)?)
    }

    /// The microseconds from the reply in which an event is listed to its arrival at a subscriber, for
    /// events that come one by one.
    fn delays(&self, nats: &NatsServer) -> Result<Vec<f64>> {
        self.state().is_timed = true;
        let events = (TIMED + 1).to_string();
        let mut command = self.relays(nats, 1, &["--events", &events, "--interval", "1"])?;
        let mut relay = command.stdout(Stdio::null()).spawn()?;
        let delays = Builder::new_current_thread().enable_all().build()?.block_on(async {
            let client = async_nats::connect(nats.url()).await?;
            let mut events = client.subscribe("machins.>").await?;
            let mut delays = Vec::new();
            for round in 0..=TIMED {
                let number = self.state().next;
                self.fill(1, 1);
                events.next().await.ok_or("NATS has ended")?;
                let arrived = Instant::now();
                let listed = self.state().listed.get(&number).copied();
                let listed = listed.ok_or("it was not listed")?;
                // The first one waits for the start.
                if round > 0 {
                    delays.push(arrived.duration_since(listed).as_secs_f64() * 1e6);
                }
            }
            Ok::<_, crate::bench::Error>(delays)
        })?;
        relay.wait()?;
        let mut state = self.state();
        state.is_timed = false;
        state.listed.clear();
        Ok(delays)
    }
}

/// The number of the agent whose key a request has.
fn agent(request: &[u8]) -> u32 {
    const KEY: &str = "at_benchmark_";
    let text = String::from_utf8_lossy(request);
    let number = text.split_once(KEY).map_or("", |(_, rest)| rest);
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().unwrap_or(0)
}

fn list(state: &mut State, agent: u32, request: &[u8]) -> String {
    let unread = state.unread.entry(agent).or_default();
    let (offset, limit) =
        (parameter(request, "offset=").unwrap_or(0), parameter(request, "limit=").unwrap_or(50));
    let (offset, limit) = (offset as usize, limit as usize);
    let end = (offset + limit).min(unread.len());
    // From the nearer end.
    let page: Vec<u32> = if offset > unread.len() / 2 {
        let mut page: Vec<u32> = unread
            .iter()
            .skip(unread.len() - end)
            .take(end.saturating_sub(offset))
            .copied()
            .collect();
        page.reverse();
        page
    } else {
        unread.iter().rev().skip(offset).take(limit).copied().collect()
    };
    if state.is_timed {
        for number in &page {
            state.listed.entry(*number).or_insert_with(Instant::now);
        }
    }
    let items: Vec<Value> = page
        .iter()
        .map(|number| {
            let (day, hour) = (number / 86_400, number / 3_600 % 24);
            let (month, day) = (day / 28 % 12 + 1, day % 28 + 1);
            let (minute, second) = (number / 60 % 60, number % 60);
            json!({
                "id": format!("9e2a366e-a633-4435-9ed9-{number:012}"),
                "event_type": "trade_proposed",
                "payload": {
                    "trade_id": format!("51a0b0c1-56a5-4c1e-9f0e-{number:012}"),
                    "listing_id": "a5f0a3c1-56a5-4c1e-9f0e-0d4f1c1f2c11",
                    "buyer_agent_slug": "some-agent",
                    "price": "50.00",
                },
                "is_read": false,
                "created_at": format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
            })
        })
        .collect();
    let (total, has_more) = (unread.len(), end < unread.len());
    json!({"items": items, "unread_count": total, "total": total, "has_more": has_more}).to_string()
}

fn mark(state: &mut State, agent: u32, request: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Acknowledgement {
        notification_ids: Vec<String>,
    }
    let ids = serde_json::from_slice::<Acknowledgement>(body(request))
        .map_or_else(|_| Vec::new(), |acknowledgement| acknowledgement.notification_ids);
    let unread = state.unread.entry(agent).or_default();
    for id in &ids {
        let number = id.rsplit('-').next().and_then(|number| number.parse().ok());
        number.map(|number: u32| unread.remove(&number));
    }
    json!({"acknowledged": ids.len()}).to_string()
}
