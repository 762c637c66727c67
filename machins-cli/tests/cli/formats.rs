//! Results for programs: `-o`, filters, and `-q`.

use machins_mock::{MockServer, Plan};
use rstest::rstest;
use serde_json::{Value, json};

use crate::home::Home;
use crate::shop::Shop;
use crate::stub::{self, Reply};

/// The home of an org with an active device, `agent-01`, and a revoked one, `agent-02`.
fn devices() -> (MockServer, Home) {
    let server = MockServer::builder().start().unwrap();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org);
    home.run(&["register", "agent-01"]).exits(0);
    home.run(&["register", "agent-02"]).exits(0);
    home.run(&["revoke", "agent-02"]).exits(0);
    (server, home)
}

#[rstest]
fn each_list_has_all_forms(
    #[values(
        "browse",
        "listings",
        "trades",
        "transactions",
        "inbox",
        "subscriptions",
        "leaderboard",
        "recent-trades",
        "profile list",
        "intents"
    )]
    list: &str,
) {
    let shop = Shop::new();
    shop.completed(&shop.offer());
    shop.ada.run(&["subscribe", "new_agent", "https://agent.example/hook"]).exits(0);
    shop.ada.run(&["--profile", "ci", "config", "set", "agent_slug", "ci"]).exits(0);
    shop.ada.run(&["sell", "--title", "Once", "--price", "1", "--once", "k1"]).exits(0);
    let run = |form: &str| {
        let words: Vec<&str> = list.split(' ').chain(["-o", form]).collect();
        shop.ada.run(&words).exits(0)
    };
    let csv = run("csv").stdout;
    assert!(csv.starts_with("id,"), "{csv}");
    let tsv = run("tsv").stdout;
    assert!(tsv.starts_with("id\t"), "{tsv}");
    let columns = |line: &str| line.matches('\t').count();
    assert!(tsv.lines().count() > 1, "{tsv}");
    assert!(tsv.lines().all(|line| columns(line) == columns(&tsv[..tsv.find('\n').unwrap()])));
    let ids: Vec<String> = run("id").stdout.lines().map(Into::into).collect();
    let firsts: Vec<&str> =
        tsv.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(ids, firsts);
    assert!(ids.iter().all(|id| !id.is_empty()), "{tsv}");
    let json = run("json");
    let words: Vec<&str> = list.split(' ').chain(["--json", "--json"]).collect();
    assert_eq!(json.document(), shop.ada.run(&words).exits(0).document());
    assert!(!run("table").stdout.is_empty());
}

/// The last of several is the one, wherever on the line they are.
#[rstest]
#[case::json_last("devices -o csv --json", '{')]
#[case::json_first("devices --json -o csv", 'i')]
#[case::before_the_command("--json devices -o csv", 'i')]
#[case::form_before_the_command("-o csv devices --json", '{')]
#[case::both_before("-o csv --json devices", '{')]
#[case::attached("--json devices -qocsv", 'i')]
#[case::long("--json devices --output=tsv", 'i')]
#[case::three("-o id devices --json --output csv", 'i')]
#[case::table("devices --json -o table", 'D')]
fn the_last_form_that_is_given_is_printed(#[case] line: &str, #[case] begins: char) {
    let (_server, home) = devices();
    let words: Vec<&str> = line.split(' ').collect();
    let shown = home.run(&words).exits(0).stdout;
    assert!(shown.starts_with(begins), "{shown}");
    let failed = home.run(&[&words[..], &["--no-such-flag"]].concat()).exits(2).stderr;
    assert_eq!(failed.starts_with('{'), begins == '{', "{failed}");
}

#[rstest]
#[case::csv("csv", Some("id,event_type,is_read,created_at,payload"), ',')]
#[case::tsv("tsv", Some("id\tevent_type\tis_read\tcreated_at\tpayload"), '\t')]
#[case::id("id", None, ',')]
fn a_watch_prints_rows(#[case] form: &str, #[case] heading: Option<&str>, #[case] between: char) {
    let shop = Shop::new();
    let offer = shop.offer();
    shop.proposed(&offer);
    shop.proposed(&offer);
    let all = shop.ada.run(&["inbox", "-o", "id"]).exits(0).stdout;
    let watch = ["inbox", "--watch", "--count", "2", "--no-ack", "-o", form];
    let rows = shop.ada.run(&watch).exits(0).stdout;
    let mut lines: Vec<&str> = rows.lines().collect();
    if let Some(heading) = heading {
        assert_eq!(lines.remove(0), heading);
    }
    // The oldest first.
    let ids: Vec<&str> = lines.iter().filter_map(|line| line.split(between).next()).rev().collect();
    assert_eq!(ids, all.lines().collect::<Vec<_>>(), "{rows}");
}

#[test]
fn a_line_of_a_watch_names_what_to_acknowledge() {
    let shop = Shop::new();
    shop.proposed(&shop.offer());
    let line = shop.ada.run(&["inbox", "--watch", "--count", "1", "--no-ack"]).exits(0).stdout;
    let id = line.trim_end().rsplit(' ').next().unwrap();
    let acknowledged = shop.ada.run(&["inbox", "ack", id, "--json"]).exits(0).document();
    assert_eq!(acknowledged["acknowledged"], 1, "{line}");
}

#[test]
fn devices_have_all_forms_and_a_filter() {
    let (_server, home) = devices();
    let csv = home.run(&["devices", "-o", "csv"]).exits(0).stdout;
    assert!(csv.starts_with("id,status,"), "{csv}");
    assert_eq!(home.run(&["devices", "-o", "id"]).exits(0).stdout, "agent-01\nagent-02\n");
    let revoked = home.run(&["devices", "--status", "revoked", "-o", "id"]).exits(0);
    assert_eq!(revoked.stdout, "agent-02\n");
    let first = home.run(&["devices", "--limit", "1", "--json"]).exits(0).document();
    assert_eq!(first["devices"].as_array().unwrap().len(), 1);
    let typo = home.run(&["devices", "--status", "revokd"]).exits(2);
    assert!(typo.stderr.contains("Did you mean \"revoked\"?"), "{typo:?}");
}

#[test]
fn prices_for_programs_are_one_word() {
    let shop = Shop::new();
    shop.offer();
    let tsv = shop.bob.run(&["browse", "-o", "tsv"]).exits(0).stdout;
    let row: Vec<&str> = tsv.lines().nth(1).unwrap().split('\t').collect();
    assert_eq!(row[1], "12.50");
}

#[test]
fn a_list_form_for_what_is_no_list_is_wrong_usage() {
    let (server, home) = devices();
    server.clear_requests();
    home.run(&["revoke", "agent-01", "-o", "csv"]).exits(2);
    assert!(server.requests().is_empty());
    let error = home.run(&["-o", "json", "usage", "--no-such-flag"]).exits(2).error();
    assert_eq!(error["kind"], "usage");
}

#[rstest]
#[case::allowed("validate agent-01", 0)]
#[case::revoked("revoke agent-01", 0)]
#[case::restored("unrevoke agent-02", 0)]
#[case::removed("remove agent-02 --yes", 0)]
#[case::denied("validate agent-02", 3)]
fn quiet_prints_nothing_that_the_exit_code_says(#[case] line: &str, #[case] code: i32) {
    let (_server, home) = devices();
    let words: Vec<&str> = std::iter::once("-q").chain(line.split(' ')).collect();
    assert_eq!(home.run(&words).exits(code).stdout, "");
    let json: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    if code != 0 {
        assert_eq!(home.run(&json).exits(code).document()["allowed"], Value::Bool(false));
    }
}

#[rstest]
#[case::unlist("unlist LISTING")]
#[case::edit("edit LISTING --price 2")]
#[case::accept("accept PROPOSED")]
#[case::reject("reject PROPOSED")]
#[case::cancel("cancel HELD")]
#[case::deliver("deliver HELD --result 1")]
fn quiet_prints_no_change_that_the_exit_code_says(#[case] line: &str) {
    let shop = Shop::new();
    let offer = shop.offer();
    let line = line
        .replace("LISTING", &offer)
        .replace("PROPOSED", &shop.proposed(&offer))
        .replace("HELD", &shop.accepted(&offer));
    let words: Vec<&str> = std::iter::once("-q").chain(line.split(' ')).collect();
    let ran = shop.ada.run(&words).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{line}");
}

#[test]
fn quiet_prints_no_ok_of_a_mock_server() {
    let server = MockServer::builder().start().unwrap();
    let home = Home::new().with("MACHINS_MOCK_URL", &server.url());
    for line in ["health", "requests clear", "webhooks clear", "fault clear", "reset"] {
        let words: Vec<&str> = ["-q", "mock"].into_iter().chain(line.split(' ')).collect();
        assert_eq!(home.run(&words).exits(0).stdout, "", "{line}");
    }
    assert!(home.run(&["-q", "mock", "clock"]).exits(0).stdout.contains("now"));
    assert_eq!(home.run(&["-q", "mock", "health", "--json"]).exits(0).document()["status"], "ok");
}

#[test]
fn removing_needs_an_id_and_asks() {
    let (_server, home) = devices();
    home.run(&["remove"]).exits(2);
    Home::new().with("MACHINEID_DEVICE_ID", "agent-01").run(&["remove", "--yes"]).exits(2);
    let refused = home.run(&["remove", "agent-01"]).exits(2);
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    let both = home.run(&["remove", "agent-01", "agent-02", "--yes"]).exits(0);
    assert_eq!(both.stdout, "removed  agent-01\nremoved  agent-02\n");
}

#[test]
fn each_of_several_devices_to_remove_is_reported() {
    let (server, home) = devices();
    let remove = ["remove", "agent-77", "agent-01", "agent-78", "agent-02", "--yes"];
    let some = home.run(&[&remove[..], &["--json"]].concat()).exits(1);
    let document = some.document();
    assert_eq!(document["removedCount"], 2);
    let status = |at: usize| document["results"][at]["status"].as_str().unwrap().to_owned();
    assert_eq!([0, 1, 2, 3].map(status), ["not_found", "removed", "not_found", "removed"]);
    assert_eq!(some.error()["kind"], "partial");
    assert_eq!(home.run(&["devices", "-o", "id"]).exits(0).stdout, "");
    // Quiet or not, what the exit code does not say is said.
    let none = home.run(&[&["-q"], &remove[..]].concat()).exits(1);
    assert!(none.stdout.contains("not found  agent-01\n"), "{none:?}");
    server.clear_requests();
    let keyless = home.with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    let refused = keyless.run(&["remove", "a", "b", "c", "--yes"]).exits(1);
    assert!(refused.stdout.contains("not tried"), "{refused:?}");
}

/// The address of a service whose list `path` is answered by `page(offset, limit)`.
fn serving(page: impl Fn(usize, usize) -> Value + Send + Sync + 'static) -> Home {
    let url = stub::serve(move |request| {
        let line = request.head.lines().next().unwrap_or_default().to_owned();
        let number = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}="))?;
            rest.split(['&', ' ']).next()?.parse().ok()
        };
        Reply::json(200, &page(number("offset").unwrap_or(0), number("limit").unwrap_or(50)))
    });
    Home::new().with("MACHINS_BASE_URL", &format!("{url}/api/v1"))
}

fn listings(range: std::ops::Range<usize>) -> Vec<Value> {
    let listing = |number: usize| {
        json!({"id": format!("{number:08}-0000-4000-8000-000000000000"), "title": "Any", "slug": "any",
            "listing_type": "task", "price": "1.00", "currency": "CREDIT"})
    };
    range.map(listing).collect()
}

#[test]
fn all_of_a_list_is_claimed_only_if_it_was_seen() {
    // Whatever the offset, it is the first page that comes.
    let ignoring = serving(
        |_, limit| json!({"items": listings(0..50.min(limit)), "total": 300, "has_more": true}),
    );
    let all = ignoring.run(&["browse", "--all", "--json"]).exits(0);
    let document = all.document();
    assert_eq!(document["items"].as_array().unwrap().len(), 50);
    assert_eq!((&document["total"], &document["has_more"]), (&json!(300), &json!(true)));
    assert!(all.stderr.contains("may not be complete"), "{all:?}");
    let part = ignoring.run(&["browse", "--offset", "300"]).exits(0);
    assert!(part.stderr.contains("ignored --offset 300"), "{part:?}");
    let pages = ignoring.run(&["api", "GET", "/marketplace", "--paginate"]).exits(0);
    assert!(pages.stderr.contains("may not be complete"), "{pages:?}");
    // Pages of 50 whatever the limit, and not a word about how many there are.
    let clamping =
        serving(|offset, _| json!({"items": listings(offset.min(120)..120.min(offset + 50))}));
    for line in
        [&["browse", "--all", "--json"][..], &["api", "GET", "marketplace", "--paginate", "--json"]]
    {
        let all = clamping.run(line).exits(0);
        assert_eq!(all.document()["items"].as_array().unwrap().len(), 120, "{line:?}");
        assert_eq!((all.document()["total"].clone(), all.stderr.as_str()), (json!(120), ""));
    }
    let part = clamping.run(&["browse", "--limit", "200"]).exits(0);
    assert!(part.stderr.contains("does not say whether there are more"), "{part:?}");
    // More than was asked for is not shown.
    let some = serving(|_, _| json!({"items": listings(0..50), "has_more": false}));
    let two = some.run(&["browse", "--limit", "2", "--json"]).exits(0).document();
    assert_eq!((two["items"].as_array().unwrap().len(), &two["has_more"]), (2, &json!(true)));
}

#[test]
fn what_is_inserted_meanwhile_comes_once() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let growing = serving(move |offset, limit| {
        // 300 new ones in front of the list after each page, three times.
        let new = 300 * calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(3);
        let (all, first) = (1_500, 900 - new);
        let from = (first + offset).min(all);
        let to = (from + limit).min(all);
        json!({"items": listings(from..to), "total": all - first, "has_more": to < all})
    });
    let ids = growing.run(&["browse", "--all", "-o", "id"]).exits(0).stdout;
    let unique: std::collections::HashSet<&str> = ids.lines().collect();
    assert_eq!(unique.len(), ids.lines().count());
    assert!(unique.len() >= 600);
}

#[rstest]
#[case::devices("devices")]
#[case::browse("browse")]
#[case::listings("listings")]
#[case::trades("trades")]
#[case::transactions("transactions")]
#[case::inbox("inbox")]
#[case::subscriptions("subscriptions")]
#[case::leaderboard("leaderboard")]
#[case::recent_trades("recent-trades")]
#[case::profiles("profile list")]
fn each_list_has_the_same_envelope_and_a_limit(#[case] list: &str) {
    let shop = Shop::new();
    for _ in 0..2 {
        let offer = ["sell", "--title", "Twice", "--price", "1", "--slug"];
        let slug = format!("twice-{}", shop.server.requests().len());
        let offer = shop.ada.run(&[&offer[..], &[&slug, "--json"]].concat()).exits(0);
        shop.completed(offer.document()["id"].as_str().unwrap());
        shop.ada.run(&["subscribe", "new_agent", "https://agent.example/hook"]).exits(0);
        shop.ada.run(&["--profile", &slug, "config", "set", "agent_slug", "ci"]).exits(0);
    }
    let org = shop.server.create_org(Plan::Free);
    let home = shop
        .ada
        .with("MACHINEID_BASE_URL", &shop.server.machineid_base_url())
        .with("MACHINEID_ORG_KEY", org.key());
    home.run(&["register", "a1"]).exits(0);
    home.run(&["register", "a2"]).exits(0);
    let words: Vec<&str> = list.split(' ').chain(["--limit", "1", "--json"]).collect();
    let part = home.run(&words).exits(0).document();
    assert_eq!(part["items"].as_array().unwrap().len(), 1, "{part}");
    let envelope = [&part["total"], &part["offset"], &part["limit"], &part["has_more"]];
    assert!(envelope[0].as_u64().unwrap() >= 2, "{part}");
    // MachineID's own field of that name is the number of devices that the plan allows.
    let limit = if list == "devices" { 3 } else { 1 };
    assert_eq!(envelope[1..], [&json!(0), &json!(limit), &json!(true)], "{part}");
    let ids = home.run(&[&words[..words.len() - 1], &["-o", "id"]].concat()).exits(0);
    assert_eq!(ids.stdout.lines().count(), 1);
}

#[test]
fn own_lists_have_filters() {
    let shop = Shop::new();
    let sell = ["sell", "--price", "1", "--json", "--title"];
    let ids = |line: &[&str]| {
        let ran = shop.ada.run(&[line, &["-o", "id"]].concat()).exits(0);
        ran.stdout.lines().count()
    };
    shop.ada.run(&[&sell[..], &["One", "--slug", "one", "--type", "data"]].concat()).exits(0);
    let two = shop.ada.run(&[&sell[..], &["Two", "--slug", "two", "--side", "request"]].concat());
    shop.ada.run(&["unlist", two.exits(0).document()["id"].as_str().unwrap()]).exits(0);
    assert_eq!(ids(&["listings"]), 2);
    assert_eq!(ids(&["listings", "--status", "active"]), 1);
    assert_eq!(ids(&["listings", "--type", "data"]), 1);
    assert_eq!(ids(&["listings", "--side", "request", "--type", "data"]), 0);
    shop.ada.run(&["subscribe", "new_agent", "https://agent.example/a"]).exits(0);
    shop.ada.run(&["subscribe", "new_listing", "https://agent.example/b"]).exits(0);
    assert_eq!(ids(&["subscriptions", "--event-type", "new_agent"]), 1);
    assert_eq!(ids(&["subscriptions", "--state", "active"]), 2);
    assert_eq!(ids(&["subscriptions", "--state", "stopped"]), 0);
    shop.ada.run(&[&sell[..], &["Three", "--once", "k1"]].concat()).exits(0);
    assert_eq!(ids(&["intents", "--for", "listing", "--state", "done"]), 1);
    assert_eq!(ids(&["intents", "--for", "trade"]), 0);
    assert_eq!(ids(&["intents", "--state", "unknown"]), 0);
}

#[cfg(not(feature = "jq"))]
#[test]
fn a_program_without_jq_says_how_to_get_it() {
    let ran = Home::new().run(&["config", "show", "--jq", "."]).exits(2);
    assert!(ran.stderr.contains("--features full"), "{ran:?}");
}

#[cfg(feature = "jq")]
#[test]
fn json_is_filtered_by_jq() {
    let shop = Shop::new();
    let offer = shop.offer();
    let run = |filter: &str| shop.bob.run(&["browse", "--jq", filter]);
    assert_eq!(run(".items[].id").exits(0).stdout, format!("{offer}\n"));
    assert_eq!(
        run(".items[] | {title, price}").exits(0).stdout.trim(),
        r#"{"title":"Sentiment","price":"12.50"}"#
    );
    assert_eq!(run("empty").exits(0).stdout, "");
    let both = shop.bob.run(&["browse", "--json", "--jq", ".total", "--all"]).exits(0);
    assert_eq!(both.stdout, "1\n");
    shop.server.clear_requests();
    let wrong = run(".items[").exits(2);
    assert!(wrong.stderr.starts_with("error: --jq \".items[\": \"[\" is not closed"), "{wrong:?}");
    shop.bob.run(&["browse", "--jq", ".", "-o", "csv"]).exits(2);
    assert!(shop.server.requests().is_empty());
    let failing = run(".total.x").exits(1);
    assert!(failing.stderr.contains("carried out, but --jq failed"), "{failing:?}");
    // Each line of a watch is a document.
    shop.proposed(&offer);
    let watch = ["inbox", "--watch", "--count", "1", "--jq", ".event_type"];
    assert_eq!(shop.ada.run(&watch).exits(0).stdout, "trade_proposed\n");
}

#[cfg(feature = "jq")]
#[rstest]
fn a_filter_does_not_choose_the_exit_status(
    #[values("halt", "halt(0)", ".code | halt_error(0)", "halt(7)", "empty")] filter: &str,
) {
    let (_server, home) = devices();
    home.run(&["validate", "never-registered", "--jq", filter]).exits(3);
}

#[rstest]
#[case::csv("csv")]
#[case::tsv("tsv")]
#[case::id("id")]
fn a_list_that_is_cut_off_says_so_on_stderr(#[case] form: &str) {
    let shop = Shop::new();
    shop.offer();
    let sell = ["sell", "--title", "Other", "--price", "1.00"];
    shop.ada.run(&sell).exits(0);
    let cut = shop.bob.run(&["browse", "--limit", "1", "-o", form]).exits(0);
    assert!(cut.stderr.contains("1 to 1 of 2 listings; see more with"), "{cut:?}");
    assert_eq!(shop.bob.run(&["-q", "browse", "--limit", "1", "-o", form]).exits(0).stderr, "");
    assert_eq!(shop.bob.run(&["browse", "-o", form]).exits(0).stderr, "");
    assert_eq!(shop.bob.run(&["browse", "--all", "-o", form]).exits(0).stderr, "");
    let (_server, home) = devices();
    let cut = home.run(&["devices", "--limit", "1", "-o", form]).exits(0);
    assert!(cut.stderr.contains("see more with a larger --limit"), "{cut:?}");
}

#[rstest]
fn an_offset_beyond_the_end_is_told(
    #[values("table", "csv", "id")] form: &str,
    #[values(&["--offset", "7"], &["--offset", "7", "--all"])] paging: &[&str],
) {
    let shop = Shop::new();
    shop.offer();
    let none = shop.bob.run(&[&["browse", "-o", form], paging].concat()).exits(0);
    assert_eq!(none.stderr.trim(), "No listings after the first 7.", "{none:?}");
}

#[test]
fn what_the_service_leaves_out_is_unknown_or_empty() {
    let url = stub::serve(|request| {
        let item = match request.head.split([' ', '?']).nth(1).unwrap() {
            "/api/v1/trades" => json!({"id": "t1", "listing_id": "l1", "status": "proposed"}),
            "/api/v1/wallets/transactions" => json!({"id": "e1"}),
            "/api/v1/subscriptions" => return Reply::json(200, &json!([{"id": "s1"}])),
            _ => return Reply::json(404, &json!({"detail": "not found"})),
        };
        Reply::json(200, &json!({"items": [item], "has_more": false}))
    });
    let home = Home::new()
        .with("MACHINS_BASE_URL", &format!("{url}/api/v1"))
        .with("MACHINS_API_KEY", "at_0123456789abcdef");
    let table = home.run(&["trades", "-o", "table"]).exits(0).stdout;
    assert!(table.contains("proposed  unknown price"), "{table}");
    for (command, row) in
        [("trades", "t1,proposed,,"), ("transactions", "e1,,,"), ("subscriptions", "s1,")]
    {
        let rows = home.run(&[command, "-o", "csv"]).exits(0).stdout;
        assert!(rows.lines().nth(1).unwrap().starts_with(row), "{rows}");
        home.run(&[command, "-o", "table"]).exits(0);
    }
}
