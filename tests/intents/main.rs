//! One key, or one client reference, is one trade: across processes, kills and cancellations.
#![cfg(unix)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod cancelled;
mod late;
mod process;
mod processes;

use std::path::PathBuf;
use std::time::Duration;

use machins_client::{ApiKey, Client, ClientBuilder, ListingId, ListingType, Money, NewListing};
use machins_mock::{MockServer, NewAgent};
use tempfile::TempDir;

use crate::late::Late;

/// How long a proposal is searched for before it is sent again. The faults hold a request up for
/// less.
const RESEND_AFTER: Duration = Duration::from_millis(400);
const DELAY: Duration = Duration::from_millis(100);

/// A marketplace with one listing, and a buyer whose intents are in a folder.
struct Market {
    server: MockServer,
    /// The base URL that the buyer uses.
    url: String,
    listing: ListingId,
    seller: machins_client::blocking::Client,
    key: String,
    folder: TempDir,
}

impl Market {
    fn new() -> Self {
        let server = MockServer::builder().start().unwrap();
        let agent = |slug: &str| server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key;
        let seller = builder(&server.machins_base_url(), &agent("ada")).build_blocking().unwrap();
        let new = NewListing::new("Work", "ada-work", ListingType::Task, Money::credits(1));
        let listing = seller.create_listing(&new).unwrap().id;
        let key = agent("bob");
        let (url, folder) = (server.machins_base_url(), tempfile::tempdir().unwrap());
        Self { server, url, listing, seller, key, folder }
    }

    /// Makes the buyer's first proposal arrive late.
    fn with_late_proposal(self) -> (Self, Late) {
        let late = Late::start(self.server.addr());
        (Self { url: late.base_url(), ..self }, late)
    }

    fn buyer(&self) -> ClientBuilder {
        builder(&self.url, &self.key).resend_after(RESEND_AFTER)
    }

    fn intents(&self) -> PathBuf {
        self.folder.path().join("intents")
    }

    /// The ids of all trades, as the seller sees them.
    fn trades(&self) -> Vec<String> {
        self.server.clear_faults();
        let trades = self.seller.trades_all(&machins_client::TradeQuery::new());
        trades.map(|trade| trade.unwrap().id.to_string()).collect()
    }
}

fn builder(url: &str, key: &str) -> ClientBuilder {
    Client::builder().base_url(url).api_key(ApiKey::new(key).unwrap())
}
