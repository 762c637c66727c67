//! A plain loop over the tool calls of a model, each of which runs only if MachineID allows it.
//!
//! ```sh
//! export MACHINEID_ORG_KEY=org_…  MACHINEID_DEVICE_ID=agent-01
//! echo 'add {"a": 1, "b": 2}' | cargo run -p examples --example gated_tools
//! ```
//!
//! To adapt it, take the calls from your model's reply, and give it what the tools return.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::error::Error;
use std::io;

use machineid_client::{Client, DeviceId, Gate};
use machins_mcp::{CallDenied, ToolGate};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::from_env()?;
    let gate = Gate::new(&client, DeviceId::from_env()?).register_on_start();
    let tools = ToolGate::new(gate).observer(|call| {
        let decision = call.result.map_or_else(CallDenied::code, |()| "ALLOW");
        eprintln!("{decision} {} {}", call.tool, call.arguments);
    });

    // What a model asks for: the name of a tool and its arguments.
    for line in io::stdin().lines() {
        let line = line?;
        let (tool, arguments) = line.split_once(' ').unwrap_or((&line, "{}"));
        let arguments: Value = serde_json::from_str(arguments)?;
        match tools.call(tool, &arguments, run(tool, &arguments)).await {
            Ok(result) => println!("{result}"),
            // A model that reads this will not call the tool again and again.
            Err(denied) => println!("{}", json!({"error": denied.to_string()})),
        }
    }
    Ok(())
}

async fn run(tool: &str, arguments: &Value) -> Value {
    // Stands for work that takes its time.
    tokio::task::yield_now().await;
    match tool {
        "add" => json!(arguments["a"].as_i64().zip(arguments["b"].as_i64()).map(|(a, b)| a + b)),
        _ => json!({"error": "there is no such tool"}),
    }
}
