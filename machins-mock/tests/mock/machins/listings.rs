//! One's own listings.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::client;
use crate::support::platform::{
    DUPLICATE, FORBIDDEN, FUNDS, HOUR, NOT_FOUND, Platform, VALIDATION, assert_refused, id,
};

#[tokio::test]
async fn a_listing_comes_back_as_documented() {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    let sent = json!({
        "title": "Sentiment Analysis", "slug": "sentiment-analysis", "listing_type": "task",
        "side": "offer", "price": 50, "description": "Send text.", "tags": ["nlp", "sentiment"],
        "input_schema": {"type": "object"}, "output_schema": {"type": "object"},
        "expires_in_hours": 720, "auto_accept": true,
        "delivery_callback_url": "https://example.com/x",
    });
    let (status, listing) = platform.post(&agent, "/listings", sent.clone()).await;
    assert_eq!(status, 201, "{listing}");
    for field in [
        "title",
        "slug",
        "listing_type",
        "side",
        "description",
        "tags",
        "input_schema",
        "output_schema",
        "auto_accept",
        "delivery_callback_url",
    ] {
        assert_eq!(listing[field], sent[field], "{field}");
    }
    assert_eq!(listing["seller_agent_id"], agent.agent_id);
    assert_eq!((&listing["price"], &listing["currency"]), (&json!("50.00"), &json!("CREDIT")));
    assert_eq!((&listing["status"], &listing["is_active"]), (&json!("active"), &json!(true)));
    assert_eq!((&listing["bounty_held"], &listing["bounty_amount"]), (&json!(false), &Value::Null));
    let path = format!("/listings/{}", id(&listing));
    assert_eq!(platform.get(&agent, &path).await, listing);
    let plain = platform.listing(&agent, json!({})).await;
    assert_eq!((&plain["side"], &plain["auto_accept"]), (&json!("offer"), &json!(false)));
    assert_eq!((&plain["expires_at"], &plain["tags"]), (&Value::Null, &json!([])));
    assert_eq!(platform.get(&agent, "/listings").await, json!([plain, listing]), "newest first");
}

#[rstest]
#[case::title("title", json!(["", " ", "t".repeat(256), 1, null]))]
#[case::slug("slug", json!(["ab", "-ab", "A-b", "a b", 1, null]))]
#[case::listing_type("listing_type", json!(["service", "", 1, null]))]
#[case::side("side", json!(["both", 1]))]
#[case::price_out_of_range("price", json!([0, -1, 1_000_000.01, "1000000.01"]))]
#[case::fraction_of_a_cent("price", json!([0.001, "0.009"]))]
#[case::price_of_another_type("price", json!(["x", "", true, [1], null]))]
#[case::description("description", json!([1, "d".repeat(10_001)]))]
#[case::tags("tags", json!(["nlp", [1], [""], vec!["t"; 51], ["t".repeat(101)]]))]
#[case::input_schema("input_schema", json!([[], "x", {"x": "y".repeat(65_536)}]))]
#[case::output_schema("output_schema", json!([1, {"x": "y".repeat(65_536)}]))]
#[case::bounty("bounty", json!([true, "yes"]))]
#[case::expires_in_hours("expires_in_hours", json!([0, 721, -1, 1.5, "3"]))]
#[case::auto_accept("auto_accept", json!(["true", 1]))]
#[case::callback_url("delivery_callback_url", json!(["", "x", "/x", "ftp://x/", "http://", 1]))]
#[tokio::test]
async fn an_invalid_field_is_refused(#[case] field: &str, #[case] values: Value) {
    let platform = Platform::start().await;
    let agent = platform.rich("agent");
    for value in values.as_array().unwrap() {
        let mut listing = good();
        listing[field] = value.clone();
        platform.refused(&agent, "/listings", listing, VALIDATION).await;
    }
}

fn good() -> Value {
    json!({"title": "T", "slug": "fine", "listing_type": "task", "price": 1})
}

#[rstest]
#[tokio::test]
async fn a_missing_field_is_refused(
    #[values("title", "slug", "listing_type", "price")] field: &str,
) {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    let mut listing = good();
    listing.as_object_mut().unwrap().remove(field);
    platform.refused(&agent, "/listings", listing, VALIDATION).await;
}

#[tokio::test]
async fn a_slug_in_use_is_refused() {
    let platform = Platform::start().await;
    platform.done(&platform.agent("agent"), "/listings", good()).await;
    platform.refused(&platform.agent("other"), "/listings", good(), DUPLICATE).await;
}

#[rstest]
#[case::lowest(json!(0.01), "0.01")]
#[case::highest(json!(1_000_000), "1000000.00")]
#[case::number(json!(19.99), "19.99")]
#[case::text_with_one_decimal(json!("19.9"), "19.90")]
#[case::no_exact_binary_fraction(json!(33.33), "33.33")]
#[case::exponent(json!("1e3"), "1000.00")]
#[tokio::test]
async fn a_price_is_a_number_or_a_text(#[case] price: Value, #[case] shown: &str) {
    let platform = Platform::start().await;
    let agent = platform.rich("agent");
    assert_eq!(platform.listing(&agent, json!({"price": price})).await["price"], shown);
}

#[rstest]
#[case::a_little_more("50.00000000000000000001", 400)]
#[case::a_little_less("49.999999999999999999999", 400)]
#[case::infinite("1e400", 400)]
#[case::two_decimals("50.00", 201)]
#[case::exponent("5e1", 201)]
#[case::zeros("50.000000", 201)]
#[tokio::test]
async fn prices_are_read_exactly_as_written(#[case] price: &str, #[case] status: u16) {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    let body = format!(r#"{{"title":"T","slug":"slug","listing_type":"task","price":{price}}}"#);
    let url = format!("{}/listings", platform.server.machins_base_url());
    let request = client().post(url).header("X-API-Key", &agent.api_key).body(body);
    assert_eq!(request.send().await.unwrap().status(), status);
}

#[tokio::test]
async fn only_the_owner_changes_a_listing() {
    let platform = Platform::start().await;
    let (owner, other) = (platform.agent("owner"), platform.agent("other"));
    let listing = platform.listing(&owner, json!({"tags": ["old"], "description": "d"})).await;
    let taken = platform.listing(&owner, json!({})).await;
    let path = format!("/listings/{}", id(&listing));
    let put = async |key: &str, body| platform.call(Method::PUT, &path, key, body).await;
    let change = json!({
        "title": "New", "slug": "new-slug", "price": "60.5", "tags": ["new"],
        "input_schema": {"a": 1}, "output_schema": {"b": 2}, "auto_accept": true,
        "expires_in_hours": 5, "description": null, "listing_type": "data",
    });
    let (status, changed) = put(&owner.api_key, change).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!((&changed["title"], &changed["slug"]), (&json!("New"), &json!("new-slug")));
    assert_eq!((&changed["price"], &changed["tags"]), (&json!("60.50"), &json!(["new"])));
    assert_eq!(changed["description"], "d", "null leaves it");
    assert_eq!(changed["listing_type"], "task", "what cannot be changed is ignored");
    assert!(changed["expires_at"].is_string() && changed["auto_accept"] == true);
    assert_eq!(platform.public("/marketplace?tags=old").await["total"], 0);
    let found = platform.public("/marketplace?tags=new&search=new&min_price=60.5").await;
    assert_eq!(found["items"][0]["id"], listing["id"]);

    let (status, reply) = put(&owner.api_key, json!({"slug": taken["slug"]})).await;
    assert_refused(status, &reply, DUPLICATE, "a slug that is taken");
    assert_eq!(put(&owner.api_key, json!({"slug": "new-slug"})).await.0, 200, "its own");
    platform.listing(&owner, json!({"slug": listing["slug"]})).await;

    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let body = if method == Method::PUT { json!({}) } else { Value::Null };
        let (status, reply) =
            platform.call(method.clone(), &path, &other.api_key, body.clone()).await;
        assert_refused(status, &reply, FORBIDDEN, "another's");
        for unknown in ["nonsense", "%ff", "00000000-0000-0000-0000-000000000000"] {
            let path = format!("/listings/{unknown}");
            let (status, reply) =
                platform.call(method.clone(), &path, &owner.api_key, body.clone()).await;
            assert_refused(status, &reply, NOT_FOUND, &path);
        }
    }
}

#[rstest]
#[case::title(json!({"title": ""}))]
#[case::price(json!({"price": 0}))]
#[case::tags(json!({"tags": "x"}))]
#[case::slug(json!({"slug": "UP"}))]
#[case::expires_in_hours(json!({"expires_in_hours": 0}))]
#[case::list(json!([]))]
#[case::no_body(Value::Null)]
#[tokio::test]
async fn an_invalid_change_is_refused(#[case] change: Value) {
    let platform = Platform::start().await;
    let owner = platform.agent("owner");
    let listing = platform.listing(&owner, json!({})).await;
    let path = format!("/listings/{}", id(&listing));
    let (status, reply) = platform.call(Method::PUT, &path, &owner.api_key, change).await;
    assert_refused(status, &reply, VALIDATION, &path);
    assert_eq!(platform.get(&owner, &path).await, listing);
}

#[tokio::test]
async fn a_deactivated_listing_is_returned_and_no_longer_listed() {
    let platform = Platform::start().await;
    let (owner, buyer) = (platform.agent("owner"), platform.agent("buyer"));
    let listing = platform.listing(&owner, json!({"tags": ["a", "b"]})).await;
    let trade = platform.propose(&buyer, &listing).await;
    let path = format!("/listings/{}", id(&listing));
    for _ in 0..2 {
        let (status, gone) =
            platform.call(Method::DELETE, &path, &owner.api_key, Value::Null).await;
        assert_eq!((status, &gone["status"]), (200, &json!("inactive")));
        assert_eq!((&gone["is_active"], &gone["id"]), (&json!(false), &listing["id"]));
    }
    assert_eq!(platform.public("/marketplace").await["total"], 0);
    assert_eq!(platform.public("/marketplace?tags=a").await["total"], 0);
    let public = format!("/marketplace/{}", id(&listing));
    let (status, reply) = platform.call(Method::GET, &public, "", Value::Null).await;
    assert_refused(status, &reply, NOT_FOUND, "no longer listed");
    assert_eq!(platform.get(&owner, &path).await["status"], "inactive");
    let accepted = platform.act(&owner, &trade, "accept").await;
    assert_eq!(accepted["status"], "escrow_held", "active trades are not affected");
}

#[tokio::test]
async fn a_bounty_is_held_until_the_listing_ends() {
    let platform = Platform::start().await;
    let buyer = platform.agent("buyer");
    let request = json!({"side": "request", "bounty": true, "price": 80});
    let listing = platform.listing(&buyer, request.clone()).await;
    assert_eq!(
        (&listing["bounty_held"], &listing["bounty_amount"]),
        (&json!(true), &json!("80.00"))
    );
    assert_eq!(platform.credits(&buyer).await, ("420.00".into(), "80.00".into()));
    assert_eq!(platform.public("/marketplace").await["items"][0]["bounty_held"], true);

    let path = format!("/listings/{}", id(&listing));
    let put = async |price: u32| {
        platform.call(Method::PUT, &path, &buyer.api_key, json!({"price": price})).await
    };
    assert_eq!(put(90).await.1["bounty_amount"], "90.00");
    assert_eq!(platform.credits(&buyer).await, ("410.00".into(), "90.00".into()));
    let (status, reply) = put(501).await;
    assert_refused(status, &reply, FUNDS, "more than there is");
    assert_eq!(platform.get(&buyer, &path).await["price"], "90.00", "and nothing changed");
    assert_eq!(put(10).await.1["bounty_amount"], "10.00");
    assert_eq!(platform.credits(&buyer).await, ("490.00".into(), "10.00".into()));

    platform.call(Method::DELETE, &path, &buyer.api_key, Value::Null).await;
    assert_eq!(platform.credits(&buyer).await, ("500.00".into(), "0.00".into()));
    let too_much = json!({
        "title": "T", "slug": "too-much", "listing_type": "task", "price": "500.01",
        "side": "request", "bounty": true,
    });
    platform.refused(&buyer, "/listings", too_much, FUNDS).await;
    assert_eq!(platform.get(&buyer, "/listings").await.as_array().unwrap().len(), 1);
    platform.assert_balanced();
}

#[tokio::test]
async fn listings_expire_by_the_virtual_clock() {
    let platform = Platform::start().await;
    let buyer = platform.agent("buyer");
    let seller = platform.agent("seller");
    let fields = json!({"side": "request", "bounty": true, "expires_in_hours": 2});
    let listing = platform.listing(&buyer, fields).await;
    let other = platform.listing(&buyer, json!({"expires_in_hours": 1})).await;
    let trade = platform.propose(&seller, &listing).await;
    platform.server.clock().advance(HOUR).unwrap();
    let page = platform.public("/marketplace").await;
    assert_eq!((&page["total"], &page["items"][0]["id"]), (&json!(1), &listing["id"]));
    assert_eq!(platform.credits(&buyer).await.1, "50.00");
    platform.server.clock().advance(HOUR).unwrap();
    assert_eq!(platform.public("/marketplace").await["total"], 0);
    assert_eq!(platform.credits(&buyer).await.1, "0.00", "the bounty is freed");
    for listing in [&listing, &other] {
        let expired = platform.get(&buyer, &format!("/listings/{}", id(listing))).await;
        assert_eq!((&expired["status"], &expired["is_active"]), (&json!("expired"), &json!(false)));
        assert_eq!(expired["updated_at"], expired["expires_at"], "as of its time");
    }
    let proposal = json!({"listing_id": listing["id"]});
    platform.refused(&seller, "/trades", proposal, crate::support::platform::TRANSITION).await;
    platform.act(&buyer, &trade, "accept").await;
    assert_eq!(platform.credits(&buyer).await.1, "50.00", "held from what is available");
    platform.assert_balanced();
}
