//! What is secret is neither shown nor given as an argument.

use machins_mock::Plan;
use machins_mock::blocking::MockServer;
use rstest::rstest;
use serde_json::Value;

use crate::help::pages;
use crate::home::{Home, Ran};

const PASSWORD: &str = "correct-horse-battery";
const WEBHOOK_SECRET: &str = "whsec-9b74c9897bac770f";

/// Runs commands as talkative as can be, and keeps what they said.
struct Talker {
    home: Home,
    said: String,
}

impl Talker {
    fn run(&mut self, arguments: &[&str], stdin: &str, code: i32) -> Ran {
        let ran = self.home.run_with_stdin(&[&["-vv"], arguments].concat(), stdin).exits(code);
        self.said.extend([&*ran.stdout, &ran.stderr]);
        ran
    }

    fn config(&self) -> Value {
        serde_json::from_str(&self.home.read_config()).unwrap()
    }
}

#[test]
fn no_output_contains_a_secret() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org)
        .with("MACHINS_BASE_URL", &server.machins_base_url())
        .with("MACHINS_WEBHOOK_SECRET", WEBHOOK_SECRET);
    let mut talker = Talker { home, said: String::new() };
    let password = &format!("{PASSWORD}\n");

    talker.run(&["register", "agent-01"], "", 0);
    talker.run(&["validate", "agent-01"], "", 0);
    talker.run(&["guard", "--device", "agent-01", "--", "true"], "", 0);
    // Its result is the key itself; beside it, nothing tells it.
    let created = talker.home.run(&["-vv", "org", "create", "--save"]).exits(0);
    talker.said += &created.stderr;
    let joined = talker.run(&["join", "--name", "Ada Lovelace"], "", 0).stdout;
    let claim_url = joined.split_whitespace().find(|word| word.contains("/claim/")).unwrap();
    talker.run(&["claim", claim_url, "--email", "a@b.example"], password, 0);
    talker.run(&["claim", claim_url, "--email", "a@b.example"], password, 1);
    let login = ["owner", "login", "--email", "a@b.example"];
    talker.run(&login, "wrong-horse-staple\n", 1);
    talker.run(&login, password, 0);
    talker.run(&["owner", "me"], "", 0);
    let subscribe = ["subscribe", "new_agent", "http://127.0.0.1:9/hook", "--secret-stdin"];
    talker.run(&subscribe, &format!("{WEBHOOK_SECRET}\n"), 0);
    talker.run(&["subscriptions"], "", 0);
    talker.run(&["webhook", "sign"], "body", 0);
    let secret = &format!("{WEBHOOK_SECRET}\n");
    let listen = ["listen", "--forward-to", "127.0.0.1:9", "--until", "trade_proposed"];
    talker.run(&[&listen[..], &["--within", "0.1", "--secret-stdin"]].concat(), secret, 1);
    talker.run(&[&listen[..], &["--within", "0.1"]].concat(), "", 1);
    let triggered = talker.run(&["trigger", "match_found", "--json"], "", 0).document();
    let id = triggered["notification_id"].as_str().unwrap();
    let resend = ["resend", id, "--forward-to", "127.0.0.1:9", "--secret-stdin"];
    talker.run(&resend, secret, 1);
    talker.run(&["webhook", "verify", "--signature", "00"], "body", 1);
    talker.run(&["wallet"], "", 0);
    for arguments in [&["config"][..], &["config", "explain"], &["config", "show", "--json"]] {
        talker.run(arguments, "", 0);
    }

    let config = talker.config();
    let saved = |place: &str| config.pointer(place).and_then(Value::as_str).unwrap();
    for secret in [
        org.key(),
        saved("/machineid/org_key"),
        saved("/api_key"),
        saved("/owner/token"),
        PASSWORD,
        "wrong-horse-staple",
        WEBHOOK_SECRET,
    ] {
        // A mask may leave the beginning and the last characters.
        let inside = &secret[4..secret.len() - 4];
        let shown: Vec<_> = talker.said.lines().filter(|line| line.contains(inside)).collect();
        assert!(shown.is_empty(), "{secret} {shown:#?}");
    }
}

/// Another user of the machine sees the arguments of every process.
#[test]
fn no_flag_takes_a_secret() {
    let lines = pages().iter().flat_map(|(_, help)| help.lines());
    let flags = lines.filter(|line| line.trim_start().starts_with('-'));
    let (mut seen, mut taking) = (0, Vec::new());
    for flag in flags {
        seen += 1;
        // The name of a file is not a secret.
        let takes_a_value = flag.contains('<') && !flag.contains("<FILE>");
        let names_a_secret =
            ["key", "token", "password", "secret"].iter().any(|word| flag.contains(word));
        if takes_a_value && names_a_secret {
            taking.push(flag);
        }
    }
    assert!(seen > 50, "{seen} flags");
    assert!(taking.is_empty(), "{taking:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_of_guard_has_a_key_in_its_arguments() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org).with("MACHINEID_DEVICE_ID", "agent-01");
    // The command looks at every process that there is, the guard and its keeper among them.
    let script = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '";
    let ran = home.run(&["guard", "--", "sh", "-c", script]).exits(0);
    assert!(ran.stdout.contains("process-containment:keeper"), "{ran:?}");
    assert!(!ran.stdout.contains(org.key()), "{ran:?}");
}

/// The file may hold a key where it is broken.
#[rstest]
#[case::text("\"KEY\"")]
#[case::list("{\"api_key\": [\"KEY\"]}")]
#[case::cut("{\"api_key\": \"KEY")]
#[case::invalid_key("{\"api_key\": \"wrong KEY\"}")]
#[case::text_as_section("{\"owner\": \"KEY\"}")]
#[case::key_as_name("{\"KEY\": 1,}")]
fn errors_about_the_config_file_do_not_quote_it(#[case] text: &str) {
    let home = Home::new();
    home.write_config(&text.replace("KEY", "at_0123456789abcdef"));
    for arguments in [&["wallet"][..], &["config", "show"], &["-vv", "config", "explain"]] {
        let ran = home.run(arguments);
        let output = ran.stdout + &ran.stderr;
        assert!(!output.contains("0123456789ab"), "{arguments:?}\n{output}");
    }
}

#[test]
fn no_key_is_sent_over_plain_http() {
    let home = Home::new().with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    home.write_config(r#"{"api_key": "at_0123456789abcdef"}"#);
    for arguments in [
        &["--base-url", "http://machins.example", "wallet"][..],
        &["--machineid-url", "http://machineid.example", "devices"],
    ] {
        let ran = home.run(arguments).exits(2);
        assert!(ran.stderr.contains("plain http"), "{ran:?}");
    }
    let home = home.with("MACHINEID_BASE_URL", "http://machineid.example");
    let denied = home.run(&["validate", "agent-01"]);
    assert_ne!(denied.code, Some(0), "{denied:?}");
}

/// Such an address is refused, and may then be shown to find out why.
#[rstest]
fn a_password_in_an_address_is_never_printed(
    #[values("http://bob:hunter2@127.0.0.1:9", "https://hunter2@market.example/api/v1")] url: &str,
    #[values("flag", "variable", "file")] place: &str,
    #[values(
        "doctor",
        "status",
        "config explain",
        "config show",
        "config get base_url",
        "config get machineid.base_url",
        "wallet",
        "validate agent-01",
        "devices"
    )]
    command: &str,
) {
    let mut home = Home::new()
        .with("MACHINS_API_KEY", "at_0123456789abcdef")
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    let mut words: Vec<&str> = command.split(' ').collect();
    match place {
        "flag" => words.extend(["--base-url", url, "--machineid-url", url]),
        "variable" => home = home.with("MACHINS_BASE_URL", url).with("MACHINEID_BASE_URL", url),
        _ => home.write_config(
            &serde_json::json!({
                "base_url": url,
                "machineid": {"base_url": url},
                "profiles": {"ci": {"base_url": url}},
            })
            .to_string(),
        ),
    }
    for more in [&[][..], &["--json"], &["-vv"]] {
        let ran = home.run(&[&words, more].concat());
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
}
