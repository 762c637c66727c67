//! One call, and what is expected of its reply.

use machineid_client::{Call, Method};
use machins_client::Reply;
use serde_json::Value;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// An org, at MachineID.
    Org,
    /// Somebody without a key, at MachineID.
    AnyoneAtMachineId,
    /// An agent, at machins.
    Agent,
    /// The owner of agents, at machins.
    Owner,
    /// Somebody without a key, at machins.
    Anyone,
}

/// A call that changes nothing.
pub(super) struct Check {
    pub(super) party: Party,
    pub(super) method: Method,
    /// The path, with a parameter in braces if it has one.
    pub(super) path: &'static str,
    /// The parameter in the path; its value is `None` if none is known.
    parameter: Option<(&'static str, Option<String>)>,
    query: Option<(&'static str, &'static str)>,
    body: Option<Value>,
    /// The status that is expected.
    pub(super) status: u16,
}

impl Check {
    pub(super) fn get(party: Party, path: &'static str) -> Self {
        let (method, parameter, query, body) = (Method::GET, None, None, None);
        Self { party, method, path, parameter, query, body, status: 200 }
    }

    pub(super) fn post(party: Party, path: &'static str, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(party, path) }
    }

    /// Puts a value in the place of the path's parameter.
    pub(super) fn with(mut self, name: &'static str, value: Option<String>) -> Self {
        self.parameter = Some((name, value));
        self
    }

    /// Adds a parameter to the query.
    pub(super) fn query(mut self, name: &'static str, value: &'static str) -> Self {
        self.query = Some((name, value));
        self
    }

    /// Expects a refusal.
    pub(super) fn refused(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The path as it is shown.
    pub(super) fn shown(&self) -> String {
        match self.query {
            Some((name, value)) => format!("{}?{name}={value}", self.path),
            None => self.path.to_owned(),
        }
    }

    /// The path that is compared with the mock's routes.
    pub(super) fn whole_path(&self) -> String {
        match &self.parameter {
            Some((name, Some(value))) => self.path.replace(&format!("{{{name}}}"), value),
            _ => self.path.to_owned(),
        }
    }

    /// The call; `None` if there is nothing to call it with.
    pub(super) fn call(&self) -> Option<Call<Reply>> {
        // The base URL of machins ends with it.
        let path = match self.party {
            Party::Org | Party::AnyoneAtMachineId => self.path,
            _ => self.path.strip_prefix("/api/v1").unwrap_or(self.path),
        };
        let mut call = Call::new(self.method.clone(), path).idempotent();
        if let Some((name, value)) = &self.parameter {
            call = call.segment(name, value.as_deref()?);
        }
        if let Some(query) = self.query {
            call = call.query(&[query]);
        }
        if let Some(body) = &self.body {
            call = call.body(body);
        }
        Some(call)
    }
}

/// The entries of a list, whether it is a page of one or whole.
pub(super) fn entries(reply: &Value) -> Option<&Vec<Value>> {
    [Some(reply), reply.get("items"), reply.get("devices")]
        .into_iter()
        .flatten()
        .find_map(Value::as_array)
}
