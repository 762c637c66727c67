//! What the command is given, and what is kept from it.

use super::{Guarded, Setting, World};

const PRINT: &str = "echo \"$MACHINEID_DEVICE_ID ${MACHINEID_ORG_KEY:-none}\"";

#[test]
fn the_command_is_given_the_device_and_not_the_key() {
    let world = World::new();
    assert_eq!(world.guard(&[], PRINT).line(), "agent-01 none");
    assert_eq!(world.guard(&["--device", "agent-02"], PRINT).line(), "agent-02 none");
    let key = world.org.key().to_owned();
    assert_eq!(world.guard(&["--pass-org-key"], PRINT).line(), format!("agent-01 {key}"));
}

#[test]
fn the_command_can_not_revoke_its_denial() {
    let world = World::new();
    let script = format!("{} unrevoke agent-01; echo $?", env!("CARGO_BIN_EXE_machins"));
    assert_eq!(world.guard(&[], &script).line(), "4", "no credentials");
}

/// Nor can an ordinary user's processes read it where guard has it from.
#[cfg(target_os = "linux")]
#[test]
fn the_command_can_not_read_the_environment_of_guard() {
    let world = World::new();
    let script = "guard=$(cut -d' ' -f4 /proc/$PPID/stat)
        tr '\\0' '\\n' < /proc/$guard/environ | grep -c ORG_KEY; cat /proc/$PPID/environ | wc -c
        kill -0 $guard && echo found";
    let mut guarded = world.guard_in(Setting::OrdinaryUser, &[], script);
    assert_eq!(guarded.line(), "0");
    assert_eq!(guarded.line(), "0");
    assert_eq!(guarded.line(), "found");
}

/// The gate in front of an MCP server is no other.
#[cfg(all(target_os = "linux", feature = "mcp"))]
#[test]
fn an_mcp_server_can_not_read_the_environment_of_its_gate() {
    let world = World::new();
    let script = "gate=$(cut -d' ' -f4 /proc/$PPID/stat)
        { tr '\\0' '\\n' < /proc/$gate/environ | grep -c ORG_KEY
        kill -0 $gate && echo found; } >&2";
    let words = ["mcp", "gate", "--device", "agent-01", "--", "sh", "-c", script];
    let mut gate = world.program_in(Setting::OrdinaryUser, &words);
    let ran = gate.stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    let lines: Vec<_> = said.lines().filter(|line| ["0", "1", "found"].contains(line)).collect();
    assert_eq!(lines, ["0", "found"], "{said}");
}

#[test]
fn guards_work_inside_guards() {
    let world = World::new();
    let machins = env!("CARGO_BIN_EXE_machins");
    let inner = [machins, "guard", "--every", "0.2", "--pass-org-key", "--"];
    let nested = [&inner[1..], &inner, &inner, &inner].concat();
    let run = |script: &str| {
        let line = [nested.as_slice(), &["sh", "-c", script]].concat();
        Guarded::start(world.home.machins(&line))
    };
    assert_eq!(run("exit 6").ended().0.code(), Some(6));
    let mut guarded = run("setsid sh -c 'echo ready; exec sleep 600' & wait");
    assert_eq!(guarded.line(), "ready");
    world.revoke();
    assert_eq!(guarded.ended().0.code(), Some(3));
}
