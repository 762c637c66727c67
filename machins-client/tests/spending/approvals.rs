//! Purchases that a person must approve.

use machins_client::{ApprovalState, ErrorKind, ListingUpdate, Proposal, SpendingPolicy};
use rstest::rstest;

use crate::market::{Market, buy, credits, with_reference};

#[tokio::test]
async fn a_price_above_the_amount_needs_the_approval_of_a_person() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().approval_above(credits(5)));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let approvals = client.list_approvals().await.unwrap();
    let [approval] = approvals.as_slice() else { panic!("{approvals:?}") };
    assert_eq!((approval.amount(), approval.state()), (credits(10), ApprovalState::Pending));

    client.decide_approval(approval.id(), false).await.unwrap();
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::Policy));
    client.decide_approval(approval.id(), true).await.unwrap();
    // It holds up to this price, and for this purchase alone.
    let raised = ListingUpdate::new().price(credits(11));
    market.seller.update_listing(&listing.id, &raised).await.unwrap();
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let lowered = ListingUpdate::new().price(credits(9));
    market.seller.update_listing(&listing.id, &lowered).await.unwrap();
    let approvals = client.list_approvals().await.unwrap();
    let [raised] = approvals.as_slice() else { panic!("{approvals:?}") };
    assert_eq!((raised.amount(), raised.state()), (credits(11), ApprovalState::Pending));
    client.decide_approval(raised.id(), true).await.unwrap();
    buy(&client, "a", &listing.id).await.unwrap();
    assert_eq!(buy(&client, "b", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let unknown = client.decide_approval("nothing", true).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

#[rstest]
#[case::approved(true, Ok(()))]
#[case::denied(false, Err(ErrorKind::Policy))]
#[tokio::test]
async fn a_callback_can_ask_the_person(
    #[case] answer: bool,
    #[case] expected: Result<(), ErrorKind>,
) {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market
        .buyer(SpendingPolicy::new().approval_above(credits(5)))
        .approve_with(move |purchase| async move { purchase.amount() == credits(10) && answer });
    assert_eq!(buy(&client, "a", &listing.id).await, expected);
}

#[tokio::test]
async fn an_approval_lifts_no_limit() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let policy = SpendingPolicy::new().approval_above(credits(5)).max_per_trade(credits(9));
    let client = market.buyer(policy).approve_with(|_| async { true });
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::Policy));
}

#[rstest]
#[case::another_listing(1, None)]
#[case::other_terms(0, Some("with extras"))]
#[tokio::test]
async fn an_approval_is_not_that_of_another_purchase(
    #[case] listing: usize,
    #[case] terms: Option<&str>,
) {
    let market = Market::new().await;
    let listings = [market.offer("one", 10).await, market.offer("other", 10).await];
    let client = market.buyer(SpendingPolicy::new().approval_above(credits(5)));
    let proposal = with_reference(&listings[0].id, 1);
    client.propose_trade_once("a", &proposal).await.unwrap_err();
    let approvals = client.list_approvals().await.unwrap();
    client.decide_approval(approvals[0].id(), true).await.unwrap();
    let another = with_reference(&listings[listing].id, 1);
    let another = terms.iter().fold(another, |another, terms| another.terms(*terms));
    let error = client.propose_trade_once("b", &another).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ApprovalNeeded);
    client.propose_trade_once("a", &proposal).await.unwrap();
}

#[tokio::test]
async fn an_id_does_not_approve_a_price_that_was_raised_later() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().approval_above(credits(5)));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let seen = client.list_approvals().await.unwrap();
    let raised = ListingUpdate::new().price(credits(90));
    market.seller.update_listing(&listing.id, &raised).await.unwrap();
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let error = client.decide_approval(seen[0].id(), true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
}

#[tokio::test]
async fn the_key_of_a_question_is_found_by_its_proposal() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().approval_above(credits(5)));
    let proposal = Proposal::new(&listing.id);
    assert_eq!(client.asked_key(&proposal).await.unwrap(), None);
    client.propose_trade_once("a", &proposal).await.unwrap_err();
    assert_eq!(client.asked_key(&proposal).await.unwrap().as_deref(), Some("a"));
    let other = Proposal::new(&listing.id).metadata("order", 1);
    assert_eq!(client.asked_key(&other).await.unwrap(), None);
    let id = client.list_approvals().await.unwrap()[0].id().to_owned();
    client.decide_approval(&id, true).await.unwrap();
    client.propose_trade_once("a", &proposal).await.unwrap();
    assert_eq!(client.asked_key(&proposal).await.unwrap(), None);
}
