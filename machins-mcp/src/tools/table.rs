//! The table of tools: what a client is told about each, and the function that it calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rmcp::handler::server::common::schema_for_input;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::clients::Clients;
use super::failure::ToolFailure;

type Calling = Pin<Box<dyn Future<Output = Result<Value, ToolFailure>> + Send>>;
type Call = dyn Fn(Clients, JsonObject) -> Calling + Send + Sync;

/// What a tool does to the world.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It reads.
    Reads,
    /// It adds something, or moves it forward.
    Changes,
    /// It ends or gives away something for good.
    Irreversible,
}

/// A tool.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) tool: Tool,
    pub(super) effect: Effect,
    call: Arc<Call>,
}

impl Entry {
    /// Creates a tool whose schema is that of its arguments. Calling it again with the same arguments
    /// does nothing more for every tool of this server.
    pub(super) fn new<A, F>(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        effect: Effect,
        call: fn(Clients, A) -> F,
    ) -> Self
    where
        A: JsonSchema + DeserializeOwned + 'static,
        F: Future<Output = Result<Value, ToolFailure>> + Send + 'static,
    {
        let schema = schema_for_input::<A>().unwrap_or_default();
        let annotations = ToolAnnotations::with_title(title)
            .read_only(effect == Effect::Reads)
            .destructive(effect == Effect::Irreversible)
            .idempotent(true)
            .open_world(true);
        let mut tool = Tool::new(name, description, schema);
        tool.title = Some(title.to_owned());
        tool.annotations = Some(annotations);
        let call = move |clients: Clients, arguments: JsonObject| -> Calling {
            match serde_json::from_value(Value::Object(arguments)) {
                Ok(arguments) => Box::pin(call(clients, arguments)),
                Err(error) => {
                    let failure = ToolFailure::arguments(&error);
                    Box::pin(async move { Err(failure) })
                }
            }
        };
        Self { tool, effect, call: Arc::new(call) }
    }

    pub(super) fn call(&self, clients: Clients, arguments: JsonObject) -> Calling {
        (self.call)(clients, arguments)
    }
}
