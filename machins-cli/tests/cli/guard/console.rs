//! A device that a person revokes in the console of the mock server.

use super::World;
use crate::browser::Browser;

#[test]
fn a_revoke_in_the_console_ends_the_command() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let world = World::new();
    let mut guarded = world.guard(&["--every", "0.5"], "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    let mut script = browser.script("guard.mjs", &[]);
    let output = script.env("MOCK_URL", world.server.url()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("DEVICE_REVOKED"), "{stderr}");
}
