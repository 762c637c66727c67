//! `--once KEY`: given again, at once, killed, or without a reply, it is one.

use std::fs;
use std::process::Stdio;

use machins_mock::Fault;
use rstest::rstest;
use serde_json::Value;

use crate::home::Ran;
use crate::shop::{Shop, id, steady};
use crate::terminal::on_a_terminal;

/// What is done once.
#[derive(Clone, Copy, Debug)]
enum What {
    Buy,
    Sell,
    Review,
}

impl What {
    /// The command, in a shop where it can be given.
    fn command(self, shop: &Shop) -> Vec<String> {
        let words: Vec<String> = match self {
            Self::Buy => vec!["buy".into(), shop.offer()],
            Self::Sell => ["sell", "--title", "Labels", "--price", "3"].map(Into::into).into(),
            Self::Review => {
                let trade = shop.completed(&shop.offer());
                vec!["review".into(), trade, "--rating".into(), "5".into()]
            }
        };
        words.into_iter().chain(["--once", "key-1", "--json"].map(Into::into)).collect()
    }

    /// The path of the request.
    fn path(self) -> &'static str {
        match self {
            Self::Buy => "/api/v1/trades",
            Self::Sell => "/api/v1/listings",
            Self::Review => "/api/v1/trades/*/review",
        }
    }

    /// The ids of what Bob has made.
    fn made(self, shop: &Shop) -> Vec<String> {
        shop.server.clear_faults();
        let items = match self {
            Self::Buy => shop.bob.run(&["trades", "--json"]).exits(0).document()["items"].clone(),
            Self::Sell => {
                shop.bob.run(&["listings", "--json"]).exits(0).document()["items"].clone()
            }
            Self::Review => {
                let trades = shop.bob.run(&["trades", "--json"]).exits(0).document();
                let listing = trades["items"][0]["listing_id"].as_str().unwrap().to_owned();
                shop.bob.run(&["show", &listing, "--json"]).exits(0).document()["reviews"].clone()
            }
        };
        let items = items.as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn on(what: What, fault: Fault) -> Fault {
    fault.method("POST").path(what.path())
}

fn run(shop: &Shop, command: &[String]) -> Ran {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    shop.bob.run(&words)
}

#[rstest]
fn given_again_it_is_one(#[values(What::Buy, What::Sell, What::Review)] what: What) {
    let shop = Shop::new();
    let command = what.command(&shop);
    let first = run(&shop, &command).exits(0);
    let again = run(&shop, &command).exits(0);
    assert_eq!(steady(&first), steady(&again));
    assert_eq!(what.made(&shop), [id(&again)]);
}

#[rstest]
fn at_once_from_sixteen_processes_it_is_one(
    #[values(What::Buy, What::Sell, What::Review)] what: What,
    #[values(None, Some(Fault::drop_after().times(2)))] fault: Option<Fault>,
) {
    let shop = Shop::new();
    let command = what.command(&shop);
    if let Some(fault) = fault {
        shop.server.add_fault(on(what, fault)).unwrap();
    }
    let processes: Vec<_> = (0..16)
        .map(|_| {
            let mut process = shop.bob.command(env!("CARGO_BIN_EXE_machins"));
            process.args(&command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ids: Vec<String> = processes
        .into_iter()
        .map(|process| id(&Ran::from(process.wait_with_output().unwrap()).exits(0)))
        .collect();
    let made = what.made(&shop);
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(ids.iter().all(|id| *id == made[0]), "{ids:?} {made:?}");
}

/// The moments at which a command is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    Locked,
    Recorded,
    Sent,
    Done,
}

impl Step {
    fn is_taken(self, what: What, shop: &Shop) -> bool {
        let intents = shop.bob.path().join(".machins/intents");
        let files = || fs::read_dir(&intents).into_iter().flatten().flatten();
        let has_file = |extension: &str| {
            files().any(|file| file.path().extension().is_some_and(|found| found == extension))
        };
        match self {
            Self::Locked => has_file("lock"),
            Self::Recorded => has_file("json"),
            Self::Sent => shop.server.requests().iter().any(|request| {
                let path = &request.path;
                let is_it = match what {
                    What::Review => path.ends_with("/review"),
                    _ => path == what.path(),
                };
                request.method == "POST" && is_it
            }),
            Self::Done => files().any(|file| {
                fs::read_to_string(file.path()).is_ok_and(|text| text.contains("\"done\""))
            }),
        }
    }
}

#[rstest]
fn killed_at_any_step_it_is_one(
    #[values(What::Sell, What::Review)] what: What,
    #[values(Step::Locked, Step::Recorded, Step::Sent, Step::Done)] step: Step,
) {
    let shop = Shop::new();
    let command = what.command(&shop);
    shop.server.clear_requests();
    let mut process = shop.bob.command(env!("CARGO_BIN_EXE_machins"));
    let process = process.args(&command).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = process.spawn().unwrap();
    while !step.is_taken(what, &shop) && process.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = process.kill();
    process.wait().unwrap();
    let made = id(&run(&shop, &command).exits(0));
    assert_eq!(what.made(&shop), [made]);
}

#[test]
fn a_used_key_for_anything_else_names_its_use() {
    let shop = Shop::new();
    let (offer, other) = (shop.offer(), {
        let sell = ["sell", "--title", "Other", "--price", "1", "--json"];
        id(&shop.ada.run(&sell).exits(0))
    });
    let trade = id(&shop.bob.run(&["buy", &offer, "--once", "k", "--json"]).exits(0));
    for command in [
        &["buy", &other, "--once", "k"][..],
        &["buy", &offer, "--once", "k", "--terms", "XML"],
        &["sell", "--title", "Labels", "--price", "1", "--once", "k"],
        &["review", &trade, "--rating", "5", "--once", "k"],
    ] {
        let ran = shop.bob.run(command).exits(2);
        for named in ["\"k\"", &offer, &trade] {
            assert!(ran.stderr.contains(named), "{named}: {ran:?}");
        }
    }
    assert_eq!(What::Buy.made(&shop), [trade]);
}

#[test]
fn a_listing_that_is_gone_is_still_found_by_its_key() {
    let shop = Shop::new();
    let offer = shop.offer();
    let buy = ["buy", &offer[..8], "--once", "k", "--json"];
    let trade = id(&shop.bob.run(&buy).exits(0));
    shop.ada.run(&["unlist", &offer]).exits(0);
    assert_eq!(id(&shop.bob.run(&buy).exits(0)), trade);
}

#[test]
fn intents_are_listed_and_forgotten() {
    let shop = Shop::new();
    let empty = shop.bob.run(&["intents"]).exits(0);
    assert!(empty.stderr.contains("No keys"), "{empty:?}");
    let offer = shop.offer();
    let trade = id(&shop.bob.run(&["buy", &offer, "--once", "order-42", "--json"]).exits(0));
    // One whose outcome is unknown.
    shop.server.add_fault(on(What::Buy, Fault::drop_after())).unwrap();
    shop.server
        .add_fault(Fault::status(500).method("GET").path("/api/v1/trades").after(1))
        .unwrap();
    let unknown = ["buy", &offer, "--once", "order-43", "--terms", "b", "--timeout", "2"];
    let ran = shop.bob.run(&unknown).exits(1);
    assert!(ran.stderr.contains("same command again"), "{ran:?}");
    shop.server.clear_faults();

    let intents = shop.bob.run(&["intents", "--json"]).exits(0).document();
    let [first, second] = intents["items"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((&first["key"], &first["state"]), (&"order-42".into(), &"done".into()));
    assert_eq!(first["trade_id"], Value::from(trade.clone()));
    assert_eq!((&second["key"], &second["state"]), (&"order-43".into(), &"unknown".into()));
    assert_eq!(shop.bob.run(&["intents", "-o", "id"]).exits(0).stdout, "order-42\norder-43\n");
    let table = shop.bob.run(&["intents"]).exits(0).stdout;
    assert!(table.contains(&trade) && table.contains("unknown"), "{table}");

    shop.bob.run(&["intents", "forget", "order-42"]).exits(2);
    shop.bob.run(&["intents", "forget", "nothing", "--yes"]).exits(1);
    let asked = format!("Forget the key \"order-42\", used for trade {trade}? [y/N]");
    on_a_terminal(&shop.bob, "$MACHINS intents forget order-42", &[(&asked, "n\n")]).exits(1);
    on_a_terminal(&shop.bob, "$MACHINS intents forget order-42", &[(&asked, "y\n")]).exits(0);
    assert_eq!(shop.bob.run(&["intents", "-o", "id"]).exits(0).stdout, "order-43\n");
}

#[test]
fn a_key_in_use_is_waited_for_once() {
    let shop = Shop::new();
    let offer = shop.offer();
    shop.bob.run(&["buy", &offer, "--once", "order-42"]).exits(0);
    let intents = fs::read_dir(shop.bob.path().join(".machins/intents")).unwrap();
    let locks = intents.map(|entry| entry.unwrap().path());
    let locks = locks.filter(|path| path.extension().is_some_and(|extension| extension == "lock"));
    let locks: Vec<_> = locks.map(|path| fs::File::open(path).unwrap()).collect();
    for lock in &locks {
        lock.lock().unwrap();
    }
    shop.server.clear_requests();
    // A part of the id, which the service would be asked about if the record could be waited for again.
    let command = ["buy", &offer[..8], "--once", "order-42", "--timeout", "0.2"];
    let ran = shop.bob.run(&command).exits(1);
    assert!(ran.stderr.contains("order-42"), "{ran:?}");
    assert!(shop.server.requests().is_empty());
}

#[test]
fn a_corrupt_intent_stops_no_other_key() {
    let shop = Shop::new();
    let offer = shop.offer();
    let trade = id(&shop.bob.run(&["buy", &offer, "--once", "k", "--json"]).exits(0));
    fs::write(shop.bob.path().join(".machins/intents/0123.json"), "{").unwrap();
    let again = shop.bob.run(&["buy", &offer[..8], "--once", "k", "--json"]).exits(0);
    assert_eq!(id(&again), trade);
    shop.bob.run(&["intents", "forget", "k", "--yes"]).exits(0);
    let error = shop.bob.run(&["intents", "--json"]).exits(1).error();
    assert!(error["message"].as_str().unwrap().contains("0123.json"), "{error}");
}
