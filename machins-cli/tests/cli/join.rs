//! Joining: no key is ever lost.

use machins_mock::MockServer;
use rstest::rstest;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::home::{Home, Ran};
use crate::shop::{Shop, plain};
use crate::stub;

fn config(home: &Home) -> Value {
    serde_json::from_str(&home.read_config()).unwrap()
}

/// What joining prints for people, without what differs from run to run.
fn printed(ran: &Ran, home: &Home) -> String {
    let text = format!("{}--\n{}", ran.stdout, ran.stderr);
    let lines: Vec<String> = plain(&text)
        .replace(&home.config().display().to_string(), "CONFIG")
        .replace(&config(home)["base_url"].as_str().unwrap_or_default().to_owned(), "URL")
        .lines()
        .map(|line| match line.split_once("/claim/") {
            Some((before, _)) => format!("{before}/claim/…"),
            None => match line.split_once("at_…") {
                Some((before, _)) => format!("{before}at_…"),
                None => line.to_owned(),
            },
        })
        .collect();
    lines.join("\n") + "\n"
}

#[test]
fn join_saves_the_key_and_names_the_next_step() {
    let server = MockServer::builder().seed(7).start().unwrap();
    let home = Home::new();
    let url = server.machins_base_url();
    let ran = home.run(&["join", "--name", "Ada of the North", "--base-url", &url]).exits(0);
    assert_data_eq!(
        printed(&ran, &home),
        str![[r"
joined as  ada-of-the-north
agent id   00000000-0000-4000-8000-000000000000
credits    500.00 CR
API key    at_…
claim URL  /claim/…
--
Saved the key in CONFIG.
The claim URL is shown only once. With it, a person can become the agent's owner
and lift its trade limit: machins --base-url URL claim
Next: machins --base-url URL browse

"]]
    );
    let saved = config(&home);
    assert_eq!(
        (&saved["agent_slug"], &saved["base_url"]),
        (&json!("ada-of-the-north"), &json!(url))
    );
    assert!(!ran.stdout.contains(saved["api_key"].as_str().unwrap()), "the key is not shown");
    let status = home.run(&["status", "--json"]).exits(0).document();
    assert_eq!(status["agent_slug"], "ada-of-the-north");
    let claim = ran.stdout.lines().find_map(|line| line.strip_prefix("claim URL  ")).unwrap();
    let claim = ["claim", claim, "--email", "ada@example.com"];
    home.run_with_stdin(&claim, "correct horse\n").exits(0);
}

#[test]
fn join_prints_the_whole_reply_as_json() {
    let server = MockServer::builder().seed(7).start().unwrap();
    let home = Home::new().with("MACHINS_BASE_URL", &server.machins_base_url());
    let join = [
        "join",
        "--json",
        "--name",
        "Bob",
        "--slug",
        "bob-1",
        "--description",
        "Buys.",
        "--type",
        "tool",
        "--capability",
        "nlp",
        "--capability",
        "ocr",
    ];
    let ran = home.run(&join).exits(0);
    let joined = ran.document();
    assert_eq!(
        (&joined["agent_slug"], &joined["starter_credits"]),
        (&json!("bob-1"), &json!("500.00"))
    );
    assert!(joined["claim_url"].as_str().unwrap().starts_with("/claim/"));
    assert_eq!(ran.stderr, "");
    let saved = config(&home);
    assert_eq!((&saved["api_key"], &saved["agent_id"]), (&joined["api_key"], &joined["agent_id"]));
    assert_eq!(saved["base_url"], Value::Null, "only a flag's address is saved");
    let profile = home.run(&["agent", "bob-1", "--json"]).exits(0).document();
    assert_eq!(profile["capabilities"], json!(["nlp", "ocr"]));
    let taken = home.run(&["join", "--name", "Bob", "--slug", "bob-1", "--json"]).exits(1);
    assert_eq!(taken.error()["code"], "DUPLICATE");
    assert_eq!(config(&home), saved, "nothing changed");
}

#[test]
fn joining_again_keeps_the_previous_agent() {
    let shop = Shop::new();
    let before = config(&shop.ada);
    let ran = shop.ada.run(&["join", "--name", "Eve"]).exits(0);
    assert!(ran.stderr.contains("profile ada"), "{ran:?}");
    assert_eq!(config(&shop.ada)["profiles"]["ada"], before);
    let slug = |flags: &[&str]| {
        let ran = shop.ada.run(&[flags, &["status", "--json"]].concat()).exits(0);
        ran.document()["agent_slug"].as_str().unwrap().to_owned()
    };
    assert_eq!((slug(&[]), slug(&["--profile", "ada"])), ("eve".into(), "ada".into()));
    // Into a profile, whose agent is kept as well.
    shop.ada.run(&["--profile", "ada", "join", "--name", "Ada Two"]).exits(0);
    assert_eq!(slug(&["--profile", "ada"]), "ada-two");
    assert_eq!(slug(&["--profile", "ada-previous"]), "ada");
    assert_eq!(slug(&[]), "eve");
}

#[test]
fn saving_into_a_new_profile_creates_it() {
    let shop = Shop::new();
    let before = config(&shop.ada);
    shop.ada.run(&["--profile", "eve", "join", "--name", "Eve"]).exits(0);
    let after = config(&shop.ada);
    assert_eq!(after["profiles"]["eve"]["agent_slug"], "eve");
    assert_eq!(after["api_key"], before["api_key"], "who was there is still there");
    let home = Home::new().with("MACHINEID_BASE_URL", &shop.server.machineid_base_url());
    home.run(&["--profile", "ci", "org", "create", "--save"]).exits(0);
    assert!(config(&home)["profiles"]["ci"]["machineid"]["org_key"].is_string());
    // What saves nothing takes a name that is not there for a slip.
    home.run(&["--profile", "cd", "org", "create"]).exits(4);
    home.run(&["--profile", "cd", "devices"]).exits(4);
    home.run(&["--profile", "", "join", "--name", "Eve"]).exits(2);
}

#[cfg(unix)]
mod interrupted {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Stdio};
    use std::sync::{Mutex, mpsc};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    /// A join under way: it, and a server that says when it was asked and waits for the answer.
    fn joining(home: &Home) -> (Child, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (asked, is_asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let answers = Mutex::new(answers);
        let url = stub::serve(move |_| {
            asked.send(()).unwrap();
            let _ = answers.lock().unwrap().recv();
            stub::Reply::json(201, &json!({"api_key": "at_only_this_once", "agent_slug": "ada"}))
        });
        let join = ["join", "--name", "Ada", "--base-url", &url];
        let child =
            home.machins(&join).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        (child, is_asked, answer)
    }

    fn interrupt(child: &Child) {
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    }

    #[test]
    fn after_an_interrupt_the_key_is_still_saved() {
        let home = Home::new();
        let (child, is_asked, answer) = joining(&home);
        is_asked.recv().unwrap();
        interrupt(&child);
        answer.send(()).unwrap();
        Ran::from(child.wait_with_output().unwrap()).exits(0);
        assert_eq!(config(&home)["api_key"], "at_only_this_once");
    }

    #[test]
    fn a_second_interrupt_ends_join_and_says_what_is_lost() {
        let home = Home::new();
        let (mut child, is_asked, _answer) = joining(&home);
        is_asked.recv().unwrap();
        interrupt(&child);
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(stderr.next().unwrap().unwrap().contains("Waiting for the reply"));
        interrupt(&child);
        let end: String = stderr.map(Result::unwrap).collect();
        assert!(end.contains("its key is lost"), "{end}");
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn no_agent_joins_when_its_key_cannot_be_saved() {
    let server = MockServer::builder().start().unwrap();
    let home = Home::new().with("MACHINS_BASE_URL", &server.machins_base_url());
    home.write_config("broken");
    home.run(&["join", "--name", "Ada"]).exits(4);
    std::fs::remove_file(home.config()).unwrap();
    std::fs::create_dir(home.config()).unwrap();
    home.run(&["join", "--name", "Ada"]).exits(4);
    // Nothing is wrong with reading this one: it only cannot be written.
    #[cfg(unix)]
    {
        std::fs::remove_dir(home.config()).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", home.config()).unwrap();
        home.run(&["wallet", "--json"]).exits(4);
        let refused = home.run(&["join", "--name", "Ada", "--json"]).exits(4);
        assert_eq!(refused.error()["kind"], "config");
    }
    assert!(server.requests().is_empty());
}

#[rstest]
#[case::for_people("-q")]
#[case::as_json("--json")]
fn a_key_that_turns_out_unsavable_is_printed(#[case] flag: &str) {
    let home = Home::new();
    let path = home.config();
    let reply = json!({
        "agent_id": "a1", "agent_slug": "ada", "api_key": "at_only_this_once",
        "starter_credits": "500.00", "claim_url": "/claim/t",
    });
    let url = stub::serve(move |_| {
        std::fs::write(&path, "broken").unwrap();
        stub::Reply::json(201, &reply)
    });
    let ran = home.run(&["join", "--name", "Ada", "--base-url", &url, flag]).exits(4);
    assert!(ran.stderr.contains("at_only_this_once"), "{ran:?}");
    assert_eq!(home.read_config(), "broken");
    if flag == "--json" {
        assert_eq!(ran.error()["kind"], "config");
        assert_eq!(ran.document()["api_key"], "at_only_this_once");
    }
}

#[test]
fn join_says_that_the_environment_takes_precedence() {
    let shop = Shop::new();
    let key = config(&shop.bob)["api_key"].as_str().unwrap().to_owned();
    let home = Home::new()
        .with("MACHINS_BASE_URL", &shop.server.machins_base_url())
        .with("MACHINS_API_KEY", &key);
    let ran = home.run(&["join", "--name", "Eve"]).exits(0);
    assert!(ran.stderr.contains("environment MACHINS_API_KEY"), "{ran:?}");
    assert!(!ran.stderr.contains(&key));
}

#[test]
fn the_python_package_shares_the_config_file() {
    let shop = Shop::new();
    // As the Python package writes it: its own layout, and the address it was given.
    let theirs = json!({
        "api_key": config(&shop.ada)["api_key"], "agent_id": "11111111-2222-4333-8444-555555555555",
        "agent_slug": "ada", "base_url": shop.server.machins_base_url(), "theme": "dark",
    });
    let home = Home::new();
    home.write_config(&serde_json::to_string_pretty(&theirs).unwrap());
    home.run(&["wallet"]).exits(0);
    home.run(&["config", "--set", "agent_slug=ada"]).exits(0);
    assert_eq!(home.run(&["config", "--get", "agent_slug"]).exits(0).stdout, "ada\n");
    home.run(&["config", "--set", "nothing"]).exits(2);
    home.run(&["config", "--set", "api_key=at_visible_to_all"]).exits(2);
    home.run(&["join", "--name", "Eve", "--slug", "eve", "--type", "custom"]).exits(0);
    let ours = config(&home);
    assert_eq!((&ours["agent_slug"], &ours["theme"]), (&json!("eve"), &json!("dark")));
    assert_eq!(ours["base_url"], theirs["base_url"]);
    assert_eq!(ours["profiles"]["ada"]["api_key"], theirs["api_key"]);
    // It reads top-level texts only, and writes back whatever else it found.
    let mut again = ours.clone();
    again["api_key"] = theirs["api_key"].clone();
    home.write_config(&serde_json::to_string_pretty(&again).unwrap());
    home.run(&["listings"]).exits(0);
    home.run(&["--profile", "ada", "listings"]).exits(0);
}
