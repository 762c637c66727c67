//! What the journal shows, and waiting for it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use machins_mock::{Conditions, Fault, MockServer, Plan, WaitError};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{
    client, control, device, get, post, register, send, server_with_org, try_send,
};
use crate::support::platform::Platform;
use crate::support::raw::{exchange, request};

#[tokio::test]
async fn a_request_is_shown_with_everything_but_secrets() {
    let platform = Platform::start().await;
    let seller = platform.agent("seller");
    let url = format!("{}/listings?draft=yes&tag=a%20b", platform.server.machins_base_url());
    let body = json!({"title": "T", "slug": "a-listing", "listing_type": "task", "price": 5});
    let request = client().post(url).header("x-api-key", &seller.api_key);
    request.header("x-trace", "7").json(&body).send().await.unwrap();

    let (_, journal) = control(&platform.server, Method::GET, "requests", Value::Null).await;
    let request = &journal["requests"][0];
    assert_eq!(request["seq"], 1);
    assert_eq!(request["path"], "/api/v1/listings");
    assert_eq!(request["query"], json!({"draft": "yes", "tag": "a b"}));
    assert_eq!(request["headers"]["x-trace"], "7");
    assert_eq!(request["headers"]["x-api-key"], "at_…");
    assert_eq!(request["body"], body);
    assert_eq!((&request["agent"], &request["device"]), (&json!("seller"), &json!(null)));
    assert_eq!((&request["status"], &request["reply"]["slug"]), (&json!(201), &json!("a-listing")));
    assert_eq!((&journal["total"], &journal["dropped"]), (&json!(1), &json!(0)));
    assert!(!journal.to_string().contains(&seller.api_key));
}

#[tokio::test]
async fn keys_passwords_and_tokens_are_masked_everywhere() {
    let platform = Platform::start().await;
    let onboarding = json!({"name": "A", "slug": "agent-a"});
    let (_, agent) = platform.call(Method::POST, "/agents/onboard", "", onboarding).await;
    let claim = agent["claim_url"].as_str().unwrap();
    let body = json!({"email": "a@example.com", "password": "hunter2hunter2"});
    platform.call(Method::POST, claim, "", body.clone()).await;
    let (_, login) = platform.call(Method::POST, "/owners/login", "", body).await;
    let token = login["access_token"].as_str().or(login["token"].as_str()).unwrap().to_owned();
    let me = send(&platform.server, Method::GET, "/api/v1/owners/me", &token, Value::Null).await;
    assert_eq!(me.status, 200);
    let agent_key = agent["api_key"].as_str().unwrap();
    let secret = json!({
        "event_type": "new_agent", "webhook_url": "http://127.0.0.1:1/", "secret": "whsec",
    });
    platform.call(Method::POST, "/subscriptions", agent_key, secret).await;
    let org = platform.server.create_org(Plan::Free);
    let path = format!("/api/v1/usage?key={}", org.key());
    send(&platform.server, Method::GET, &path, org.key(), Value::Null).await;

    let (_, journal) = control(&platform.server, Method::GET, "requests", Value::Null).await;
    let text = journal.to_string();
    let claim_token = claim.rsplit('/').next().unwrap();
    for secret in [agent_key, claim_token, "hunter2hunter2", &token, "whsec", org.key()] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let debug = format!("{:?}", platform.server.requests());
    assert!(!debug.contains(agent_key) && !debug.contains("hunter2hunter2"));
}

#[rstest]
#[case::cookies("cookie", "session=abc; theme=dark", "…")]
#[case::key_with_a_space("x-api-key", "hunter2 rest", "…")]
#[case::digest("authorization", "hunter2 username", "…")]
#[case::bearer("authorization", "bearer at_hunter2", "bearer at_…")]
#[tokio::test]
async fn only_the_scheme_of_a_secret_header_is_shown(
    #[case] name: &str,
    #[case] value: &str,
    #[case] shown: &str,
) {
    let server = MockServer::start().await;
    let url = format!("{}/api/v1/usage", server.url());
    client().get(url).header(name, value).send().await.unwrap();
    assert_eq!(server.requests()[0].headers[name], shown);
}

#[rstest]
#[case::form("email=a%40b&password=hunter2", "email=a%40b&password=…")]
#[case::escaped_form("p%61ssword=hunter2&user[password]=hunter2", "p%61ssword=…&user[password]=…")]
#[case::escaped_key("a=1&key=org%5Fhunter2", "a=1&key=org_…")]
#[case::not_quite_json(r#"{"email":"a@b","password":"hunter2",}"#, "…")]
#[case::half_json(r#"{"Password":"hunter2""#, "…")]
#[case::escaped_name(r#"{"p\u0061ssword":"hunter2",}"#, "…")]
#[case::multipart("name=\"password\"\r\n\r\nhunter2", "…")]
#[case::harmless("hello {\"a\": 1,}", "hello {\"a\": 1,}")]
#[tokio::test]
async fn secrets_in_bodies_that_are_not_json_are_masked(
    #[case] body: &'static str,
    #[case] shown: &str,
) {
    let server = MockServer::start().await;
    let url = format!("{}/api/v1/owners/login", server.url());
    client().post(url).body(body).send().await.unwrap();
    let text: String = server.requests()[0].body.as_ref().unwrap().parse().unwrap();
    assert_eq!(text, shown);
}

#[tokio::test]
async fn a_refused_password_is_not_repeated() {
    let server = MockServer::start().await;
    let body = json!({"email": "a@example.com", "password": 1_234_567});
    let reply = send(&server, Method::POST, "/api/v1/owners/login", "", body).await;
    assert!(reply.status.is_client_error());
    let text = reply.json().to_string();
    assert!(text.contains("password") && !text.contains("1234567"), "{text}");
    let shown = serde_json::to_string(&server.requests()).unwrap();
    assert!(!shown.contains("1234567"), "{shown}");
}

#[tokio::test]
async fn a_large_body_with_a_password_is_not_shown() {
    let server = MockServer::start().await;
    let body = format!(r#"{{"password":"hunter2","email":"{}"}}"#, "x".repeat(100_000));
    client().post(format!("{}/api/v1/owners/login", server.url())).body(body).send().await.unwrap();
    assert_eq!(server.requests()[0].body.as_ref().unwrap().parse::<String>().unwrap(), "…");
}

#[tokio::test]
async fn secrets_in_queries_are_masked() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let builder =
        MockServer::builder().on_request(move |line| log.lock().unwrap().push(line.path.clone()));
    let server = builder.start().unwrap();
    let query = "token=hunter2&client_secret=hunter2&p%61ssword=hunter2&a=b%20c&org_hunter2=1";
    let path = format!("/api/v1/public/stats?{query}");
    send(&server, Method::GET, &path, "", Value::Null).await;
    let shown = serde_json::to_value(&server.requests()[0].query).unwrap();
    let expected = json!({
        "token": "…", "client_secret": "…", "password": "…", "a": "b c", "org_…": "1",
    });
    assert_eq!(shown, expected);
    let line = "/api/v1/public/stats?token=…&client_secret=…&p%61ssword=…&a=b%20c&org_…=1";
    assert_eq!(lines.lock().unwrap()[..], [line]);
}

#[rstest]
#[case::text("hello {", json!("hello {"))]
#[case::json("[1, 2.50]", json!([1, 2.50]))]
#[case::nothing("", json!(null))]
#[tokio::test]
async fn a_body_is_shown_as_it_was_sent(#[case] body: &'static str, #[case] shown: Value) {
    let server = MockServer::start().await;
    let url = format!("{}/api/v1/devices/validate", server.url());
    client().post(url).body(body).send().await.unwrap();
    let (_, journal) = control(&server, Method::GET, "requests", Value::Null).await;
    assert_eq!(journal["requests"][0]["body"], shown);
}

#[tokio::test]
async fn a_large_body_is_cut() {
    let server = MockServer::start().await;
    let body = device(&"x".repeat(100_000));
    send(&server, Method::POST, "/api/v1/devices/validate", "", body).await;
    let body: String = server.requests()[0].body.as_ref().unwrap().parse().unwrap();
    assert!(body.len() < 70_000 && body.ends_with("x…"));
}

#[tokio::test]
async fn what_is_cut_ends_with_a_whole_character() {
    let server = MockServer::start().await;
    let (path, query) = (format!("/api/v1/{}", "é".repeat(400)), "é".repeat(5000));
    let body = format!("x{}", "é".repeat(40_000));
    let target = format!("{path}?q={query}");
    exchange(server.addr(), &request("POST", target.as_bytes(), b"", body.as_bytes())).unwrap();
    let requests = server.requests();
    let shown = &requests[0];
    assert!(shown.path.len() > 500 && path.starts_with(&shown.path), "{}", shown.path);
    let shown_query = &shown.query["q"];
    assert!(shown_query.len() > 8000 && query.starts_with(shown_query), "{shown_query}");
    let shown_body: String = shown.body.as_ref().unwrap().parse().unwrap();
    let shown_body = shown_body.strip_suffix('…').unwrap();
    assert!(shown_body.len() > 65_000 && body.starts_with(shown_body), "{shown_body}");
}

#[tokio::test]
async fn the_journal_is_filtered() {
    let platform = Platform::start().await;
    let server = &platform.server;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let org = server.create_org(Plan::Free);
    register(server, &org, &["dev-1", "dev-2"]).await;
    post(server, &org, "devices/validate", device("dev-1")).await;
    let listing = platform.listing(&seller, json!({})).await;
    platform.propose(&buyer, &listing).await;
    platform.post(&buyer, "/trades", json!({"listing_id": "x"})).await;
    let find = async |query: &str| {
        let path = format!("requests?{query}");
        let (status, found) = control(server, Method::GET, &path, Value::Null).await;
        assert_eq!(status, 200, "{found}");
        let all = found["requests"].as_array().unwrap();
        let seqs: Vec<_> = all.iter().map(|one| one["seq"].as_u64().unwrap()).collect();
        (seqs, found["total"].as_u64().unwrap())
    };
    assert_eq!(find("agent=buyer").await, (vec![5, 6], 2));
    assert_eq!(find("agent=*").await, (vec![4, 5, 6], 3));
    assert_eq!(find("device=dev-1").await, (vec![1, 3], 2));
    assert_eq!(find("device=dev-*&path=**/register").await, (vec![1, 2], 2));
    assert_eq!(find("method=post&path=/api/v1/trades").await, (vec![5, 6], 2));
    assert_eq!(find("status=404").await, (vec![6], 1));
    assert_eq!(find("limit=2").await, (vec![5, 6], 6), "the newest");
    assert_eq!(find("since=2&limit=2").await, (vec![3, 4], 4), "the oldest");
    assert_eq!(find("since=6").await, (vec![], 0));
}

#[rstest]
#[case::unknown("pth=/a", "unknown parameter `pth`; the nearest known one is `path`")]
#[case::status("status=ok", "`status`: must be a whole number from 0 to 65535, not \"ok\"")]
#[case::glob("path=[a]", "`path`: ")]
#[case::limit("limit=-1", "`limit`: must be a whole number of at least 1, not \"-1\"")]
#[tokio::test]
async fn a_wrong_filter_is_refused(#[case] query: &str, #[case] message: &str) {
    let server = MockServer::start().await;
    let path = format!("requests?{query}");
    let (status, error) = control(&server, Method::GET, &path, Value::Null).await;
    assert_eq!(status, 400);
    assert!(error["detail"].as_str().unwrap().starts_with(message), "{error}");
}

#[tokio::test]
async fn a_wait_ends_when_the_requests_have_come() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    let matching = json!({"path": "**/validate", "device": "a", "status": 200});
    let body = json!({"match": matching, "count": 2, "timeout_ms": 60_000});
    let wait = control(&server, Method::POST, "requests/wait", body);
    let ask = async {
        for id in ["a", "b", "a"] {
            post(&server, &org, "devices/validate", device(id)).await;
        }
    };
    let ((status, found), ()) = tokio::join!(wait, ask);
    assert_eq!(status, 200);
    let requests = found["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|one| one["reply"]["code"] == "ALLOW" && one["device"] == "a"));
}

#[tokio::test]
async fn a_wait_in_vain_tells_what_came_instead() {
    let (server, org) = server_with_org(Plan::Free).await;
    get(&server, &org, "usage").await;
    let body = json!({"match": {"method": "POST"}, "count": 2, "timeout_ms": 1});
    let (status, error) = control(&server, Method::POST, "requests/wait", body).await;
    assert_eq!((status, &error["code"]), (408, &json!("TIMEOUT")));
    assert_eq!(error["matched"], json!([]));
    assert_eq!(error["others"][0]["path"], "/api/v1/usage");

    let any = Conditions::new().method("POST");
    let error = server.wait_for_requests(any, 1, Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("GET /api/v1/usage → 200"), "{error}");
    let bad = server.wait_for_requests(Conditions::new().path("["), 1, Duration::ZERO).await;
    assert!(matches!(bad, Err(WaitError::Conditions(_))));
}

/// An abandoned request is over, too.
#[tokio::test]
async fn a_wait_sees_a_request_whose_caller_went_away() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::delay(Duration::from_secs(5 * 60))).unwrap();
    let url = format!("{}/api/v1/usage", server.url());
    let request = client().get(url).header("x-org-key", org.key());
    request.timeout(Duration::from_millis(20)).send().await.unwrap_err();
    let waited = server.wait_for_requests(Conditions::new(), 1, Duration::from_secs(30)).await;
    let requests = waited.unwrap();
    assert_eq!((requests[0].status, requests[0].fault), (None, Some("delay")));
}

#[tokio::test]
async fn a_wait_wakes_at_once() {
    let server = Arc::new(MockServer::start().await);
    let mut best = Duration::MAX;
    for n in 1..=10 {
        let waiting = Arc::clone(&server);
        let waiter = tokio::spawn(async move {
            let all = Conditions::new();
            waiting.wait_for_requests(all, n, Duration::from_secs(30)).await.unwrap();
            Instant::now()
        });
        send(&server, Method::GET, "/api/v1/public/stats", "", Value::Null).await;
        let answered = Instant::now();
        best = best.min(waiter.await.unwrap().saturating_duration_since(answered));
    }
    assert!(best < Duration::from_millis(1), "{best:?}");
}

#[rstest]
#[case::count(json!({"count": 0}), "`count`")]
#[case::timeout(json!({"timeout_ms": 600_001}), "`timeout_ms`")]
#[case::event(json!({"match": {"event": "new_agent"}}), "`match.event`: has no meaning for requests")]
#[case::typo(json!({"match": {"hedaer": {}}}), "unknown field `match.hedaer`")]
#[tokio::test]
async fn a_wrong_wait_is_refused(#[case] body: Value, #[case] message: &str) {
    let server = MockServer::start().await;
    let (status, error) = control(&server, Method::POST, "requests/wait", body).await;
    assert_eq!(status, 400);
    assert!(error["detail"].as_str().unwrap().starts_with(message), "{error}");
}

#[tokio::test]
async fn faults_leave_what_was_answered_in_the_journal() {
    for (fault, reply) in [
        (Fault::truncate(), json!("org_not_found")),
        (Fault::slow_body(Duration::ZERO), json!("org_not_found")),
        (Fault::status(503).body("down"), Value::Null),
        (Fault::drop_before(), Value::Null),
    ] {
        let server = MockServer::start().await;
        server.add_fault(fault).unwrap();
        let _ = try_send(&server, Method::GET, "/api/v1/usage", "org_x", Value::Null).await;
        let (_, journal) = control(&server, Method::GET, "requests", Value::Null).await;
        assert_eq!(journal["requests"][0]["reply"]["error"], reply, "{journal}");
    }
}

#[tokio::test]
async fn a_logger_is_called_with_every_request() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let builder = MockServer::builder().on_request(move |line| {
        let json = serde_json::to_value(line).unwrap();
        log.lock().unwrap().push((line.to_string(), json));
    });
    let platform = Platform::with(builder.start().unwrap());
    let agent = platform.agent("seller");
    platform.get(&agent, "/inbox?limit=1").await;
    let world = platform.server.create_world("w").unwrap();
    let org = world.create_org(Plan::Free);
    world.add_fault(Fault::status(500).times(1)).unwrap();
    post(&world, &org, "devices/validate", device("dev-1")).await;
    control(&world, Method::GET, "health", Value::Null).await;
    let lines = lines.lock().unwrap();
    let [inbox, validate, health] = &lines[..] else { panic!("{lines:?}") };
    assert!(inbox.0.starts_with("GET /api/v1/inbox?limit=1 200 "), "{}", inbox.0);
    assert!(inbox.0.ends_with(" ms agent=seller"), "{}", inbox.0);
    assert!(validate.0.starts_with("[w] POST /api/v1/devices/validate 500 "), "{}", validate.0);
    assert!(validate.0.ends_with(" device=dev-1 fault=status"), "{}", validate.0);
    assert!(health.0.starts_with("[w] GET /_mock/health 200 "), "{}", health.0);
    assert_eq!((&inbox.1["agent"], &inbox.1["status"]), (&json!("seller"), &json!(200)));
}
