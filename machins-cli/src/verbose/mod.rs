//! The output of `-v` on stderr: the calls being made, and with `-vv` what goes over the wire.

mod masked;
mod message;

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use agent_client_core::ClientOptions;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::output::to_stderr;
use crate::text::clean;

/// The base URLs of the clients, without a slash at the end.
static BASE_URLS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Whether calls are shown.
static SHOWN: OnceLock<()> = OnceLock::new();

/// Starts logging: nothing at 0, a line for each call at 1, and requests and replies from 2 on.
pub(crate) fn start(verbosity: u8) {
    if verbosity == 0 {
        return;
    }
    let _ = SHOWN.set(());
    let clients = Targets::new()
        .with_target("agent_client_core", Level::DEBUG)
        .with_target("machineid_client", Level::DEBUG)
        .with_target("machins_client", Level::DEBUG)
        .with_target("machins", Level::DEBUG);
    tracing_subscriber::registry().with(Calls.with_filter(clients)).init();
}

/// Makes a client show its requests and replies, if that is asked for.
pub(crate) fn show_messages(options: ClientOptions, verbosity: u8) -> ClientOptions {
    if verbosity < 2 {
        return options;
    }
    options.on_message(|message| to_stderr(&message::lines(message)))
}

/// Tells the address of a client, to show whole URLs.
pub(crate) fn uses(base_url: &str) {
    if SHOWN.get().is_some() {
        let base_url = base_url.trim_end_matches('/').to_owned();
        BASE_URLS.lock().unwrap_or_else(PoisonError::into_inner).push(base_url);
    }
}

/// Prints a line for each call when it has ended, and for what happens meanwhile.
struct Calls;

/// What is known of a call.
struct Call {
    start: Instant,
    method: String,
    path: String,
    server: String,
    port: String,
    status: String,
    error: String,
    attempt: String,
    request_id: String,
}

impl Visit for Call {
    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "http.request.method" => &mut self.method,
            "url.template" => &mut self.path,
            "server.address" => &mut self.server,
            "server.port" => &mut self.port,
            "http.response.status_code" => &mut self.status,
            "error.type" => &mut self.error,
            "attempt" => &mut self.attempt,
            "request_id" => &mut self.request_id,
            _ => return,
        };
        value.clone_into(place);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Call {
    /// The URL, with the names of ids in braces: what was in their places may be a secret.
    fn url(&self) -> String {
        let urls = BASE_URLS.lock().unwrap_or_else(PoisonError::into_inner);
        let is_here = |url: &&String| {
            let (https, http) =
                (format!("https://{}", self.server), format!("http://{}", self.server));
            [https, http].iter().any(|begin| {
                url.strip_prefix(begin.as_str()).is_some_and(|rest| {
                    rest.starts_with(&format!(":{}", self.port))
                        || rest.is_empty()
                        || rest.starts_with('/')
                })
            })
        };
        // MachineID's paths begin with /api/v1, where machins' base URL ends with it.
        let is_versioned = self.path.starts_with("/api/");
        let base = urls.iter().filter(is_here).find(|url| url.ends_with("/api/v1") != is_versioned);
        match base.or_else(|| urls.iter().find(is_here)) {
            Some(base) => format!("{base}{}", self.path),
            None => format!("{}:{}{}", self.server, self.port, self.path),
        }
    }

    fn line(&self) -> String {
        let result = if self.status.is_empty() { &self.error } else { &self.status };
        let result = if result.is_empty() { "not sent" } else { result };
        let took = self.start.elapsed().as_millis();
        let mut line = format!("{} {}  {result}  {took} ms", self.method, self.url());
        if !self.attempt.is_empty() && self.attempt != "1" {
            line.extend(["  ", &self.attempt, " attempts"]);
        }
        if !self.request_id.is_empty() {
            line.extend(["  request ", &self.request_id]);
        }
        line
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Calls {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut call = Call {
            start: Instant::now(),
            method: String::new(),
            path: String::new(),
            server: String::new(),
            port: String::new(),
            status: String::new(),
            error: String::new(),
            attempt: String::new(),
            request_id: String::new(),
        };
        attributes.record(&mut call);
        span.extensions_mut().insert(call);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(call) = span.extensions_mut().get_mut::<Call>()
        {
            values.record(call);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Words(String::new());
        event.record(&mut text);
        to_stderr(&format!("{}\n", clean(&text.0)));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id)
            && let Some(call) = span.extensions().get::<Call>()
            && !call.method.is_empty()
        {
            to_stderr(&format!("{}\n", clean(&call.line())));
        }
    }
}

/// The message of an event, and its fields.
struct Words(String);

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.0.is_empty() {
            self.0.push_str("  ");
        }
        if field.name() != "message" {
            self.0.push_str(field.name());
            self.0.push(' ');
        }
        self.0.push_str(value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
