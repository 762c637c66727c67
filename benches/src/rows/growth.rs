//! How the mock server's lists grow with what they hold.

use std::fs;
use std::time::Instant;

use futures_util::future::try_join_all;
use machins_mock::{MockServer, Plan};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::marketplace::{SEARCH, TAGS};
use crate::bench::{Result, in_turns};
use crate::load::{Connection, request};
use crate::programs::memory;
use crate::report::{Figure, Line, Short};

const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];
/// So many are loaded at a time. Each time, all that is there is copied.
const LOADED: u32 = 100_000;
const REQUESTS: usize = 51;
const CONNECTIONS: u32 = 16;
const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// What a logarithm grows by from the smallest size to the largest.
const LOGARITHMIC: f64 = 2.0;

/// A reply whose time is measured.
struct Read {
    name: &'static str,
    /// `{middle}` stands for half of the items that are kept.
    path: &'static str,
    key: (&'static str, &'static str),
    /// The number of items that the server keeps, at most.
    most: u32,
    /// Whether each item that matches must be looked at.
    is_linear: bool,
}

/// An inbox holds the last 10,000 notifications, and the journal as many requests.
const KEPT: u32 = 10_000;
const SELLER: (&str, &str) = ("x-api-key", "at_seller");
const OF_TRADES: [Read; 3] = [
    Read {
        name: "a page in the middle of an inbox",
        path: "/api/v1/inbox?limit=20&offset={middle}",
        key: SELLER,
        most: KEPT,
        is_linear: false,
    },
    Read {
        name: "a page in the middle of the trades",
        path: "/api/v1/trades?limit=20&offset={middle}",
        key: SELLER,
        most: u32::MAX,
        is_linear: false,
    },
    Read {
        name: "a page in the middle of the ledger",
        path: "/api/v1/wallets/transactions?limit=20&offset={middle}",
        key: SELLER,
        most: u32::MAX,
        is_linear: false,
    },
];
const OF_LISTINGS: [Read; 1] = [Read {
    name: "a search with all filters",
    path: SEARCH,
    key: SELLER,
    most: u32::MAX,
    is_linear: true,
}];
/// Each request that is kept is looked at.
const OF_REQUESTS: [Read; 1] = [Read {
    name: "a search in the journal",
    path: "/_mock/requests?device=agent-7&brief=true&limit=20",
    key: SELLER,
    most: KEPT,
    is_linear: true,
}];

/// What a server is filled with.
type Fill = fn(&Runtime, &MockServer, u32) -> Result<()>;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let mut lines = grow(rounds, "listings", listings, &OF_LISTINGS)?;
    lines.extend(grow(rounds, "trades", trades, &OF_TRADES)?);
    lines.extend(grow(rounds, "requests", requests, &OF_REQUESTS)?);
    lines.sort_by_key(|line| line.point.as_ref().map(|point| point.curve.clone()));
    Ok(lines)
}

/// Measures servers with more and more items.
fn grow(rounds: usize, items: &str, fill: Fill, reads: &[Read]) -> Result<Vec<Line>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut lines: Vec<Line> = Vec::new();
    let mut bytes_each = 0.0;
    for size in SIZES {
        let (needed, free) = (bytes_each * f64::from(size), free_memory()?);
        if needed > free / 2.0 {
            let what = format!("{} {items}", Short(f64::from(size)));
            let [needed, free] = [needed, free].map(|bytes| Short(bytes / MEBIBYTE));
            let reason = format!("it takes {needed} MiB, and {free} are free");
            lines.push(Line::not_measured(28, what, &reason));
            continue;
        }
        // From now on, the peak is counted anew.
        fs::write("/proc/self/clear_refs", "5")?;
        let before = of_this_process("VmRSS:")?;
        let server = MockServer::builder().max_world_bytes(usize::MAX).start()?;
        fill(&runtime, &server, size)?;
        let peak = of_this_process("VmHWM:")?;
        bytes_each = (peak - before) / f64::from(size);
        let mut connection = runtime.block_on(Connection::open(server.addr()))?;
        for read in reads {
            let path = read.path.replace("{middle}", &(size.min(read.most) / 2).to_string());
            let asked = request(&path, read.key, None);
            let mut ask = || runtime.block_on(median_micros(&mut connection, &asked));
            let figure = in_turns(rounds, [&mut ask])?.figure(0);
            let what = format!("mock, {} among {} {items}", read.name, Short(f64::from(size)));
            let line = Line::new(28, what, "µs", figure)
                .note(format!("peak {} MiB", Short(peak / MEBIBYTE)))
                .point(&format!("mock, {}", read.name), size);
            lines.push(beside_the_smallest(line, &lines, read, items));
        }
    }
    Ok(lines)
}

fn beside_the_smallest(line: Line, lines: &[Line], read: &Read, items: &str) -> Line {
    let curve = |line: &Line| line.point.as_ref().map(|point| point.curve.clone());
    let smallest = lines.iter().find(|other| curve(other) == curve(&line));
    let (Some(smallest), Some(figure)) = (smallest.and_then(|line| line.figure), line.figure)
    else {
        return line;
    };
    let size = line.point.as_ref().map_or(SIZES[0], |point| point.items);
    let times = figure.median / smallest.median;
    let what = format!("{} {items}", Short(f64::from(SIZES[0])));
    let line = line.against(&what, smallest, Figure::exact(times));
    if read.is_linear {
        line.goal_text("at most linear", times <= f64::from(size / SIZES[0]))
    } else {
        line.goal_text("logarithmic", times <= LOGARITHMIC)
    }
}

async fn median_micros(connection: &mut Connection, asked: &str) -> Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..REQUESTS {
        let start = Instant::now();
        connection.exchange(asked).await?;
        taken.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Figure::of(taken.into_iter()).median)
}

/// Loads an item for each number, some at a time.
fn load(server: &MockServer, kind: &str, size: u32, item: impl Fn(u32) -> Value) -> Result<()> {
    let agents = json!({"agents": [
        {"slug": "a-seller", "api_key": "at_seller", "tier": "verified"},
        {"slug": "a-buyer", "api_key": "at_buyer", "credits": 1_000_000_000, "tier": "verified"},
    ]});
    server.load_fixtures(&agents.to_string())?;
    if kind == "trades" {
        let listing = json!({
            "agent": "a-seller", "slug": "a-summary", "title": "A summary",
            "listing_type": "task", "price": 1,
        });
        server.load_fixtures(&json!({"listings": [listing]}).to_string())?;
    }
    for first in (0..size).step_by(LOADED as usize) {
        let items: Vec<Value> = (first..size.min(first + LOADED)).map(&item).collect();
        server.load_fixtures(&json!({kind: items}).to_string())?;
    }
    Ok(())
}

fn listings(_: &Runtime, server: &MockServer, size: u32) -> Result<()> {
    load(server, "listings", size, |number| {
        json!({
            "agent": "a-seller",
            "title": format!("Sentiment Analysis {number}"),
            "slug": format!("sentiment-analysis-{number}"),
            "listing_type": "task",
            "price": 1 + number % 100,
            "tags": [format!("tag-{}", number % TAGS), "nlp"],
        })
    })
}

/// Each trade is a notification to the seller and a transaction of its wallet.
fn trades(_: &Runtime, server: &MockServer, size: u32) -> Result<()> {
    load(
        server,
        "trades",
        size,
        |_| json!({"listing": "a-summary", "buyer": "a-buyer", "status": "completed"}),
    )
}

/// Asks about each of ten devices by turns.
fn requests(runtime: &Runtime, server: &MockServer, size: u32) -> Result<()> {
    let org = server.create_org(Plan::Free);
    runtime.block_on(async {
        let asks = (0..CONNECTIONS).map(async |first| {
            let mut connection = Connection::open(server.addr()).await?;
            for number in (first..size).step_by(CONNECTIONS as usize) {
                let body = json!({"deviceId": format!("agent-{}", number % 10)});
                let path = "/api/v1/devices/validate";
                connection.exchange(&request(path, ("x-org-key", org.key()), Some(&body))).await?;
            }
            Ok::<_, crate::bench::Error>(())
        });
        try_join_all(asks).await
    })?;
    Ok(())
}

fn of_this_process(field: &str) -> Result<f64> {
    Ok(f64::from(u32::try_from(memory(std::process::id(), field)? / 1024)?) * 1024.0)
}

/// Returns how much memory programs can still have, in bytes.
fn free_memory() -> Result<f64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let mut lines = text.lines();
    let kib = lines.find_map(|line| line.strip_prefix("MemAvailable:")?.strip_suffix("kB"));
    Ok(kib.ok_or("no MemAvailable")?.trim().parse::<f64>()? * 1024.0)
}
