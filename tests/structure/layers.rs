//! Files use what lower layers define, never the other way round.

use std::collections::BTreeMap;
use std::fs;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::source::{Source, root};

/// The maximum length of a source file.
const MAX_LINES: usize = 600;

/// A crate's layers, the lowest first: the modules that each consists of.
type Layers = &'static [&'static str];

const LAYERS: [(&str, Layers); 8] = [
    (
        "client-core",
        &[
            "lock text timestamp plain_value error retry open_enum null_as_default environment files labels request_ids certificate operation observer paused_time total_timeout wire_message",
            "document config_file",
            "extra",
            "base_url clock credential process proxy reply secret_key",
            "call_options pool",
            "request",
            "script",
            "options",
            "call connection",
            "transport/conditional_body transport/redact transport/trace_context",
            "transport/wire",
            "transport",
            "lib",
        ],
    ),
    (
        "machineid-client",
        &[
            "auth decision_code device_id fields refusal",
            "client",
            "batch plan",
            "device org registration",
            "allow",
            "decision",
            "decision_log",
            "gate",
            "blocking",
            "lib",
        ],
    ),
    (
        "machins-client",
        &[
            "auth json_folder model refusal remembered_ids",
            "intent",
            "spending",
            "client",
            "pager items proposals",
            "endpoints",
            "inbox_watch once webhook",
            "spending_client",
            "blocking",
            "lib",
        ],
    ),
    (
        "machins-mock",
        &[
            "clock conditions difference glob key_headers limits mask random raw_json reading request_ids request_log search sync tasks text wait",
            "machineid machins",
            "world",
            "fixtures",
            "fault journal expectation delivery",
            "server_state",
            "state",
            "worlds",
            "http",
            "console",
            "site",
            "drift",
            "serve",
            "handle state_file",
            "saving server",
            "builder blocking",
            "lib",
        ],
    ),
    (
        "machins-mcp",
        &[
            "denial lines message queue",
            "event in_flight",
            "gate",
            "reply",
            "session tool_gate",
            "http rmcp server tools",
            "lib",
        ],
    ),
    (
        "machins-relay",
        &[
            "error notice share source subject waits",
            "cloud_event connection kv messages stream webhooks",
            "replica sink stream_admin",
            "dead_letters http nats writer",
            "lease replay setup store worker",
            "apply relay status",
            "lib",
        ],
    ),
    (
        "process-containment",
        &["containment", "event error", "command", "unix windows", "spawn", "lib"],
    ),
    (
        "machins-cli",
        &[
            "text style error flags background",
            "json table format records jq invocation output input editor json_flag naming suggestion config process random runtime shell_syntax store",
            "context progress verbose panic shown_once hook",
            "list pages lookup once decision_log",
            "cmd",
            "main",
        ],
    ),
];

#[test]
fn no_two_files_use_each_other() {
    let mut circles = Vec::new();
    for (package, _) in LAYERS {
        let uses = Source::read(package).uses();
        let graph: DiGraphMap<&str, ()> = uses
            .iter()
            .flat_map(|(file, used)| used.iter().map(move |used| (file.as_str(), used.as_str())))
            .collect();
        for circle in tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1) {
            let arrows: Vec<String> = graph
                .all_edges()
                .filter(|(from, to, ())| circle.contains(from) && circle.contains(to))
                .map(|(from, to, ())| format!("  {from} -> {to}"))
                .collect();
            circles.push(format!("{package}:\n{}", arrows.join("\n")));
        }
    }
    assert!(circles.is_empty(), "files that use each other:\n{}", circles.join("\n"));
}

#[test]
fn no_file_uses_a_layer_above_its_own() {
    let mut upwards = Vec::new();
    for (package, layers) in LAYERS {
        for (file, used) in Source::read(package).uses() {
            for used in used {
                if layer(package, layers, &file) < layer(package, layers, &used) {
                    upwards.push(format!("{package}: {file} uses {used}"));
                }
            }
        }
    }
    assert!(upwards.is_empty(), "imports that lead upwards:\n{}", upwards.join("\n"));
}

/// What it shows and does, it asks the control API for.
#[test]
fn the_mock_servers_console_knows_no_model() {
    let parts = ["machineid", "machins", "journal", "delivery", "fault", "site"];
    let mut known = Vec::new();
    for (file, used) in Source::read("machins-mock").uses() {
        let is_part = |used: &&String| parts.iter().any(|part| used.starts_with(part));
        if file.starts_with("console") {
            known.extend(used.iter().filter(is_part).map(|used| format!("{file} uses {used}")));
        }
    }
    assert!(known.is_empty(), "the console goes around the control API: {known:?}");
}

#[test]
fn every_file_belongs_to_a_layer() {
    for (package, layers) in LAYERS {
        for file in Source::read(package).files().keys() {
            layer(package, layers, file);
        }
    }
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let mut long = BTreeMap::new();
    for (package, _) in LAYERS {
        for (file, lines) in Source::read(package).files() {
            if *lines > MAX_LINES {
                long.insert(format!("{package}/src/{file}"), *lines);
            }
        }
    }
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:#?}");
}

#[test]
fn the_architecture_page_shows_the_same_layers() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (package, layers) in LAYERS {
        let rows: Vec<String> = layers
            .iter()
            .rev()
            .map(|modules| modules.split(' ').map(|name| format!("`{name}`")).collect::<Vec<_>>())
            .map(|names| names.join(", "))
            .collect();
        let list = format!("- `{package}`: {}\n", rows.join(" → "));
        assert!(page.contains(&list), "ARCHITECTURE.md lacks this line:\n{list}");
    }
}

/// The layer of a file, by the longest module name that its path begins with.
fn layer(package: &str, layers: Layers, file: &str) -> usize {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let found = layers
        .iter()
        .enumerate()
        .flat_map(|(layer, modules)| modules.split(' ').map(move |name| (layer, name)));
    found
        .filter(|(_, name)| {
            module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(_, name)| name.len())
        .unwrap_or_else(|| panic!("{package}/src/{file} belongs to no layer"))
        .0
}
