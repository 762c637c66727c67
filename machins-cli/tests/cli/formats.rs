//! Results for programs: `-o`, filters, and `-q`.

use machins_mock::{MockServer, Plan};
use rstest::rstest;
use serde_json::Value;

use crate::home::Home;
use crate::shop::Shop;

/// The home of an organisation with an active device, `agent-01`, and a revoked one, `agent-02`.
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
        "profile list"
    )]
    list: &str,
) {
    let shop = Shop::new();
    shop.completed(&shop.offer());
    shop.ada.run(&["subscribe", "new_agent", "https://agent.example/hook"]).exits(0);
    shop.ada.run(&["--profile", "ci", "config", "set", "agent_slug", "ci"]).exits(0);
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
