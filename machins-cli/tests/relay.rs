//! `machins relay` with a real NATS server: killed and stopped at any point, it stores each event once.
//! Where there is no `nats-server` these tests say so and pass, unless `REQUIRE_NATS` is set. The workers
//! of `docs/relay.md` need Python with pip, and the same holds for `REQUIRE_PYTHON`.
//!
//! `FULL_SIZE=1 cargo test -p machins-cli --features relay --test relay -- --nocapture` passes 10,000 events.
#![cfg(target_os = "linux")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

#[path = "../../machins-relay/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Lines, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use fastrand::Rng;
use machins_client::webhook::Signer;
use machins_client::{EventType, NewSubscription, Secret};
use machins_mock::Fault;
use machins_relay::Notice;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use serde_json::Value;
use support::{Seller, World, check_order, count, stored, stream};
use tempfile::TempDir;
use test_support::NatsServer;

/// The program, and a home of its own.
struct Relay {
    child: Child,
    /// `None` if nobody listens to what it says.
    stderr: Option<Lines<BufReader<ChildStderr>>>,
    _home: TempDir,
}

impl Relay {
    fn start(world: &World, key: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_machins"));
        command.arg("relay").args(arguments).env_remove("NATS_URL");
        if !arguments.contains(&"--interval") {
            command.args(["--interval", "0.02"]);
        }
        command.env_remove("NATS_CREDS").env_remove("NATS_NKEY").env_remove("NATS_TOKEN");
        command.env_remove("MACHINS_WEBHOOK_SECRET").env_remove("MACHINS_RELAY_SECRET");
        command.env("HOME", home.path()).env("MACHINS_API_KEY", key);
        command.env("MACHINS_BASE_URL", world.market.machins_base_url());
        command.envs(variables.iter().copied()).current_dir(home.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, stderr: Some(stderr), _home: home }
    }

    fn to_nats(world: &World, nats: &NatsServer) -> Self {
        let arguments = ["--to", &nats.url(), "--stream", "EVENTS", "--partitions", "4"];
        Self::start(world, &world.key, &arguments, &[])
    }

    /// Reads what it says, and forgets it.
    fn unheard(mut self) -> Self {
        let mut lines = self.stderr.take().unwrap();
        thread::spawn(move || lines.all(|line| line.is_ok()));
        self
    }

    fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Waits for a line on stderr, and returns those before it.
    fn wait_for(&mut self, words: &str) -> Vec<String> {
        let mut others = Vec::new();
        loop {
            let line = self.stderr.as_mut().unwrap().next();
            let line = line.unwrap_or_else(|| panic!("{words}: {others:?}")).unwrap();
            if line.contains(words) {
                return others;
            }
            others.push(line);
        }
    }

    /// Waits until it has ended, and returns its status and the rest of what it said.
    fn ended(mut self) -> (Option<i32>, String) {
        let lines = self.stderr.take().into_iter().flatten();
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), rest.join("\n"))
    }

    fn stop(self) {
        self.signal(Signal::SIGTERM);
        let (code, said) = self.ended();
        assert_eq!(code, Some(0), "{said}");
    }
}

fn send(process: u32, signal: Signal) {
    kill(Pid::from_raw(process.cast_signed()), signal).unwrap();
}

/// Whoever comes first decides how long the leases last: here a relay that does not wait long.
async fn short_leases(world: &World, nats: &NatsServer) {
    let mut replica = world.run(nats, &stream());
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again_it_stores_each_once() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    short_leases(&world, &nats).await;
    let mut trades = Vec::new();
    for reached in [0, 1, 5, 12] {
        for _ in 0..6 {
            trades.push(world.propose_and_cancel().await);
        }
        let relay = Relay::to_nats(&world, &nats);
        stored(&nats, 2 * trades.len() - 12 + reached).await;
        relay.signal(Signal::SIGKILL);
        assert_eq!(relay.ended().0, None);
    }
    let mut relay = Relay::to_nats(&world, &nats);
    relay.wait_for("this replica reads the inbox");
    world.drained().await;
    relay.stop();
    check_order(&stored(&nats, 2 * trades.len()).await, &trades);
    assert_eq!(count(&nats).await, 48);
}

/// Five replicas of which any is killed at any moment, a NATS server that is killed, and a marketplace
/// that fails.
#[tokio::test(flavor = "multi_thread")]
async fn five_replicas_that_are_killed_lose_nothing() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    short_leases(&world, &nats).await;
    let faults = [
        Fault::status(503).path("/api/v1/inbox").probability(0.05),
        Fault::garbage().path("/api/v1/inbox").probability(0.05),
        Fault::drop_before().path("/api/v1/inbox/ack").probability(0.1),
        Fault::drop_after().path("/api/v1/inbox/ack").probability(0.1),
    ];
    for fault in faults {
        world.market.add_fault(fault).unwrap();
    }
    let (wanted, most) = if env::var_os("FULL_SIZE").is_some() { (10_000, 100) } else { (300, 20) };
    let mut random = Rng::with_seed(19);
    let mut replicas: Vec<Relay> =
        (0..5).map(|_| Relay::to_nats(&world, &nats).unheard()).collect();
    let (mut trades, mut killed, mut restarts) = (Vec::new(), 0, 0);
    while 2 * trades.len() < wanted {
        for _ in 0..random.usize(1..most) {
            trades.push(world.propose_and_cancel().await);
        }
        let replica = replicas.swap_remove(random.usize(..5));
        replica.signal(Signal::SIGKILL);
        assert_eq!(replica.ended().0, None);
        replicas.push(Relay::to_nats(&world, &nats).unheard());
        killed += 1;
        if random.u8(..) < 80 {
            nats.kill();
            trades.push(world.propose_and_cancel().await);
            nats.restart();
            restarts += 1;
        }
    }
    world.market.clear_faults();
    world.drained().await;
    for replica in replicas {
        replica.signal(Signal::SIGKILL);
        assert_eq!(replica.ended().0, None);
    }
    let events = 2 * trades.len();
    check_order(&stored(&nats, events).await, &trades);
    assert_eq!(count(&nats).await, events as u64);
    println!(
        "{events} events, each once in the stream, in order per trade, none unread; {killed} replicas \
         killed, NATS {restarts} times"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replica_is_replaced_and_comes_back() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    short_leases(&world, &nats).await;
    let mut first = Relay::to_nats(&world, &nats);
    first.wait_for("this replica reads the inbox");
    let mut second = Relay::to_nats(&world, &nats);
    second.wait_for("another replica reads the inbox");
    first.signal(Signal::SIGSTOP);
    let mut trades = vec![world.propose_and_cancel().await];
    second.wait_for("this replica reads the inbox");
    stored(&nats, 2).await;
    first.signal(Signal::SIGCONT);
    first.wait_for("another replica reads the inbox");
    trades.push(world.propose_and_cancel().await);
    world.drained().await;
    first.stop();
    second.stop();
    check_order(&stored(&nats, 4).await, &trades);
    assert_eq!(count(&nats).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_server_is_told_once_with_its_end() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    nats.kill();
    let world = World::start().await;
    let trade = world.propose_and_cancel().await;
    let mut relay = Relay::to_nats(&world, &nats);
    relay.wait_for("events stay in the inbox until they can be passed on again: cannot connect");
    nats.restart();
    let between = relay.wait_for("events are passed on again");
    assert!(between.is_empty(), "{between:?}");
    world.drained().await;
    relay.stop();
    check_order(&stored(&nats, 2).await, &[trade]);
}

/// The memory that a process has now, in kilobytes.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// While NATS hangs or is gone, only some of what is unread is held in memory.
#[rstest]
#[case::hangs(true)]
#[case::is_gone(false)]
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_while_nats_takes_nothing(#[case] hangs: bool) {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    short_leases(&world, &nats).await;
    let mut trades = vec![world.propose_and_cancel().await];
    let mut relay = Relay::to_nats(&world, &nats);
    stored(&nats, 2).await;
    let before = memory(relay.child.id());
    if hangs {
        send(nats.process(), Signal::SIGSTOP);
    } else {
        nats.kill();
    }
    let most = if env::var_os("FULL_SIZE").is_some() { 4_500 } else { 700 };
    for _ in 0..most {
        trades.push(world.propose_and_cancel().await);
    }
    let others = relay.wait_for("events stay in the inbox until they can be passed on again");
    assert!(others.iter().all(|line| line.contains("the inbox of")), "{others:?}");
    let during = memory(relay.child.id());
    assert!(
        during < before + 32 * 1024,
        "{before} kB before, {during} kB with {most} trades unread"
    );
    if hangs {
        send(nats.process(), Signal::SIGCONT);
    } else {
        nats.restart();
    }
    relay.wait_for("events are passed on again");
    let relay = relay.unheard();
    world.drained().await;
    let after = memory(relay.child.id());
    relay.stop();
    check_order(&stored(&nats, 2 * trades.len()).await, &trades);
    println!(
        "{} events unread: {before} kB before, {during} kB while NATS takes none, {after} kB after",
        2 * most
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_comes_from_the_environment_too() {
    let Some(nats) = NatsServer::start(&["--user", "ada", "--pass", "hushhush"]) else { return };
    let world = World::start().await;
    let run = |password: &str| {
        let url = format!("nats://ada:{password}@{}", nats.address());
        Relay::start(&world, &world.key, &["--stream", "EVENTS"], &[("NATS_URL", &url)])
    };
    let mut relay = run("hushhush");
    relay.wait_for("this replica reads the inbox");
    relay.stop();
    let (code, said) = run("hush-wrong").ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("authorization violation") && !said.contains("hush"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_from_the_environment_or_a_file_is_named() {
    let Some(nats) = NatsServer::start(&["--auth", "hushhush"]) else { return };
    let world = World::start().await;
    let stream = ["--to", &nats.url(), "--stream", "EVENTS"];
    let mut relay = Relay::start(&world, &world.key, &stream, &[("NATS_TOKEN", "hushhush")]);
    relay.wait_for("this replica reads the inbox");
    relay.stop();
    let missing = [&stream[..], &["--nats-creds", "missing.creds"]].concat();
    let (code, said) = Relay::start(&world, &world.key, &missing, &[]).ended();
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("missing.creds"), "{said}");
}

/// A config file with a profile for each of these keys.
fn profiles(keys: &[(&str, &str)]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let profiles: BTreeMap<_, _> =
        keys.iter().map(|(name, key)| (*name, serde_json::json!({"api_key": key}))).collect();
    fs::write(&file, serde_json::json!({"profiles": profiles}).to_string()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_profiles_share_a_process() {
    let world = World::start().await;
    let eve = Seller::join(&world.market, "eve").await;
    let trades = [world.propose().await, world.propose_to(&eve).await];
    let (_folder, file) = profiles(&[("ada", &world.key), ("eve", &eve.key)]);
    let both = ["--to", "-", "--profiles", "ada,eve"];
    let variables = [("MACHINS_CONFIG", &*file)];
    let mut relay = Relay::start(&world, "", &both, &variables);
    let mut lines = BufReader::new(relay.child.stdout.take().unwrap()).lines();
    let mut subjects: Vec<Value> = Vec::new();
    for _ in 0..2 {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        subjects.push(event["subject"].clone());
    }
    for trade in &trades {
        assert!(subjects.contains(&trade.as_str().into()), "{subjects:?}");
    }
    relay.stop();

    let (code, said) = Relay::start(&world, &world.key, &both, &variables).ended();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the profiles ada and eve are the same agent"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_whose_key_is_refused_is_left_out() {
    let world = World::start().await;
    let trade = world.propose().await;
    let (_folder, file) = profiles(&[("old", "at_unknown"), ("ada", &world.key)]);
    let variables = [("MACHINS_CONFIG", &*file)];
    let both = ["--to", "-", "--profiles", "old,ada"];
    let mut relay = Relay::start(&world, "", &both, &variables);
    let mut lines = BufReader::new(relay.child.stdout.take().unwrap()).lines();
    let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(event["subject"], trade.as_str());
    relay.wait_for("profile old: ");
    relay.stop();

    let alone = ["--to", "-", "--profiles", "old"];
    let (code, said) = Relay::start(&world, "", &alone, &variables).ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("profile old: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stdout_gets_an_event_a_line() {
    let world = World::start().await;
    let trade = world.propose_and_cancel().await;
    let mut relay = Relay::start(&world, &world.key, &["--to", "-"], &[]);
    let mut lines = BufReader::new(relay.child.stdout.take().unwrap()).lines();
    for event_type in ["co.machins.trade_proposed", "co.machins.trade_cancelled"] {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(
            (&event["type"], &event["subject"]),
            (&event_type.into(), &trade.as_str().into())
        );
        assert_eq!(event["specversion"], "1.0");
    }
    world.drained().await;
    relay.stop();
    assert!(lines.next().is_none());
}

#[rstest]
#[case::webhooks_alone(&["--from", "webhook", "--interval", "3600"])]
#[case::both(&["--from", "inbox,webhook", "--interval", "3600"])]
#[case::both_by_default(&["--interval", "3600"])]
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_a_source(#[case] sources: &[&str]) {
    let world = World::start().await;
    let arguments = [&["--to", "-", "--listen", "127.0.0.1:0"], sources].concat();
    let secret = [("MACHINS_WEBHOOK_SECRET", "whsec-hushhush")];
    let mut relay = Relay::start(&world, &world.key, &arguments, &secret);
    let said = relay.stderr.as_mut().unwrap().next().unwrap().unwrap();
    let (_, url) = said.split_once("Receiving webhooks at ").unwrap();
    for event in [EventType::TradeProposed, EventType::NewListing] {
        let subscription = NewSubscription::new(event, url).secret(Secret::new("whsec-hushhush"));
        world.seller.subscribe(&subscription).await.unwrap();
    }
    let mut lines = BufReader::new(relay.child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let trade = world.propose().await;
    assert_eq!(next()["subject"], trade.as_str());
    let eve = Seller::join(&world.market, "eve").await;
    let listed = next();
    assert_eq!(listed["type"], "co.machins.new_listing");
    assert_eq!(listed["data"]["seller_agent_id"], eve.agent.as_str());
    relay.stop();
}

/// Answers each POST with 200, and sends its head and body.
fn receiver() -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    let answer = move |stream: TcpStream| -> io::Result<()> {
        let mut reader = BufReader::new(&stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let head = head.to_lowercase();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
            reader.read_exact(&mut body)?;
            let _ = sender.send((head, String::from_utf8(body).unwrap()));
            (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
    };
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream.unwrap()));
        }
    });
    (url, received)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_posted_to_a_url_and_signed() {
    let world = World::start().await;
    let trade = world.propose_and_cancel().await;
    let (url, received) = receiver();
    let secret = [("MACHINS_RELAY_SECRET", "hushhush")];
    let relay = Relay::start(&world, &world.key, &["--to", &url], &secret);
    let signer = Signer::new(&Secret::new("hushhush")).unwrap();
    for event_type in ["co.machins.trade_proposed", "co.machins.trade_cancelled"] {
        let (head, body) = received.recv_timeout(support::LIMIT).unwrap();
        assert!(head.contains(&signer.sign(body.as_bytes())), "{head}");
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&event["type"], &event["subject"]),
            (&event_type.into(), &trade.as_str().into())
        );
    }
    world.drained().await;
    relay.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payload_alone_is_posted_in_the_binary_mode() {
    let world = World::start().await;
    let trade = world.propose().await;
    let (url, received) = receiver();
    let relay = Relay::start(&world, &world.key, &["--to", &url, "--mode", "binary"], &[]);
    let (head, body) = received.recv_timeout(support::LIMIT).unwrap();
    for header in ["ce-specversion: 1.0", "ce-type: co.machins.trade_proposed"] {
        assert!(head.contains(header), "{head}");
    }
    let payload: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(payload["trade_id"], trade.as_str());
    assert!(payload.get("specversion").is_none(), "{payload}");
    world.drained().await;
    relay.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_service_is_waited_out() {
    let world = World::start().await;
    world.propose().await;
    for path in ["/api/v1/wallets/*", "/api/v1/inbox"] {
        world.market.add_fault(Fault::drop_before().path(path).times(4)).unwrap();
    }
    let mut relay = Relay::start(&world, &world.key, &["--to", "-"], &[]);
    relay.wait_for("trying again");
    let mut lines = BufReader::new(relay.child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("co.machins.trade_proposed"));
    relay.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_it() {
    let world = World::start().await;
    let mut relay = Relay::start(&world, &world.key, &["--to", "-"], &[]);
    drop(relay.child.stdout.take());
    assert_eq!(relay.ended().0, Some(0));
    world.propose().await;
    let mut relay = Relay::start(&world, &world.key, &["--to", "-"], &[]);
    drop(relay.child.stdout.take());
    assert_eq!(relay.ended().0, Some(0));
    assert_eq!(world.unread().await.len(), 1);
}

#[rstest]
#[case::no_destination(&[], 2, "no destination")]
#[case::another_protocol(&["--to", "ftp://127.0.0.1", "--stream", "EVENTS"], 2, "nats://")]
#[case::stream_of_http(&["--to", "http://127.0.0.1/", "--stream", "EVENTS"], 2, "has no stream")]
#[case::plain_http(&["--to", "http://hooks.example/"], 2, "would expose the events")]
#[case::signed_stdout(&["--to", "-", "--sign-with", "secret"], 2, "--sign-with")]
#[case::binary_stdout(&["--to", "-", "--mode", "binary"], 2, "--mode")]
#[case::no_address(&["--to", "-", "--from", "webhook"], 2, "--listen 127.0.0.1:8092")]
#[case::no_secret(&["--to", "-", "--listen", "127.0.0.1:0"], 2, "MACHINS_WEBHOOK_SECRET")]
#[case::not_for_the_inbox(&["--to", "-", "--from", "inbox", "--listen", "127.0.0.1:0"], 2, "--from")]
#[case::no_stream(&["--to", "nats://127.0.0.1:4222"], 2, "no stream given")]
#[case::stream_of_stdout(&["--to", "-", "--stream", "EVENTS"], 2, "stdout has no stream")]
#[case::stream_name(&["--to", "nats://127.0.0.1:4222", "--stream", "a.b"], 2, "white space")]
#[case::no_partitions(&["--to", "-", "--stream", "E", "--partitions", "0"], 2, "--partitions")]
#[case::two_choices(&["--to", "-", "--profile", "a", "--profiles", "b"], 2, "--profiles")]
#[case::filter(&["--to", "-", "--jq", ".type"], 2, "--jq")]
#[case::source(&["--to", "-", "--from", "mail"], 2, "possible values: inbox, webhook")]
#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_explained(#[case] given: &[&str], #[case] code: i32, #[case] why: &str) {
    let world = World::start().await;
    let (status, said) = Relay::start(&world, &world.key, given, &[]).ended();
    assert_eq!(status, Some(code), "{said}");
    assert!(said.contains(why), "{said}");
    assert!(world.market.requests().iter().all(|request| !request.path.ends_with("/inbox")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_valid_is_refused() {
    let world = World::start().await;
    let (status, said) = Relay::start(&world, "at_unknown", &["--to", "-"], &[]).ended();
    assert_eq!(status, Some(1), "{said}");
}

/// Installs the Python client of NATS into a folder of the build directory.
fn nats_py() -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nats-py-2.16.0");
    if !folder.join("nats").exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
        let output = pip.arg(&folder).arg("nats-py==2.16.0").output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(folder.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_of_the_page_share_an_inbox() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let packages = match nats_py() {
        Ok(packages) => packages,
        Err(why) if env::var_os("REQUIRE_PYTHON").is_some() => panic!("no nats-py: {why}"),
        Err(why) => return eprintln!("skipped: no nats-py: {why}"),
    };
    let world = World::start().await;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/relay.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, program) = page.split_once("```python\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let program = program.replace("nats://127.0.0.1:4222", &nats.url());
    let stream = ["--to", &nats.url(), "--stream", "EVENTS", "--partitions", "8"];
    let mut relay = Relay::start(&world, &world.key, &stream, &[]);
    relay.wait_for("this replica reads the inbox");

    // Both write to one pipe, which keeps the order of their lines.
    let (reader, writer) = pipe().unwrap();
    let mut workers = ["one", "two"].map(|name| {
        let mut python = Command::new("python3");
        python.args(["-c", &program, name]).env("PYTHONPATH", &packages);
        python.stdout(writer.try_clone().unwrap()).spawn().unwrap()
    });
    let (sender, handled) = mpsc::channel();
    let lines = BufReader::new(reader).lines();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut trades = Vec::new();
    for _ in 0..20 {
        trades.push(world.propose_and_cancel().await.to_string());
    }
    let mut by_trade: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..40 {
        let line = handled.recv_timeout(support::LIMIT).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        by_trade.entry(words[2].to_owned()).or_default().push(words[1].to_owned());
    }
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    relay.stop();
    let in_order = ["co.machins.trade_proposed", "co.machins.trade_cancelled"];
    assert_eq!(by_trade.len(), trades.len());
    assert!(by_trade.values().all(|types| *types == in_order), "{by_trade:?}");
    assert!(handled.try_recv().is_err(), "handled twice");
}
