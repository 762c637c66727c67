//! A stand-in for a runtime's model, on loopback: it asks for one shell command, and when it is told
//! what came of that, it is done.
//!
//! It speaks as much of Anthropic's Messages, `OpenAI`'s Responses and Gemini's `generateContent` as
//! the runtimes need, each as a stream.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A stand-in that runs until it is dropped.
pub(crate) struct Model {
    url: String,
    task: JoinHandle<()>,
}

impl Model {
    /// Starts a stand-in that asks for this shell command.
    pub(crate) async fn start(command: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(any(answer)).with_state(Arc::from(command));
        let listener = listener.tap_io(|stream| {
            // Without it, small replies may wait; an error changes nothing else.
            let _ = stream.set_nodelay(true);
        });
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, task })
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(command): State<Arc<str>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let path = uri.path();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if method != Method::POST {
        return axum::Json(json!({"data": [], "models": []})).into_response();
    }
    if path.ends_with("/messages") {
        return stream(&messages(&request, &command));
    }
    if path.ends_with("/responses") {
        return stream(&responses(&request, &command));
    }
    if path.ends_with(":streamGenerateContent") {
        return stream(&[("", generate_content(&request, &command))]);
    }
    if path.ends_with(":generateContent") {
        return axum::Json(generate_content(&request, &command)).into_response();
    }
    axum::Json(json!({"input_tokens": 1, "totalTokens": 1})).into_response()
}

/// Server-sent events, each with a name unless that is empty.
fn stream(events: &[(&str, Value)]) -> Response {
    let lines = events.iter().map(|(name, data)| match *name {
        "" => format!("data: {data}\n\n"),
        name => format!("event: {name}\ndata: {data}\n\n"),
    });
    ([(CONTENT_TYPE, "text/event-stream")], lines.collect::<String>()).into_response()
}

/// Returns whether any object in a value has one of these texts in a field `type`.
fn has_type(value: &Value, types: &[&str]) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| has_type(value, types)),
        Value::Object(fields) => {
            let own = fields.get("type").and_then(Value::as_str);
            own.is_some_and(|own| types.contains(&own))
                || fields.values().any(|value| has_type(value, types))
        }
        _ => false,
    }
}

/// Finds a tool of this name, at any depth.
fn tool<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Array(values) => values.iter().find_map(|value| tool(value, name)),
        Value::Object(fields) if fields.get("name").is_some_and(|own| own == name) => Some(value),
        Value::Object(fields) => fields.values().find_map(|value| tool(value, name)),
        _ => None,
    }
}

/// The events of Anthropic's Messages.
fn messages(request: &Value, command: &str) -> Vec<(&'static str, Value)> {
    let is_told = has_type(&request["messages"], &["tool_result"]);
    let is_asking = tool(&request["tools"], "Bash").is_some() && !is_told;
    let (block, delta, reason) = if is_asking {
        let input = json!({"command": command, "description": "Check the gate"}).to_string();
        (
            json!({"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}),
            json!({"type": "input_json_delta", "partial_json": input}),
            "tool_use",
        )
    } else {
        (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": "Done."}),
            "end_turn",
        )
    };
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": request["model"],
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    let end = json!({"stop_reason": reason, "stop_sequence": null});
    [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ]
    .into_iter()
    .zip([
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ])
    .map(|(data, name)| (name, data))
    .collect()
}

/// The events of `OpenAI`'s Responses.
fn responses(request: &Value, command: &str) -> Vec<(&'static str, Value)> {
    let outputs = ["function_call_output", "custom_tool_call_output", "local_shell_call_output"];
    let is_told = has_type(&request["input"], &outputs);
    let call = |name: &str, arguments: Value| {
        let arguments = arguments.to_string();
        json!({"type": "function_call", "call_id": "call_1", "name": name, "arguments": arguments})
    };
    let has = |name: &str| tool(&request["tools"], name).or_else(|| tool(&request["input"], name));
    let item = if is_told {
        let content = json!([{"type": "output_text", "text": "Done."}]);
        json!({"type": "message", "role": "assistant", "id": "msg_1", "content": content})
    } else if has("exec").is_some_and(|tool| tool["type"] == "custom") {
        // The model's tools are called from a script.
        let script = format!("await tools.exec_command({})", json!({"cmd": command}));
        json!({"type": "custom_tool_call", "call_id": "call_1", "name": "exec", "input": script})
    } else if has("exec_command").is_some() {
        call("exec_command", json!({"cmd": command}))
    } else if has("shell_command").is_some() {
        call("shell_command", json!({"command": command}))
    } else {
        call("shell", json!({"command": ["sh", "-c", command]}))
    };
    let usage = json!({"input_tokens": 1, "output_tokens": 1, "total_tokens": 2});
    [
        ("response.created", json!({"response": {"id": "resp_1"}})),
        ("response.output_item.done", json!({"item": item})),
        ("response.completed", json!({"response": {"id": "resp_1", "usage": usage}})),
    ]
    .into_iter()
    .map(|(name, mut data)| {
        data["type"] = name.into();
        (name, data)
    })
    .collect()
}

/// The reply of Gemini's `generateContent`, and the only event of its stream.
fn generate_content(request: &Value, command: &str) -> Value {
    let is_told = request["contents"].to_string().contains("\"functionResponse\"");
    let part = if tool(&request["tools"], "run_shell_command").is_some() && !is_told {
        let arguments = json!({"command": command, "description": "Check the gate"});
        json!({"functionCall": {"name": "run_shell_command", "args": arguments}})
    } else {
        json!({"text": "Done."})
    };
    let content = json!({"role": "model", "parts": [part]});
    json!({
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    })
}
