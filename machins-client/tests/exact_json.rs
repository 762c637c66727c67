//! JSON of any shape is sent and returned with the digits that it was written with.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use machins_client::{
    Delivery, Document, EventType, ListingType, ListingUpdate, Money, NewListing, NewSubscription,
    Proposal, ReceivedDelivery, Trade,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{client, listing, trade, trade_id};
use test_support::server;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

/// An array of 100,000 random doubles, long integers and long decimals.
fn numbers() -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let mut digits = |count| (0..count).map(|_| random.digit(10)).collect::<String>();
    let longs: Vec<String> = (0..50_000)
        .map(|at| match at % 2 {
            0 => format!("-7{}", digits(39)),
            _ => format!("3{}.{}", digits(20), digits(20)),
        })
        .collect();
    let doubles = std::iter::repeat_with(|| f64::from_bits(random.u64(..)))
        .filter(|double| double.is_finite())
        .take(50_000)
        .map(|double| format!("{double:e}"));
    format!("[{}]", longs.into_iter().chain(doubles).collect::<Vec<_>>().join(","))
}

async fn answering(body: &str) -> MockServer {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    Mock::given(matchers::any()).respond_with(reply).mount(&server).await;
    server
}

async fn body(server: &MockServer) -> String {
    let requests = server.received_requests().await.unwrap();
    String::from_utf8(requests[0].body.clone()).unwrap()
}

/// A JSON object with a field more.
fn with(object: &Value, name: &str, text: &str) -> String {
    format!("{},\"{name}\":{text}}}", object.to_string().trim_end_matches('}'))
}

#[tokio::test]
async fn a_reply_keeps_every_digit() {
    let numbers = numbers();
    for name in ["delivery_payload", "metadata", "delivery_verification", "a_new_field"] {
        let value = format!("{{\"numbers\":{numbers}}}");
        let server = answering(&with(&trade("delivered"), name, &value)).await;
        let read = client(&server).get_trade(&trade_id()).await.unwrap();
        let written = serde_json::to_string(&read).unwrap();
        assert!(written.contains(&format!("\"{name}\":{value}")), "{name}");
        assert_eq!(serde_json::from_str::<Trade>(&written).unwrap(), read);
    }
    let server = answering(&with(&listing(), "output_schema", &numbers)).await;
    let read = client(&server).get_listing(&"a1b2c3d4".parse().unwrap()).await.unwrap();
    assert_eq!(read.output_schema.unwrap().as_json(), numbers);
}

#[tokio::test]
async fn a_watched_notification_keeps_every_digit() {
    let numbers = numbers();
    let item = with(&json!({"id": "n1", "event_type": "trade_proposed"}), "payload", &numbers);
    let server = answering(&format!("{{\"items\":[{item}]}}")).await;
    let watch = client(&server).inbox_watch();
    let delivery = watch.deliveries().next().await.unwrap().unwrap();
    assert_eq!(delivery.notification().unwrap().payload.as_json(), numbers);
    assert!(delivery.raw().as_json().contains(&numbers));
    delivery.park("seen");
}

#[tokio::test]
async fn a_request_keeps_every_digit() {
    let text = numbers();
    let numbers: Document = text.parse().unwrap();
    let id = trade_id();
    let delivery = Delivery::task(numbers.clone());
    let new = NewListing::new("A", "a-listing", ListingType::Task, Money::credits(1))
        .input_schema(numbers.clone());
    let update = ListingUpdate::new().field("output_schema", numbers.clone());
    let proposal = Proposal::new(&"l1".parse().unwrap()).metadata("numbers", numbers.clone());
    let subscription = NewSubscription::new(EventType::NewListing, "https://agent.example")
        .filter("numbers", numbers);
    for at in 0..5 {
        let server = server(400, &json!({})).await;
        let client = client(&server);
        let refused = match at {
            0 => client.deliver_trade(&id, &delivery).await.is_err(),
            1 => client.create_listing(&new).await.is_err(),
            2 => client.update_listing(&"l1".parse().unwrap(), &update).await.is_err(),
            3 => client.propose_trade(&proposal).await.is_err(),
            _ => client.subscribe(&subscription).await.is_err(),
        };
        assert!(refused, "request {at}");
        let body = body(&server).await;
        assert!(body.contains(&text), "request {at}: {}", &body[..body.len().min(300)]);
    }
}

#[rstest]
#[case::task(json!({"result": {"sentiment": "positive"}}), "Task")]
#[case::data(json!({"data": [{"id": 1}]}), "Data")]
#[case::access(json!({"endpoint_url": "https://api.example", "credentials": {"t": 1}}), "Access")]
#[case::access_for_everybody(json!({"endpoint_url": "https://api.example"}), "Access")]
#[case::asset(json!({"transaction_proof": {"tx_id": "0xabc"}}), "Asset")]
#[case::data_of_another_shape(json!({"data": {"id": 1}}), "Other")]
#[case::proof_without_an_id(json!({"transaction_proof": {}}), "Other")]
#[case::another_shape(json!({"any": []}), "Other")]
fn a_buyer_reads_what_was_delivered_by_its_kind(#[case] payload: Value, #[case] kind: &str) {
    let mut trade = trade("delivered");
    trade["delivery_payload"] = payload;
    let trade: Trade = serde_json::from_value(trade).unwrap();
    let delivery = trade.delivery().unwrap();
    let found = match delivery {
        ReceivedDelivery::Task(result) => {
            assert_eq!(result["sentiment"], "positive");
            "Task"
        }
        ReceivedDelivery::Data(rows) => {
            assert_eq!(rows, [json!({"id": 1})]);
            "Data"
        }
        ReceivedDelivery::Access { endpoint_url, .. } => {
            assert_eq!(endpoint_url, "https://api.example");
            "Access"
        }
        ReceivedDelivery::Asset { tx_id } => {
            assert_eq!(tx_id, "0xabc");
            "Asset"
        }
        _ => "Other",
    };
    assert_eq!(found, kind);
}
