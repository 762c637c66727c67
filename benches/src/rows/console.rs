//! The console of the mock server: how soon its pages are there, and what an open one costs.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::future::try_join_all;
use machins_mock::blocking::MockServer;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use crate::bench::{Result, Side, in_turns, micros_each};
use crate::load::{Connection, request};
use crate::programs::{Talker, node_packages};
use crate::report::{Bound, Line};

const TRADES: usize = 10_000;
const DEVICES: usize = 1_000;

/// The numbers of connections, and of requests on each, whose throughput is measured.
const LOAD: (u32, u32) = (64, 500);

/// A server with a large market, and the addresses of its pages.
struct Market {
    server: MockServer,
    pages: Vec<String>,
}

impl Market {
    fn build() -> Result<Self> {
        let server = MockServer::start();
        let statuses = ["proposed", "escrow_held", "delivered", "completed", "disputed"];
        let trades: Vec<_> = (0..TRADES)
            .map(|n| json!({"listing": "first", "buyer": "buyer", "status": statuses[n % 5]}))
            .collect();
        let devices: Vec<_> = (0..DEVICES).map(|n| format!("agent-{n:04}")).collect();
        let fixtures = json!({
            "orgs": [{"org_key": "org_bench", "plan": "max", "devices": devices}],
            "agents": [{"slug": "seller"}, {"slug": "buyer", "credits": 1_000_000}],
            "listings": [{
                "agent": "seller", "slug": "first", "title": "First", "listing_type": "task", "price": 5,
            }],
            "trades": trades,
        });
        let loaded: Value =
            serde_json::from_str(server.load_fixtures(&fixtures.to_string())?.as_str())?;
        let trade = loaded["trades"][7]["id"].as_str().ok_or("no trade was loaded")?.to_owned();
        let mut pages: Vec<String> = [
            "/",
            "devices",
            "agents",
            "listings",
            "trades",
            "ledger",
            "webhooks",
            "inbox",
            "requests",
            "clock",
            "faults",
            "worlds",
            "agents/buyer",
            "device?org_key=org_bench&device=agent-0007",
        ]
        .iter()
        .map(|page| if *page == "/" { "/".to_owned() } else { format!("/console/{page}") })
        .collect();
        pages.push(format!("/console/trades/{trade}"));
        Ok(Self { server, pages })
    }

    fn validate() -> String {
        request(
            "/api/v1/devices/validate",
            ("x-org-key", "org_bench"),
            Some(&json!({"deviceId": "agent-0007"})),
        )
    }
}

/// Measures the time to the first byte of each page, and in a browser that to its script's end.
pub(crate) fn pages(rounds: usize) -> Result<Vec<Line>> {
    let market = Market::build()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(Connection::open(market.server.addr()))?;
    let asked = Market::validate();
    for _ in 0..TRADES {
        runtime.block_on(connection.exchange(&asked))?;
    }
    let slowest = |name: &str, unit, rounds, bound, time: &mut dyn FnMut(&str) -> Result<f64>| {
        let mut figures = Vec::new();
        for page in &market.pages {
            let samples = in_turns(rounds, [&mut || time(page)])?;
            figures.push((samples.figure(0), page));
        }
        figures.sort_by(|(a, _), (b, _)| a.median.total_cmp(&b.median));
        let (figure, page) = figures.pop().ok_or("there is no page")?;
        let page = page.split(['?', '-']).next().unwrap_or_default();
        let what = format!(
            "console, {name} of the slowest of its pages, {page}; 10,000 trades and requests, 1,000 devices"
        );
        Ok::<_, crate::bench::Error>(Line::new(19, what, unit, figure).goal(bound))
    };
    let mut first_byte = |page: &str| {
        let asked = request(page, ("accept", "text/html"), None);
        let micros = micros_each(1, || {
            runtime.block_on(connection.exchange(&asked))?;
            Ok(())
        });
        Ok(micros? / 1e3)
    };
    let mut lines =
        vec![slowest("whole reply", "ms", rounds, Bound::AtMost(20.0), &mut first_byte)?];
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/time_pages.mjs");
    let packages = node_packages()?;
    let copy = packages.join("time_pages.mjs");
    std::fs::copy(script, &copy)?;
    let mut browser = Talker::start(Command::new("node").arg(copy))?;
    let mut interactive =
        |page: &str| Ok(browser.ask(&format!("{}{page}", market.server.url()))?.trim().parse()?);
    lines.push(slowest(
        "interactive in headless Chromium",
        "ms",
        rounds.min(10),
        Bound::AtMost(300.0),
        &mut interactive,
    )?);
    Ok(lines)
}

/// Measures the throughput of `validate` with a page of the console open, and without.
pub(crate) fn open_page(rounds: usize) -> Result<Vec<Line>> {
    let market = Market::build()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let address = market.server.addr();
    let asked = Market::validate();
    let (count, each) = LOAD;
    let mut connections =
        runtime.block_on(try_join_all((0..count).map(|_| Connection::open(address))))?;
    let mut load = || {
        let micros = micros_each(1, || {
            let all = connections.iter_mut().map(async |connection| {
                for _ in 0..each {
                    connection.exchange(&asked).await?;
                }
                Ok::<_, crate::bench::Error>(())
            });
            runtime.block_on(try_join_all(all))?;
            Ok(())
        })?;
        Ok::<f64, crate::bench::Error>(f64::from(count * each) / micros * 1e6)
    };
    let is_open = Arc::new(AtomicBool::new(false));
    follow(address, Arc::clone(&is_open));
    let load = std::cell::RefCell::new(&mut load);
    let mut with = || {
        is_open.store(true, Ordering::SeqCst);
        let figure = (*load.borrow_mut())();
        is_open.store(false, Ordering::SeqCst);
        figure
    };
    let mut without = || (*load.borrow_mut())();
    let sides: [Side<'_>; 2] = [&mut with, &mut without];
    let samples = in_turns(rounds, sides)?;
    let what = "mock `validate`, 64 connections, with the console's list of requests open";
    let line = Line::new(20, what, "requests/s", samples.figure(0));
    Ok(vec![
        line.against("no page open", samples.figure(1), samples.ratio(0, 1))
            .goal(Bound::AtLeast(0.97)),
    ])
}

/// Does what an open page does, on a thread of its own, while it is open: waits for changes, and
/// fetches the page again.
fn follow(address: SocketAddr, is_open: Arc<AtomicBool>) {
    thread::spawn(move || -> Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let page = request("/console/requests", ("accept", "text/html"), None);
            let mut pages = Connection::open(address).await?;
            let mut events = TcpStream::connect(address).await?;
            let stream = request("/_mock/events", ("accept", "text/event-stream"), None);
            tokio::io::AsyncWriteExt::write_all(&mut events, stream.as_bytes()).await?;
            let mut event = vec![0; 4096];
            loop {
                if events.read(&mut event).await? == 0 {
                    return Ok(());
                }
                if is_open.load(Ordering::SeqCst) {
                    pages.exchange(&page).await?;
                } else {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        })
    });
}
