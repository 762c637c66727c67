//! The ids of requests that have no response yet, in revisions of the protocol that have sessions.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::HeaderMap;

use super::admit::single;
use super::clients::SESSION;
use crate::message::Id;

/// A session and the id of a request in it.
type Key = (String, String);

/// The ids that are in use in each session.
#[derive(Clone, Debug, Default)]
pub(super) struct InUse(Arc<Mutex<HashSet<Key>>>);

/// The id of one request, in use until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    ids: InUse,
    key: Key,
}

impl InUse {
    /// Takes the id of a request with these headers. `None` if it belongs to no session, as ids of
    /// different clients may then be the same.
    ///
    /// A server that is told to cancel a call finds it by its id, and so finds the later of two.
    pub(super) fn claim(
        &self,
        headers: &HeaderMap,
        id: &Id,
    ) -> Result<Option<Claim>, &'static str> {
        let session = single(headers, &SESSION).map_err(|()| "it has more than one session")?;
        let Some(session) = session else { return Ok(None) };
        let key = (session.to_owned(), id.key().into_owned());
        let is_free = self.lock(|ids| ids.insert(key.clone()));
        if is_free {
            Ok(Some(Claim { ids: self.clone(), key }))
        } else {
            Err("another request of this session with this id has no response yet")
        }
    }

    fn lock<T>(&self, use_it: impl FnOnce(&mut HashSet<Key>) -> T) -> T {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.ids.lock(|ids| ids.remove(&self.key));
    }
}
