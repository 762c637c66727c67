//! An MCP server, written with rmcp, whose tools run only if MachineID allows it.
//!
//! ```sh
//! export MACHINEID_ORG_KEY=org_…  MACHINEID_DEVICE_ID=agent-01
//! claude mcp add adder -- cargo run -p examples --example gated_mcp_server
//! ```
//!
//! To adapt it, replace `Adder` by your server: the line with `wrap` is all that is added to it.

use std::error::Error;
use std::sync::Arc;

use machineid_client::{Client, DeviceId, Gate};
use machins_mcp::ToolGate;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ServerHandler, ServiceExt};

struct Adder;

impl ServerHandler for Adder {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = JsonObject::from_iter([("type".to_owned(), "object".into())]);
        Ok(ListToolsResult::with_all_items(vec![Tool::new("add", "a + b", Arc::new(schema))]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let number = |name| arguments.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0);
        let sum = (number("a") + number("b")).to_string();
        Ok(CallToolResult::success(vec![ContentBlock::text(sum)]).into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::from_env()?;
    let gate = Gate::new(&client, DeviceId::from_env()?).register_on_start();
    let server = ToolGate::new(gate).wrap(Adder);
    server.serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}
