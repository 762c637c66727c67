//! Every page and every action.

use machins_mock::blocking::MockServer;

use crate::browser::Browser;

#[test]
fn every_page_works_in_chromium() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let server = MockServer::start();
    let mut script = browser.script("pages.mjs", &["--test", "--test-reporter=spec"]);
    let output = script.env("MOCK_URL", server.url()).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    // A runner that finds no test succeeds as well.
    assert!(report.contains("pass "), "{report}");
}
