//! A page that is open while its server is started again.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use machins_mock::{MockServer, Plan};

use crate::browser::Browser;

#[tokio::test]
async fn a_page_outlives_its_server() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let server = MockServer::start().await;
    let addr = server.addr();
    let mut script = browser.script("restart.mjs", &[]);
    let mut script = script
        .env("MOCK_URL", server.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = script.stdin.take().unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let mut expect = |expected: &str| {
        let line = lines.next().map(Result::unwrap);
        assert_eq!(line.as_deref(), Some(expected), "the script's next line");
    };
    expect("live");
    server.shutdown().await;
    expect("lost");
    let server = MockServer::builder().addr(addr).start().unwrap();
    let _org = server.create_org_with_key(Plan::Pro, "org_second").unwrap();
    writeln!(input, "restarted").unwrap();
    expect("second");
    assert!(script.wait().unwrap().success());
}
