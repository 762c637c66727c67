//! A group of eight processes, of which any is killed at any moment, and an event that ends its process.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Config;
use fastrand::Rng;
use machins_relay::{Effect, Effects, Handled, ReceivedEvent};
use test_support::NatsServer;

use crate::{all_acknowledged, connect, events, publish, read, worker};

/// The variable with which the test below does something: the address of NATS.
const NATS: &str = "WORKER_TEST_NATS";
/// The type of the event that ends its process.
const POISON: &str = "poison";
const ATTEMPTS: u64 = 3;

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(nats: &NatsServer) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "group::works_as_a_process_of_its_own", "--nocapture"])
            .env(NATS, nats.url());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it has begun with an event. Returns false if it has ended.
    fn has_begun(&mut self) -> bool {
        self.lines.by_ref().any(|line| line.is_ok_and(|line| line == "begun"))
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The effect of an event is a message in another stream, which does not recognize duplicates.
async fn settle(context: &Context, effects: &Effects, event: &ReceivedEvent) -> Result<(), String> {
    let (id, trade) = (event.id(), event.event.subject.clone().unwrap());
    let subject = format!("ledger.{}", event.event.id);
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let is_there = match effects.begin(&id).await.map_err(|error| text(&error))? {
        Effect::New => false,
        Effect::Finished => return Ok(()),
        // Whether it has happened can be found out.
        Effect::Unfinished => {
            let ledger = context.get_stream("LEDGER").await.map_err(|error| text(&error))?;
            ledger.get_last_raw_message_by_subject(&subject).await.is_ok()
        }
    };
    if !is_there {
        let sent = context.publish(subject, trade.into()).await.map_err(|error| text(&error))?;
        sent.await.map_err(|error| text(&error))?;
    }
    effects.finish(&id).await.map_err(|error| text(&error))
}

#[tokio::test]
async fn works_as_a_process_of_its_own() {
    let Ok(nats) = env::var(NATS) else { return };
    let context = connect(&nats).await;
    let effects = Effects::open(&context, "group").await.unwrap();
    let handle = async |event: ReceivedEvent| {
        // The test harness writes to the same output: whole lines.
        let _ = std::io::stdout().write_all(b"\nbegun\n");
        if event.event.event_type() == POISON {
            std::process::abort();
        }
        settle(&context, &effects, &event).await.map(|()| Handled::Done)
    };
    worker().max_attempts(ATTEMPTS).run(&context, handle).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_that_are_killed_have_each_effect_once() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    let ledger = Config {
        name: "LEDGER".to_owned(),
        subjects: vec!["ledger.>".to_owned()],
        ..Config::default()
    };
    context.create_stream(ledger).await.unwrap();
    let (trades, steps) = if env::var_os("FULL_SIZE").is_some() { (400, 25) } else { (30, 6) };
    for step in 0..steps {
        for trade in 0..trades {
            let (id, trade) = (format!("{trade}-{step}"), format!("t{trade}"));
            publish(&context, &id, "trade_proposed", &trade).await;
        }
    }
    publish(&context, "poison", POISON, "t0").await;
    publish(&context, "after", "trade_cancelled", "t0").await;

    let killed = tokio::task::block_in_place(|| {
        let mut random = Rng::with_seed(19);
        let mut processes: Vec<Process> = (0..8).map(|_| Process::start(&nats)).collect();
        let mut killed = 0;
        for _ in 0..12 {
            let mut victim = processes.swap_remove(random.usize(..8));
            if victim.has_begun() {
                killed += 1;
            }
            victim.kill();
            processes.push(Process::start(&nats));
        }
        // The poison ends processes until it is a dead letter.
        let runtime = tokio::runtime::Handle::current();
        let finished = runtime.spawn({
            let context = context.clone();
            async move { all_acknowledged(&context).await }
        });
        while !finished.is_finished() {
            for process in &mut processes {
                if process.child.try_wait().unwrap().is_some() {
                    *process = Process::start(&nats);
                    killed += 1;
                }
            }
            std::thread::yield_now();
        }
        runtime.block_on(finished).unwrap();
        processes.into_iter().for_each(Process::kill);
        killed
    });

    let expected = trades * steps + 1;
    let messages = context.get_stream("LEDGER").await.unwrap().cached_info().state.messages;
    println!("{messages} effects of {expected} events, {killed} processes killed");
    assert_eq!(messages, expected as u64);
    let mut by_trade: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for effect in read(&context, "LEDGER", expected).await {
        let trade = String::from_utf8(effect.payload.to_vec()).unwrap();
        by_trade.entry(trade).or_default().push(effect.subject.to_string());
    }
    for trade in 0..trades {
        let mut steps: Vec<_> = (0..steps).map(|step| format!("ledger.{trade}-{step}")).collect();
        if trade == 0 {
            steps.push("ledger.after".to_owned());
        }
        assert_eq!(by_trade[&format!("t{trade}")], steps);
    }
    let dead = read(&context, "EVENTS-dead", 1).await.remove(0);
    let reason = dead.headers.as_ref().unwrap().get("Machins-Dead-Reason").unwrap().to_string();
    assert_eq!(reason, format!("its worker ended without a result, {ATTEMPTS} times in all"));
    let effects = Effects::open(&context, "group").await.unwrap();
    assert!(effects.unfinished().await.unwrap().is_empty());
}
