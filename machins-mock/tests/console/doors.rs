//! Who may use the console, and what its replies tell a browser.

use machins_mock::{MockServer, NewAgent, Plan};
use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

/// Returns the page at a path, with its headers.
async fn get(server: &MockServer, path: &str) -> (StatusCode, reqwest::header::HeaderMap, String) {
    let reply = reqwest::get(format!("{}{path}", server.url())).await.unwrap();
    (reply.status(), reply.headers().clone(), reply.text().await.unwrap())
}

/// Returns the token in a page's forms.
fn token(page: &str) -> String {
    let after = page.split("name=\"token\" value=\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

#[rstest]
#[case::right(None, Some("own"), StatusCode::SEE_OTHER)]
#[case::no_token(Some(""), Some("own"), StatusCode::FORBIDDEN)]
#[case::wrong_token(Some("0123"), Some("own"), StatusCode::FORBIDDEN)]
#[case::no_origin(None, None, StatusCode::FORBIDDEN)]
#[case::foreign(None, Some("http://evil.example"), StatusCode::FORBIDDEN)]
#[case::null(None, Some("null"), StatusCode::FORBIDDEN)]
#[tokio::test]
async fn an_action_needs_the_origin_and_the_token(
    #[case] sent: Option<&str>,
    #[case] origin: Option<&str>,
    #[case] expected: StatusCode,
) {
    let server = MockServer::start().await;
    let org = server.create_org_with_key(Plan::Free, "org_a").unwrap();
    let (_, _, page) = get(&server, "/console/devices").await;
    let token = sent.map_or_else(|| token(&page), ToOwned::to_owned);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let mut request = client
        .build()
        .unwrap()
        .post(format!("{}/console/orgs/change", server.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={token}&org_key=org_a&execution_enabled=false&back=/console/devices"));
    if let Some(origin) = origin {
        let own = server.url();
        request = request.header("origin", if origin == "own" { &own } else { origin });
    }
    let reply = request.send().await.unwrap();
    assert_eq!(reply.status(), expected);
    let is_done = expected == StatusCode::SEE_OTHER;
    assert_eq!(org.state().unwrap().execution_enabled, !is_done);
    if is_done {
        assert_eq!(reply.headers()["location"], "/console/devices?done=org-changed");
    }
}

#[rstest]
#[case::other_server("//evil.example/")]
#[case::address("https://evil.example/")]
#[case::backslash("/\\evil.example")]
#[case::tab("/\t/evil.example")]
#[case::line_break("/\n/evil.example")]
#[case::space("/ /evil.example")]
#[tokio::test]
async fn an_action_never_leads_elsewhere(#[case] back: &str) {
    let server = MockServer::start().await;
    let (_, _, page) = get(&server, "/console/clock").await;
    let fields = [("token", token(&page)), ("back", back.to_owned()), ("device", String::new())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let reply = client
        .build()
        .unwrap()
        .post(format!("{}/console/devices", server.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", server.url())
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(reply.headers()["location"], "/?done=none-chosen");
}

#[rstest]
#[case::overview("/")]
#[case::page("/console/trades")]
#[case::missing("/console/trades/none")]
#[case::claim("/claim/none")]
#[case::checkout("/checkout/none")]
#[case::owner("/owner")]
#[tokio::test]
async fn pages_have_a_strict_policy(#[case] path: &str) {
    let server = MockServer::start().await;
    let (_, headers, page) = get(&server, path).await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(!page.contains("<script>") && !page.contains(" style=") && !page.contains("onclick"));
}

#[tokio::test]
async fn a_visit_is_no_request_of_the_program() {
    let server = MockServer::start().await;
    let agent = server.create_agent(NewAgent::new().slug("seller")).unwrap();
    for path in ["/", "/console/requests", "/owner", &agent.claim_url] {
        assert_eq!(get(&server, path).await.0, StatusCode::OK, "{path}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn all_files_of_the_console_are_small() {
    let server = MockServer::start().await;
    let (_, _, page) = get(&server, "/").await;
    let mut size = page.len();
    let files: Vec<_> =
        page.split('"').filter(|text| text.starts_with("/console/assets/")).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let reply = reqwest::get(format!("{}{file}", server.url())).await.unwrap();
        assert_eq!(reply.headers()["content-encoding"], "gzip");
        size += reply.bytes().await.unwrap().len();
    }
    assert!(size <= 150 * 1024, "{size} bytes");
}

#[tokio::test]
async fn a_link_from_elsewhere_opens_a_page_and_no_more() {
    let server = MockServer::start().await;
    let visit = async |method: Method, path: &str| {
        let url = format!("{}{path}", server.url());
        let request = reqwest::Client::new()
            .request(method, url)
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document");
        request.send().await.unwrap().status()
    };
    assert_eq!(visit(Method::GET, "/console/trades").await, StatusCode::OK);
    assert_eq!(visit(Method::GET, "/_mock/state").await, StatusCode::FORBIDDEN);
    assert_eq!(visit(Method::POST, "/console/reset").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_last_decision_is_that_of_the_devices_own_org() {
    let server = MockServer::start().await;
    for (key, registers) in [("org_allowed", true), ("org_unknown", false)] {
        let _org = server.create_org_with_key(Plan::Free, key).unwrap();
        let calls =
            ["register", "validate"].into_iter().filter(|call| registers || *call != "register");
        for call in calls {
            let url = format!("{}/api/v1/devices/{call}", server.url());
            let request = reqwest::Client::new().post(url).header("x-org-key", key);
            request.json(&json!({"deviceId": "agent-01"})).send().await.unwrap();
        }
    }
    let (_, _, page) = get(&server, "/console/devices").await;
    assert!(page.contains("ALLOW"), "{page}");
    assert!(!page.contains("DEVICE_NOT_FOUND"), "that was about another org's");
}

#[tokio::test]
async fn a_failure_within_a_world_leads_back_to_it() {
    let server = MockServer::start().await;
    let world = server.create_world("worker").unwrap();
    let missing = get(&world, "/console/agents/none").await;
    let not_a_number = get(&world, "/console/devices?limit=x&offset=x&status=none").await;
    let refused = reqwest::Client::new()
        .post(format!("{}/console/reset", world.url()))
        .header("origin", server.url())
        .body("token=wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    for page in [missing.2, not_a_number.2, refused.text().await.unwrap()] {
        assert!(page.contains("role=\"alert\""), "{page}");
        let mut links = page.split("href=\"").skip(1).filter_map(|after| after.split('"').next());
        assert!(page.contains("href=\"/_world/worker/\""), "{page}");
        let stays = |link: &str| {
            ["/_world/worker/", "/console/assets/", "#"].iter().any(|root| link.starts_with(root))
        };
        assert!(links.all(stays), "{page}");
    }
}

#[tokio::test]
async fn a_world_has_pages_of_its_own() {
    let server = MockServer::start().await;
    let world = server.create_world("worker").unwrap();
    let _org = world.create_org_with_key(Plan::Free, "org_of_worker").unwrap();
    let (_, _, own) = get(&server, "/console/devices").await;
    let (_, _, of_world) = get(&world, "/console/devices").await;
    assert!(!own.contains("org_of_worker") && of_world.contains("org_of_worker"));
    let links: Vec<_> = of_world.split("href=\"").skip(1).collect();
    let outside = |link: &&&str| {
        !["/_world/worker/", "/console/assets/", "#"].iter().any(|root| link.starts_with(root))
    };
    let outside: Vec<_> = links.iter().filter(outside).collect();
    assert!(outside.is_empty(), "{outside:?}");
    let state: Value = reqwest::get(format!("{}/_mock/overview", world.url()))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(state["machineid"]["orgs"], 1);
}
