//! A marketplace with events in a seller's inbox, a relay, and what is in its stream.
#![allow(dead_code, clippy::expect_used, reason = "tests, none of which uses everything")]

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::OrderedConfig;
use futures_util::{StreamExt, TryStreamExt};
use machins_client::{
    AgentId, ApiKey, CancellationToken, Client, InboxQuery, Listing, ListingType, Money,
    NewListing, Notification, Proposal, TradeId,
};
use machins_mock::{Conditions, MockServer, NewAgent};
use machins_relay::{CloudEvent, EventStream, NatsConnection, Notice, Relay, RelayError};
use test_support::NatsServer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_mins(1);

pub struct World {
    pub market: MockServer,
    pub seller: Client,
    pub buyer: Client,
    pub agent: AgentId,
    /// The seller's key.
    pub key: String,
    listing: Listing,
}

impl World {
    pub async fn start() -> Self {
        let market = MockServer::start().await;
        let (_, buyer) = join(&market, "bob");
        let Seller { client, agent, key, listing } = Seller::join(&market, "ada").await;
        Self { market, seller: client, buyer, agent, key, listing }
    }

    /// Proposes a trade to another seller: one event in that seller's inbox.
    pub async fn propose_to(&self, seller: &Seller) -> TradeId {
        self.buyer.propose_trade(&Proposal::new(&seller.listing.id)).await.unwrap().id
    }

    /// Proposes a trade: one event in the seller's inbox.
    pub async fn propose(&self) -> TradeId {
        self.buyer.propose_trade(&Proposal::new(&self.listing.id)).await.unwrap().id
    }

    /// Proposes a trade and cancels it: two events in the seller's inbox.
    pub async fn propose_and_cancel(&self) -> TradeId {
        let trade = self.propose().await;
        self.seller.accept_trade(&trade).await.unwrap();
        self.buyer.cancel_trade(&trade, None).await.unwrap();
        trade
    }

    pub async fn unread(&self) -> Vec<Notification> {
        self.seller.inbox_all(&InboxQuery::new().unread()).try_collect().await.unwrap()
    }

    /// Waits until the inbox is empty. Forgets the requests that the marketplace has recorded: going
    /// through those of a long test again and again would keep it busy.
    pub async fn drained(&self) {
        let acknowledgement = Conditions::new().method("POST").path("/api/v1/inbox/ack");
        loop {
            self.market.clear_requests();
            let unread = InboxQuery::new().unread().limit(1);
            if self.seller.list_inbox(&unread).await.unwrap().items.is_empty() {
                return;
            }
            let acknowledged = self.market.wait_for_requests(acknowledgement.clone(), 1, LIMIT);
            acknowledged.await.unwrap();
        }
    }

    /// Prepares a relay that does not wait long for anything.
    pub fn relay(&self) -> Relay {
        Relay::new()
            .agent(&self.seller, self.agent.clone())
            .every(Duration::from_millis(5), Duration::from_millis(20))
            .lease_time(Duration::from_secs(1))
    }

    /// Runs a replica in the background.
    pub fn run(&self, nats: &NatsServer, stream: &EventStream) -> Replica {
        self.run_at(&nats.url(), stream)
    }

    pub fn run_at(&self, url: &str, stream: &EventStream) -> Replica {
        let connection = NatsConnection::new(url).unwrap();
        Replica::start(self.relay(), connection, stream)
    }
}

/// Creates an agent, and returns its key and a client.
fn join(market: &MockServer, slug: &str) -> (String, Client) {
    let agent = NewAgent::new().slug(slug).credits(10_000);
    let agent = market.create_agent(agent).unwrap();
    let builder = Client::builder().base_url(market.machins_base_url());
    let key = ApiKey::new(&agent.api_key).unwrap();
    (agent.api_key, builder.api_key(key).build().unwrap())
}

/// An agent with a listing.
pub struct Seller {
    pub client: Client,
    pub agent: AgentId,
    pub key: String,
    listing: Listing,
}

impl Seller {
    pub async fn join(market: &MockServer, slug: &str) -> Self {
        let (key, client) = join(market, slug);
        let title = format!("Task of {slug}");
        let offer =
            NewListing::new(title, format!("task-of-{slug}"), ListingType::Task, Money::credits(1));
        let listing = client.create_listing(&offer).await.unwrap();
        let agent = client.get_wallet().await.unwrap().agent_id.unwrap();
        Self { client, agent, key, listing }
    }

    pub async fn unread(&self) -> usize {
        let unread = self.client.list_inbox(&InboxQuery::new().unread()).await.unwrap();
        usize::try_from(unread.unread_count.unwrap()).unwrap()
    }
}

/// The way of a replica to the marketplace, which can be interrupted.
pub struct Route {
    pub url: String,
    state: watch::Sender<RouteState>,
    is_awaited: watch::Receiver<bool>,
}

#[derive(PartialEq)]
pub enum RouteState {
    Open,
    /// Connections are closed, and new ones as soon as they are made.
    Cut,
    /// Connections are made, and requests are never answered.
    Silent,
}

impl Route {
    pub async fn open(market: &MockServer) -> Self {
        let target = market.url().trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let (sender, state) = watch::channel(RouteState::Open);
        let (awaits, is_awaited) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (target, awaits, mut state) = (target.clone(), awaits.clone(), state.clone());
                tokio::spawn(async move {
                    let passing = async {
                        let mut server = TcpStream::connect(target).await?;
                        copy_bidirectional(&mut client, &mut server).await
                    };
                    tokio::select! {
                        biased;
                        _ = state.wait_for(|state| *state != RouteState::Open) => {}
                        _ = passing => return,
                    }
                    awaits.send_replace(*state.borrow() == RouteState::Silent);
                    let _ = state.wait_for(|state| *state != RouteState::Silent).await;
                });
            }
        });
        Self { url, state: sender, is_awaited }
    }

    pub fn set(&self, state: RouteState) {
        self.state.send_replace(state);
    }

    /// Waits until something was asked to which nothing comes back.
    pub async fn awaited(&mut self) {
        self.is_awaited.wait_for(|is_awaited| *is_awaited).await.unwrap();
    }

    /// The client of an agent that takes this way.
    pub fn client(&self, key: &str) -> Client {
        let key = ApiKey::new(key).unwrap();
        Client::builder().base_url(&self.url).api_key(key).build().unwrap()
    }
}

/// A relay that runs in the background.
pub struct Replica {
    task: JoinHandle<Result<(), RelayError>>,
    stop: CancellationToken,
    notices: UnboundedReceiver<Notice>,
}

impl Replica {
    pub fn start(relay: Relay, connection: NatsConnection, stream: &EventStream) -> Self {
        let (sender, notices) = unbounded_channel();
        let stop = CancellationToken::new();
        let relay = relay.stop(stop.clone()).on_notice(move |notice| {
            // A test may have no more interest in it.
            let _ = sender.send(notice.clone());
        });
        let stream = stream.clone();
        let task = tokio::spawn(async move { relay.to_nats(&connection, &stream).await });
        Self { task, stop, notices }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.ended().await.unwrap();
    }

    /// Ends it wherever it is.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Waits until it ends by itself.
    pub async fn ended(self) -> Result<(), RelayError> {
        tokio::time::timeout(LIMIT, self.task).await.expect("it ends").unwrap()
    }

    pub async fn next_notice(&mut self) -> Notice {
        let next = tokio::time::timeout(LIMIT, self.notices.recv());
        next.await.expect("there is a notice").expect("it runs")
    }

    /// Waits for a notice, and returns those before it.
    pub async fn wait_for(&mut self, is_wanted: fn(&Notice) -> bool) -> Vec<Notice> {
        let mut others = Vec::new();
        loop {
            match self.next_notice().await {
                notice if is_wanted(&notice) => return others,
                notice => others.push(notice),
            }
        }
    }

    pub fn further_notices(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.notices.try_recv().ok()).collect()
    }
}

/// An event as the stream has it.
#[derive(Debug)]
pub struct Stored {
    pub subject: String,
    pub message_id: String,
    pub event: CloudEvent,
    pub json: String,
}

pub fn stream() -> EventStream {
    EventStream::new("EVENTS").unwrap().partitions(NonZeroU16::new(4).unwrap())
}

pub async fn jetstream(nats: &NatsServer) -> jetstream::Context {
    jetstream::new(async_nats::connect(nats.url()).await.unwrap())
}

/// Waits until so many events are in the stream, and returns them.
pub async fn stored(nats: &NatsServer, count: usize) -> Vec<Stored> {
    tokio::time::timeout(LIMIT, read(nats, count)).await.expect("so many are stored")
}

async fn read(nats: &NatsServer, count: usize) -> Vec<Stored> {
    let context = jetstream(nats).await;
    loop {
        // The relay may not have created the stream yet, and a reader of a busy server may be cut off.
        match try_read(&context, count).await {
            Some(stored) => return stored,
            None => tokio::task::yield_now().await,
        }
    }
}

async fn try_read(context: &jetstream::Context, count: usize) -> Option<Vec<Stored>> {
    let stream = context.get_stream("EVENTS").await.ok()?;
    let config = OrderedConfig {
        deliver_subject: context.client().new_inbox(),
        deliver_policy: DeliverPolicy::All,
        ..OrderedConfig::default()
    };
    let mut messages = stream.create_consumer(config).await.ok()?.messages().await.ok()?;
    let mut stored = Vec::new();
    while stored.len() < count {
        let message = messages.next().await?.ok()?;
        let json = String::from_utf8(message.payload.to_vec()).unwrap();
        let headers = message.headers.as_ref().unwrap();
        stored.push(Stored {
            subject: message.subject.to_string(),
            message_id: headers.get("Nats-Msg-Id").unwrap().to_string(),
            event: serde_json::from_str(&json).unwrap(),
            json,
        });
    }
    Some(stored)
}

/// The number of events in the stream now.
pub async fn count(nats: &NatsServer) -> u64 {
    jetstream(nats).await.get_stream("EVENTS").await.unwrap().cached_info().state.messages
}

/// Checks that each trade has one proposal and one cancellation, in this order, and nothing else.
pub fn check_order(stored: &[Stored], trades: &[TradeId]) {
    assert_eq!(stored.len(), 2 * trades.len());
    let mut by_trade: HashMap<&str, Vec<&Stored>> = HashMap::new();
    for stored in stored {
        by_trade.entry(stored.event.subject.as_deref().unwrap()).or_default().push(stored);
    }
    for trade in trades {
        let events = by_trade.remove(trade.as_str()).unwrap_or_default();
        let types: Vec<&str> = events.iter().map(|stored| stored.event.event_type()).collect();
        assert_eq!(types, ["trade_proposed", "trade_cancelled"], "{trade}");
        let partition = |stored: &Stored| stored.subject.rsplit('.').next().unwrap().to_owned();
        assert_eq!(partition(events[0]), partition(events[1]));
    }
}
