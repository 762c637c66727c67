//! The frame of all pages.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::api::Refused;
use super::assets::address;
use super::request::Console;
use super::token::token;
use super::words::notice;
use crate::http::Received;
use crate::worlds::path_of_world;

/// What a page of the console may load and do: nothing but its own files and forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The pages in the navigation.
const PAGES: [(&str, &str); 12] = [
    ("/", "Overview"),
    ("/console/devices", "Devices"),
    ("/console/agents", "Agents"),
    ("/console/listings", "Listings"),
    ("/console/trades", "Trades"),
    ("/console/ledger", "Ledger"),
    ("/console/webhooks", "Webhooks"),
    ("/console/inbox", "Inbox"),
    ("/console/requests", "Requests"),
    ("/console/clock", "Clock"),
    ("/console/faults", "Faults"),
    ("/console/worlds", "Worlds"),
];

/// A page, or the reason why there is none.
pub(super) type Answer = Result<Response, Refused>;

/// A page of the console.
pub(super) struct Page<'a> {
    console: &'a Console,
    title: String,
    /// The pages above this one: their addresses and names.
    trail: Vec<(String, String)>,
    /// How often the page is fetched again although nothing has changed, in milliseconds.
    tick: Option<u32>,
}

impl<'a> Page<'a> {
    pub(super) fn new(console: &'a Console, title: impl Into<String>) -> Self {
        Self { console, title: title.into(), trail: Vec::new(), tick: None }
    }

    /// Names a page above this one.
    pub(super) fn under(mut self, path: &str, name: impl Into<String>) -> Self {
        self.trail.push((self.console.link(path), name.into()));
        self
    }

    pub(super) fn tick(mut self, millis: u32) -> Self {
        self.tick = Some(millis);
        self
    }

    /// Shows the page. `body` follows its heading.
    #[expect(clippy::needless_pass_by_value, reason = "markup is made where it is shown")]
    pub(super) fn show(self, body: Markup) -> Response {
        let Self { console, title, trail, tick } = self;
        let done = console.params.get("done").and_then(notice);
        let content = html! {
            @if !trail.is_empty() {
                nav.trail aria-label="Breadcrumb" {
                    ol {
                        @for (path, name) in &trail { li { a href=(path) { (name) } } }
                        li aria-current="page" { (title) }
                    }
                }
            }
            h1 { (title) }
            @if let Some(notice) = done { p.notice role="status" { (notice) } }
            (body)
        };
        respond(StatusCode::OK, &frame(&console.base, &console.path, &title, tick, &content))
    }
}

/// Returns a page of a world: `base` is the path of the world, and `path` that of the page within it.
fn frame(base: &str, path: &str, title: &str, tick: Option<u32>, content: &Markup) -> Markup {
    let world = base.rsplit('/').next().unwrap_or_default();
    let current = current(path);
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body data-base=(base) data-server=(&token()[..8]) data-tick=[tick] {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href={ (base) "/" } { span.mark aria-hidden="true" { "◆" } "machins mock" }
                    @if !world.is_empty() {
                        a.world href={ (base) "/console/worlds" } { "world " b { (world) } }
                    }
                    span.live data-live-state="off" role="status" {
                        span.dot aria-hidden="true" {}
                        span data-live-text { "not live" }
                    }
                }
                nav.main aria-label="Console" {
                    ul {
                        @for (path, name) in PAGES {
                            li {
                                a href={ (base) (path) } aria-current=[(current == path).then_some("page")] {
                                    (name)
                                }
                            }
                        }
                    }
                    ul.more {
                        li { a href={ (base) "/docs" } { "API reference" } }
                    }
                }
                main #main tabindex="-1" { (content) }
            }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · machins mock" }
            link rel="icon" type="image/svg+xml" href=(address("icon.svg"));
            link rel="stylesheet" href=(address("console.css"));
            script src=(address("console.js")) defer {}
        }
    }
}

/// Returns the path in the navigation that a page belongs to.
fn current(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or_default();
    let owner = |root: &str| {
        path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
    };
    let found = PAGES.iter().map(|(root, _)| *root).find(|root| *root != "/" && owner(root));
    found.unwrap_or(if path == "/" { "/" } else { "" })
}

/// Shows a page that stands by itself, as those for people who do not use the console.
#[expect(clippy::needless_pass_by_value, reason = "markup is made where it is shown")]
pub(super) fn plain_page(status: StatusCode, title: &str, content: Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.plain {
                main #main {
                    p.brand { span.mark aria-hidden="true" { "◆" } "machins mock" }
                    h1 { (title) }
                    (content)
                }
            }
        }
    };
    respond(status, &page)
}

fn respond(status: StatusCode, page: &Markup) -> Response {
    let PreEscaped(text) = page;
    let mut response = (status, text.clone()).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A refusal is shown by [`show_refusals`], which knows the world that was asked.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

/// Shows the reason in the place of a page that cannot be shown, or of an action that was refused.
pub(super) async fn show_refusals(request: Request, next: Next) -> Response {
    let received = Received::get(request.extensions());
    let base = received.map(|received| path_of_world(&received.app.name)).unwrap_or_default();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Refused>() {
        Some(refused) => refusal(&base, &path, refused),
        None => response,
    }
}

fn refusal(base: &str, path: &str, Refused { status, message }: Refused) -> Response {
    let title = match status {
        404 => "Not found",
        403 => "Refused",
        _ => "That did not work",
    };
    let content = html! {
        h1 { (title) }
        p.error role="alert" { (message) "." }
        p { "Go back in the browser, or " a href={ (base) "/" } { "to the overview" } "." }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond(status, &frame(base, path, title, None, &content))
}
