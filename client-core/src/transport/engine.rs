//! What all clones of a transport share: connections, keys, options, retry budget and pause.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::wire::Wire;
use crate::base_url::BaseUrl;
use crate::clock::Clock;
use crate::credential::{Credential, Scheme, Secret};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::options::ClientOptions;
use crate::request::Request;
use crate::retry::{Budget, shared_pause};

pub(super) struct Engine {
    pub(super) wire: Arc<Wire>,
    pub(super) options: ClientOptions,
    credentials: Vec<Credential>,
    budget: Mutex<Budget>,
    pauses: Mutex<Pauses>,
    /// How many calls wait as the server asked, by the family of endpoints.
    waiting: Mutex<HashMap<String, usize>>,
}

/// The pauses that the server has asked for.
#[derive(Default)]
struct Pauses {
    /// By the family of endpoints.
    families: HashMap<String, Pause>,
    /// Those of the endpoints with a rate limit of their own, by the path's template.
    separate: HashMap<String, Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    end: Instant,
    length: Duration,
}

/// What is left of a pause.
pub(super) struct RemainingPause {
    pub(super) remaining: Duration,
    /// The length of the whole pause.
    pub(super) length: Duration,
}

/// A call that waits as the server asked.
pub(super) struct Waiting<'a> {
    engine: &'a Engine,
    family: &'a str,
    /// Whether other calls to the family were waiting already.
    pub(super) has_company: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.engine.waiting);
        if let Some(count) = waiting.get_mut(self.family) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(self.family);
            }
        }
    }
}

/// A retry that was taken from the budget. It is put back unless the call is sent.
pub(super) struct Withdrawal<'a>(Option<&'a Mutex<Budget>>);

impl Withdrawal<'_> {
    /// Leaves the retry out of the budget: the call is being sent.
    pub(super) fn spend(mut self) {
        self.0 = None;
    }
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.0 {
            lock(budget).refund();
        }
    }
}

impl Engine {
    pub(super) fn new(
        base_url: BaseUrl,
        credentials: Vec<Credential>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        Ok(Self {
            wire: Arc::new(Wire::new(base_url, &options)?),
            credentials,
            budget: Mutex::new(options.budget.clone()),
            options,
            pauses: Mutex::default(),
            waiting: Mutex::default(),
        })
    }

    /// Creates an engine with the same connections and options, and with this key instead of the one
    /// of its scheme. Rate limits and the retry budget are its own.
    pub(super) fn with_credential(&self, credential: &Credential) -> Self {
        let others = self.credentials.iter();
        let others = others.filter(|other| !std::ptr::eq(other.scheme, credential.scheme)).cloned();
        let credentials = others.chain([credential.clone()]).collect();
        Self {
            wire: Arc::clone(&self.wire),
            credentials,
            budget: Mutex::new(self.options.budget.clone()),
            options: self.options.clone(),
            pauses: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.options.clock
    }

    /// Returns the key that the request carries, or `None` if it carries none.
    pub(super) fn credential(&self, request: &Request) -> Result<Option<&Credential>, Error> {
        if let Some(options) = &request.options {
            let mut schemes = self.credentials.iter().map(|credential| credential.scheme);
            if let Some(scheme) = schemes.find(|scheme| options.headers.contains_key(scheme.header))
            {
                let message =
                    format!("the header {} is that of the {}", scheme.header, scheme.name);
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        }
        let Some(scheme) = request.scheme else {
            return Ok(None);
        };
        match self.find_credential(scheme) {
            Some(credential) => Ok(Some(credential)),
            None => Err(Error::new(
                ErrorKind::MissingCredential,
                format!("this call needs the {}; {}", scheme.name, scheme.missing),
            )),
        }
    }

    pub(super) fn find_credential(&self, scheme: &'static Scheme) -> Option<&Credential> {
        self.credentials.iter().find(|credential| std::ptr::eq(credential.scheme, scheme))
    }

    /// The client's own keys, but for those that a function gives.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.credentials.iter().filter_map(Credential::fixed_secret)
    }

    /// Takes one retry out of the budget, if the budget has one left.
    pub(super) fn withdraw_retry(&self) -> Option<Withdrawal<'_>> {
        let is_paid = lock(&self.budget).withdraw();
        is_paid.then(|| Withdrawal(Some(&self.budget)))
    }

    pub(super) fn deposit_success(&self) {
        lock(&self.budget).deposit();
    }

    /// Counts a call among those that wait as the server asked.
    pub(super) fn begin_wait<'a>(&'a self, request: &'a Request) -> Waiting<'a> {
        let family = request.family();
        let mut waiting = lock(&self.waiting);
        let count = waiting.entry(family.to_owned()).or_default();
        *count += 1;
        Waiting { engine: self, family, has_company: *count > 1 }
    }

    /// Returns the pause that the request must wait out because the server has limited its rate, or
    /// `None` if there is none.
    pub(super) fn remaining_pause(&self, request: &Request) -> Option<RemainingPause> {
        let pauses = lock(&self.pauses);
        let Pause { end, length } = *if request.pause.is_separate {
            pauses.separate.get(&*request.template)
        } else {
            pauses.families.get(request.family())
        }?;
        drop(pauses);
        let remaining = end.saturating_duration_since(self.clock().now());
        (!remaining.is_zero()).then_some(RemainingPause { remaining, length })
    }

    /// Makes this request, and all that share its rate limit, wait for this long.
    pub(super) fn pause(&self, request: &Request, retry_after: Option<Duration>) {
        let now = self.clock().now();
        let length = shared_pause(retry_after);
        let pause = Pause { end: now + length, length };
        let pauses = &mut *lock(&self.pauses);
        let (pauses, name) = if request.pause.is_separate {
            (&mut pauses.separate, &*request.template)
        } else {
            (&mut pauses.families, request.family())
        };
        pauses.retain(|_, pause| pause.end > now);
        let current = pauses.entry(name.to_owned()).or_insert(pause);
        if pause.end > current.end {
            *current = pause;
        }
    }
}
