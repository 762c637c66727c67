//! A key leads to one trade, whatever happens on the way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use machins_client::{
    ApiKey, Client, ClientBuilder, ClientOptions, ErrorKind, FileIntentStore, IntentKind,
    ListingId, MemoryIntentStore, MockClock, Proposal,
};
use machins_mock::NewAgent;
use rstest::rstest;
use serde_json::{Value, json};
use support::{builder, lost, once, reply, requests, trade};
use tempfile::TempDir;
use wiremock::{MockServer, ResponseTemplate};

const KEY: &str = "order-42";

fn listing() -> ListingId {
    ListingId::new("a1b2c3d4").unwrap()
}

fn proposal() -> Proposal {
    Proposal::new(&listing()).terms("Need JSON format output")
}

/// A client whose intents are in this folder.
fn client(server: &MockServer, folder: &Path) -> Client {
    in_folder(builder(server), folder).build().unwrap()
}

fn in_folder(builder: ClientBuilder, folder: &Path) -> ClientBuilder {
    builder.intent_store(FileIntentStore::new(folder.join("intents")))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn trades(items: &[Value]) -> ResponseTemplate {
    reply(&json!({"items": items, "total": items.len(), "offset": 0, "limit": 200,
        "has_more": false}))
}

/// The reference in the proposal that the server received last.
async fn sent_reference(server: &MockServer) -> Value {
    let requests = server.received_requests().await.unwrap();
    let proposed = requests.iter().rev().find(|request| request.method == "POST").unwrap();
    proposed.body_json::<Value>().unwrap()["metadata"]["client_reference"].clone()
}

fn with_reference(reference: &Value) -> Value {
    let mut trade = trade("proposed");
    trade["metadata"] = json!({"client_reference": reference});
    trade
}

/// A server on which the key has led to a trade.
async fn proposed(folder: &Path) -> MockServer {
    let server = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", reply(&trade("proposed"))).await;
    client(&server, folder).propose_trade_once(KEY, &proposal()).await.unwrap();
    server
}

#[tokio::test]
async fn a_key_is_searched_for_then_proposed_then_known() {
    let folder = folder();
    let server = proposed(folder.path()).await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade("delivered"))).await;
    // As after a restart.
    let again = client(&server, folder.path()).propose_trade_once(KEY, &proposal()).await.unwrap();
    assert_eq!(again.id.as_str(), "t1r2a3d4");
    assert_eq!(requests(&server).await, ["GET /trades", "POST /trades", "GET /trades/t1r2a3d4"]);
}

#[tokio::test]
async fn a_trade_is_found_without_its_record() {
    let server = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", reply(&trade("proposed"))).await;
    client(&server, folder().path()).propose_trade_once(KEY, &proposal()).await.unwrap();
    let mut found = with_reference(&sent_reference(&server).await);
    found["id"] = json!("found");
    let mut foreign = found.clone();
    foreign["id"] = json!("foreign");
    foreign["listing_id"] = json!("another");
    once(&server, "GET", "/trades", trades(&[foreign, found])).await;
    let again = client(&server, folder().path()).propose_trade_once(KEY, &proposal()).await;
    assert_eq!(again.unwrap().id.as_str(), "found");
}

#[tokio::test]
async fn a_lost_proposal_is_sent_again_after_the_search() {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", lost()).await;
    once(&server, "POST", "/trades", reply(&trade("proposed"))).await;
    for _ in 0..30 {
        once(&server, "GET", "/trades", trades(&[])).await;
    }
    let clock = MockClock::new(0.0);
    let options = ClientOptions::new().clock(clock.clone());
    let client = in_folder(builder(&server).options(options), folder.path()).build().unwrap();
    client.propose_trade_once(KEY, &proposal()).await.unwrap();
    let waited: Duration = clock.slept().iter().sum();
    assert!(waited >= Duration::from_secs(30), "{waited:?}");
    assert!(waited < Duration::from_secs(40), "{waited:?}");
}

#[rstest]
#[case::without_metadata(trade("proposed"))]
#[case::with_empty_metadata(json!({"metadata": {}}))]
#[tokio::test]
async fn a_trade_that_hides_its_reference_is_not_proposed_again(#[case] shown: Value) {
    let folder = folder();
    let server = MockServer::start().await;
    let mut similar = trade("proposed");
    similar.as_object_mut().unwrap().extend(shown.as_object().unwrap().clone());
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", lost()).await;
    for _ in 0..9 {
        once(&server, "GET", "/trades", trades(std::slice::from_ref(&similar))).await;
    }
    let client = client(&server, folder.path());
    for _ in 0..3 {
        let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    }
    let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
    assert!(error.to_string().contains("t1r2a3d4"), "{error}");
    let posts = requests(&server).await.into_iter().filter(|request| request.starts_with("POST"));
    assert_eq!(posts.count(), 1);
}

#[tokio::test]
async fn a_lost_proposal_may_stay_unknown_for_good() {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", lost()).await;
    for _ in 0..60 {
        once(&server, "GET", "/trades", trades(&[])).await;
    }
    let builder = in_folder(builder(&server), folder.path()).resend_after(Duration::MAX);
    let client = builder.build().unwrap();
    for _ in 0..2 {
        let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    }
}

#[tokio::test]
async fn a_trade_that_appears_late_is_found_by_the_search() {
    let folder = folder();
    let server = MockServer::start().await;
    let mine = Proposal::new(&listing()).metadata("client_reference", "mine");
    once(&server, "POST", "/trades", lost()).await;
    for _ in 0..4 {
        once(&server, "GET", "/trades", trades(&[])).await;
    }
    once(&server, "GET", "/trades", trades(&[with_reference(&json!("mine"))])).await;
    client(&server, folder.path()).propose_trade_once(KEY, &mine).await.unwrap();
    let posts = requests(&server).await.into_iter().filter(|request| request.starts_with("POST"));
    assert_eq!(posts.count(), 1);
}

#[tokio::test]
async fn a_call_too_short_to_know_says_when_to_repeat_it() {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", lost()).await;
    for _ in 0..30 {
        once(&server, "GET", "/trades", trades(&[])).await;
    }
    let clock = MockClock::new(0.0);
    let options = ClientOptions::new().timeout(Duration::from_secs(5)).clock(clock.clone());
    let client = in_folder(builder(&server).options(options), folder.path()).build().unwrap();
    for attempt in 0..2 {
        let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{attempt}: {error}");
    }
    let waited: Duration = clock.slept().iter().sum();
    assert!(waited <= Duration::from_secs(10), "each within its limit: {waited:?}");
    let posts = requests(&server).await.into_iter().filter(|request| request.starts_with("POST"));
    assert_eq!(posts.count(), 1);
}

#[tokio::test]
async fn a_reference_of_one_agent_is_none_of_anothers() {
    let server = MockServer::start().await;
    let mine = Proposal::new(&listing()).metadata("client_reference", "mine");
    let one = builder(&server).build().unwrap();
    let other = one.with_api_key(ApiKey::new("at_another").unwrap());
    once(&server, "POST", "/trades", lost()).await;
    once(&server, "GET", "/trades", trades(&[])).await;
    let error = one.propose_trade(&mine).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);

    let refusal = ResponseTemplate::new(403).set_body_json(json!({"detail": "no"}));
    once(&server, "POST", "/trades", refusal).await;
    assert_eq!(other.propose_trade(&mine).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(requests(&server).await, ["POST /trades", "GET /trades", "POST /trades"]);

    // The refusal of the other one ended no doubt of the first.
    once(&server, "GET", "/trades", trades(&[with_reference(&json!("mine"))])).await;
    one.propose_trade(&mine).await.unwrap();
}

#[tokio::test]
async fn a_known_reference_needs_no_metadata_to_be_found() {
    let server = MockServer::start().await;
    let mine = Proposal::new(&listing()).metadata("client_reference", "mine");
    let client = builder(&server).build().unwrap();
    once(&server, "POST", "/trades", reply(&trade("proposed"))).await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade("delivered"))).await;
    let first = client.propose_trade(&mine).await.unwrap();
    assert_eq!(client.propose_trade(&mine).await.unwrap().id, first.id);
    assert_eq!(requests(&server).await, ["POST /trades", "GET /trades/t1r2a3d4"]);
}

#[tokio::test]
async fn trades_with_large_deliveries_are_searched_in_small_pages() {
    let folder = folder();
    let server = MockServer::start().await;
    let mut large = trade("delivered");
    large["delivery_payload"] = json!({"result": "x".repeat(2_000)});
    let list = move |request: &wiremock::Request| {
        let asked: std::collections::HashMap<_, _> = request.url.query_pairs().collect();
        let [offset, limit]: [usize; 2] =
            ["offset", "limit"].map(|name| asked.get(name).map_or(0, |text| text.parse().unwrap()));
        let items: Vec<Value> = (offset..100.min(offset + limit))
            .map(|number| {
                let mut trade = large.clone();
                trade["id"] = json!(format!("t{number}"));
                trade
            })
            .collect();
        reply(&json!({"items": items, "total": 100, "offset": offset, "limit": limit}))
    };
    let get = wiremock::matchers::method("GET");
    wiremock::Mock::given(get).respond_with(list).mount(&server).await;
    once(&server, "POST", "/trades", reply(&trade("proposed"))).await;
    let options = ClientOptions::new().max_reply_bytes(60_000).clock(MockClock::new(0.0));
    let client = in_folder(builder(&server).options(options), folder.path()).build().unwrap();
    client.propose_trade_once(KEY, &proposal()).await.unwrap();
}

#[rstest]
#[case::another_listing(Proposal::new(&ListingId::new("l9").unwrap()), "another listing")]
#[case::other_terms(proposal().terms("XML"), "other terms")]
#[case::other_metadata(proposal().metadata("a", 1), "other terms or metadata")]
#[case::another_url(proposal().verification_url("https://a/b"), "other terms or metadata")]
#[tokio::test]
async fn a_key_is_refused_for_anything_else(#[case] other: Proposal, #[case] difference: &str) {
    let folder = folder();
    let server = proposed(folder.path()).await;
    let error = client(&server, folder.path()).propose_trade_once(KEY, &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IdempotencyConflict);
    assert!(!error.is_retryable());
    for named in [KEY, difference, "a1b2c3d4", "t1r2a3d4", &server.uri(), "Need JSON"] {
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
    assert_eq!(requests(&server).await.len(), 2, "nothing was sent");
}

#[tokio::test]
async fn a_key_belongs_to_one_agent_and_one_base_url() {
    let folder = folder();
    let server = proposed(folder.path()).await;
    let other_agent = builder(&server).api_key(ApiKey::new("at_another").unwrap());
    let other_service = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    for (builder, difference) in
        [(other_agent, "another agent"), (builder(&other_service), "another base URL")]
    {
        let client = in_folder(builder, folder.path()).build().unwrap();
        let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IdempotencyConflict);
        assert!(error.to_string().contains(difference), "{error}");
        assert!(!format!("{error} {error:?}").contains("at_"));
    }
    assert!(requests(&other_service).await.is_empty());
}

#[rstest]
#[case::done(false)]
#[case::in_doubt(true)]
#[tokio::test]
async fn an_agent_with_a_new_api_key_finds_its_trade(#[case] is_in_doubt: bool) {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", if is_in_doubt { lost() } else { reply(&trade("proposed")) })
        .await;
    let first = client(&server, folder.path()).propose_trade_once(KEY, &proposal()).await;
    assert_eq!(first.is_err(), is_in_doubt);
    let reference = sent_reference(&server).await;
    once(&server, "GET", "/trades", trades(&[with_reference(&reference)])).await;
    let renewed = builder(&server).api_key(ApiKey::new("at_renewed").unwrap());
    let renewed = in_folder(renewed, folder.path()).build().unwrap();
    let found = renewed.propose_trade_once(KEY, &proposal()).await.unwrap();
    assert_eq!(found.id.as_str(), "t1r2a3d4");

    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade("delivered"))).await;
    renewed.propose_trade_once(KEY, &proposal()).await.unwrap();
    let posts = requests(&server).await.into_iter().filter(|sent| sent == "POST /trades");
    assert_eq!(posts.count(), 1);
}

/// A client whose waits take no time.
fn hasty(server: &MockServer, folder: &Path) -> Client {
    let options = ClientOptions::new().clock(MockClock::new(0.0));
    in_folder(builder(server).options(options), folder).build().unwrap()
}

#[tokio::test]
async fn a_list_from_a_cache_does_not_show_that_there_is_no_trade() {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", lost()).await;
    let stored = trades(&[]).insert_header("age", "60");
    let get = wiremock::Mock::given(wiremock::matchers::method("GET"));
    get.respond_with(stored).mount(&server).await;
    let client = hasty(&server, folder.path());
    for _ in 0..3 {
        let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::UnreadableReply));
    }
    let posts = requests(&server).await.into_iter().filter(|sent| sent == "POST /trades");
    assert_eq!(posts.count(), 1);
}

/// The service does not say how many trades there are, and gives fewer than it is asked for.
#[rstest]
#[case::silent(json!({}))]
#[case::wrong(json!({"total": 121, "has_more": false}))]
#[tokio::test]
async fn a_trade_on_a_later_page_is_found(#[case] said: Value) {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", lost()).await;
    once(&server, "GET", "/trades", trades(&[])).await;
    let first = client(&server, folder.path()).propose_trade_once(KEY, &proposal()).await;
    assert_eq!(first.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    let bought = with_reference(&sent_reference(&server).await);
    let list = move |request: &wiremock::Request| {
        let asked: std::collections::HashMap<_, _> = request.url.query_pairs().collect();
        let offset: usize = asked.get("offset").map_or(0, |text| text.parse().unwrap());
        let items: Vec<Value> = (offset..121.min(offset + 100))
            .map(|number| {
                let mut trade = if number == 120 { bought.clone() } else { trade("completed") };
                trade["id"] = json!(format!("t{number}"));
                trade
            })
            .collect();
        let mut page = said.clone();
        page["items"] = json!(items);
        reply(&page)
    };
    let get = wiremock::Mock::given(wiremock::matchers::method("GET"));
    get.respond_with(list).mount(&server).await;
    let found = hasty(&server, folder.path()).propose_trade_once(KEY, &proposal()).await.unwrap();
    assert_eq!(found.id.as_str(), "t120");
}

#[tokio::test]
async fn an_unknown_outcome_advises_to_use_the_key_again() {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", lost()).await;
    let error = client(&server, folder.path()).propose_trade_once(KEY, &proposal()).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("propose it again with the same key"), "{error}");
}

#[tokio::test]
async fn a_trade_that_the_service_lost_is_an_error() {
    let folder = folder();
    let server = proposed(folder.path()).await;
    let client = client(&server, folder.path());
    let gone = ResponseTemplate::new(404).set_body_json(json!({"detail": "no such trade"}));
    once(&server, "GET", "/trades/t1r2a3d4", gone).await;
    let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StaleIntent);
    assert!(error.to_string().contains("forget the key if the trade is gone for good"), "{error}");

    let forgotten = client.forget_intent(KEY).await.unwrap().unwrap();
    assert_eq!(forgotten.trade_id().unwrap().as_str(), "t1r2a3d4");
    assert_eq!(client.forget_intent(KEY).await.unwrap(), None);
    once(&server, "GET", "/trades", trades(&[])).await;
    let mut second = trade("proposed");
    second["id"] = json!("second");
    once(&server, "POST", "/trades", reply(&second)).await;
    let again = client.propose_trade_once(KEY, &proposal()).await.unwrap();
    assert_eq!(again.id.as_str(), "second");
}

#[tokio::test]
async fn a_refused_proposal_leaves_the_key_unused() {
    let folder = folder();
    let server = MockServer::start().await;
    once(&server, "GET", "/trades", trades(&[])).await;
    let refused = ResponseTemplate::new(422).set_body_json(json!({"detail": "not active"}));
    once(&server, "POST", "/trades", refused).await;
    let client = client(&server, folder.path());
    let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidTransition);
    assert_eq!(client.list_intents().await.unwrap(), []);
}

#[tokio::test]
async fn intents_are_listed_with_what_they_were_used_for() {
    let folder = folder();
    let server = proposed(folder.path()).await;
    let intents = client(&server, folder.path()).list_intents().await.unwrap();
    let [intent] = intents.as_slice() else { panic!("{intents:?}") };
    assert_eq!(intent.key(), KEY);
    assert_eq!(intent.listing_id(), Some(&listing()));
    assert!(intent.is_done() && intent.kind() == IntentKind::Trade);
    assert_eq!(intent.trade_id().unwrap().as_str(), "t1r2a3d4");
    assert_eq!(intent.terms(), Some("Need JSON format output"));
    assert_eq!(intent.base_url(), format!("{}/api/v1", server.uri()));
    assert_eq!(json!(intent.reference()), sent_reference(&server).await);
    assert!(!serde_json::to_string(intent).unwrap().contains(support::KEY));
}

#[rstest]
#[case::empty("")]
#[case::blank("  ")]
#[case::control_characters("a\nb")]
#[tokio::test]
async fn a_key_must_be_readable(#[case] key: &str) {
    let server = MockServer::start().await;
    let client = client(&server, folder().path());
    let error = client.propose_trade_once(key, &proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// The files of the store with this extension.
fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder.join("intents")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[rstest]
#[case::empty("")]
#[case::not_json("hello")]
#[case::cut_off(r#"{"version":1,"key":"order-42","#)]
#[case::of_another_version(r#"{"version":2}"#)]
#[tokio::test]
async fn a_corrupt_file_is_an_error_and_stays(#[case] content: &str) {
    let folder = folder();
    let server = proposed(folder.path()).await;
    let file = files(folder.path(), "json").remove(0);
    std::fs::write(&file, content).unwrap();
    let client = client(&server, folder.path());
    let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    client.forget_intent(KEY).await.unwrap_err();
    client.list_intents().await.unwrap_err();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    assert_eq!(requests(&server).await.len(), 2, "nothing was sent");
}

#[tokio::test]
async fn the_file_of_another_key_is_corrupt() {
    let folder = folder();
    let server = proposed(folder.path()).await;
    let file = files(folder.path(), "json").remove(0);
    let content = std::fs::read_to_string(&file).unwrap().replace(KEY, "order-43");
    std::fs::write(&file, content).unwrap();
    let client = client(&server, folder.path());
    let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let server = proposed(folder.path()).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("intents")), 0o700);
    for file in ["json", "lock"].iter().flat_map(|extension| files(folder.path(), extension)) {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
    assert!(files(folder.path(), "tmp").is_empty());
    drop(server);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = folder();
    std::fs::write(folder.path().join("intents"), "a file").unwrap();
    let server = MockServer::start().await;
    let error =
        client(&server, folder.path()).propose_trade_once(KEY, &proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(requests(&server).await.is_empty());
}

#[tokio::test]
async fn a_locked_key_is_waited_for_within_the_limit() {
    let folder = folder();
    let server = proposed(folder.path()).await;
    let lock = files(folder.path(), "lock").remove(0);
    let held = std::fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let options = ClientOptions::new().timeout(Duration::from_millis(100));
    let client = in_folder(builder(&server).options(options), folder.path()).build().unwrap();
    let error = client.propose_trade_once(KEY, &proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains(KEY), "{error}");
    assert_eq!(requests(&server).await.len(), 2, "nothing was sent");
    // Other keys are free.
    let options = ClientOptions::new().clock(MockClock::new(0.0));
    let client = in_folder(builder(&server).options(options), folder.path()).build().unwrap();
    once(&server, "GET", "/trades", trades(&[])).await;
    once(&server, "POST", "/trades", reply(&trade("proposed"))).await;
    client.propose_trade_once("order-43", &proposal()).await.unwrap();
}

#[test]
fn forgetting_and_proposing_at_once_is_one_trade() {
    // A forgotten key has another lock file afterwards, which must not be a second lock.
    on_a_marketplace(async |builder, listing| {
        let client = builder.build().unwrap();
        let proposal = Proposal::new(&listing);
        let calls = (0..32).map(|number| {
            let (client, proposal) = (&client, &proposal);
            async move {
                if number % 2 == 0 {
                    client.forget_intent(KEY).await.map(|_| None)
                } else {
                    client.propose_trade_once(KEY, proposal).await.map(|trade| Some(trade.id))
                }
            }
        });
        let mut ids: Vec<_> =
            join_all(calls).await.into_iter().filter_map(Result::unwrap).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    });
}

#[rstest]
#[case::in_memory(true)]
#[case::in_files(false)]
fn many_calls_at_once_are_one_trade(#[case] in_memory: bool) {
    on_a_marketplace(async |builder, listing| {
        let builder =
            if in_memory { builder.intent_store(MemoryIntentStore::new()) } else { builder };
        let client = builder.build().unwrap();
        let proposal = Proposal::new(&listing);
        let calls = (0..16).map(|_| client.propose_trade_once(KEY, &proposal));
        let mut ids: Vec<_> =
            join_all(calls).await.into_iter().map(|trade| trade.unwrap().id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    });
}

/// Runs a test with the builder of a client whose intents are in a folder, and a listing.
fn on_a_marketplace(test: impl AsyncFnOnce(ClientBuilder, ListingId)) {
    test_support::machins(async |market| {
        let key = market.server.create_agent(NewAgent::new().slug("eve"))?.api_key;
        let folder = folder();
        let builder = Client::builder()
            .api_key(ApiKey::new(&key)?)
            .base_url(market.server.machins_base_url());
        test(in_folder(builder, folder.path()), market.listing.id.clone()).await;
        Ok(())
    });
}
