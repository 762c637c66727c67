//! The clients of sessions, in revisions of the protocol that have them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::header::{HeaderMap, HeaderName};

use super::admit::single;

/// How many sessions are remembered. The oldest are forgotten first.
const MOST: usize = 1024;

/// The longest id of a session that is remembered, in bytes.
const MAX_ID: usize = 256;

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The name of the client of each session.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<VecDeque<(String, String)>>);

impl Clients {
    /// Remembers the client of a session that the server has just begun with these headers.
    pub(super) fn remember(&self, headers: &HeaderMap, client: String) {
        let Some(session) = session(headers) else { return };
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|(known, _)| known != session);
        clients.truncate(MOST - 1);
        clients.push_front((session.to_owned(), client));
    }

    /// Returns the client of the session that a request with these headers belongs to.
    pub(super) fn find(&self, headers: &HeaderMap) -> Option<String> {
        let session = session(headers)?;
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = clients.iter().find(|(known, _)| known == session);
        found.map(|(_, client)| client.clone())
    }
}

fn session(headers: &HeaderMap) -> Option<&str> {
    single(headers, &SESSION).ok()?.filter(|id| !id.is_empty() && id.len() <= MAX_ID)
}
