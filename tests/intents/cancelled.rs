//! Calls that are dropped at every await, and then made again.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use machins_client::{Client, ClientOptions, MemoryIntentStore, Proposal, TradeId};
use machins_mock::Fault;
use rstest::rstest;

use crate::{DELAY, Market, RESEND_AFTER};

/// The number of polls before a call is dropped, at most: more than it takes.
const MOST_POLLS: usize = 12;

/// Drops a call after this many polls, unless it ends before.
async fn drop_after<F: Future>(call: F, polls: usize) -> Option<F::Output> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

#[derive(Clone, Copy)]
enum Method {
    Reference,
    Key,
}

async fn propose(client: &Client, market: &Market, method: Method, name: &str) -> TradeId {
    let proposal = Proposal::new(&market.listing);
    let trade = match method {
        Method::Key => client.propose_trade_once(name, &proposal).await,
        Method::Reference => {
            client.propose_trade(&proposal.metadata("client_reference", name)).await
        }
    };
    trade.unwrap().id
}

#[rstest]
#[case::undisturbed(None)]
#[case::with_delayed_proposals(Some(Fault::delay(DELAY)))]
fn a_dropped_proposal_given_again_is_one_trade(
    #[values(Method::Reference, Method::Key)] method: Method,
    #[case] fault: Option<Fault>,
) {
    let market = Market::new();
    if let Some(fault) = fault {
        market.server.add_fault(fault.method("POST").path("/api/v1/trades")).unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = market.buyer().intent_store(MemoryIntentStore::new()).build().unwrap();
    let ids: Vec<_> = runtime.block_on(async {
        let dropped = (0..MOST_POLLS).map(|polls| {
            let (client, market) = (&client, &market);
            async move {
                let name = format!("reference-{polls}");
                drop_after(propose(client, market, method, &name), polls).await;
                propose(client, market, method, &name).await
            }
        });
        futures_util::future::join_all(dropped).await
    });
    let mut trades = market.trades();
    let mut ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    trades.sort_unstable();
    ids.sort_unstable();
    assert_eq!(trades, ids, "each reference has one trade");
}

#[test]
fn a_call_that_timed_out_given_again_is_one_trade() {
    let market = Market::new();
    let fault = Fault::delay(Duration::from_mins(1)).method("POST").path("/api/v1/trades");
    market.server.add_fault(fault.times(1)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = ClientOptions::new().attempt_timeout(RESEND_AFTER);
    let client = market.buyer().options(options).build().unwrap();
    let proposal = Proposal::new(&market.listing).metadata("client_reference", "mine");
    let id = runtime.block_on(async {
        client.propose_trade(&proposal).await.unwrap_err();
        client.clone().propose_trade(&proposal).await.unwrap().id
    });
    assert_eq!(market.trades(), [id.to_string()]);
}

#[rstest]
fn a_proposal_that_arrives_after_it_was_dropped_is_found(
    #[values(Method::Reference, Method::Key)] method: Method,
) {
    let (market, late) = Market::new().with_late_proposal();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = market.buyer().intent_store(MemoryIntentStore::new()).build().unwrap();
    let id = runtime.block_on(async {
        tokio::select! {
            _ = propose(&client, &market, method, "mine") => panic!("it has not been held"),
            () = poll_fn(|context| {
                if late.holds_a_proposal() {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            }) => {}
        }
        propose(&client, &market, method, "mine").await
    });
    late.let_arrive();
    assert_eq!(market.trades(), [id.to_string()]);
}

#[test]
fn a_reference_given_twice_at_once_is_one_trade() {
    let market = Market::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = market.buyer().build().unwrap();
    let proposal = Proposal::new(&market.listing).metadata("client_reference", "mine");
    let trades = runtime
        .block_on(futures_util::future::join_all((0..8).map(|_| client.propose_trade(&proposal))));
    let ids: Vec<_> = trades.into_iter().map(|trade| trade.unwrap().id.to_string()).collect();
    let found = market.trades();
    assert_eq!(found.len(), 1);
    assert!(ids.iter().all(|id| *id == found[0]), "{ids:?}");
}
