//! What a person does: forms that are posted.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HOST, HeaderValue, LOCATION, ORIGIN};

use super::api::Refused;
use super::request::Console;
use super::token::token;

/// A form that a page of this console has sent.
pub(super) struct Action<'a>(pub(super) &'a Console);

impl Console {
    /// Checks that a page of this console has sent the form: by the origin that the browser states,
    /// and by the token in the form.
    pub(super) fn action(&self) -> Result<Action<'_>, Refused> {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let origin = self.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let own = ["http://", "https://"].map(|scheme| format!("{scheme}{host}"));
        if !origin.is_some_and(|origin| own.iter().any(|own| own == origin)) {
            return Err(Refused::new(403, "the form was not sent by a page of this server"));
        }
        if self.form.get("token") != Some(token()) {
            let message = "the page is older than the server: go back, reload it and try again";
            return Err(Refused::new(403, message));
        }
        Ok(Action(self))
    }
}

impl Action<'_> {
    /// Leads back to the page that the form names, which says what was done.
    pub(super) fn done(&self, what: &str) -> Response {
        let back = self.0.form.get("back").filter(|back| is_local(back)).unwrap_or("/");
        self.go(back, what)
    }

    /// Leads to a page, which says what was done.
    pub(super) fn go(&self, path: &str, what: &str) -> Response {
        let between = if path.contains('?') { '&' } else { '?' };
        redirect(&self.0.link(&format!("{path}{between}done={what}")))
    }
}

/// Returns whether a text is a path on this server, rather than an address elsewhere.
fn is_local(path: &str) -> bool {
    // Browsers leave out tabs and line breaks.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    path.starts_with('/') && !path.starts_with("//") && path.bytes().all(is_plain)
}

/// Returns the answer that leads to another page.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
