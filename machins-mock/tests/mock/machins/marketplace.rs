//! Browsing: filters, sorts, pages.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::platform::{NOT_FOUND, Platform, VALIDATION, assert_refused, id, ids};

async fn titles(platform: &Platform, query: &str) -> String {
    let page = platform.public(&format!("/marketplace?{query}")).await;
    let items = page["items"].as_array().unwrap();
    assert_eq!(page["total"], items.len(), "{query}");
    items.iter().map(|item| item["title"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

async fn stocked() -> Platform {
    let platform = Platform::start().await;
    let agent = platform.rich("agent");
    for (title, kind, side, price, tags, description) in [
        ("Alpha", "task", "offer", json!(10), json!(["nlp", "a b"]), "First"),
        ("Beta", "data", "offer", json!(20), json!(["nlp"]), "ÜBER data"),
        ("Gamma", "task", "request", json!(20), json!([]), "an ALPHA too"),
        ("Delta", "api", "request", json!("20.01"), json!(["cv"]), "100% sure"),
    ] {
        let fields = json!({
            "title": title, "listing_type": kind, "side": side, "price": price, "tags": tags,
            "description": description,
        });
        platform.listing(&agent, fields).await;
    }
    platform
}

#[rstest]
#[case::none("", "Delta Gamma Beta Alpha")]
#[case::listing_type("listing_type=task", "Gamma Alpha")]
#[case::side("side=offer", "Beta Alpha")]
#[case::side_and_type("side=request&listing_type=task", "Gamma")]
#[case::one_tag("tags=nlp", "Beta Alpha")]
#[case::any_of_two_tags("tags=cv,nlp", "Delta Beta Alpha")]
#[case::tag_with_spaces("tags=%20a%20b%20,,", "Alpha")]
#[case::no_tags("tags=,", "Delta Gamma Beta Alpha")]
#[case::unknown_tag("tags=none", "")]
#[case::tag_in_upper_case("tags=NLP", "")]
#[case::search_in_title_and_description("search=alpha", "Gamma Alpha")]
#[case::search_ignores_case("search=%C3%BCber", "Beta")]
#[case::search_escaped("search=100%25", "Delta")]
#[case::search_across_fields("search=AlphaFirst", "")]
#[case::empty_search("search=", "Delta Gamma Beta Alpha")]
#[case::min_price("min_price=20", "Delta Gamma Beta")]
#[case::max_price("max_price=20", "Gamma Beta Alpha")]
#[case::price_range("min_price=20.00&max_price=20.0", "Gamma Beta")]
#[case::empty_price_range("min_price=30&max_price=10", "")]
#[case::newest("sort=newest", "Delta Gamma Beta Alpha")]
#[case::cheapest("sort=price_asc", "Alpha Gamma Beta Delta")]
#[case::dearest("sort=price_desc", "Delta Gamma Beta Alpha")]
#[case::all_together(
    "tags=nlp&listing_type=data&search=DATA&min_price=1&max_price=99&side=offer",
    "Beta"
)]
#[case::unknown_parameter("unknown=1", "Delta Gamma Beta Alpha")]
#[tokio::test]
async fn filters_apply_alone_and_together(#[case] query: &str, #[case] expected: &str) {
    assert_eq!(titles(&stocked().await, query).await, expected);
}

#[rstest]
#[case::listing_type("listing_type=x")]
#[case::side("side=x")]
#[case::sort("sort=x")]
#[case::price_as_text("min_price=x")]
#[case::negative_price("min_price=-1")]
#[case::fraction_of_a_cent("max_price=0.001")]
#[case::limit_0("limit=0")]
#[case::limit_201("limit=201")]
#[case::limit_as_text("limit=x")]
#[case::negative_limit("limit=-1")]
#[case::negative_offset("offset=-1")]
#[case::offset_as_text("offset=x")]
#[case::empty_limit("limit=")]
#[case::huge_offset("offset=99999999999999999999")]
#[case::parameter_twice("side=offer&side=request")]
#[case::long_search(&format!("search={}", "x".repeat(257)))]
#[tokio::test]
async fn invalid_queries_are_refused(#[case] query: &str) {
    let platform = Platform::start().await;
    let path = format!("/marketplace?{query}");
    let (status, reply) = platform.call(Method::GET, &path, "", Value::Null).await;
    assert_refused(status, &reply, VALIDATION, &path);
}

#[tokio::test]
async fn offset_and_limit_select_a_page() {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    let mut all = Vec::new();
    for _ in 0..55 {
        all.push(id(&platform.listing(&agent, json!({"tags": ["t"]})).await).to_owned());
    }
    all.reverse();
    let page = platform.public("/marketplace").await;
    assert_eq!((&page["offset"], &page["limit"]), (&json!(0), &json!(50)));
    assert_eq!((&page["total"], &page["has_more"]), (&json!(55), &json!(true)));
    assert_eq!(ids(&page), all[..50]);
    for (query, range, has_more) in [
        ("offset=50", 50..55, false),
        ("offset=5&limit=50", 5..55, false),
        ("limit=1", 0..1, true),
        ("limit=200&tags=t", 0..55, false),
        ("offset=54&limit=1&tags=t,u", 54..55, false),
        ("offset=53&limit=1", 53..54, true),
        ("offset=18446744073709551615", 55..55, false),
    ] {
        let page = platform.public(&format!("/marketplace?{query}")).await;
        assert_eq!(ids(&page), all[range], "{query}");
        assert_eq!((&page["total"], &page["has_more"]), (&json!(55), &json!(has_more)), "{query}");
    }
}

#[tokio::test]
async fn a_listing_is_shown_with_its_reviews_and_its_seller() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let trade = platform.trade_at(&seller, &buyer, "completed").await;
    let path = format!("/trades/{}/review", id(&trade));
    platform.done(&buyer, &path, json!({"rating": 4, "body": "Fine."})).await;
    let listing = trade["listing_id"].as_str().unwrap();
    let shown = platform.public(&format!("/marketplace/{listing}")).await;
    assert_eq!(shown["seller"]["slug"], "seller");
    assert_eq!(shown["seller"]["reputation_score"], "4.00");
    assert_eq!(shown["reviews"][0]["body"], "Fine.");
    assert_eq!(shown["reviews"][0]["trade_id"], trade["id"]);
    assert_eq!(shown["reviews"][0]["reviewer_agent_id"], buyer.agent_id);
    assert_eq!(shown["completed_trades"], 1);
    let mut listed = platform.public("/marketplace").await["items"][0].clone();
    assert_eq!(listed["seller_agent_name"], "seller");
    assert_eq!(listed["seller_reputation_score"], "4.00");
    listed["reviews"] = shown["reviews"].clone();
    listed["seller"] = shown["seller"].clone();
    assert_eq!(listed, shown, "the same as in the list, and more");
    for unknown in ["nonsense", "%ff", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/marketplace/{unknown}");
        let (status, reply) = platform.call(Method::GET, &path, "", Value::Null).await;
        assert_refused(status, &reply, NOT_FOUND, &path);
    }
}
