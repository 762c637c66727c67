//! The real agent runtimes buy over `machins mcp serve`, with a stand-in model that asks twice.

use std::fs;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use machins_client::{ApiKey, Client, ListingType, Money, NewListing, TradeQuery};
use machins_mock::{MockServer, NewAgent};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

use crate::session::{Home, installed};

/// How often the model asks for the same purchase.
const TIMES: usize = 2;

/// What the model asks for, and the last request that it was sent.
struct Model {
    order: Value,
    last: Mutex<Value>,
}

async fn answer(
    State(model): State<Arc<Model>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if method != Method::POST {
        return axum::Json(json!({"data": [], "models": []})).into_response();
    }
    let events = if uri.path().ends_with("/messages") {
        messages(&request, &model.order)
    } else if uri.path().ends_with("/responses") {
        responses(&request, &model.order)
    } else {
        return axum::Json(json!({"input_tokens": 1})).into_response();
    };
    *model.last.lock().unwrap() = request;
    let lines = events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"));
    ([(CONTENT_TYPE, "text/event-stream")], lines.collect::<String>()).into_response()
}

/// The number of objects in a value with this text in the field `type`.
fn count(value: &Value, kind: &str) -> usize {
    match value {
        Value::Array(values) => values.iter().map(|value| count(value, kind)).sum(),
        Value::Object(fields) => {
            let own = fields.get("type").is_some_and(|own| own == kind);
            usize::from(own) + fields.values().map(|value| count(value, kind)).sum::<usize>()
        }
        _ => 0,
    }
}

fn messages(request: &Value, order: &Value) -> Vec<(&'static str, Value)> {
    let told = count(&request["messages"], "tool_result");
    let has_tool = request["tools"].to_string().contains("mcp__machins__propose_trade");
    let (block, delta, reason) = if has_tool && told < TIMES {
        (
            json!({"type": "tool_use", "id": format!("toolu_{told}"),
                "name": "mcp__machins__propose_trade", "input": {}}),
            json!({"type": "input_json_delta", "partial_json": order.to_string()}),
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
        "id": format!("msg_{told}"), "type": "message", "role": "assistant",
        "model": request["model"], "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    let end = json!({"stop_reason": reason, "stop_sequence": null});
    vec![
        ("message_start", json!({"type": "message_start", "message": message})),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
        ),
        ("content_block_delta", json!({"type": "content_block_delta", "index": 0, "delta": delta})),
        ("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
        (
            "message_delta",
            json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": 1}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
    ]
}

fn responses(request: &Value, order: &Value) -> Vec<(&'static str, Value)> {
    let input = &request["input"];
    let told = count(input, "function_call_output") + count(input, "custom_tool_call_output");
    let call_id = format!("call_{told}");
    let tools = request["tools"].as_array().cloned().unwrap_or_default();
    let own = |tool: &&Value| tool["name"] == "mcp__machins__propose_trade";
    let space = |tool: &&Value| tool["tools"].to_string().contains("\"propose_trade\"");
    let item = if told >= TIMES {
        let content = json!([{"type": "output_text", "text": "Done."}]);
        json!({"type": "message", "role": "assistant", "id": "msg_1", "content": content})
    } else if tools.iter().any(|tool| own(&tool)) {
        json!({"type": "function_call", "call_id": call_id,
            "name": "mcp__machins__propose_trade", "arguments": order.to_string()})
    } else if let Some(space) = tools.iter().find(space) {
        json!({"type": "function_call", "call_id": call_id, "namespace": space["name"],
            "name": "propose_trade", "arguments": order.to_string()})
    } else {
        // The model's tools are called from a script.
        let script = format!("text(await tools.mcp__machins__propose_trade({order}))");
        json!({"type": "custom_tool_call", "call_id": call_id, "name": "exec", "input": script})
    };
    let usage = json!({"input_tokens": 1, "output_tokens": 1, "total_tokens": 2});
    let response = format!("resp_{told}");
    [
        ("response.created", json!({"response": {"id": response}})),
        ("response.output_item.done", json!({"item": item})),
        ("response.completed", json!({"response": {"id": response, "usage": usage}})),
    ]
    .into_iter()
    .map(|(name, mut data)| {
        data["type"] = name.into();
        (name, data)
    })
    .collect()
}

#[rstest]
#[case::claude("claude")]
#[case::codex("codex")]
fn a_runtime_buys_one_listing_once(#[case] runtime: &'static str) {
    let Some(packages) = installed() else { return };
    let mock = MockServer::builder().start().unwrap();
    let key = |slug: &str| mock.create_agent(NewAgent::new().slug(slug)).unwrap().api_key;
    let client = |key: &str| {
        let builder = Client::builder().base_url(mock.machins_base_url());
        builder.api_key(ApiKey::new(key).unwrap()).build_blocking().unwrap()
    };
    let seller = client(&key("ada"));
    let offer = NewListing::new("Labels", "labels", ListingType::Task, Money::credits(10));
    let listing = seller.create_listing(&offer).unwrap().id;
    let buyer = key("bob");

    let async_runtime = tokio::runtime::Runtime::new().unwrap();
    let order = json!({"listing_id": listing, "purpose": "a report"});
    let model = Arc::new(Model { order, last: Mutex::default() });
    let listener = async_runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(any(answer)).with_state(Arc::clone(&model));
    async_runtime.spawn(async move { axum::serve(listener, router).await });

    let home = Home::new(runtime);
    let machins = env!("CARGO_BIN_EXE_machins");
    let arguments = ["mcp", "serve", "--max-per-trade", "20", "--max-per-day", "15"];
    let variables = json!({
        "MACHINS_BASE_URL": mock.machins_base_url(), "MACHINS_API_KEY": buyer,
        "HOME": home.path(), "NO_PROXY": "127.0.0.1,localhost",
    });
    let mut command = home.command(packages.join(runtime));
    if runtime == "claude" {
        let server = json!({"command": machins, "args": arguments, "env": variables});
        let config = home.path().join("mcp.json");
        fs::write(&config, json!({"mcpServers": {"machins": server}}).to_string()).unwrap();
        command
            .args(["--print", "go", "--strict-mcp-config", "--mcp-config"])
            .arg(config)
            .args(["--allowedTools", "mcp__machins__propose_trade"])
            .env("ANTHROPIC_BASE_URL", &url)
            .env("ANTHROPIC_API_KEY", "stand-in")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("ENABLE_TOOL_SEARCH", "false")
            // On a busy machine the server takes longer to start than Claude Code waits for it.
            .env("CLAUDE_CODE_MCP_STARTUP_WAIT_MS", "60000")
            .env("MCP_CONNECT_TIMEOUT_MS", "60000")
            .env("MCP_TIMEOUT", "60000")
            .env("DISABLE_AUTOUPDATER", "1");
    } else {
        let variables: Vec<String> = variables
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        command
            .args(["exec", "--skip-git-repo-check"])
            .args(["--dangerously-bypass-approvals-and-sandbox", "-c", "model_provider=x", "-c"])
            .arg(format!(
                r#"model_providers.x={{name="x",base_url="{url}/v1",wire_api="responses"}}"#
            ))
            .arg("-c")
            .arg(format!(
                "mcp_servers.machins={{command={},args={},env={{{}}}}}",
                json!(machins),
                json!(arguments),
                variables.join(",")
            ))
            .arg("go");
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    let last = model.last.lock().unwrap().to_string();
    assert!(output.status.success() && text.contains("Done."), "{text}\n{last}");
    let trades = client(&buyer).list_trades(&TradeQuery::new()).unwrap().items;
    assert_eq!(trades.len(), 1, "{text}\n{last}");
    // The model was told of the trade, both times.
    assert_eq!(last.matches(trades[0].id.as_str()).count(), TIMES, "{last}");
    assert!(last.contains("made_before"), "{last}");
    assert!(!last.contains(&buyer) && !text.contains(&buyer), "no key is shown");
}
