//! What all clones of a transport share: connections, keys, options, retry budget and pause.

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
    paused_until: Mutex<Option<Instant>>,
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
            paused_until: Mutex::default(),
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

    /// How long calls must still wait because the server has limited their rate.
    pub(super) fn remaining_pause(&self) -> Duration {
        let end = *lock(&self.paused_until);
        end.map_or(Duration::ZERO, |end| end.saturating_duration_since(self.clock().now()))
    }

    pub(super) fn pause(&self, retry_after: Option<Duration>) {
        let end = self.clock().now() + shared_pause(retry_after);
        let mut paused_until = lock(&self.paused_until);
        *paused_until = Some(paused_until.map_or(end, |earlier| earlier.max(end)));
    }
}
