//! The gate in front of a program's own functions.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machineid_client::decision_log::{DecisionLog, Entry, entries};
use machins_mcp::ToolGate;
use serde_json::json;
use support::{DEVICE, World};

#[tokio::test]
async fn the_decision_log_names_each_tool_and_its_arguments() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("decisions.jsonl");
    let log = DecisionLog::new(&path).asked_by("tools");
    let tools = ToolGate::new(world.gate_of(DEVICE).decision_log(log.clone()));
    let sum = tools.call("add", &json!({"a": 1, "b": 2}), async { 1 + 2 }).await.unwrap();
    assert_eq!(sum, 3);
    tools.call("say", &"é".repeat(100_000), async {}).await.unwrap();
    world.revoke().await;
    let denied = tools.call("add", &json!([]), async { panic!("it runs") }).await;
    assert_eq!(denied.unwrap_err().code(), "DEVICE_REVOKED");
    log.flush();
    let logged: Vec<Entry> = entries(&path).unwrap().map(Result::unwrap).collect();
    let shown: Vec<_> = logged
        .iter()
        .map(|entry| (entry.code.as_str(), entry.tool.as_deref(), entry.arguments.as_deref()))
        .collect();
    assert_eq!(shown[0], ("ALLOW", Some("add"), Some(r#"{"a":1,"b":2}"#)));
    assert_eq!((shown[1].0, shown[1].1), ("ALLOW", Some("say")));
    assert_eq!(shown[1].2.unwrap().chars().count(), 2001);
    assert_eq!(shown[2], ("DEVICE_REVOKED", Some("add"), Some("[]")));
    assert_eq!(shown.len(), 3);
}
