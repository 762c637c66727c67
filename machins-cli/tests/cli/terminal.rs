//! What a person at a terminal meets; `script` is that terminal.

use std::io::{Read, Write};
use std::process::{Output, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use machins_mock::Plan;
use machins_mock::blocking::MockServer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::home::{Home, Ran};
use crate::shop::Shop;

/// Runs a shell command on a terminal, and types each text once the one before it is shown.
#[track_caller]
pub(crate) fn on_a_terminal(home: &Home, command: &str, typed: &[(&str, &str)]) -> Ran {
    let mut terminal = home
        .command("script")
        .args(["--quiet", "--return", "--command", command, "/dev/null"])
        .env("MACHINS", env!("CARGO_BIN_EXE_machins"))
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(terminal.id().cast_signed());
    let mut stdin = terminal.stdin.take().unwrap();
    let mut stdout = terminal.stdout.take().unwrap();
    let typed: Vec<_> = typed.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    let (sender, receiver) = mpsc::channel();
    let screen = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&screen);
    thread::spawn(move || {
        let mut read = || {
            let mut bytes = [0; 1024];
            let count = stdout.read(&mut bytes).unwrap();
            shown.lock().unwrap().extend(&bytes[..count]);
            count > 0
        };
        let is_shown = |text: &str| String::from_utf8_lossy(&screen_of(&shown)).contains(text);
        for (awaited, keys) in typed {
            while !is_shown(&awaited) && read() {}
            // A terminal that has ended takes no more.
            let _ = stdin.write_all(keys.as_bytes());
        }
        while read() {}
        let status = terminal.wait().unwrap();
        let stdout = screen_of(&shown);
        let _ = sender.send(Output { status, stdout, stderr: Vec::new() });
    });
    let Ok(output) = receiver.recv_timeout(Duration::from_secs(30)) else {
        let _ = kill(pid, Signal::SIGKILL);
        panic!("{command} does not end: {}", String::from_utf8_lossy(&screen_of(&screen)));
    };
    Ran::from(output)
}

fn screen_of(screen: &Mutex<Vec<u8>>) -> Vec<u8> {
    screen.lock().unwrap().clone()
}

fn world() -> (MockServer, Home) {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org).with("MACHINEID_DEVICE_ID", "a1");
    home.run(&["register", "a1"]).exits(0);
    home.run(&["register", "a2"]).exits(0);
    (server, home)
}

#[test]
fn changing_many_devices_asks_for_confirmation() {
    let (_server, home) = world();
    let asked = "Revoke every active device of the org? [y/N]";
    on_a_terminal(&home, "$MACHINS revoke --all", &[(asked, "n\n")]).exits(1);
    home.run(&["validate", "a1"]).exits(0);
    let asked = "Revoke 2 devices? [y/N]";
    on_a_terminal(&home, "$MACHINS revoke a1 a2", &[(asked, "y\n")]).exits(0);
    home.run(&["validate", "a1"]).exits(3);
}

#[rstest]
#[case::in_the_foreground("$MACHINS guard -- sh -c 'echo ready; read x; echo got $x; exit 5'")]
// The terminal is lent when it is asked for.
#[case::in_a_pipeline(
    "echo | $MACHINS guard -- sh -c 'echo ready; read x </dev/tty; echo got $x; exit 5'"
)]
fn the_command_of_guard_reads_the_terminal(#[case] guarded: &str) {
    let (_server, home) = world();
    let ran = on_a_terminal(&home, guarded, &[("ready", "word\n")]).exits(5);
    assert!(ran.stdout.contains("got word"), "{ran:?}");
}

#[test]
fn ctrl_c_reaches_the_command() {
    let (_server, home) = world();
    // A shell that stays would be interrupted too, and its status is not ours.
    let guarded = "exec $MACHINS guard -- sh -c \
                   'trap \"echo stopped; exit 9\" INT; echo ready; while :; do sleep 0.05; done'";
    let ran = on_a_terminal(&home, guarded, &[("ready", "\u{3}")]).exits(9);
    assert!(ran.stdout.contains("stopped"), "{ran:?}");
}

#[test]
fn json_is_indented_and_states_are_coloured() {
    let (_server, home) = world();
    let json = on_a_terminal(&home, "$MACHINS usage --json", &[]).exits(0);
    assert!(json.stdout.contains("{\r\n  \"planTier\": \"free\""), "{json:?}");
    let table = on_a_terminal(&home, "$MACHINS devices", &[]).exits(0);
    assert!(table.stdout.contains("\u{1b}[1m\u{1b}[32mactive\u{1b}[0m"), "{table:?}");
}

#[test]
fn lists_fit_the_terminal_and_ids_stay_whole() {
    let shop = Shop::new();
    let title = "A title that is rather long for a terminal of eighty columns, and wide: 東京都";
    let sell = ["sell", "--title", title, "--slug", "long", "--price", "1234.50", "--json"];
    let offer = crate::shop::id(&shop.ada.run(&sell).exits(0));
    for command in ["browse", "listings"] {
        let wide =
            on_a_terminal(&shop.ada, &format!("stty rows 24 cols 80; $MACHINS {command}"), &[]);
        let table: Vec<_> = wide.exits(0).stdout.lines().map(str::to_owned).collect();
        let row = table.iter().find(|line| line.contains(&offer)).unwrap();
        assert!(row.trim_end().ends_with('…') && row.contains("1,234.50 CR"), "{row}");
        let narrow =
            on_a_terminal(&shop.ada, &format!("stty rows 24 cols 40; $MACHINS {command}"), &[]);
        assert!(narrow.exits(0).stdout.contains(&offer));
    }
    // What shows that something is going on is taken back.
    let all = on_a_terminal(&shop.ada, "$MACHINS browse --all", &[]).exits(0);
    assert!(all.stdout.trim_end().ends_with("1 listing\u{1b}[0m"), "{all:?}");
}

#[test]
fn secrets_are_asked_for() {
    let shop = Shop::new();
    let claim = "$MACHINS claim $(cat claim_url) --email ada@example.com";
    let ask = |command: &str, typed: &[(&str, &str)], code: i32| {
        on_a_terminal(&shop.ada, command, typed).exits(code).stdout
    };
    let again = "Repeat the password: ";
    let differ = [("Password: ", "correct horse\n"), (again, "correct house\n")];
    assert!(ask(claim, &differ, 2).contains("differ"));
    ask(claim, &[("Password: ", "correct horse\n"), (again, "correct horse\n")], 0);
    let login = "$MACHINS owner login --email ada@example.com";
    ask(login, &[("Password: ", "correct horse\n")], 0);
    // Stdin is the body: the secret is asked for all the same.
    let sign = "printf 'what do ya want for nothing?' | $MACHINS webhook sign";
    let signature = ask(sign, &[("Webhook secret: ", "Jefe\n")], 0);
    assert!(signature.contains("5bdcc146bf60754e6a042426089575c75a003f08"), "{signature}");
}

#[test]
fn a_secret_that_is_typed_at_once_is_not_shown() {
    let home = Home::new();
    let sign = "printf x | $MACHINS webhook sign";
    for _ in 0..20 {
        let screen = on_a_terminal(&home, sign, &[("Webhook secret: ", "Jefe\n")]).exits(0).stdout;
        assert!(!screen.contains("Jefe"), "{screen}");
    }
}

#[test]
fn ctrl_c_at_a_terminal_ends_a_watch() {
    let shop = Shop::new();
    let trade = shop.proposed(&shop.offer());
    let watch = "exec $MACHINS inbox --watch";
    let watch = on_a_terminal(&shop.ada, watch, &[(&trade, "\u{3}")]).exits(0);
    assert!(watch.stdout.contains("trade_proposed"), "{watch:?}");
}
