//! Webhooks to a receiver on this machine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use machins_mock::{MockServer, NewAgent};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Result, in_turns, micros_each};
use crate::load::{Connection, request};
use crate::report::Line;
use crate::server::{self, body};

const SUBSCRIPTIONS: u32 = 16;
/// The number of listings in a round; every subscription receives each of them.
const LISTINGS: u32 = 250;
const LEAST_EVENTS: f64 = 5_000.0;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut feed = Feed::open(&runtime)?;
    let samples = in_turns(rounds, [&mut || feed.round(&runtime)])?;
    let figure = samples.figure(0);
    Ok(vec![
        Line::new(11, "webhooks to a local receiver, 16 subscriptions", "events/s", figure)
            .goal_text("≥ 5,000, ordered per subscription", figure.median >= LEAST_EVENTS)
            .note("every event is checked for its place; at most 10,000 wait per subscription"),
    ])
}

/// The numbers of the listings that have arrived, by subscription.
type Arrived = Arc<Mutex<HashMap<String, Vec<u32>>>>;

/// A server with a seller and subscriptions to its new listings.
struct Feed {
    server: MockServer,
    connection: Connection,
    key: String,
    arrived: Arrived,
    listings: u32,
}

impl Feed {
    fn open(runtime: &Runtime) -> Result<Self> {
        let arrived = Arrived::default();
        let receiver = receiver(Arc::clone(&arrived))?;
        let server = runtime.block_on(MockServer::start());
        let key = server.create_agent(NewAgent::new())?.api_key;
        let connection = runtime.block_on(async {
            let mut connection = Connection::open(server.addr()).await?;
            for _ in 0..SUBSCRIPTIONS {
                let subscription = json!({
                    "event_type": "new_listing",
                    "webhook_url": format!("http://{receiver}/"),
                    "secret": "a secret that signs",
                });
                let subscribe =
                    request("/api/v1/subscriptions", ("x-api-key", &key), Some(&subscription));
                connection.exchange(&subscribe).await?;
            }
            Ok::<_, crate::bench::Error>(connection)
        })?;
        Ok(Self { server, connection, key, arrived, listings: 0 })
    }

    /// Measures the events per second, from the first listing to the arrival of the last event.
    fn round(&mut self, runtime: &Runtime) -> Result<f64> {
        let first = self.listings;
        self.listings += LISTINGS;
        let took = micros_each(1, || {
            runtime.block_on(async {
                for number in first..self.listings {
                    let listing = json!({
                        "title": "Sentiment Analysis",
                        "slug": format!("listing-{number}"),
                        "listing_type": "task",
                        "price": 1,
                    });
                    let create =
                        request("/api/v1/listings", ("x-api-key", &self.key), Some(&listing));
                    self.connection.exchange(&create).await?;
                }
                self.server.webhooks_sent().await;
                Ok(())
            })
        })?;
        let arrived =
            std::mem::take(&mut *self.arrived.lock().unwrap_or_else(PoisonError::into_inner));
        let expected: Vec<u32> = (first..self.listings).collect();
        if arrived.len() != SUBSCRIPTIONS as usize
            || arrived.values().any(|posts| *posts != expected)
        {
            return Err("events were lost, doubled or out of order".into());
        }
        Ok(f64::from(SUBSCRIPTIONS * LISTINGS) / took * 1e6)
    }
}

fn receiver(arrived: Arrived) -> Result<SocketAddr> {
    #[derive(Deserialize)]
    struct Event {
        subscription_id: String,
        data: Data,
    }

    #[derive(Deserialize)]
    struct Data {
        slug: String,
    }

    server::start(move |request| {
        let event: Option<Event> = serde_json::from_slice(body(request)).ok();
        let numbered = event.and_then(|Event { subscription_id, data }| {
            Some((subscription_id, data.slug.strip_prefix("listing-")?.parse().ok()?))
        });
        // An event that is lost here is missing in the end.
        if let Some((subscription, number)) = numbered {
            let mut arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner);
            arrived.entry(subscription).or_default().push(number);
        }
        "{}".to_owned()
    })
}
