//! Many programs at once that reuse keys and references, over a connection that fails, from sellers
//! who change their prices. What is spent stays within the limit.

use futures_util::future::join_all;
use machins_client::{
    Client, ClientOptions, Delivery, ErrorKind, Listing, ListingType, ListingUpdate,
    MemoryIntentStore, MemorySpendingStore, MockClock, Money, NewListing, Proposal, Role,
    SpendingClient, SpendingPolicy, Trade, TradeQuery, TradeStatus,
};
use machins_mock::Fault;

use crate::market::{Market, Spending, agent, credits};

const LIMIT: i32 = 50;

/// Small numbers that are the same for a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// What one program does.
enum Order {
    Buy { key: String, reference: Option<usize>, listing: usize },
    Bounty { slug: String },
    Raise { listing: usize, price: i32 },
    Cancel,
    Complete,
    AcceptBid,
}

fn order(numbers: &mut Numbers) -> Order {
    match numbers.below(12) {
        0 => Order::Bounty { slug: format!("wanted-{}", numbers.below(3)) },
        1 => Order::Raise {
            listing: numbers.below(3),
            price: i32::try_from(5 + numbers.below(20)).unwrap(),
        },
        2 => Order::Cancel,
        3 => Order::Complete,
        4 => Order::AcceptBid,
        _ => Order::Buy {
            key: format!("k{}", numbers.below(6)),
            reference: (numbers.below(2) == 0).then(|| numbers.below(3)),
            listing: numbers.below(3),
        },
    }
}

fn fault(numbers: &mut Numbers) -> Fault {
    let fault = match numbers.below(4) {
        0 => Fault::drop_after(),
        1 => Fault::drop_before(),
        2 => Fault::status(408),
        _ => Fault::status(503),
    };
    let path = ["/api/v1/trades", "/api/v1/listings"][numbers.below(2)];
    fault.method("POST").path(path).times(1 + numbers.below(3) as u64)
}

async fn carry_out(
    market: &Market,
    client: &Spending,
    listings: &[Listing],
    order: Order,
) -> Option<Trade> {
    match order {
        Order::Buy { key, reference, listing } => {
            let mut proposal = Proposal::new(&listings[listing].id);
            if let Some(reference) = reference {
                proposal = proposal.metadata("client_reference", reference);
            }
            client.propose_trade_once(&key, &proposal).await.ok()
        }
        Order::Bounty { slug } => {
            let new = NewListing::new("Wanted", &slug, ListingType::Task, credits(8));
            let _ = client.create_listing_once(&slug, &new.request().bounty()).await;
            None
        }
        Order::Raise { listing, price } => {
            let raised = ListingUpdate::new().price(credits(price));
            market.seller.update_listing(&listings[listing].id, &raised).await.unwrap();
            None
        }
        Order::Cancel => {
            let held = TradeQuery::new().role(Role::Buyer).status(TradeStatus::EscrowHeld);
            let trade = client.client().list_trades(&held).await.ok()?.items.pop()?;
            client.client().cancel_trade(&trade.id, None).await.ok()
        }
        Order::Complete => {
            let held = TradeQuery::new().role(Role::Seller).status(TradeStatus::EscrowHeld);
            let trade = market.seller.list_trades(&held).await.unwrap().items.pop()?;
            let delivery = Delivery::task("done");
            market.seller.deliver_trade(&trade.id, &delivery).await.ok()?;
            client.confirm_trade(&trade.id).await.ok()
        }
        Order::AcceptBid => {
            let own = client.client().list_listings().await.ok()?.pop()?;
            let trade = market.seller.propose_trade(&Proposal::new(&own.id)).await.ok()?;
            client.accept_trade(&trade.id).await.ok()
        }
    }
}

async fn run(seed: u64) {
    let market = Market::new().await;
    let mut numbers = Numbers(seed);
    let mut listings = Vec::new();
    for slug in ["one", "two", "three"] {
        let new = NewListing::new(slug, slug, ListingType::Task, credits(10));
        // A raised price can be given up at once, because its credits are held.
        listings.push(market.seller.create_listing(&new.auto_accept()).await.unwrap());
    }
    let options = ClientOptions::new().clock(MockClock::new(0.0));
    let buyer: Client = agent(&market.server, "eve")
        .intent_store(MemoryIntentStore::new())
        .options(options)
        .build()
        .unwrap();
    let policy = SpendingPolicy::new().max_per_day(credits(LIMIT)).max_in_escrow(credits(LIMIT));
    let client = SpendingClient::new(&buyer, policy).store(MemorySpendingStore::new());
    for _ in 0..2 {
        market.server.add_fault(fault(&mut numbers)).unwrap();
    }
    let orders: Vec<Order> = (0..24).map(|_| order(&mut numbers)).collect();
    let calls = orders.into_iter().map(|order| carry_out(&market, &client, &listings, order));
    join_all(calls).await;
    market.server.clear_faults();

    let wallet = buyer.get_wallet().await.unwrap();
    assert!(wallet.held_balance <= credits(LIMIT), "seed {seed}: {wallet:?}");
    let all = buyer.list_trades(&TradeQuery::new()).await.unwrap().items;
    let is_paid = |trade: &&Trade| trade.status == TradeStatus::Completed;
    let paid: Money = all.iter().filter(is_paid).filter_map(|trade| trade.price).sum();
    let spent = paid + wallet.held_balance;
    assert!(spent <= credits(LIMIT), "seed {seed}: {spent} was spent");
    // A key is one purchase. Whoever gives one reference to several keys may have several.
    let mut references: Vec<_> = all
        .iter()
        .map(|trade| trade.metadata.as_ref().unwrap().to_string())
        .filter(|metadata| metadata.contains("intent-"))
        .collect();
    references.sort_unstable();
    let count = references.len();
    references.dedup();
    assert_eq!(references.len(), count, "seed {seed}: a purchase was made twice");
    // And the rest can still be spent.
    let left = client.remaining().await.unwrap()[0].remaining;
    let price = left.min(credits(10));
    if price > Money::ZERO {
        let last = ListingUpdate::new().price(price);
        market.seller.update_listing(&listings[0].id, &last).await.unwrap();
        let bought = client.propose_trade_once("last", &Proposal::new(&listings[0].id)).await;
        assert!(bought.is_ok(), "seed {seed}: {bought:?}");
    } else {
        let refused = client.propose_trade_once("last", &Proposal::new(&listings[0].id)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Policy, "seed {seed}");
    }
}

#[tokio::test]
async fn whatever_is_asked_for_at_once_the_limit_holds() {
    for seed in 0..25 {
        run(seed).await;
    }
}
