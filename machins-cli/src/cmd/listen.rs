//! `machins listen`: events as webhooks, for a receiver without a public address.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use clap::{Args, ValueHint};
use machins_client::{
    CancellationToken, Deliveries, EventType, InboxDelivery, Notification, NotificationId,
};

use super::forward::{ForwardFlags, ForwardedEvent, Forwarder, NotTaken, Target};
use super::{inbox_lock, listen_socket};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{known, positive_seconds};
use crate::output::{Output, reader_gone};
use crate::process::Signals;
use crate::runtime;

/// The waits before an event is posted again: the first and the longest.
const RETRY_WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The waits between two looks at an empty inbox: shorter than those of a program that runs for days,
/// because somebody is watching.
const POLL_WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// Post your events to a URL as webhooks, for development
///
/// For receivers without a public address. Follows the inbox, the oldest notification first, and posts
/// each event as the service would: the same body, and its signature in X-Machins-Signature. Once the
/// receiver has answered with a status below 300, the notification is acknowledged and shown on a line.
/// Otherwise it stays unread and is posted again, after 1 second at first and 30 at most; later events
/// of the same trade wait for it, others do not. A post may take 10 seconds, or --timeout. Ctrl-C stops
/// it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  machins listen --forward-to http://localhost:3000/webhooks\n  \
        machins listen --forward-to localhost:3000 --until trade_proposed --within 60"
)]
pub(crate) struct Listen {
    /// URL of the receiver, to which events are posted; localhost:3000/hook and 3000/hook are short forms
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = Target::parse)]
    forward_to: Target,
    #[command(flatten)]
    forward: ForwardFlags,
    /// End with exit code 0 once the receiver has taken an event of this type
    #[arg(long, value_name = "EVENT", value_parser = known(EventType::WORDS), hide_possible_values = true)]
    until: Option<String>,
    /// With --until: end with exit code 1 if that takes longer [default: never]
    #[arg(long, value_name = "SECONDS", requires = "until", value_parser = positive_seconds)]
    within: Option<Duration>,
    /// Time between two looks at an empty inbox [default: 1, growing to 5 while nothing arrives]
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    interval: Option<Duration>,
}

/// Why listening has ended.
enum End {
    /// The receiver has taken the event that was waited for.
    Taken,
    /// Somebody stopped it, or nobody reads its output any more.
    Stopped,
    /// The time is over.
    TooLate,
}

impl Listen {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        context.limit_each_call();
        let client = context.machins_with_key()?.build()?;
        let forwarder = self.forward.forwarder(context, self.forward_to)?;
        let _lock = inbox_lock::lock(context);
        let (out, stop) = (context.out, CancellationToken::new());
        let (shortest, longest) = self.interval.map_or(POLL_WAITS, |interval| (interval, interval));
        let watch = client
            .inbox_watch()
            .every(shortest, longest)
            .retry_waits(RETRY_WAITS.0, RETRY_WAITS.1)
            .max_attempts(u32::MAX)
            .stop(stop.clone())
            .on_error(move |error| out.warn(&format!("trying again: {error:#}")));
        let url = forwarder.default_url();
        out.note(&format!("Forwarding events to {url}; Ctrl-C stops"));
        let mut listener = Listener::new(out, &forwarder, self.until.map(EventType::from));
        let place = listen_socket::place(context)?;
        let resends = listen_socket::serve(place.as_deref(), &forwarder, out);
        let time_is_over = async {
            match self.within {
                Some(limit) => tokio::time::sleep(limit).await,
                None => pending().await,
            }
        };
        let end = runtime::block_on(async {
            let mut signals = Signals::new()?;
            let mut listening = pin!(listener.forward_all(watch.deliveries()));
            tokio::select! {
                biased;
                end = &mut listening => return end,
                _ = signals.asked_to_stop() => stop.cancel(),
                () = time_is_over => return Ok(End::TooLate),
                () = reader_gone() => return Ok(End::Stopped),
                () = resends => {}
            }
            // What is being posted is acknowledged. A second signal interrupts that too.
            tokio::select! {
                biased;
                end = listening => end,
                _ = signals.asked_to_stop() => Ok(End::Stopped),
            }
        })??;
        listener.result(&end, self.within)
    }
}

/// Forwards events, and reports what goes wrong once, not for each try.
struct Listener<'a> {
    out: Output,
    forwarder: &'a Forwarder,
    awaited: Option<EventType>,
    /// The receivers that do not answer.
    silent: HashSet<String>,
    /// The events that were refused, each with the status.
    refused: HashMap<NotificationId, u16>,
    /// Why the awaited event was not taken when it came.
    last_failure: Option<String>,
}

impl<'a> Listener<'a> {
    fn new(out: Output, forwarder: &'a Forwarder, awaited: Option<EventType>) -> Self {
        Self {
            out,
            forwarder,
            awaited,
            silent: HashSet::new(),
            refused: HashMap::new(),
            last_failure: None,
        }
    }

    async fn forward_all(&mut self, mut deliveries: Deliveries) -> Result<End, Failure> {
        while let Some(delivery) = deliveries.next().await {
            if let Some(end) = self.forward(delivery?).await? {
                return Ok(end);
            }
        }
        Ok(End::Stopped)
    }

    /// Posts one event. Returns why listening ends, if it does.
    async fn forward(&mut self, delivery: InboxDelivery) -> Result<Option<End>, Failure> {
        let Some(notification) = delivery.notification().cloned() else {
            let what = "an entry of the inbox is not a notification, and stays unread";
            self.out.warn_always(what);
            delivery.park(what);
            return Ok(None);
        };
        let status = match self.forwarder.post(&notification).await {
            Ok(status) => status,
            Err(why) => {
                self.report(&notification, &why);
                // That counts as a failure: the watch hands it over again, after a longer wait each time.
                drop(delivery);
                return Ok(None);
            }
        };
        let attempts = delivery.failures().saturating_add(1);
        delivery.acknowledge().await?;
        let url = self.forwarder.url(&notification.event_type);
        self.refused.remove(&notification.id);
        if self.silent.remove(url) {
            self.out.note(&format!("{url} answers again"));
        }
        let event = ForwardedEvent::new(&notification, url, status, attempts);
        let is_read = self.out.next_result(&event, || event.line())?;
        if self.awaited.as_ref() == Some(&notification.event_type) {
            return Ok(Some(End::Taken));
        }
        Ok((!is_read).then_some(End::Stopped))
    }

    fn report(&mut self, notification: &Notification, why: &NotTaken) {
        let Notification { id, event_type, .. } = notification;
        let url = self.forwarder.url(event_type);
        let what = why.describe(url);
        match why {
            NotTaken::NoAnswer(_) if self.silent.insert(url.to_owned()) => {
                let then = "events stay unread, and are posted again until it answers";
                self.out.warn_always(&format!("{what}; {then}"));
            }
            NotTaken::NoAnswer(_) => {}
            NotTaken::Refused(status) => {
                self.silent.remove(url);
                if self.refused.insert(id.clone(), *status) != Some(*status) {
                    self.out.warn_always(&format!(
                        "{what}; {event_type} (notification {id}) stays unread, and is posted again"
                    ));
                }
            }
        }
        if self.awaited.as_ref() == Some(event_type) {
            self.last_failure = Some(what);
        }
    }

    /// Returns the result of the command.
    fn result(&self, end: &End, within: Option<Duration>) -> Result<(), Failure> {
        let Some(awaited) = &self.awaited else { return Ok(()) };
        let why = match &self.last_failure {
            Some(failure) => format!("; one came, but {failure}"),
            None => String::new(),
        };
        match end {
            End::Taken => Ok(()),
            End::Stopped => {
                Err(Failure::interrupted(format!("stopped before {awaited} was forwarded{why}")))
            }
            End::TooLate => {
                let seconds = within.unwrap_or_default().as_secs_f32();
                let message = format!("{awaited} was not forwarded within {seconds} s{why}");
                Err(Failure::timed_out(message))
            }
        }
    }
}
