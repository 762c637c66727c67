//! The inbox watch: each notification at least once, the oldest first, acknowledged after it was
//! handled.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod acknowledgements;
#[cfg(feature = "blocking")]
mod blocking;
mod deliveries;
mod failures;
mod fetching;
mod handlers;
mod order;
mod stopping;
#[path = "../support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::future::ready;

use machins_client::{CancellationToken, InboxWatch, Notification};
use wiremock::ResponseTemplate;

/// A page such as a proxy answers.
fn html(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw("<html>Please wait</html>", "text/html")
}

/// Runs the watch until the handler has succeeded this many times. Returns the ids in the order in
/// which they were given to the handler.
async fn handle(
    watch: impl FnOnce(CancellationToken) -> InboxWatch,
    count: usize,
    fails: impl Fn(&Notification) -> bool,
) -> Vec<String> {
    let stop = CancellationToken::new();
    let (given, done) = (RefCell::new(Vec::new()), RefCell::new(0));
    let handler = |notification: Notification| {
        given.borrow_mut().push(notification.id.to_string());
        let result = if fails(&notification) { Err("not now") } else { Ok(()) };
        if result.is_ok() {
            *done.borrow_mut() += 1;
        }
        if *done.borrow() == count {
            stop.cancel();
        }
        ready(result)
    };
    watch(stop.clone()).run(handler).await.unwrap();
    given.into_inner()
}
