//! `machins api`: any endpoint, known or not.

use machins_mock::{MockServer, Plan};
use serde_json::json;

use crate::home::Home;
use crate::shop::Shop;
use crate::stub::{self, Reply};

#[test]
fn api_calls_any_machins_endpoint() {
    let shop = Shop::new();
    let offer = shop.offer();
    let list = shop.bob.run(&["api", "GET", "/marketplace?limit=1&search=senti%6Dent"]).exits(0);
    assert_eq!(list.document()["items"][0]["id"], *offer);
    let body = json!({"listing_id": offer}).to_string();
    let made = shop.bob.run(&["api", "post", "/trades", "--body", &body, "--json"]).exits(0);
    assert_eq!(made.document()["status"], "proposed");
    for path in ["/api/v1/marketplace", "marketplace", "api/v1/marketplace"] {
        let same = shop.bob.run(&["api", "GET", path, "-f", "limit=1", "--json"]).exits(0);
        assert_eq!(same.document()["items"][0]["id"], *offer, "{path}");
    }
    assert_eq!(
        shop.bob.run(&["api", "GET", "/unheard/of", "--json"]).exits(1).error()["status"],
        404
    );
    let field = format!("listing_id={offer}");
    let made = shop.bob.run(&["api", "post", "trades", "-f", &field, "--json"]).exits(0);
    assert_eq!(made.document()["status"], "proposed");
    let bad = shop.bob.run(&["api", "POST", "/trades", "--body", "{listing}"]).exits(2);
    assert!(bad.stderr.contains("\n   ^"), "{bad:?}");
    let keyless = Home::new().with("MACHINS_BASE_URL", &shop.server.machins_base_url());
    keyless.run(&["api", "GET", "/marketplace"]).exits(0);
    keyless.run(&["api", "GET", "/wallets/me"]).exits(1);
}

#[test]
fn an_unknown_path_reaches_the_service_that_is_chosen() {
    let url = stub::serve(|request| {
        let line = request.head.lines().next().unwrap().to_owned();
        let has = |name: &str| request.head.to_lowercase().contains(&format!("\r\n{name}:"));
        Reply::json(200, &json!({"line": line, "org": has("x-org-key"), "agent": has("x-api-key")}))
    });
    let home = Home::new()
        .with("MACHINEID_BASE_URL", &url)
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef")
        .with("MACHINS_BASE_URL", &format!("{url}/api/v1"))
        .with("MACHINS_API_KEY", "at_0123456789abcdef");
    let got = |words: &[&str]| {
        let ran = home.run(&[&["api", "GET"], words, &["--json"]].concat()).exits(0);
        let document = ran.document();
        (document["line"].as_str().unwrap().to_owned(), document["org"] == true)
    };
    let line = |path: &str| format!("GET {path} HTTP/1.1");
    for path in ["/api/v1/policies", "api/v1/policies"] {
        let machineid = ["--service", "machineid", path];
        assert_eq!(got(&machineid), (line("/api/v1/policies"), true));
        assert_eq!(got(&[path]), (line("/api/v1/policies"), false));
    }
    assert_eq!(got(&["--service=machins", "/api/v1/usage"]), (line("/api/v1/usage"), false));
    assert_eq!(got(&["--service=machineid", "/healthz"]), (line("/healthz"), true));
}

#[test]
fn headers_are_sent_and_shown() {
    let server = MockServer::builder().start().unwrap();
    let home = Home::against(&server, &server.create_org(Plan::Free));
    let call = ["api", "GET", "/api/v1/usage", "-H", "X-Correlation-Id: job-17", "-i"];
    let shown = home.run(&call).exits(0).stdout;
    let (head, body) = shown.split_once("\n\n").unwrap();
    assert!(head.starts_with("HTTP 200\n") && head.contains("\ncontent-type: application/json"));
    assert!(body.contains("\"planTier\": \"free\""), "{shown}");
    let document = home.run(&[&call[..], &["--json"]].concat()).exits(0).document();
    assert_eq!((&document["status"], &document["body"]["planTier"]), (&json!(200), &json!("free")));
    assert!(document["headers"]["content-type"].is_string());
    for odd in ["no colon", ": x", "Bad Name: x", "Content-Type: text/html", "x-org-key: org_1"] {
        let refused = home.run(&["api", "GET", "/api/v1/usage", "-H", odd]).exits(2);
        assert!(refused.stderr.contains("error: "), "{odd}: {refused:?}");
    }
    let refused = home.run(&["api", "GET", "/api/v1/nowhere", "--service", "machineid", "-i"]);
    assert!(refused.exits(1).stdout.starts_with("HTTP 404\n"));
}

#[test]
fn all_pages_are_printed_as_one() {
    let shop = Shop::new();
    for number in 0..5 {
        let (title, slug) = (format!("No. {number}"), format!("no-{number}"));
        shop.ada.run(&["sell", "--title", &title, "--slug", &slug, "--price", "1"]).exits(0);
    }
    let call = ["api", "GET", "/marketplace?limit=2", "--paginate", "-f", "sort=newest", "--json"];
    let all = shop.bob.run(&call).exits(0).document();
    assert_eq!(all["items"].as_array().unwrap().len(), 5);
    assert_eq!((&all["total"], &all["has_more"]), (&json!(5), &json!(false)));
    assert_eq!(shop.asked("GET", "/marketplace"), 3);
    // What has no pages is printed as it is.
    let wallet = shop.bob.run(&["api", "GET", "/wallets/me", "--paginate", "--json"]).exits(0);
    assert_eq!(wallet.document()["balance"], "500.00");
    shop.bob.run(&["api", "POST", "/trades", "--paginate"]).exits(2);
}
