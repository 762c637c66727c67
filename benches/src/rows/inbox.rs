//! Notifications through `InboxWatch::run`.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use machins_client::{ApiKey, CancellationToken, Client, Error, Notification};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Result, in_turns};
use crate::report::Line;
use crate::server::{self, body, parameter};

/// The number of unread notifications in a round.
const NOTIFICATIONS: u32 = 1_000;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let inbox = Inbox::start()?;
    let samples =
        in_turns(rounds, [&mut || inbox.handle(&runtime, 1), &mut || inbox.handle(&runtime, 32)])?;
    let line = |side, handlers: &str| {
        let what = format!("inbox, {handlers}: each looked at again, handled and acknowledged");
        Line::new(14, what, "notifications/s", samples.figure(side))
    };
    Ok(vec![
        line(0, "1 handler"),
        line(1, "32 handlers at once").against("1 handler", samples.figure(0), samples.ratio(1, 0)),
    ])
}

/// An inbox that lists what is unread, the newest first.
struct Inbox {
    unread: Arc<Mutex<BTreeSet<u32>>>,
    client: Client,
    next: Cell<u32>,
}

impl Inbox {
    fn start() -> Result<Self> {
        let unread = Arc::<Mutex<BTreeSet<u32>>>::default();
        let listed = Arc::clone(&unread);
        let address = server::start(move |request| {
            let mut unread = listed.lock().unwrap_or_else(PoisonError::into_inner);
            if request.starts_with(b"GET") {
                list(&unread, request)
            } else {
                mark(&mut unread, request)
            }
        })?;
        let client = Client::builder()
            .api_key(ApiKey::new("at_benchmark")?)
            .base_url(format!("http://{address}/api/v1"))
            .build()?;
        Ok(Self { unread, client, next: Cell::new(0) })
    }

    /// Fills the inbox and returns how many notifications are handled per second.
    fn handle(&self, runtime: &Runtime, concurrency: usize) -> Result<f64> {
        let first = self.next.replace(self.next.get() + NOTIFICATIONS);
        let fill = first..first + NOTIFICATIONS;
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).extend(fill);
        let (stop, count) = (CancellationToken::new(), Cell::new(0));
        let handler = async |_: Notification| {
            count.set(count.get() + 1);
            if count.get() == NOTIFICATIONS {
                stop.cancel();
            }
            Ok::<(), Error>(())
        };
        let watch = self.client.inbox_watch().stop(stop.clone()).concurrency(concurrency);
        let start = Instant::now();
        runtime.block_on(watch.run(handler))?;
        let seconds = start.elapsed().as_secs_f64();
        let left = self.unread.lock().unwrap_or_else(PoisonError::into_inner).len();
        if left > 0 {
            return Err(format!("{left} notifications are unread").into());
        }
        Ok(f64::from(NOTIFICATIONS) / seconds)
    }
}

fn list(unread: &BTreeSet<u32>, request: &[u8]) -> String {
    let offset = parameter(request, "offset=").unwrap_or(0);
    let limit = parameter(request, "limit=").unwrap_or(50);
    let page = unread.iter().rev().skip(offset as usize).take(limit as usize);
    let items: Vec<Value> = page
        .map(|number| {
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
                "created_at": format!("2026-03-02T{:02}:{minute:02}:{second:02}Z", number / 3600 % 24),
            })
        })
        .collect();
    let has_more = ((offset + limit) as usize) < unread.len();
    json!({"items": items, "unread_count": unread.len(), "total": unread.len(), "has_more": has_more})
        .to_string()
}

fn mark(unread: &mut BTreeSet<u32>, request: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Acknowledgement {
        notification_ids: Vec<String>,
    }
    let ids = serde_json::from_slice::<Acknowledgement>(body(request))
        .map_or_else(|_| Vec::new(), |acknowledgement| acknowledgement.notification_ids);
    for id in &ids {
        let number = id.rsplit('-').next().and_then(|number| number.parse().ok());
        number.map(|number: u32| unread.remove(&number));
    }
    json!({"acknowledged": ids.len()}).to_string()
}
