//! Fetching notifications, handing them over and acknowledging them.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use agent_client_core::{Async, Error, ErrorKind, Pending, Transport, lock};
use futures_core::Stream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::delivery::InboxDelivery;
use super::listed::Listed;
use super::queue::{Handed, Wanted};
use super::shared::{Batch, Shared, is_refusal};
use super::walk::{Walk, unread};
use crate::endpoints::inbox::list_inbox;
use crate::model::inbox::InboxQuery;
use crate::model::page::Page;
use crate::model::query::PageQuery;
use crate::refusal::is_final;

/// The number of notifications in one acknowledgement, at most.
const MAX_ACKNOWLEDGED: usize = 100;
/// The number of entries that a page shows on both sides of the one that is looked for, besides as
/// many as can be handed over.
const MARGIN: u64 = 8;
/// The largest page that the service returns.
const MAX_PAGE: u64 = 200;
/// The smallest page that can begin with the last entry of the one before.
const MIN_PAGE: u64 = 2;

/// The notifications of an [`InboxWatch`](crate::InboxWatch), each to be settled by its receiver: a
/// [`Stream`] of an asynchronous client, an [`Iterator`] of a blocking one.
///
/// At most as many are handed over at a time as
/// [`concurrency`](crate::InboxWatch::concurrency) allows, one by default: the next one comes after
/// the previous one was settled or dropped. The stream ends after the watch was stopped. An error
/// does not end it, although trying again is unlikely to help: see
/// [`InboxWatch::run`](crate::InboxWatch::run).
///
/// ```
/// use machins_client::{CancellationToken, Event, Proposal};
/// use std::time::Duration;
///
/// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
/// buyer.propose_trade(&Proposal::new(&listing.id)).await?;
///
/// let stop = CancellationToken::new();
/// let mut deliveries = seller.inbox_watch().stop(stop.clone()).deliveries();
/// while let Some(delivery) = deliveries.next().await {
///     let delivery = delivery?;
///     match delivery.event() {
///         Event::TradeProposed(proposed) => match seller.accept_trade(&proposed.trade_id).await {
///             Ok(_) => delivery.acknowledge().await?,
///             Err(error) if error.is_retryable() => delivery.defer(Duration::from_secs(60)),
///             Err(error) => delivery.park(error),
///         },
///         _ => delivery.acknowledge().await?,
///     }
///     stop.cancel(); // ends the stream after one notification
/// }
/// # Ok(()) });
/// ```
#[must_use = "nothing is fetched before a notification is requested"]
pub struct Deliveries<T: Transport = Async> {
    transport: T,
    shared: Arc<Shared>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    listing: Option<(Request, Pending<Page<Listed>>)>,
    walk: Option<Walk>,
    acknowledgement: Option<Acknowledgement>,
    timer: Option<(Instant, Sleep)>,
    /// No list is fetched, and no acknowledgement sent, before these moments.
    next_list: Option<Instant>,
    next_walk: Option<Instant>,
    next_acknowledgement: Option<Instant>,
    failed_lists: u32,
    failed_acknowledgements: u32,
    walks_without_new: u32,
    /// Whether the last page did not show what it should, and the walk after it did.
    has_missed: bool,
    /// Fewer after the service refused an acknowledgement, to find out which id it refuses.
    batch_size: usize,
    /// Smaller after a page was too large to be read. Its entries may be large.
    page_size: u64,
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;
type Acknowledgement = Pin<Box<dyn Future<Output = (Batch, Result<(), Error>)> + Send>>;

/// Why a page is being fetched.
enum Request {
    Walk,
    Look { offset: u64 },
}

impl<T: Transport> Deliveries<T> {
    pub(super) fn new(shared: Arc<Shared>, transport: T) -> Self {
        let stopped = Box::pin(shared.settings.stop.clone().cancelled_owned());
        Self {
            transport,
            shared,
            stopped,
            listing: None,
            walk: None,
            acknowledgement: None,
            timer: None,
            next_list: None,
            next_walk: None,
            next_acknowledgement: None,
            failed_lists: 0,
            failed_acknowledgements: 0,
            walks_without_new: 0,
            has_missed: false,
            batch_size: MAX_ACKNOWLEDGED,
            page_size: MAX_PAGE,
        }
    }

    /// Returns the next notification, or `None` once the watch is stopped.
    pub(super) fn poll_delivery(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<InboxDelivery<T>, Error>>> {
        loop {
            if self.stopped.as_mut().poll(context).is_ready() {
                (self.listing, self.walk) = (None, None);
                return Poll::Ready(None);
            }
            if let Err(error) = self.acknowledge(context) {
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(handed) = self.hand_over(context) {
                let delivery = InboxDelivery::new(&self.shared, self.transport.clone(), handed);
                return Poll::Ready(Some(Ok(delivery)));
            }
            match self.list(context) {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(true) => continue,
                Ok(false) => {}
            }
            if !self.is_time_over(context) {
                return Poll::Pending;
            }
        }
    }

    /// Acknowledges what was handled until then, after the watch was stopped. Ends after the first
    /// acknowledgement that fails.
    pub(super) fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.acknowledgement.is_none() {
                let Some(batch) = Batch::take(&self.shared, self.batch_size) else {
                    return Poll::Ready(());
                };
                self.acknowledgement = Some(Box::pin(send(batch)));
            }
            let Some(acknowledgement) = &mut self.acknowledgement else {
                return Poll::Ready(());
            };
            let (batch, result) = ready!(acknowledgement.as_mut().poll(context));
            self.acknowledgement = None;
            if let Err(error) = self.conclude(batch, result) {
                self.shared.report(&error);
                return Poll::Ready(());
            }
        }
    }

    fn now(&self) -> Instant {
        self.shared.api.transport().clock().now()
    }

    fn hand_over(&self, context: &Context<'_>) -> Option<Handed> {
        let now = self.now();
        let mut queue = lock(&self.shared.queue);
        queue.register(context.waker());
        queue.hand_over(now, self.shared.settings.concurrency)
    }

    /// Sends acknowledgements, one at a time. Each contains what was handled during the one before.
    fn acknowledge(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        loop {
            if self.acknowledgement.is_none() {
                if self.next_acknowledgement.is_some_and(|time| self.now() < time) {
                    return Ok(());
                }
                let Some(batch) = Batch::take(&self.shared, self.batch_size) else {
                    self.batch_size = MAX_ACKNOWLEDGED;
                    return Ok(());
                };
                self.acknowledgement = Some(Box::pin(send(batch)));
            }
            let Some(acknowledgement) = &mut self.acknowledgement else { return Ok(()) };
            let Poll::Ready((batch, result)) = acknowledgement.as_mut().poll(context) else {
                return Ok(());
            };
            self.acknowledgement = None;
            self.next_acknowledgement = None;
            match self.conclude(batch, result) {
                Ok(()) => self.failed_acknowledgements = 0,
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => {
                    self.failed_acknowledgements += 1;
                    let wait = self.shared.retry_wait(&error, self.failed_acknowledgements);
                    self.next_acknowledgement = Some(self.now() + wait);
                }
            }
        }
    }

    /// Ends an acknowledgement. Returns its error if the whole of it is to be sent again.
    fn conclude(&mut self, batch: Batch, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Ok(()) => batch.done(),
            Err(error) if is_refusal(&error) => {
                self.shared.report(&error);
                if batch.len() == 1 {
                    // This id can never be acknowledged. It is not handed over again.
                    batch.done();
                } else {
                    self.batch_size = 1;
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Fetches pages of the inbox as needed. Returns whether the queue may have changed.
    fn list(&mut self, context: &mut Context<'_>) -> Result<bool, Error> {
        if self.listing.is_none() {
            self.listing = self.request();
        }
        let Some((_, pending)) = &mut self.listing else { return Ok(false) };
        let Poll::Ready(page) = Pin::new(pending).poll(context) else { return Ok(false) };
        let Some((request, _)) = self.listing.take() else { return Ok(false) };
        match page {
            Ok(page) => {
                self.failed_lists = 0;
                self.next_list = None;
                if let Some(on_page) = &self.shared.settings.on_page {
                    on_page();
                }
                self.take(&request, page);
            }
            // The service may refuse an offset that is behind the end.
            Err(error)
                if is_final(&error) && self.walk.as_mut().is_some_and(Walk::restart_whole) => {}
            Err(error) if is_final(&error) => {
                self.walk = None;
                return Err(error);
            }
            Err(error) if error.kind() == ErrorKind::ReplyTooLarge && self.page_size > MIN_PAGE => {
                self.shared.report(&error);
                self.page_size = (self.page_size / 2).max(MIN_PAGE);
            }
            Err(error) => {
                self.failed_lists += 1;
                self.next_list =
                    Some(self.now() + self.shared.retry_wait(&error, self.failed_lists));
            }
        }
        Ok(true)
    }

    /// Requests the page that is needed next, if any.
    fn request(&mut self) -> Option<(Request, Pending<Page<Listed>>)> {
        let now = self.now();
        if self.next_list.is_some_and(|time| now < time) {
            return None;
        }
        let concurrency = self.shared.settings.concurrency;
        if self.walk.is_none() {
            let is_asked = lock(&self.shared.queue).take_look();
            if is_asked {
                (self.next_walk, self.walks_without_new) = (None, 0);
            }
            match lock(&self.shared.queue).wanted(now, concurrency) {
                Wanted::Nothing => return None,
                Wanted::Page(position) => {
                    let margin =
                        MARGIN.saturating_add(concurrency as u64).min(self.page_size / 2 - 1);
                    let offset = position.saturating_sub(margin);
                    let limit = u32::try_from(2 * margin + 1).unwrap_or(u32::MAX);
                    let page = PageQuery::new().offset(offset).limit(limit);
                    return Some((Request::Look { offset }, self.fetch(page)));
                }
                Wanted::All if self.next_walk.is_some_and(|time| now < time) => return None,
                Wanted::All => self.walk = Some(Walk::new()),
            }
        }
        let page = self.walk.as_mut()?.next_of_size(self.page_size)?;
        Some((Request::Walk, self.fetch(page)))
    }

    fn fetch(&self, page: PageQuery) -> Pending<Page<Listed>> {
        let mut query = InboxQuery::new().unread();
        query.filter.event_type.clone_from(&self.shared.settings.event_type);
        (query.offset, query.limit) = (page.offset, page.limit);
        self.shared.api.send(list_inbox(&query))
    }

    /// Takes in the page that was requested.
    fn take(&mut self, request: &Request, page: Page<Listed>) {
        let (now, settings) = (self.now(), &self.shared.settings);
        let mut queue = lock(&self.shared.queue);
        match request {
            Request::Look { offset } => {
                let unread = unread(&page, &queue);
                queue.refresh(&unread, *offset, now);
                if queue.has_fresh(now) {
                    self.has_missed = false;
                    return;
                }
                drop(queue);
                if self.has_missed {
                    // The service lists it in one place and not in another.
                    self.next_list = Some(now + self.shared.growing(settings.poll_waits, 1));
                }
                self.has_missed = true;
                self.walk = Some(Walk::new());
            }
            Request::Walk => {
                let Some(walk) = &mut self.walk else { return };
                walk.take(page, &queue, settings.event_type.as_ref());
                if walk.next().is_some() {
                    return;
                }
                let Some(walk) = self.walk.take() else { return };
                let has_new = walk.finish(&mut queue, now);
                drop(queue);
                self.walks_without_new = if has_new { 0 } else { self.walks_without_new + 1 };
                if !has_new {
                    self.page_size = MAX_PAGE;
                }
                let wait = self.shared.growing(settings.poll_waits, self.walks_without_new);
                self.next_walk = (!has_new).then(|| now + wait);
            }
        }
    }

    /// Returns whether a moment has come that was waited for.
    fn is_time_over(&mut self, context: &mut Context<'_>) -> bool {
        let now = self.now();
        let queue = lock(&self.shared.queue);
        let wants = queue.wanted(now, self.shared.settings.concurrency);
        let waits_for_list = self.listing.is_none() && wants != Wanted::Nothing;
        let is_next_walk = wants == Wanted::All && self.walk.is_none();
        let walk = self.next_walk.filter(|_| is_next_walk);
        let list = self.next_list.max(walk).filter(|_| waits_for_list);
        let deferred = queue.next_due().filter(|_| waits_for_list);
        let acknowledgement = self.next_acknowledgement.filter(|_| queue.has_handled());
        drop(queue);
        let Some(next) = [list, deferred, acknowledgement].into_iter().flatten().min() else {
            return false;
        };
        if self.timer.as_ref().is_none_or(|(time, _)| *time != next) {
            let wait = next.saturating_duration_since(now);
            self.timer = Some((next, self.shared.api.transport().clock().sleep(wait)));
        }
        let Some((_, sleep)) = &mut self.timer else { return false };
        let is_over = sleep.as_mut().poll(context).is_ready();
        if is_over {
            self.timer = None;
        }
        is_over
    }

    fn poll_item(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<InboxDelivery<T>, Error>>> {
        let next = ready!(self.poll_delivery(context));
        if next.is_none() {
            ready!(self.poll_finish(context));
        }
        Poll::Ready(next)
    }
}

impl Deliveries<Async> {
    /// Waits for the next notification. Returns `None` once the watch is stopped. Dropping the
    /// future loses no notification.
    ///
    /// # Errors
    /// Returns an error if the inbox cannot be read or acknowledged and trying again would not
    /// help. The method may be called again.
    pub async fn next(&mut self) -> Option<Result<InboxDelivery, Error>> {
        poll_fn(|context| self.poll_item(context)).await
    }
}

impl Stream for Deliveries<Async> {
    type Item = Result<InboxDelivery, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(context)
    }
}

#[cfg(feature = "blocking")]
impl Iterator for Deliveries<agent_client_core::Blocking> {
    type Item = Result<InboxDelivery<agent_client_core::Blocking>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let transport = self.transport.clone();
        let item = transport.try_wait(poll_fn(|context| self.poll_item(context)));
        item.unwrap_or_else(|error| Some(Err(error)))
    }
}

impl<T: Transport> fmt::Debug for Deliveries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

async fn send(batch: Batch) -> (Batch, Result<(), Error>) {
    let result = batch.send().await;
    (batch, result)
}
