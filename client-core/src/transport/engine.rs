//! What all clones of a transport share: connections, keys, options, retry budget and pause.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::wire::Wire;
use crate::base_url::BaseUrl;
use crate::clock::Clock;
use crate::credential::{Credential, Secret};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::options::ClientOptions;
use crate::request::Request;
use crate::retry::{Budget, shared_pause};

pub(super) struct Engine {
    pub(super) wire: Wire,
    pub(super) options: ClientOptions,
    credentials: Vec<Credential>,
    budget: Mutex<Budget>,
    pauses: Mutex<Pauses>,
}

/// When the pauses end that the server has asked for.
#[derive(Default)]
struct Pauses {
    common: Option<Instant>,
    /// Those of the endpoints with a rate limit of their own, by the path's template.
    separate: HashMap<Cow<'static, str>, Instant>,
}

impl Engine {
    pub(super) fn new(
        base_url: BaseUrl,
        credentials: Vec<Credential>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        Ok(Self {
            wire: Wire::new(base_url, &options)?,
            credentials,
            options,
            budget: Mutex::default(),
            pauses: Mutex::default(),
        })
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.options.clock
    }

    /// Returns the key that the request carries, or `None` if it carries none.
    pub(super) fn credential(&self, request: &Request) -> Result<Option<&Credential>, Error> {
        let Some(scheme) = request.scheme else {
            return Ok(None);
        };
        let found =
            self.credentials.iter().find(|credential| std::ptr::eq(credential.scheme, scheme));
        match found {
            Some(credential) => Ok(Some(credential)),
            None => Err(Error::new(
                ErrorKind::MissingCredential,
                format!("this call needs the {}; {}", scheme.name, scheme.missing),
            )),
        }
    }

    /// The client's own keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.credentials.iter().map(|credential| &credential.secret)
    }

    /// Takes one retry out of the budget, if the budget has one left.
    pub(super) fn withdraw_retry(&self) -> bool {
        lock(&self.budget).withdraw()
    }

    pub(super) fn deposit_success(&self) {
        lock(&self.budget).deposit();
    }

    /// How long the request must still wait because the server has limited its rate.
    pub(super) fn remaining_pause(&self, request: &Request) -> Duration {
        let pauses = lock(&self.pauses);
        let end = if request.pause.is_separate {
            pauses.separate.get(&request.template).copied()
        } else {
            pauses.common
        };
        drop(pauses);
        end.map_or(Duration::ZERO, |end| end.saturating_duration_since(self.clock().now()))
    }

    /// Makes this request, and all that share its rate limit, wait for this long.
    pub(super) fn pause(&self, request: &Request, retry_after: Option<Duration>) {
        let end = self.clock().now() + shared_pause(retry_after);
        let pauses = &mut *lock(&self.pauses);
        let paused_until = if request.pause.is_separate {
            pauses.separate.entry(request.template.clone()).or_insert(end)
        } else {
            pauses.common.get_or_insert(end)
        };
        *paused_until = end.max(*paused_until);
    }
}
