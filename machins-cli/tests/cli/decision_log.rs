//! The decision log: what `validate` and `guard` write, and what `log` says of it.

use std::fs::{self, File};
use std::path::Path;

use machins_mock::blocking::MockServer;
use machins_mock::{Fault, Org, OrgUpdate, Plan};
use rstest::rstest;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::home::{Home, Ran};

const VALIDATE: &[&str] = &["validate", "agent-01", "--decision-log", "d.jsonl"];

/// A mock with a registered device, and a home that knows it.
fn world() -> (MockServer, Org, Home) {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org);
    home.run(&["register", "agent-01"]).exits(0);
    (server, org, home)
}

/// The lines of the log.
fn lines(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.path().join("d.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A field of each line.
fn column(home: &Home, name: &str) -> Vec<String> {
    lines(home).iter().map(|line| line[name].as_str().unwrap().to_owned()).collect()
}

fn verify(home: &Home, more: &[&str]) -> Ran {
    home.run(&[&["log", "verify", "d.jsonl", "--json"], more].concat())
}

#[test]
fn validate_logs_what_it_answered() {
    let (server, org, home) = world();
    let allowed = home.run(&[VALIDATE, &["--json"]].concat()).exits(0).document();
    org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    let denied = home.run(&[VALIDATE, &["--json"]].concat()).exits(3).document();
    server.add_fault(Fault::garbage().path("**/validate")).unwrap();
    home.run(VALIDATE).exits(3);

    assert_eq!(column(&home, "code"), ["ALLOW", "ORG_DISABLED", "SYSTEM_UNAVAILABLE"]);
    assert_eq!(column(&home, "followed"), ["exit_0", "exit_3", "exit_3"]);
    assert_eq!(column(&home, "asked_by"), ["validate"; 3]);
    assert_eq!(column(&home, "device"), ["agent-01"; 3]);
    let lines = lines(&home);
    assert_eq!(lines[0]["request_id"], allowed["request_id"]);
    assert_eq!(lines[1]["request_id"], denied["request_id"]);
    let verified = verify(&home, &[]).exits(0).document();
    assert_eq!((&verified["entries"], &verified["head"]), (&json!(3), &lines[2]["hash"]));
    let text = fs::read_to_string(home.path().join("d.jsonl")).unwrap();
    assert!(!text.contains(org.key()));
}

#[rstest]
#[case::environment("MACHINEID_DECISION_LOG", "d.jsonl")]
#[case::home("MACHINEID_DECISION_LOG", "~/d.jsonl")]
fn the_environment_names_the_log(#[case] name: &str, #[case] value: &str) {
    let (_server, _org, home) = world();
    let home = home.with(name, value);
    home.run(&["validate", "agent-01"]).exits(0);
    assert_eq!(home.run(&["log", "verify", "--json"]).exits(0).document()["entries"], 1);
    assert_eq!(lines(&home).len(), 1);
}

#[test]
fn the_config_file_names_the_log_beside_it() {
    let (_server, _org, home) = world();
    let set = |key: &str, value: &str| home.run(&["config", "set", key, value]);
    set("machineid.decision_log", "d.jsonl").exits(0);
    set("machineid.decision_log_max_bytes", "1000").exits(0);
    set("machineid.decision_log_max_bytes", "-1").exits(2);
    set("machineid.decision_log_required", "yes").exits(2);
    for _ in 0..5 {
        home.run(&["validate", "agent-01"]).exits(0);
    }
    let verified = home.run(&["log", "verify", "--json"]).exits(0).document();
    assert_eq!(verified["entries"], 5);
    assert!(verified["files"].as_array().unwrap().len() > 1, "{verified}");
    assert!(home.config().with_file_name("d.jsonl").exists());

    set("machineid.decision_log_required", "true").exits(0);
    set("machineid.decision_log", "missing/d.jsonl").exits(0);
    home.run(&["validate", "agent-01"]).exits(3);
}

#[test]
fn a_log_that_is_required_must_be_named() {
    let (server, _org, home) = world();
    server.clear_requests();
    home.run(&["validate", "agent-01", "--decision-log-required"]).exits(2);
    home.run(&["log", "verify"]).exits(2);
    assert!(server.requests().is_empty());
}

/// Runs `machins` where files cannot grow: what a full disk looks like from here.
fn on_a_full_disk(home: &Home, arguments: &[&str]) -> Ran {
    let script = r#"trap "" XFSZ; ulimit -f 0; exec "$0" "$@""#;
    let program = [&["-c", script, env!("CARGO_BIN_EXE_machins")], arguments].concat();
    home.run_program("sh", &program, "")
}

#[cfg(unix)]
#[rstest]
#[case::text(&[])]
#[case::quiet(&["-q"])]
#[case::json(&["--json"])]
fn an_allow_passes_a_full_disk_with_a_warning(#[case] flags: &[&str]) {
    let (_server, _org, home) = world();
    let ran = on_a_full_disk(&home, &[VALIDATE, flags].concat()).exits(0);
    assert!(ran.stderr.contains("this decision is not logged"), "{ran:?}");
    assert!(ran.stderr.contains("d.jsonl could not be written"), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1);
}

/// The limit of the file is in the middle of a line.
#[cfg(unix)]
#[test]
fn a_line_that_fits_only_in_part_is_not_written() {
    let (_server, _org, home) = world();
    let script = r#"trap "" XFSZ; ulimit -f 1; exec "$0" "$@""#;
    let program = [&["-c", script, env!("CARGO_BIN_EXE_machins")], VALIDATE].concat();
    let written =
        (0..6).filter(|_| home.run_program("sh", &program, "").exits(0).stderr.is_empty());
    let written = written.count();
    assert!((1..6).contains(&written), "{written}");
    assert_eq!(verify(&home, &[]).exits(0).document()["entries"], written);
    home.run(VALIDATE).exits(0);
    assert!(lines(&home).iter().all(|line| line.get("discarded_bytes").is_none()));
}

#[cfg(unix)]
#[test]
fn a_denial_passes_a_full_disk() {
    let (_server, org, home) = world();
    org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    let ran = on_a_full_disk(&home, &[VALIDATE, &["--decision-log-required"]].concat()).exits(3);
    assert_eq!(ran.stdout, "denied  agent-01  ORG_DISABLED\n");
    let ran = on_a_full_disk(&home, &[VALIDATE, &["--json"]].concat()).exits(3);
    assert_eq!(ran.error()["code"], "ORG_DISABLED");
}

#[cfg(unix)]
#[test]
fn an_allow_that_must_be_logged_is_denied_on_a_full_disk() {
    let (_server, _org, home) = world();
    let required = &[VALIDATE, &["--decision-log-required"]].concat();
    let ran = on_a_full_disk(&home, required).exits(3);
    assert_eq!(ran.stdout, "denied  agent-01  SYSTEM_UNAVAILABLE\n");
    assert!(ran.stderr.contains("is allowed, but a decision that is not logged"), "{ran:?}");
    let ran = on_a_full_disk(&home, &[required, &["--json"][..]].concat()).exits(3);
    assert_eq!(ran.error()["code"], "SYSTEM_UNAVAILABLE");
    assert_eq!(
        (&ran.document()["allowed"], &ran.error()["kind"]),
        (&false.into(), &"denied".into())
    );
    // With room on the disk it is allowed, and the log is whole.
    home.run(required).exits(0);
    assert_eq!(verify(&home, &[]).exits(0).document()["entries"], 1);
}

#[rstest]
#[case::validate(VALIDATE)]
#[cfg_attr(
    unix,
    case::guard(&["guard", "--device", "agent-01", "--decision-log", "d.jsonl", "--", "touch", "x"])
)]
fn a_file_that_is_no_log_is_refused_before_anything_is_asked(#[case] arguments: &[&str]) {
    let (server, _org, home) = world();
    fs::write(home.path().join("d.jsonl"), "precious\n").unwrap();
    server.clear_requests();
    let ran = home.run(arguments).exits(2);
    assert!(ran.stderr.contains("d.jsonl is not a decision log"), "{ran:?}");
    assert_eq!(fs::read_to_string(home.path().join("d.jsonl")).unwrap(), "precious\n");
    assert!(server.requests().is_empty() && !home.path().join("x").exists());
}

#[cfg(unix)]
mod guard {
    use super::*;

    const GUARD: &[&str] =
        &["guard", "--device", "agent-01", "--every", "0.1", "--decision-log", "d.jsonl"];

    #[test]
    fn guard_logs_what_it_did() {
        let (_server, org, home) = world();
        let revoke = "while [ $(wc -l < d.jsonl) -lt 3 ]; do :; done; touch go; sleep 60";
        let mut guard =
            home.machins(&[GUARD, &["--", "sh", "-c", revoke]].concat()).spawn().unwrap();
        while !home.path().join("go").exists() {
            std::thread::yield_now();
        }
        org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
        assert_eq!(guard.wait().unwrap().code(), Some(3));
        let followed = column(&home, "followed");
        let (first, rest) = followed.split_first().unwrap();
        let (last, between) = rest.split_last().unwrap();
        assert_eq!((first.as_str(), last.as_str()), ("started", "ended"));
        assert!(between.len() >= 2 && between.iter().all(|word| word == "continued"));
        assert_eq!(column(&home, "code").last().unwrap(), "ORG_DISABLED");
        assert!(column(&home, "asked_by").iter().all(|word| word == "guard"));
        verify(&home, &[]).exits(0);
    }

    #[test]
    fn guard_logs_that_it_did_not_start() {
        let (_server, org, home) = world();
        org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
        home.run(&[GUARD, &["--", "touch", "x"]].concat()).exits(3);
        assert_eq!(column(&home, "followed"), ["not_started"]);
        assert!(!home.path().join("x").exists());
    }

    #[test]
    fn a_command_runs_on_a_full_disk_unless_the_log_is_required() {
        let (_server, _org, home) = world();
        let ran = on_a_full_disk(&home, &[GUARD, &["--", "echo", "ran"]].concat()).exits(0);
        assert_eq!(ran.stdout, "ran\n");
        assert!(ran.stderr.contains("warning: this decision is not logged"), "{ran:?}");
        let required = [GUARD, &["--decision-log-required", "--", "echo", "ran"]].concat();
        let ran = on_a_full_disk(&home, &required).exits(3);
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains("a decision that is not logged does not count"), "{ran:?}");
    }
}

/// A log of three decisions, the second of which is a denial.
fn three() -> (Home, Vec<String>) {
    let (_server, org, home) = world();
    let enabled = |enabled| org.update(OrgUpdate::new().execution_enabled(enabled)).unwrap();
    home.run(VALIDATE).exits(0);
    enabled(false);
    home.run(VALIDATE).exits(3);
    enabled(true);
    home.run(VALIDATE).exits(0);
    let hashes = column(&home, "hash");
    (home, hashes)
}

fn rewrite(path: &Path, change: impl FnOnce(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
}

#[test]
fn verify_says_how_much_is_in_order() {
    let (home, hashes) = three();
    let ran = home.run(&["log", "verify", "d.jsonl"]).exits(0);
    assert_eq!(
        ran.stdout,
        format!("ok    3 decisions in 1 file, none changed\nhead  {}\n", hashes[2])
    );
    for hash in &hashes {
        verify(&home, &["--expect", hash]).exits(0);
    }
}

#[rstest]
#[case::changed("line 2 was changed", |text: String| text.replacen("ORG_DISABLED", "ALLOW", 1))]
#[case::removed("line 2 does not follow", |text: String| {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.remove(1);
    lines.concat()
})]
#[case::beginning_removed("line 1 is not the first", |text: String| {
    text.split_inclusive('\n').skip(1).collect()
})]
#[case::unfinished("line 3 is unfinished", |text: String| text[..text.len() - 5].to_owned())]
#[case::garbage("line 2 is not an entry", |text: String| text.replacen('\n', "\nx\n", 1))]
fn verify_names_the_line_and_what_is_wrong(
    #[case] complaint: &str,
    #[case] change: fn(String) -> String,
) {
    let (home, _) = three();
    rewrite(&home.path().join("d.jsonl"), change);
    let ran = home.run(&["log", "verify", "d.jsonl"]).exits(1);
    assert!(ran.stderr.contains(&format!("d.jsonl: {complaint}")), "{ran:?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(verify(&home, &[]).exits(1).error()["kind"], "broken_log");
}

#[test]
fn a_cut_tail_is_found_by_the_expected_head() {
    let (home, hashes) = three();
    rewrite(&home.path().join("d.jsonl"), |text| text.split_inclusive('\n').take(2).collect());
    verify(&home, &[]).exits(0);
    verify(&home, &["--expect", &hashes[1]]).exits(0);
    let ran = home.run(&["log", "verify", "d.jsonl", "--expect", &hashes[2]]).exits(1);
    assert!(ran.stderr.contains("line 2 is the last"), "{ran:?}");
    verify(&home, &["--expect", "abc"]).exits(2);
}

#[test]
fn a_moved_beginning_is_accepted_when_its_hash_is_given() {
    let (home, hashes) = three();
    rewrite(&home.path().join("d.jsonl"), |text| text.split_inclusive('\n').skip(1).collect());
    let ran = home.run(&["log", "verify", "d.jsonl"]).exits(1);
    assert!(ran.stderr.contains(&format!("--after {}", hashes[0])), "{ran:?}");
    assert_eq!(verify(&home, &["--after", &hashes[0]]).exits(0).document()["entries"], 2);
}

#[test]
fn show_lists_decisions() {
    let (home, _) = three();
    let ran = home.run(&["log", "show", "d.jsonl"]).exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_data_eq!(
        lines[0],
        str!["TIME                  DEVICE    CODE          ASKED BY  FOLLOWED  REQUEST"]
    );
    assert!(lines[2].contains("agent-01  ORG_DISABLED  validate  exit_3"), "{ran:?}");
}

#[rstest]
#[case::all(&[], 3)]
#[case::denied(&["--denied"], 1)]
#[case::code(&["--code", "allow"], 2)]
#[case::device(&["--device", "agent-01"], 3)]
#[case::other_device(&["--device", "agent-02"], 0)]
#[case::recent(&["--since", "1h"], 3)]
#[case::later(&["--since", "2100-01-01"], 0)]
#[case::limit(&["--limit", "2"], 2)]
#[case::limit_of_a_code(&["--code", "ORG_DISABLED", "--limit", "2"], 1)]
fn show_filters(#[case] flags: &[&str], #[case] count: usize) {
    let (home, hashes) = three();
    let ran = home.run(&[&["log", "show", "d.jsonl", "--json"], flags].concat()).exits(0);
    let decisions = ran.document()["items"].as_array().unwrap().clone();
    assert_eq!(decisions.len(), count);
    if flags.contains(&"2") && count == 2 {
        assert_eq!(decisions[1]["hash"], *hashes[2], "the last ones");
    }
}

#[test]
fn show_skips_what_it_cannot_read_and_says_so() {
    let (home, _) = three();
    rewrite(&home.path().join("d.jsonl"), |text| text + "\u{1b}[2Jnoise\n");
    let ran = home.run(&["log", "show", "d.jsonl"]).exits(0);
    assert!(ran.stderr.contains("1 line could not be read"), "{ran:?}");
    assert!(!ran.stdout.contains("noise") && ran.stdout.lines().count() == 4);
    home.run(&["log", "show", "missing.jsonl"]).exits(1);
    home.run(&["log", "verify", "missing.jsonl"]).exits(1);
}

#[test]
fn a_denial_is_not_held_up_by_a_locked_log() {
    let (_server, org, home) = world();
    home.run(VALIDATE).exits(0);
    org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    let holder = File::open(home.path().join("d.jsonl")).unwrap();
    holder.lock().unwrap();
    let ran = home.run(VALIDATE).exits(3);
    assert_eq!(ran.stdout, "denied  agent-01  ORG_DISABLED\n");
    assert!(ran.stderr.contains("locked by another process"), "{ran:?}");
    holder.unlock().unwrap();
    assert_eq!(verify(&home, &[]).exits(0).document()["entries"], 1);
}

/// Nobody writes into the pipe, so that opening it as a file would take for ever.
#[cfg(unix)]
#[rstest]
#[case::show(&["log", "show", "pipe"])]
#[case::verify(&["log", "verify", "pipe"])]
#[case::validate(&["validate", "agent-01", "--decision-log", "pipe", "--decision-log-required"])]
fn a_pipe_is_no_decision_log(#[case] command: &[&str]) {
    let (_server, _org, home) = world();
    assert!(home.command("mkfifo").arg("-m600").arg("pipe").status().unwrap().success());
    let ran = home.run(command);
    assert!(matches!(ran.code, Some(1 | 3 | 4)), "{ran:?}");
    assert!(ran.stderr.contains("not a regular file"), "{ran:?}");
}
