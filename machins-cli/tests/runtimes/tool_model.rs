//! A stand-in for the model of Claude Code that asks for one call of any tool, and then says what it
//! was told.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A stand-in that runs until it is dropped.
pub(crate) struct ToolModel {
    url: String,
    _runtime: Runtime,
}

impl ToolModel {
    pub(crate) fn start(tool: &'static str, input: Value) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = move |body: Bytes| async move { answer(&body, tool, &input) };
        let router = Router::new().route("/v1/messages", post(answer));
        runtime.spawn(axum::serve(listener, router).into_future());
        Self { url, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

fn answer(body: &[u8], tool: &str, input: &Value) -> Response {
    let request: Value = serde_json::from_slice(body).unwrap();
    let has_tool = request["tools"]
        .as_array()
        .is_some_and(|tools| tools.iter().any(|known| known["name"] == tool));
    let messages = request["messages"].as_array().unwrap();
    let blocks = messages.iter().filter_map(|message| message["content"].as_array()).flatten();
    let told: Vec<_> = blocks.filter(|block| block["type"] == "tool_result").collect();
    let (block, delta, reason) = if has_tool && told.is_empty() {
        (
            json!({"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": input.to_string()}),
            "tool_use",
        )
    } else {
        let text = format!("Told: {}", json!(told));
        (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": text}),
            "end_turn",
        )
    };
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": request["model"],
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    let end = json!({"stop_reason": reason, "stop_sequence": null});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let lines = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    ([(CONTENT_TYPE, "text/event-stream")], lines.collect::<String>()).into_response()
}
