//! Completing in real shells, and what a shell is answered. Where a shell is missing its test says so
//! and passes, unless `REQUIRE_SHELLS` is set, as CI does.

use std::fs;
use std::path::Path;
use std::process::Command;

use machins_mock::Plan;
use rstest::rstest;

use crate::home::{Home, Ran, mode, set_mode};
use crate::shop::Shop;
use crate::stub;
use crate::terminal::on_a_terminal;

const DEVICE: &str = "svc:prod:worker";

/// A home in which there is something of each kind to complete.
struct World {
    home: Home,
    listing: String,
    trade: String,
    _shop: Shop,
}

impl World {
    fn new() -> Self {
        let shop = Shop::new();
        let listing = shop.offer();
        let trade = shop.proposed(&listing);
        let org = shop.server.create_org(Plan::Free);
        let home = Home::new()
            .with("MACHINS_BASE_URL", &shop.server.machins_base_url())
            .with("MACHINEID_BASE_URL", &shop.server.machineid_base_url())
            .with("MACHINEID_ORG_KEY", org.key());
        let home = on_the_path(home);
        home.write_config(&shop.ada.read_config());
        home.run(&["register", DEVICE]).exits(0);
        home.run(&["--profile", "moonlight", "config", "set", "agent_slug", "moon"]).exits(0);
        fs::write(home.path().join("frobnicate"), "#!/bin/sh\n").unwrap();
        set_mode(&home.path().join("frobnicate"), 0o700);
        let world = Self { home, listing, trade, _shop: shop };
        // The first time the ids may come too late.
        for line in ["validate ", "show ", "accept "] {
            let is_id = |line: &str| !line.starts_with('-');
            while !world.candidates(line).lines().any(is_id) {}
        }
        world
    }

    fn candidates(&self, line: &str) -> String {
        candidates(&self.home, line)
    }

    /// What is typed before the tab, and what the line is after it.
    fn lines(&self) -> Vec<(String, String)> {
        let fixed = [
            ("bro", "browse"),
            ("browse --type ta", "browse --type task"),
            ("trades --status deliv", "trades --status delivered"),
            ("trade x --wait escr", "trade x --wait escrow_held"),
            ("inbox --event-type trade_pro", "inbox --event-type trade_proposed"),
            ("config get machineid.dev", "config get machineid.device_id"),
            ("--profile moo", "--profile moonlight"),
            ("validate svc:prod:wor", "validate svc:prod:worker"),
            ("guard -- frobn", "guard -- frobnicate"),
        ];
        let (listing, trade) = (&self.listing, &self.trade);
        fixed
            .map(|(typed, line)| (typed.to_owned(), line.to_owned()))
            .into_iter()
            .chain([
                (format!("show {}", &listing[..10]), format!("show {listing}")),
                (format!("accept {}", &trade[..10]), format!("accept {trade}")),
            ])
            .collect()
    }

    /// Types all lines into an interactive shell.
    #[track_caller]
    fn complete_in(&self, shell: &str, start: &str) {
        // To the beginning of the line, so that it is printed, not executed.
        let typed: String = self
            .lines()
            .iter()
            .map(|(typed, _)| format!("machins {typed}\t\u{1}echo got \n"))
            .chain(["exit\n".to_owned()])
            .collect();
        let screen = on_a_terminal(&self.home, start, &[("ready", &typed)]).stdout;
        for (typed, line) in self.lines() {
            assert!(
                screen.contains(&format!("\ngot machins {line}")),
                "{shell}: {typed}: {screen}"
            );
        }
    }
}

fn on_the_path(home: Home) -> Home {
    let program = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let (own, path) = (home.path().display().to_string(), std::env::var("PATH").unwrap());
    let cache = home.path().join("cache").display().to_string();
    home.with("PATH", &format!("{}:{own}:{path}", program.display())).with("XDG_CACHE_HOME", &cache)
}

/// The candidates for the end of a line, each with its explanation.
fn candidates(home: &Home, line: &str) -> String {
    let mut command = home.machins(&["--", "machins"]);
    command.args(line.split(' ')).env("MACHINS_COMPLETE", "fish");
    let ran = Ran::from(command.output().unwrap()).exits(0);
    assert_eq!(ran.stderr, "");
    ran.stdout
}

fn is_installed(shell: &str) -> bool {
    let found = Command::new(shell).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("REQUIRE_SHELLS").is_none(), "there is no {shell}");
    if !found {
        eprintln!("SKIPPED: there is no {shell} here");
    }
    found
}

#[test]
fn bash_completes_values() {
    if !is_installed("bash") {
        return;
    }
    let world = World::new();
    let rc = "source <(machins completions bash)\nPS1='ready> '\nbind 'set enable-bracketed-paste off'\n";
    fs::write(world.home.path().join("rc"), rc).unwrap();
    world.complete_in("bash", "bash --noprofile --rcfile rc -i");
}

#[test]
fn zsh_completes_values() {
    if !is_installed("zsh") {
        return;
    }
    let world = World::new();
    let rc = "autoload -U compinit\ncompinit -u\nsource <(machins completions zsh)\n\
              bindkey -e\nPS1='ready> '\nunsetopt beep\n";
    fs::write(world.home.path().join(".zshrc"), rc).unwrap();
    world.complete_in("zsh", "ZDOTDIR=$HOME zsh -i");
}

#[test]
fn fish_loads_its_script() {
    if !is_installed("fish") {
        return;
    }
    let world = World::new();
    for typed in ["machins browse --type ta", "machins browse --type \\\"ta"] {
        let line = format!("machins completions fish | source; complete -C \"{typed}\"");
        let ran = world.home.run_program("fish", &["-c", &line], "").exits(0);
        assert!(ran.stdout.starts_with("task"), "{ran:?}");
    }
}

#[rstest]
#[case::trades_that_can_be_delivered("deliver ", "")]
#[case::trades_that_can_be_accepted("accept ", "proposed")]
#[case::no_file("browse --type x", "")]
#[case::no_profile("--profile nobody", "")]
#[case::devices_of_flags("guard --device ", "svc:prod:worker\tactive")]
#[case::plans("checkout ", "scale")]
#[case::commands_of_man("man inb", "inbox")]
#[case::commands_below_one("man inbox ac", "ack")]
#[case::none_below_another("man inbox accep", "")]
#[case::only_revoked_ones("unrevoke svc", "")]
#[case::agents("agent ad", "ada\tAda")]
fn candidates_are_those_that_make_sense(#[case] line: &str, #[case] has: &str) {
    let world = World::new();
    let mut found = world.candidates(line);
    while !found.contains(has) {
        found = world.candidates(line);
    }
    let values = found.lines().filter(|line| !line.starts_with('-')).count();
    assert_eq!(values == 0, has.is_empty(), "{found}");
}

#[rstest]
#[case::hangs(stub::hang())]
#[case::is_gone("http://127.0.0.1:9".to_owned())]
#[case::is_not_the_service(stub::serve(|_| stub::Reply { status: 200, headers: Vec::new(), body: b"<html>".to_vec() }))]
fn a_dead_service_gives_nothing_and_holds_up_nothing(#[case] url: String) {
    let home = on_the_path(Home::new())
        .with("MACHINEID_BASE_URL", &url)
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    for _ in 0..5 {
        let found = candidates(&home, "validate ");
        assert!(!found.contains("svc"), "{found}");
    }
    // Without a key nothing is asked.
    let keyless = on_the_path(Home::new()).with("MACHINEID_BASE_URL", &url);
    candidates(&keyless, "validate ");
    assert!(!keyless.path().join("cache").exists());
    let broken = on_the_path(Home::new());
    broken.write_config("{");
    candidates(&broken, "validate ");
}

#[test]
fn the_cache_holds_no_key_and_is_the_users_alone() {
    let world = World::new();
    let folder = world.home.path().join("cache/machins");
    assert_eq!(mode(&folder), 0o700);
    let config = world.home.read_config();
    let keys = config.split('"').filter(|text| text.starts_with("at_"));
    let keys: Vec<&str> = keys.collect();
    assert!(!keys.is_empty());
    let mut lists = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let all = format!("{} {text}", path.display());
        assert!(!all.contains("org_") && keys.iter().all(|key| !all.contains(key)), "{all}");
        if path.extension().is_some_and(|extension| extension == "json") {
            assert_eq!(mode(&path), 0o600);
            lists += 1;
        }
    }
    assert_eq!(lists, 3);
    // Another key has another list.
    let other = world.home.with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    assert!(!candidates(&other, "validate ").contains(DEVICE));
}
