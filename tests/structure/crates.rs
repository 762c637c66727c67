//! Which crate of the workspace may depend on which.

use std::collections::BTreeSet;
use std::fs;

use toml::{Table, Value};

use crate::source::root;

/// A crate's folder, and the crates of the workspace that it may depend on. What only its tests
/// use is not counted.
const MAY_DEPEND_ON: [(&str, &[&str]); 8] = [
    ("client-core", &[]),
    ("machineid-client", &["agent-client-core"]),
    ("machins-client", &["agent-client-core"]),
    ("machins-mock", &[]),
    ("process-containment", &[]),
    ("machins-mcp", &["machineid-client", "machins-client", "process-containment"]),
    ("machins-relay", &["machins-client"]),
    (
        "machins-cli",
        &[
            "agent-client-core",
            "machineid-client",
            "machins-client",
            "machins-mcp",
            "machins-mock",
            "machins-relay",
            "process-containment",
        ],
    ),
];

#[test]
fn crates_depend_on_lower_ones_only() {
    let ours = workspace_crates();
    for (package, allowed) in MAY_DEPEND_ON {
        let manifest = manifest(package);
        let mut tables = vec![manifest.get("dependencies"), manifest.get("build-dependencies")];
        let targets = manifest.get("target").and_then(Value::as_table);
        tables.extend(targets.into_iter().flatten().map(|(_, target)| target.get("dependencies")));
        let used = tables.into_iter().flatten().filter_map(Value::as_table).flatten();
        // A dependency may have another name than its package.
        let names = used.map(|(name, dependency)| {
            dependency.get("package").and_then(Value::as_str).unwrap_or(name)
        });
        for name in names.filter(|name| ours.contains(*name)) {
            assert!(allowed.contains(&name), "{package} depends on {name}");
        }
    }
}

#[test]
fn cargo_run_builds_the_command_line_alone() {
    let members = &manifest(".")["workspace"]["default-members"];
    assert_eq!(members, &Value::from(vec!["machins-cli"]));
}

fn workspace_crates() -> BTreeSet<String> {
    let members = manifest(".")["workspace"]["members"].as_array().unwrap().clone();
    members
        .iter()
        .map(|member| {
            manifest(member.as_str().unwrap())["package"]["name"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn manifest(package: &str) -> Table {
    fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap().parse().unwrap()
}
