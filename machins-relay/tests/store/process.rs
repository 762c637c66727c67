//! Processes with ten workers each that buy: this test program again, with one test that does it.

use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use machins_client::{
    ClientOptions, Intent, IntentLock, IntentStore, LockCheck, Proposal, SpendingJournal,
    SpendingLock, SpendingStore, StoreFuture,
};
use machins_relay::NatsStore;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use test_support::NatsServer;

use crate::{Market, TIMEOUT, builder, spender, store};

/// The variable with which the test below does something. The others hold what it needs.
const NATS: &str = "STORE_TEST_NATS";
const URL: &str = "STORE_TEST_URL";
const KEY: &str = "STORE_TEST_KEY";
const LISTING: &str = "STORE_TEST_LISTING";
const WORK: &str = "STORE_TEST_WORK";
/// A text for each worker, which decides about the order of what it does.
const NAME: &str = "STORE_TEST_NAME";

/// What the workers of a process do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Each buys for the same keys, until all have led to a trade.
    Intents,
    /// Each buys for a key of its own, under a policy.
    Budget,
    /// One buys, and stops itself once its purchase is recorded.
    StopRecorded,
    /// One buys, and stops itself when it may send.
    StopSending,
    /// The same, in little time and with a lock that lasts long.
    StopLate,
    /// One buys, and stops itself once it has read what is under way.
    StopDeciding,
}

/// How long the calls of [`Work::StopLate`] may take.
pub(crate) const LITTLE_TIME: Duration = Duration::from_secs(2);
/// The number of keys, and what may be spent.
pub(crate) const KEYS: usize = 10;
pub(crate) const BUDGET: i32 = 30;

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub(crate) fn start(market: &Market, nats: &NatsServer, work: Work, name: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "process::works_as_a_process_of_its_own", "--nocapture"])
            .env(NATS, nats.url())
            .env(URL, market.server.machins_base_url())
            .env(KEY, &market.key)
            .env(LISTING, market.listing.as_str())
            .env(WORK, format!("{work:?}"))
            .env(NAME, name);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until the process has stopped.
    pub(crate) fn stopped(&self) {
        let status = waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(status, WaitStatus::Stopped(..)), "{status:?}");
    }

    /// Waits until a worker has said something, and returns it. `None` once all have ended.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            if let Some(said) = line.strip_prefix("said ") {
                return Some(said.to_owned());
            }
        }
    }

    pub(crate) fn end(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.next()).collect();
        self.child.wait().unwrap();
        said
    }
}

fn say(text: &str) {
    // The test harness writes to the same output: whole lines with a beginning of their own.
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(format!("\nsaid {text}\n").as_bytes());
    let _ = stdout.flush();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_as_a_process_of_its_own() {
    let Ok(nats) = env::var(NATS) else { return };
    let value = |name| env::var(name).unwrap();
    let (work, name) = (value(WORK), value(NAME));
    let proposal = Proposal::new(&value(LISTING).parse().unwrap()).terms("once");
    let stop = Arc::new(AtomicBool::new(true));
    let is_late = work == "StopLate";
    let at = if is_late { "StopSending" } else { &work }.to_owned();
    let intents = if is_late { store(&nats).lock_time(TIMEOUT) } else { store(&nats) };
    let intents = Stopping { store: intents, at, stop };
    let mut builder = builder(&value(URL), &value(KEY)).intent_store(intents.clone());
    if is_late {
        builder = builder.options(ClientOptions::new().timeout(LITTLE_TIME));
    }
    let client = builder.build().unwrap();
    if work.starts_with("Stop") {
        let spending = spender(&client, store(&nats), BUDGET);
        let (mut client, is_deciding) = (spending, work == "StopDeciding");
        if is_deciding {
            client = client.store(intents);
        }
        for key in ["order", "order"] {
            say(&match client.propose_trade_once(key, &proposal).await {
                Ok(trade) => format!("trade {}", trade.id),
                Err(error) => format!("{:?} {error}", error.kind()),
            });
        }
        return;
    }
    let workers = (0..10).map(|number| {
        let (client, proposal) = (client.clone(), proposal.clone());
        let spending = spender(&client, store(&nats), BUDGET);
        let name = format!("{name}-{number}");
        let is_budget = work == "Budget";
        tokio::spawn(async move {
            if is_budget {
                let bought = spending.propose_trade_once(&name, &proposal).await;
                say(&bought
                    .map_or_else(|error| error.to_string(), |trade| format!("trade {}", trade.id)));
                return;
            }
            let first = name.bytes().map(usize::from).sum::<usize>();
            for key in (first..first + KEYS).map(|key| format!("order-{}", key % KEYS)) {
                loop {
                    match client.propose_trade_once(&key, &proposal).await {
                        Ok(trade) => break say(&format!("trade {key} {}", trade.id)),
                        Err(error) => say(&format!("error {key} {error}")),
                    }
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

/// A store that stops this process at one point, once.
#[derive(Debug, Clone)]
struct Stopping {
    store: NatsStore,
    at: String,
    stop: Arc<AtomicBool>,
}

impl Stopping {
    fn at(&self, point: &str) {
        if self.at == point && self.stop.swap(false, Ordering::SeqCst) {
            raise(Signal::SIGSTOP).unwrap();
        }
    }
}

impl IntentStore for Stopping {
    fn lock<'a>(
        &'a self,
        key: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn IntentLock>> {
        Box::pin(async move {
            let lock = IntentStore::lock(&self.store, key, patience).await?;
            Ok(Box::new(StoppingLock { lock, store: self.clone() }) as Box<dyn IntentLock>)
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<Intent>> {
        self.store.list()
    }
}

#[derive(Debug)]
struct StoppingLock<L: ?Sized> {
    store: Stopping,
    lock: Box<L>,
}

impl IntentLock for StoppingLock<dyn IntentLock> {
    fn read(&mut self) -> StoreFuture<'_, Option<Intent>> {
        self.lock.read()
    }

    fn write<'a>(&'a mut self, intent: &'a Intent) -> StoreFuture<'a, ()> {
        Box::pin(async {
            self.lock.write(intent).await?;
            self.store.at("StopRecorded");
            Ok(())
        })
    }

    fn remove(&mut self) -> StoreFuture<'_, ()> {
        self.lock.remove()
    }

    fn check(&self) -> LockCheck {
        let (check, store) = (self.lock.check(), self.store.clone());
        Arc::new(move || {
            check()?;
            store.at("StopSending");
            Ok(())
        })
    }
}

impl SpendingStore for Stopping {
    fn lock<'a>(
        &'a self,
        account: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn SpendingLock>> {
        Box::pin(async move {
            let lock = SpendingStore::lock(&self.store, account, patience).await?;
            Ok(Box::new(StoppingLock { lock, store: self.clone() }) as Box<dyn SpendingLock>)
        })
    }
}

impl SpendingLock for StoppingLock<dyn SpendingLock> {
    fn read(&mut self) -> StoreFuture<'_, SpendingJournal> {
        Box::pin(async {
            let journal = self.lock.read().await;
            self.store.at("StopDeciding");
            journal
        })
    }

    fn write<'a>(&'a mut self, journal: &'a SpendingJournal) -> StoreFuture<'a, ()> {
        self.lock.write(journal)
    }
}
