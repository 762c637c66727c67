//! docs/agents/mcp.md, followed on a fresh home with the real runtimes and an official server.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use machins_mock::{MockServer, Plan};
use serde_json::json;

use crate::session::{Home, install, installed, with_npm};
use crate::tool_model::ToolModel;

const PAGE: &str = include_str!("../../../docs/agents/mcp.md");
const SERVER: &str = "@modelcontextprotocol/server-filesystem@2026.8.31";

/// A reader who has done the first step of the page.
struct Reader {
    home: Home,
    _server: MockServer,
}

impl Reader {
    fn new(runtime: &'static str) -> Option<Self> {
        static SERVERS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let programs = installed()?;
        let servers: &Path = with_npm(SERVERS.get_or_init(|| install(&[SERVER])))?;
        let server = MockServer::builder().start().unwrap();
        let org = server.create_org(Plan::Pro);
        let mut home = Home::new(runtime);
        home.path_with(programs);
        // Here `npx` finds the server without a download.
        std::os::unix::fs::symlink(servers, home.project().join("node_modules")).unwrap();
        let url = server.machineid_base_url();
        home.shell(&format!("machins config set machineid.base_url {url}"), "").is(0);
        home.shell(line("machins config set"), org.key()).is(0);
        Some(Self { home, _server: server })
    }
}

/// The line of the page that begins so, without its comment.
fn line(beginning: &str) -> &'static str {
    let line = PAGE.lines().find(|line| line.starts_with(beginning)).unwrap();
    line.split(" #").next().unwrap().trim()
}

#[test]
fn claude_code_calls_tools_through_the_gate() {
    let Some(Reader { mut home, _server }) = Reader::new("claude") else { return };
    home.shell(line("claude mcp add files"), "").is(0);
    let tool = "mcp__files__create_directory";
    let trace = home.project().join("trace");
    let model = ToolModel::start(tool, json!({"path": trace}));
    home.set("ANTHROPIC_BASE_URL", model.url());
    home.set("ANTHROPIC_API_KEY", "stand-in");
    home.set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    home.set("DISABLE_AUTOUPDATER", "1");
    // The stand-in does not search for tools.
    home.set("ENABLE_TOOL_SEARCH", "false");
    // On a busy machine the server takes longer to start than Claude Code waits for it.
    for wait in ["CLAUDE_CODE_MCP_STARTUP_WAIT_MS", "MCP_CONNECT_TIMEOUT_MS", "MCP_TIMEOUT"] {
        home.set(wait, "60000");
    }
    let prompt =
        || home.shell(&format!("claude --print go --allowedTools {tool}"), "").is(0).stdout;
    let told = prompt();
    assert!(trace.is_dir(), "{told}");
    std::fs::remove_dir(&trace).unwrap();
    home.shell(line("machins revoke"), "").is(0);
    let told = prompt();
    assert!(told.contains("DEVICE_REVOKED") && !trace.exists(), "{told}");
    assert!(PAGE.contains("`machins unrevoke agent-01`"));
    home.shell("machins unrevoke agent-01", "").is(0);
    let told = prompt();
    assert!(trace.is_dir(), "{told}");
}

#[test]
fn codex_sees_the_tools_behind_the_gate() {
    let Some(Reader { home, _server }) = Reader::new("codex") else { return };
    home.shell(line("codex mcp add files"), "").is(0);
    let status =
        home.app_server(installed().unwrap(), |call| call("mcpServerStatus/list", json!({})));
    assert!(status.to_string().contains("create_directory"), "{status}");
}

#[test]
fn gemini_cli_reaches_the_server_behind_the_gate() {
    let Some(Reader { home, _server }) = Reader::new("gemini") else { return };
    let settings = PAGE.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    home.write(".gemini/settings.json", settings);
    let trusted = json!({home.project().to_str().unwrap(): "TRUST_FOLDER"});
    home.write(".gemini/trustedFolders.json", &trusted.to_string());
    let listed = home.shell("gemini mcp list 2>&1", "").is(0).stdout;
    assert!(listed.contains("files") && listed.contains("Connected"), "{listed}");
}
