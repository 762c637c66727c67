//! Every command that is printed as a next step works when pasted.

use std::path::Path;
use std::process::{Command, Stdio};

use machins_mock::{Fault, MockServer};
use regex::Regex;
use rstest::rstest;
use serde_json::json;

use crate::home::{Home, Ran};
use crate::shop::{Shop, id};

/// A shell in which `machins` is this program.
fn shell(home: &Home, script: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = home.command("sh");
    shell.args(["-c", script]).env("PATH", path);
    shell
}

/// What a user pastes: the rest of each line from the program's name on.
fn printed(ran: &Ran) -> Vec<String> {
    let command = Regex::new(r"(?m)(?:^ *|: )(machins(?: .*)?)$").unwrap();
    command.captures_iter(&ran.stderr).map(|found| found[1].to_owned()).collect()
}

/// A home whose profiles are the parties, and which knows the market by a flag alone.
fn parties(shop: &Shop) -> Home {
    let party =
        |home: &Home| serde_json::from_str::<serde_json::Value>(&home.read_config()).unwrap();
    let home = Home::new();
    let profiles = json!({"ada": party(&shop.ada), "bob": party(&shop.bob)});
    home.write_config(&json!({"profiles": profiles}).to_string());
    home
}

/// The deed of the other party that a party waits for.
fn deed(status: &str) -> &'static [&'static str] {
    match status {
        "escrow_held" => &["accept"],
        "delivered" => &["deliver", "--payload", "{\"data\": [], \"result\": 1}"],
        "completed" => &["confirm"],
        other => panic!("nobody waits for {other}"),
    }
}

#[rstest]
fn each_party_may_run_what_it_is_told_in_each_state(
    #[values("offer", "request")] side: &str,
    #[values("task", "data")] listing_type: &str,
) {
    let shop = Shop::new();
    let home = parties(&shop);
    let url = shop.server.machins_base_url();
    let as_party = |party: &str, words: &[&str]| -> Ran {
        let flags = ["--profile", party, "--base-url", &url];
        home.run(&[&flags[..], words].concat())
    };
    let sell = ["sell", "--title", "Any", "--price", "5", "--side", side, "--type", listing_type];
    let listing = id(&as_party("ada", &[&sell[..], &["--json"]].concat()).exits(0));
    // The owner decides on proposals; of a request, it is the buyer.
    let (seller, buyer) = if side == "offer" { ("ada", "bob") } else { ("bob", "ada") };
    let other = |party| if party == "ada" { "bob" } else { "ada" };
    let payload = r#"{"data": [], "result": 1}"#;
    let steps: [(&str, &str, &[&str]); 5] = [
        ("proposed", "bob", &["buy", &listing]),
        ("escrow_held", "ada", &["accept"]),
        ("delivered", seller, &["deliver", "--payload", payload]),
        ("completed", buyer, &["confirm"]),
        ("completed", seller, &["review", "--rating", "4"]),
    ];
    let (mut trade, mut commands) = (String::new(), Vec::new());
    for (status, actor, words) in steps {
        let ran = if trade.is_empty() {
            let ran = as_party(actor, words).exits(0);
            trade = ran.stdout.split_whitespace().nth(1).unwrap().to_owned();
            ran
        } else {
            as_party(actor, &[&[words[0], &trade], &words[1..]].concat()).exits(0)
        };
        let mut told = vec![(actor, printed(&ran))];
        for party in ["ada", "bob"] {
            told.push((party, printed(&as_party(party, &["trade", &trade]).exits(0))));
        }
        let before = shop.server.snapshot();
        for (party, command) in
            told.into_iter().flat_map(|(party, all)| all.into_iter().map(move |one| (party, one)))
        {
            shop.server.restore(&before);
            let mut shell = shell(&home, &command);
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = shell.spawn().unwrap();
            // Most read nothing.
            let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"done\n");
            if let Some((_, wanted)) = command.split_once("--wait ") {
                let deed = deed(wanted);
                as_party(other(party), &[&[deed[0], &trade], &deed[1..]].concat()).exits(0);
            }
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!(
                ran.code,
                Some(0),
                "{party} of a trade that is {status}: {command}: {ran:?}"
            );
            let verb = command.split(&format!(" {trade}")).next().unwrap();
            commands.push(format!("{status} {}", verb.rsplit(' ').next().unwrap()));
        }
        shop.server.restore(&before);
    }
    for told in [
        "proposed accept",
        "proposed reject",
        "proposed trade",
        "escrow_held deliver",
        "escrow_held trade",
        "delivered confirm",
        "delivered dispute",
        "delivered trade",
        "completed review",
    ] {
        assert!(commands.iter().any(|command| command == told), "{told}: {commands:?}");
    }
    let reviewed = as_party(seller, &["trade", &trade]).exits(0);
    assert!(printed(&reviewed).is_empty(), "it has reviewed: {reviewed:?}");
    assert_eq!(printed(&as_party(buyer, &["trade", &trade])).len(), 1, "it has not");
}

#[test]
fn a_listing_is_bought_by_whom_it_tells_to() {
    let shop = Shop::new();
    let home = parties(&shop);
    let flags = ["--base-url", &shop.server.machins_base_url()];
    let sell = |title: &str, price: &str| {
        let sell = ["--profile", "ada", "sell", "--title", title, "--price", price, "--json"];
        id(&home.run(&[&flags[..], &sell].concat()).exits(0))
    };
    for (listing, party, told) in [
        (sell("Cheap", "100"), "bob", "buy "),
        (sell("Dear", "100.01"), "bob", "claim --help"),
        (sell("Own", "5"), "ada", "--help"),
    ] {
        let look = ["--profile", party, "show", &listing];
        let commands = printed(&home.run(&[&flags[..], &look].concat()).exits(0));
        let [command] = commands.as_slice() else { panic!("{commands:?}") };
        assert!(command.contains(told), "{command}");
        let ran = Ran::from(shell(&home, command).output().unwrap());
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
    }
    // The key is that of the owner, whatever the config file says of another agent.
    let key = serde_json::from_str::<serde_json::Value>(&shop.ada.read_config()).unwrap();
    let more = sell("More", "5");
    let home = home.with("MACHINS_API_KEY", key["api_key"].as_str().unwrap());
    let own = home.run(&[&flags[..], &["--profile", "bob", "show", &more]].concat());
    assert!(own.stderr.contains("To change it"), "{own:?}");
}

#[test]
fn a_key_of_a_trade_that_is_gone_can_be_forgotten() {
    let shop = Shop::new();
    let home = parties(&shop);
    let flags = ["--profile", "bob", "--base-url", &shop.server.machins_base_url()];
    let offer = shop.offer();
    let buy = [&flags[..], &["buy", &offer, "--once", "it's 1"]].concat();
    home.run(&buy).exits(0);
    let _gone = shop.server.fault_scoped(Fault::status(404).path("/api/v1/trades/*"));
    let stale = home.run(&buy).exits(1);
    let commands = printed(&stale);
    let [command] = commands.as_slice() else { panic!("{stale:?}") };
    let ran = Ran::from(shell(&home, &format!("{command} --yes")).output().unwrap()).exits(0);
    assert!(ran.stdout.contains("it's 1"), "{ran:?}");
}

/// All commands between backticks in the sources of the program.
fn commands_in_messages() -> Vec<(String, String)> {
    let command = Regex::new(r"`(machins(?: [^`]*)?)`([^`]{0,24})").unwrap();
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let code = shipped.lines().filter(is_code).collect::<Vec<_>>().join("\n");
            for one in command.captures_iter(&code) {
                found.push((one[1].to_owned(), one[2].to_owned()));
            }
        }
    }
    found
}

#[test]
fn a_command_in_a_message_ends_its_line_and_has_no_placeholder() {
    let commands = commands_in_messages();
    assert!(commands.len() > 70, "{}", commands.len());
    let end = Regex::new(r#"^(?:\{FAINT:#\})?(?:["\n]|\\n|$)"#).unwrap();
    let placeholder = Regex::new(r"\b[A-Z]{2,}\b").unwrap();
    for (command, after) in &commands {
        assert!(end.is_match(after), "{command} is followed by {after:?}");
        let words = command.replace(" GET ", " ").replace(" POST ", " ");
        assert!(!placeholder.is_match(&words), "{command}");
    }
}

/// What stands for a value in the sources is here what could be that value.
#[test]
fn a_command_in_a_message_is_one_of_this_program() {
    let home = Home::new();
    let value = Regex::new(r"\{[^}:]*\}").unwrap();
    for (command, _) in commands_in_messages() {
        let command =
            command.replace("\\\"", "\"").replace("{}", "agent_id").replace("{status}", "proposed");
        let (command, _) = command.split_once(" | ").unwrap_or((&command, ""));
        let script = format!("{} --help", value.replace_all(command, "claude"));
        let ran = Ran::from(shell(&home, &script).output().unwrap());
        let is_left_out = ran.stderr.contains("is not part of this build");
        assert!(ran.code == Some(0) || is_left_out, "{script}: {ran:?}");
    }
}

#[test]
fn what_the_first_steps_name_works() {
    let server = MockServer::builder().start().unwrap();
    let (home, url) = (Home::new(), server.machineid_base_url());
    let ran = home.run(&["--machineid-url", &url]).exits(0);
    let steps: Vec<&str> =
        ran.stdout.lines().filter_map(|line| Some(line.split_once(": ")?.1)).collect();
    let carries_the_flag =
        |step: &&str| step.starts_with(&format!("machins --machineid-url {url} "));
    assert!(steps.len() > 2 && steps.iter().all(carries_the_flag), "{steps:?}");
    for step in steps.iter().filter(|step| !step.ends_with(" demo")) {
        let ran = Ran::from(shell(&home, step).output().unwrap());
        assert_eq!(ran.code, Some(0), "{step}: {ran:?}");
    }
}
