//! All items of a list, as a stream or as an iterator.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use agent_client_core::{Async, Call, Error, Pending, Transport};
use futures_core::Stream;

use crate::client::Api;
use crate::model::page::Page;
use crate::model::query::{PageQuery, Query};
use crate::pager::Pager;

/// All items of a list, from [`Api::browse_all`] and the other `*_all` methods: a [`Stream`] of an
/// asynchronous client, an [`Iterator`] of a blocking one.
///
/// Each page is fetched when its first item is requested, and only one page is held at a time. The
/// items end after the last page, after the first error (which is the last item), and when the
/// service goes on sending pages on which nothing is new.
///
/// # If the list changes meanwhile
///
/// - **No item is given twice.** The ids of at least the last two million items, and at most four
///   million, are remembered as hashes of 8 bytes.
/// - **No item is passed over because others leave or are added,** for example because each trade
///   is accepted as it is given. Pages overlap by one item, and earlier ones are fetched again if
///   that item is not there.
/// - **What can be missed** is an item that itself moves towards the beginning, for example because
///   its price changes in a list sorted by price; an item that is added before the place that was
///   reached; and an item that others, which move at the same moment, hide. If the service says at
///   the end that there are more items than were given, the list is fetched once more to find these.
///   The hashes of two of a million items are equal, and one of them is missed, with a probability
///   of 1 in 30 million.
#[must_use = "no page is fetched before an item is requested"]
pub struct Items<T: Transport, I: Send + 'static> {
    api: Api<T>,
    call: Box<dyn Fn(PageQuery) -> Call<Page<I>> + Send>,
    id: fn(&I) -> &str,
    pager: Pager,
    buffer: VecDeque<I>,
    pending: Option<Pending<Page<I>>>,
}

impl<T: Transport, I: Send + 'static> Items<T, I> {
    /// The items that `query` finds. `call` requests one page, and `id` identifies an item.
    pub(crate) fn new<F: Clone + Send + 'static>(
        api: &Api<T>,
        query: &Query<F>,
        call: fn(&Query<F>) -> Call<Page<I>>,
        id: fn(&I) -> &str,
    ) -> Self {
        let all = query.clone();
        let call = move |page: PageQuery| call(&all.clone().at(page));
        Self {
            api: api.clone(),
            call: Box::new(call),
            id,
            pager: Pager::new(query.page()),
            buffer: VecDeque::new(),
            pending: None,
        }
    }

    /// Returns how many items the whole list has, as the page that was fetched last says. `None` if it
    /// does not say, or if none was fetched yet.
    pub fn total(&self) -> Option<u64> {
        self.pager.total()
    }

    /// Returns whether the list was given to its end. False if the service announces or counts more
    /// items than its pages brought, for example because it ignores the offset, and before the end.
    pub fn is_complete(&self) -> bool {
        self.buffer.is_empty() && self.pager.is_complete()
    }

    /// Takes in the page that was requested, or the error that ends the items.
    fn receive(&mut self, page: Result<Page<I>, Error>) -> Result<(), Error> {
        match page {
            Ok(page) => {
                self.buffer = self.pager.take(page, self.id);
                Ok(())
            }
            Err(error) => {
                self.pager.stop();
                Err(error)
            }
        }
    }
}

impl<I: Unpin + Send + 'static> Stream for Items<Async, I> {
    type Item = Result<I, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(item) = this.buffer.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            let pending = match (&mut this.pending, this.pager.next()) {
                (Some(pending), _) => pending,
                (None, None) => return Poll::Ready(None),
                (None, Some(query)) => this.pending.insert(this.api.send((this.call)(query))),
            };
            let page = ready!(Pin::new(pending).poll(context));
            this.pending = None;
            if let Err(error) = this.receive(page) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

#[cfg(feature = "blocking")]
impl<I: Send + 'static> Iterator for Items<agent_client_core::Blocking, I> {
    type Item = Result<I, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.buffer.pop_front() {
                return Some(Ok(item));
            }
            let page = self.api.send((self.call)(self.pager.next()?));
            if let Err(error) = self.receive(page) {
                return Some(Err(error));
            }
        }
    }
}

impl<T: Transport, I: Send + 'static> fmt::Debug for Items<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("next", &self.pager.next()).finish_non_exhaustive()
    }
}
