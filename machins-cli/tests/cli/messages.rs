//! Typing errors are caught before anything is sent, and keys survive odd outputs.

use std::time::{Duration, Instant};

use machins_mock::{Fault, MockServer, Plan};
use rstest::rstest;

use crate::home::{Home, Ran};
use crate::shop::Shop;
use crate::stub::{self, Reply};

#[rstest]
#[case::listing_type(&["browse", "--type", "taks"], "task")]
#[case::side(&["browse", "--side", "ofer"], "offer")]
#[case::own_type(&["sell", "--title", "A title", "--price", "1", "--type", "modle"], "model")]
#[case::trade_status(&["trades", "--status", "deliverd"], "delivered")]
#[case::role(&["trades", "--role", "byer"], "buyer")]
#[case::agent_type(&["join", "--name", "Eve", "--type", "assistent"], "assistant")]
#[case::event(&["inbox", "--event-type", "trade_propose"], "trade_proposed")]
#[case::subscription(&["subscribe", "trade_acepted", "https://a.example"], "trade_accepted")]
#[case::device_status(&["devices", "--status", "activ"], "active")]
#[case::order(&["browse", "--sort", "price_as"], "price_asc")]
#[case::plan(&["checkout", "scael"], "scale")]
fn a_mistyped_word_is_answered_with_the_nearest(#[case] line: &[&str], #[case] nearest: &str) {
    let shop = Shop::new();
    shop.server.clear_requests();
    let ran = shop.ada.run(line).exits(2);
    assert!(ran.stderr.matches(nearest).count() >= 2, "the list and the nearest: {ran:?}");
    assert!(shop.server.requests().is_empty());
}

/// Whatever the service is, they are none of it.
#[rstest]
#[case::slug("sell --title A --price 1 --slug", "A B")]
#[case::slug_of_an_agent("join --name A --slug", "UP")]
#[case::new_slug("edit 8d41e7b2 --slug", "-a")]
#[case::no_title("sell --price 1 --title", "")]
#[case::no_name("join --name", "")]
#[case::price("sell --title A --price", "0")]
#[case::webhook("subscribe trade_proposed", "nourl")]
#[case::callback("sell --title A --price 1 --callback-url", "example.com")]
#[case::verification("buy 3f2a9c10 --verification-url", "ftp://a.example")]
#[case::endpoint("deliver b7e69f58 --endpoint-url", "/v1")]
#[case::plan("checkout", "gold")]
#[case::order("browse --sort", "bogus")]
fn a_value_that_cannot_be_is_wrong_usage(#[case] line: &str, #[case] value: &str) {
    let shop = Shop::new();
    shop.server.clear_requests();
    let words: Vec<&str> = line.split(' ').chain([value, "--json"]).collect();
    assert_eq!(shop.ada.run(&words).exits(2).error()["kind"], "usage");
    assert!(shop.server.requests().is_empty());
}

#[rstest]
fn every_name_and_title_makes_a_slug(
    #[values("B", "AI", "数据", "Привет", "!", "🎉")] text: &str
) {
    let shop = Shop::new();
    let sell = ["sell", "--title", text, "--price", "1", "--json"];
    let listing = shop.ada.run(&sell).exits(0).document();
    assert_eq!(listing["title"], text);
    let home = Home::new().with("MACHINS_BASE_URL", &shop.server.machins_base_url());
    home.run(&["join", "--name", text]).exits(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_key_that_cannot_be_printed_goes_to_stderr() {
    let server = MockServer::builder().start().unwrap();
    let home = Home::new().with("MACHINEID_BASE_URL", &server.machineid_base_url());
    let script = format!("{} org create > /dev/full", env!("CARGO_BIN_EXE_machins"));
    let ran = home.run_program("sh", &["-c", &script], "").exits(1);
    assert!(ran.stderr.contains("shown only once: org_"), "{ran:?}");
}

#[cfg(target_os = "linux")]
#[rstest]
#[case::version("--version")]
#[case::help("--help")]
#[case::help_of_a_command("mock serve --help")]
#[case::topic("help exit-codes")]
fn help_that_cannot_be_printed_is_no_success(#[case] words: &str) {
    let script = format!("{} {words} > /dev/full", env!("CARGO_BIN_EXE_machins"));
    let ran = Home::new().run_program("sh", &["-c", &script], "").exits(1);
    assert!(ran.stderr.contains("could not write to stdout"), "{ran:?}");
}

#[test]
fn a_password_may_begin_with_a_byte_order_mark() {
    let shop = Shop::new();
    let url = std::fs::read_to_string(shop.ada.path().join("claim_url")).unwrap();
    let lines = format!("{url}\ncorrect horse\n");
    shop.ada.run_with_stdin(&["claim", "-", "--email", "a@example.com"], &lines).exits(0);
    let login = ["owner", "login", "--email", "a@example.com"];
    shop.ada.run_with_stdin(&login, "\u{feff}correct horse\r\n").exits(0);
}

#[test]
fn a_name_that_is_taken_suggests_another() {
    let shop = Shop::new();
    let home = Home::new().with("MACHINS_BASE_URL", &shop.server.machins_base_url());
    let taken = home.run(&["join", "--name", "Ada"]).exits(1);
    assert!(taken.stderr.contains("choose another one with --slug"), "{taken:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_locks_is_told_and_used() {
    let home = Home::new();
    std::fs::write(
        home.path().join("no_locks.c"),
        "#include <errno.h>\nint flock(int file, int how) { errno = ENOLCK; return -1; }\n",
    )
    .unwrap();
    let compile = ["-shared", "-fPIC", "-o", "no_locks.so", "no_locks.c"];
    home.run_program("cc", &compile, "").exits(0);
    let library = home.path().join("no_locks.so");
    let mut set = home.machins(&["config", "set", "machineid.device_id", "agent-01"]);
    let ran = Ran::from(set.env("LD_PRELOAD", library).output().unwrap()).exits(0);
    assert!(ran.stderr.contains("cannot be locked here"), "{ran:?}");
    assert_eq!(home.run(&["config", "get", "machineid.device_id"]).exits(0).stdout, "agent-01\n");
}

#[test]
fn verbose_shows_method_url_status_and_time() {
    let server = MockServer::builder().start().unwrap();
    let home = Home::against(&server, &server.create_org(Plan::Free))
        .with("MACHINS_BASE_URL", &server.machins_base_url());
    let ran = home.run(&["-v", "usage"]).exits(0);
    let url = format!("GET {}/api/v1/usage  200  ", server.machineid_base_url());
    assert!(ran.stderr.starts_with(&url) && ran.stderr.contains(" ms"), "{ran:?}");
    let ran = home.run(&["-v", "stats"]).exits(0);
    let url = format!("GET {}/public/stats  200  ", server.machins_base_url());
    assert!(ran.stderr.starts_with(&url), "{ran:?}");
}

#[test]
fn trades_show_titles_and_names() {
    let shop = Shop::new();
    let trade = shop.proposed(&shop.offer());
    let list = shop.ada.run(&["trades"]).exits(0).stdout;
    assert!(list.contains("Sentiment") && list.contains("bob"), "{list}");
    let shown = shop.bob.run(&["trade", &trade]).exits(0).stdout;
    assert!(shown.contains("Sentiment (") && shown.contains("bob (you)"), "{shown}");
    assert!(shown.contains("seller    ada\n"), "{shown}");
    // What programs read is as it was.
    shop.server.clear_requests();
    shop.ada.run(&["trades", "-o", "tsv"]).exits(0);
    assert_eq!(shop.server.requests().len(), 1);
}

#[test]
fn an_unknown_device_is_named() {
    let server = MockServer::builder().start().unwrap();
    let home = Home::against(&server, &server.create_org(Plan::Free));
    for line in
        [&["revoke", "agent-77"][..], &["unrevoke", "agent-77"], &["remove", "agent-77", "-y"]]
    {
        let ran = home.run(line).exits(1);
        assert!(ran.stderr.contains("no device agent-77"), "{ran:?}");
    }
}

/// As in a container that holds nothing but the program.
#[cfg(target_os = "linux")]
#[rstest]
#[case::another_host("https://machins.invalid/api/v1")]
#[case::this_machine("https://localhost:9/api/v1")]
fn https_without_certificates_says_what_to_do(#[case] url: &str) {
    let home = Home::new().with("SSL_CERT_FILE", "/dev/null").with("SSL_CERT_DIR", "/dev/null");
    let ran = home.run(&["--base-url", url, "info"]).exits(2);
    assert!(ran.stderr.contains("the file that SSL_CERT_FILE names has none"), "{ran:?}");
}

/// Each page takes less than the time limit, all together more.
#[rstest]
#[case::browse(&["browse", "--all", "--limit", "1"], "/api/v1/marketplace")]
#[case::trades(&["trades", "--all", "--limit", "1"], "/api/v1/trades")]
#[case::inbox(&["inbox", "--all", "--limit", "1"], "/api/v1/inbox")]
#[case::paginate(
    &["api", "GET", "/marketplace?limit=1", "--paginate"],
    "/api/v1/marketplace"
)]
fn a_time_limit_holds_for_all_pages_together(#[case] list: &[&str], #[case] path: &str) {
    let shop = Shop::new();
    for _ in 0..5 {
        let title = format!("Offer {}", shop.server.requests().len());
        let sell = ["sell", "--json", "--title", &title, "--price", "1.00"];
        let offer = crate::shop::id(&shop.ada.run(&sell).exits(0));
        shop.proposed(&offer);
    }
    shop.ada.run(list).exits(0);
    shop.server.add_fault(Fault::delay(Duration::from_millis(250)).path(path)).unwrap();
    shop.server.clear_requests();
    let start = Instant::now();
    let ran = shop.ada.run(&[list, &["--timeout", "0.6", "--json"]].concat()).exits(1);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(ran.error()["kind"], "timed_out", "{ran:?}");
    assert!((2..=4).contains(&shop.server.requests().len()), "{:?}", shop.server.requests());
}

#[test]
fn twice_verbose_shows_headers_and_bodies() {
    let server = MockServer::builder().start().unwrap();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org);
    let ran = home.run(&["-vv", "register", "agent-01"]).exits(0);
    let url = format!("> POST {}/api/v1/devices/register\n", server.machineid_base_url());
    for shown in [
        &*url,
        "> x-org-key: [REDACTED]\n",
        "> content-type: application/json\n",
        ">\n> {\n>   \"deviceId\": \"agent-01\"\n> }\n",
        "< 200 OK\n",
        "< content-type: application/json\n",
        "<\n< {\n",
        "<   \"handler\": \"devices/register\"",
    ] {
        assert!(ran.stderr.contains(shown), "{shown}: {}", ran.stderr);
    }
    let others = |line: &&str| !line.starts_with(['<', '>']);
    let others: Vec<&str> = ran.stderr.lines().filter(others).collect();
    assert!(matches!(others.as_slice(), [call] if call.starts_with("POST http")), "{others:?}");
    assert!(!ran.stderr.contains(org.key()) && !ran.stdout.contains("< "), "{ran:?}");
    // A request is shown although nobody answers it.
    let gone = home.with("MACHINEID_BASE_URL", "http://127.0.0.1:9");
    let ran = gone.run(&["-vv", "--timeout", "0.5", "usage"]).exits(1);
    assert!(ran.stderr.contains("> GET http://127.0.0.1:9/api/v1/usage\n"), "{ran:?}");
    assert!(!ran.stderr.contains("\n< "), "{ran:?}");
}

#[test]
fn what_twice_verbose_shows_is_bounded_and_safe() {
    let body = "\u{1b}[31m\u{202e}<p>\n".repeat(10_000) + &"x".repeat(1_000_000);
    let headers = b"content-type: text/html\r\nset-cookie: session=hunter2\r\n".to_vec();
    let url = stub::serve(move |_| Reply {
        status: 502,
        headers: headers.clone(),
        body: body.clone().into_bytes(),
    });
    let home = Home::new().with("MACHINS_BASE_URL", &url);
    let ran = home.run(&["-vv", "stats", "--timeout", "0.2"]).exits(1);
    assert!(ran.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", ran.stderr);
    assert!(!ran.stderr.contains('\u{202e}') && !ran.stderr.contains("hunter2"));
    assert!(ran.stderr.contains("< set-cookie: [REDACTED]\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("< … 9801 more lines\n"), "{}", ran.stderr);
    assert!(ran.stderr.len() < 100_000, "{}", ran.stderr.len());
}

#[test]
fn a_proxy_that_does_not_answer_is_named_without_password() {
    let proxy = "http://ann:hunter2@127.0.0.1:9";
    let home = Home::new().with("HTTPS_PROXY", proxy).with("https_proxy", proxy);
    let home = home.with("NO_PROXY", "localhost").with("no_proxy", "localhost");
    let url = ["--base-url", "https://machins.invalid/api/v1", "--timeout", "0.5"];
    for command in ["stats", "doctor"] {
        for more in [&[][..], &["-vv"]] {
            let ran = home.run(&[&[command], &url[..], more].concat()).exits(1);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("through the proxy http://127.0.0.1:9"), "{ran:?}");
            assert!(!said.contains("hunter2"), "{ran:?}");
        }
    }
}

#[test]
fn a_service_that_speaks_no_tls_is_named() {
    let url = stub::serve(|_| Reply::json(200, &serde_json::json!({})));
    let url = url.replace("http://", "https://");
    let ran = Home::new().run(&["stats", "--base-url", &url, "--timeout", "0.5"]).exits(1);
    assert!(!ran.stderr.contains("check the network"), "{ran:?}");
    assert!(ran.stderr.contains(&url), "{ran:?}");
}
