//! Searching marketplaces of different sizes.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Result, in_turns};
use crate::load::{Connection, request};
use crate::programs::{Served, machins};
use crate::report::{Bound, Figure, Line, Short};

const SIZES: [u32; 3] = [100, 10_000, 100_000];
const SELLERS: u32 = 8;
pub(super) const TAGS: u32 = 20;
const SEARCHES: usize = 51;
/// A search with all filters. One listing in twenty has the tag, and every page has as many items.
pub(super) const SEARCH: &str = "/api/v1/marketplace?listing_type=task&tags=tag-7&search=analysis\
                      &min_price=10&max_price=90&limit=2&offset=2";

#[derive(Deserialize)]
struct Agent {
    api_key: String,
}

#[derive(Deserialize)]
struct Found {
    total: u32,
}

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let machins = machins()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let [small, middle, large] = SIZES.map(|size| SearchServer::open(&machins, &runtime, size));
    let (small, middle, large) = (small?, middle?, large?);
    let samples = in_turns(
        rounds,
        [&mut || small.search(&runtime), &mut || middle.search(&runtime), &mut || {
            large.search(&runtime)
        }],
    )?;
    let (least, ratio) = (samples.figure(0), samples.ratio(2, 0));
    let line = |side, market: &SearchServer| {
        let what = format!("search among {} listings, p50", Short(market.size.into()));
        Line::new(9, what, "µs", samples.figure(side))
            .note(format!("{} match", Short(market.matching.into())))
    };
    Ok(vec![
        line(0, &small),
        line(1, &middle),
        line(2, &large).against("100 listings", least, ratio).goal(Bound::AtMost(10.0)),
        Line::new(9, "memory of a listing", "bytes", Figure::exact(large.bytes_each)),
    ])
}

/// A mock server in a process of its own, with listings.
struct SearchServer {
    server: Served,
    size: u32,
    matching: u32,
    bytes_each: f64,
}

impl SearchServer {
    fn open(machins: &Path, runtime: &Runtime, size: u32) -> Result<Self> {
        let server = Served::start(machins)?;
        let before = server.resident()?;
        let sellers = (0..SELLERS).map(|seller| fill(server.address, seller, size));
        runtime.block_on(try_join_all(sellers))?;
        let grown = u32::try_from((server.resident()? - before) / 1024)?;
        let Found { total } = runtime.block_on(async {
            let search = request(SEARCH, ("x-api-key", "none"), None);
            Connection::open(server.address).await?.exchange_json(&search).await
        })?;
        let bytes_each = f64::from(grown) * 1024.0 / f64::from(size);
        Ok(Self { server, size, matching: total, bytes_each })
    }

    /// Measures the median of some searches, in microseconds.
    fn search(&self, runtime: &Runtime) -> Result<f64> {
        let search = request(SEARCH, ("x-api-key", "none"), None);
        let took = runtime.block_on(async {
            let mut connection = Connection::open(self.server.address).await?;
            let mut took = Vec::new();
            for _ in 0..SEARCHES {
                let start = Instant::now();
                connection.exchange(&search).await?;
                took.push(start.elapsed().as_secs_f64() * 1e6);
            }
            Ok::<_, crate::bench::Error>(took)
        })?;
        Ok(Figure::of(took.into_iter()).median)
    }
}

/// Creates every eighth listing, as this seller.
async fn fill(address: SocketAddr, seller: u32, size: u32) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let agent = json!({"name": "Seller", "slug": format!("seller-{seller}")});
    let join = request("/_mock/machins/agents", ("x-api-key", "none"), Some(&agent));
    let Agent { api_key } = connection.exchange_json(&join).await?;
    for number in (seller..size).step_by(SELLERS as usize) {
        let listing = json!({
            "title": format!("Sentiment Analysis {number}"),
            "slug": format!("sentiment-analysis-{number}"),
            "description": "Send a text in any of twelve languages, get its sentiment in words.",
            "listing_type": "task",
            "price": 1 + number % 100,
            "tags": [format!("tag-{}", number % TAGS), "nlp"],
        });
        let create = request("/api/v1/listings", ("x-api-key", &api_key), Some(&listing));
        connection.exchange(&create).await?;
    }
    Ok(())
}
