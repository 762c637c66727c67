//! Where events come from.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use machins_client::{
    AgentId, CancellationToken, Client, Error, ErrorKind, InboxQuery, InboxWaker,
};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::waits::Waits;

/// The largest page of an inbox, as it is fetched when events are passed on.
const PAGE_SIZE: u32 = 200;
/// The shortest and the longest wait before an inbox that could not be read is tried again.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// An agent, and the client that reads its inbox.
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) agent: AgentId,
    /// Has the inbox fetched at once. `None` while this replica does not read it.
    waker: Mutex<Option<InboxWaker>>,
    /// Whether no page of the inbox could be fetched at last.
    fails: watch::Sender<bool>,
}

/// For as long as it exists, the inbox is read here.
pub(crate) struct Reading<'a>(&'a Source);

impl Source {
    pub(crate) fn new(client: Client, agent: AgentId) -> Self {
        Self { client, agent, waker: Mutex::new(None), fails: watch::Sender::new(false) }
    }

    /// The address of the service.
    pub(crate) fn service(&self) -> String {
        self.client.transport().base_url().to_string()
    }

    /// Notes that the inbox is read here.
    pub(crate) fn reads(&self, waker: InboxWaker) -> Reading<'_> {
        self.set(Some(waker));
        Reading(self)
    }

    /// Has the inbox fetched at once. Returns false if it is not read here.
    pub(crate) fn wake(&self) -> bool {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        waker.as_ref().map(InboxWaker::wake).is_some()
    }

    /// Notes that this replica begins to read the inbox, and whether it is known that it can.
    pub(crate) fn begin(&self, is_reached: bool) {
        self.fails.send_replace(!is_reached);
    }

    /// Returns what is to be called when a page of the inbox was fetched.
    pub(crate) fn on_page(&self) -> impl Fn() + Send + Sync + use<> {
        let fails = self.fails.clone();
        move || {
            fails.send_if_modified(|fails| std::mem::replace(fails, false));
        }
    }

    /// Returns what is to be called with each error of reading the inbox.
    pub(crate) fn on_error(&self) -> impl Fn(&Error) + Send + Sync + use<> {
        let fails = self.fails.clone();
        move |error| {
            // Another replica would be limited, too.
            if error.kind() != ErrorKind::RateLimited {
                fails.send_replace(true);
            }
        }
    }

    /// Returns when no page could be fetched for this time, and none can be fetched then.
    pub(crate) async fn unreachable(&self, time: Duration) {
        let mut fails = self.fails.subscribe();
        // The sender is not dropped before.
        while fails.wait_for(|fails| *fails).await.is_ok() {
            if timeout(time, fails.wait_for(|fails| !fails)).await.is_ok() {
                continue;
            }
            // The time may have passed in waiting, and not in trying.
            let is_fetched = tokio::select! {
                _ = fails.wait_for(|fails| !fails) => true,
                page = timeout(time, self.fetch(PAGE_SIZE)) => matches!(page, Ok(Ok(()))),
            };
            if !is_fetched {
                return;
            }
            self.fails.send_replace(false);
        }
    }

    /// Returns when the inbox can be read, or cannot for a reason that reading it will tell, or it is
    /// stopped. `report` is given each other error.
    pub(crate) async fn reachable(&self, report: impl Fn(&Error), stop: &CancellationToken) {
        let (mut waits, mut limit) = (Waits::between(WAITS), PAGE_SIZE);
        let trying = async {
            while let Err(error) = self.fetch(limit).await {
                if is_final(&error) {
                    return;
                }
                if error.kind() == ErrorKind::ReplyTooLarge {
                    limit = (limit / 2).max(1);
                }
                report(&error);
                waits.wait(stop).await;
            }
        };
        tokio::select! {
            () = trying => {}
            () = stop.cancelled() => {}
        }
    }

    /// Fetches a page of the inbox, of so many notifications at most.
    async fn fetch(&self, limit: u32) -> Result<(), Error> {
        self.client.list_inbox(&InboxQuery::new().unread().limit(limit)).await.map(drop)
    }

    fn set(&self, waker: Option<InboxWaker>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// Whether reading the inbox ends with this error: the rule of
/// [`InboxWatch::run`](machins_client::InboxWatch::run).
fn is_final(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Unauthorized => true,
        ErrorKind::BadRequest | ErrorKind::Forbidden | ErrorKind::NotFound => {
            error.excerpt().is_none()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use machins_client::ApiKey;
    use tokio::time::{Instant, sleep};

    use super::*;

    const TIME: Duration = Duration::from_secs(10);

    /// An inbox at an address that refuses connections.
    fn source() -> Source {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let key = ApiKey::new("at_0123456789").unwrap();
        let client = Client::builder().base_url(format!("http://{address}")).api_key(key);
        let client = client.build().unwrap();
        Source::new(client, AgentId::new("ada").unwrap())
    }

    /// How long it takes until an inbox counts as unreachable, or `None` if it does not.
    async fn time_until_unreachable(source: &Source) -> Option<Duration> {
        let start = Instant::now();
        let limit = Duration::from_hours(1);
        timeout(limit, source.unreachable(TIME)).await.ok().map(|()| start.elapsed())
    }

    fn failure() -> Error {
        Error::new(ErrorKind::Unavailable, "the service is down")
    }

    #[tokio::test(start_paused = true)]
    async fn an_inbox_that_is_rate_limited_is_not_unreachable() {
        let source = source();
        source.begin(true);
        source.on_error()(&Error::new(ErrorKind::RateLimited, "too many calls"));
        assert_eq!(time_until_unreachable(&source).await, None);
        source.on_error()(&failure());
        assert!(time_until_unreachable(&source).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_inbox_that_never_answers_is_unreachable() {
        let source = source();
        source.begin(false);
        let time = time_until_unreachable(&source).await.unwrap();
        assert!((TIME..2 * TIME).contains(&time), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_inbox_is_not_unreachable() {
        let source = source();
        source.begin(true);
        assert_eq!(time_until_unreachable(&source).await, None);
        source.begin(false);
        source.on_page()();
        assert_eq!(time_until_unreachable(&source).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_counts_from_the_first_failure() {
        let source = source();
        source.begin(true);
        let failing = async {
            for wait in [1, 3, 4, 2] {
                sleep(Duration::from_secs(wait)).await;
                source.on_error()(&failure());
            }
        };
        let (time, ()) = tokio::join!(time_until_unreachable(&source), failing);
        let (time, first) = (time.unwrap(), Duration::from_secs(1));
        assert!((first + TIME..2 * TIME).contains(&time), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_in_between_ends_a_failure() {
        let source = source();
        source.begin(true);
        let (fails, page) = (source.on_error(), source.on_page());
        fails(&failure());
        page();
        assert_eq!(time_until_unreachable(&source).await, None);
    }
}
