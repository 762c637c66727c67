//! Starting and stopping, in and out of runtimes, in numbers.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use machins_mock::{Conditions, MockServer, Plan, blocking};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::support::http::{client, control, get, register, send, server_with_org};
use crate::support::reserve_connections;

const CROWD: usize = 1000;

/// Waits for a port to be closed: a drop signals, and the closing follows at once.
fn wait_until_closed(addr: SocketAddr) {
    while TcpStream::connect(addr).is_ok() {
        std::thread::yield_now();
    }
}

fn usage_blocking(server: &MockServer) -> StatusCode {
    let org = server.create_org(Plan::Free);
    let url = format!("{}/api/v1/usage", server.machineid_base_url());
    let request = reqwest::blocking::Client::new().get(url).header("x-org-key", org.key());
    request.send().unwrap().status()
}

#[tokio::test]
async fn a_thousand_servers_start_and_stop_in_one_task() {
    let _turn = reserve_connections(CROWD);
    let mut servers = Vec::new();
    for _ in 0..CROWD {
        servers.push(MockServer::start().await);
    }
    let ports: std::collections::HashSet<_> = servers.iter().map(MockServer::addr).collect();
    assert_eq!(ports.len(), CROWD, "each has its own");
    for server in &servers {
        let org = server.create_org(Plan::Free);
        let url = format!("{}/api/v1/usage", server.url());
        let reply = client().get(url).header("x-org-key", org.key()).send().await.unwrap();
        assert_eq!(reply.status(), 200);
    }
    drop(servers);
    for addr in ports {
        wait_until_closed(addr);
    }
}

#[test]
fn a_thousand_servers_start_and_stop_in_blocking_code() {
    let _turn = reserve_connections(CROWD);
    let servers: Vec<_> = (0..CROWD).map(|_| blocking::MockServer::start()).collect();
    let client = reqwest::blocking::Client::new();
    for server in &servers {
        let health = client.get(format!("{}/_mock/health", server.url())).send().unwrap();
        assert_eq!(health.status(), 200);
    }
    let addrs: Vec<_> = servers.iter().map(|server| server.addr()).collect();
    drop(servers);
    addrs.into_iter().for_each(wait_until_closed);
}

#[test]
fn a_server_outlives_its_runtime_and_drops_anywhere() {
    let server = tokio::runtime::Runtime::new().unwrap().block_on(MockServer::start());
    assert_eq!(usage_blocking(&server), 200);
    let addr = server.addr();
    let current_thread = tokio::runtime::Builder::new_current_thread().build().unwrap();
    current_thread.block_on(async move { drop(server) });
    wait_until_closed(addr);

    let server = blocking::MockServer::start();
    let addr = server.addr();
    std::thread::spawn(move || drop(server)).join().unwrap();
    wait_until_closed(addr);

    let started_inside = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(async { tokio::spawn(async { blocking::MockServer::start() }).await.unwrap() });
    assert_eq!(usage_blocking(&started_inside), 200);
}

#[tokio::test]
async fn a_drop_closes_open_connections() {
    let server = MockServer::start().await;
    let addr = server.addr();
    let mut idle = tokio::net::TcpStream::connect(addr).await.unwrap();
    send(&server, reqwest::Method::GET, "/_mock/health", "", serde_json::Value::Null).await;
    drop(server);
    let mut byte = [0];
    let end = idle.read(&mut byte).await;
    assert!(
        matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    );
    wait_until_closed(addr);
}

#[tokio::test]
async fn shutdown_closes_the_port_and_keeps_the_state() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    server.shutdown().await;
    assert!(TcpStream::connect(server.addr()).is_err());
    assert_eq!(org.state().unwrap().devices_used, 1);
    server.shutdown().await;
}

#[tokio::test]
async fn servers_share_no_state() {
    let (one, org) = server_with_org(Plan::Free).await;
    let other = MockServer::start().await;
    assert!(other.org(org.key()).is_none());
    assert_eq!(get(&other, &org, "usage").await.0, 404);
    assert_eq!(get(&one, &org, "usage").await.0, 200);
}

#[test]
fn urls_name_the_address() {
    let server = blocking::MockServer::start();
    let url = server.url();
    assert_eq!(url, format!("http://127.0.0.1:{}", server.addr().port()));
    assert_eq!(server.machineid_base_url(), url);
    assert_eq!(server.machins_base_url(), format!("{url}/api/v1"));
    assert!(server.is_loopback());
    let everywhere = MockServer::builder().addr("0.0.0.0:0".parse().unwrap()).start().unwrap();
    assert!(!everywhere.is_loopback());
    assert!(everywhere.url().starts_with("http://127.0.0.1:"));
}

#[test]
fn a_port_in_use_is_an_error() {
    let server = blocking::MockServer::start();
    let error = MockServer::builder().addr(server.addr()).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_state_file_restores_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let start = || MockServer::builder().state_file(&path).start();
    let server = start().unwrap();
    let org = server.create_org(Plan::Pro);
    register(&server, &org, &["a"]).await;
    server.shutdown().await;
    server.save_state().unwrap();
    server.save_state().unwrap();
    let again = start().unwrap();
    assert_eq!(again.snapshot(), server.snapshot());
    assert_eq!(again.org(org.key()).unwrap().state(), org.state());
    drop(again);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing is left beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    std::fs::write(&path, "{").unwrap();
    let error = start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{", "and is left alone");
    blocking::MockServer::start().save_state().unwrap();
}

#[tokio::test]
async fn a_state_file_holds_all_worlds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let start = || MockServer::builder().state_file(&path).start().unwrap();
    let server = start();
    let create = |name: &str| {
        let body = serde_json::json!({"name": name});
        control(&server, Method::POST, "worlds", body)
    };
    for name in ["second", "first"] {
        create(name).await;
        let fixtures = serde_json::json!({"orgs": [{"org_key": format!("org_{name}")}]});
        let path = format!("/_world/{name}/_mock/fixtures");
        let reply = send(&server, Method::POST, &path, "", fixtures).await;
        assert_eq!(reply.status, 201);
    }
    create("removed").await;
    control(&server, Method::DELETE, "worlds/removed", Value::Null).await;
    server.save_state().unwrap();
    drop(server);
    let server = start();
    let (_, list) = control(&server, Method::GET, "worlds", Value::Null).await;
    let names = list["worlds"].as_array().unwrap().iter().map(|world| &world["name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["second", "first"]);
    for name in ["first", "second"] {
        let path = format!("/_world/{name}/api/v1/usage");
        let reply = send(&server, Method::GET, &path, &format!("org_{name}"), Value::Null).await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn a_state_file_is_used_by_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let start = || MockServer::builder().state_file(&path).start();
    let server = start().unwrap();
    let error = start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert!(error.to_string().contains("already in use"), "{error}");
    server.shutdown().await;
    let next = start().unwrap();
    drop(next);
    drop(start().unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[rstest::rstest]
#[case::no_folder("missing/world.json", ErrorKind::NotFound)]
#[case::a_folder("", ErrorKind::InvalidInput)]
#[tokio::test]
async fn a_bad_state_file_is_noticed_at_the_start(#[case] path: &str, #[case] kind: ErrorKind) {
    let folder = tempfile::tempdir().unwrap();
    let error = MockServer::builder().state_file(folder.path().join(path)).start().unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    assert!(error.to_string().contains(name), "{error}");
}

/// As after `kill -9`: nothing is asked of the server any more.
#[rstest::rstest]
#[case::by_request(true)]
#[case::by_method(false)]
#[tokio::test]
async fn a_change_is_saved_soon(#[case] by_request: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let server = MockServer::builder().state_file(&path).start().unwrap();
    let org = server.create_org(Plan::Free);
    if by_request {
        register(&server, &org, &["device-1"]).await;
    } else {
        server.create_agent(machins_mock::NewAgent::new().slug("device-1")).unwrap();
    }
    let changed = std::time::Instant::now();
    loop {
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        if stored.contains("device-1") {
            break;
        }
        assert!(changed.elapsed() < std::time::Duration::from_secs(20), "{stored}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_shutdown_saves_the_last_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let server = MockServer::builder().state_file(&path).start().unwrap();
    server.create_org_with_key(Plan::Free, "org_late").unwrap();
    server.shutdown().await;
    assert!(std::fs::read_to_string(&path).unwrap().contains("org_late"));
}

#[tokio::test]
async fn a_stopped_server_does_not_undo_what_the_next_one_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let start = || MockServer::builder().state_file(&path).start().unwrap();
    let create = |server: &MockServer, key: &str| {
        server.create_org_with_key(Plan::Free, key).unwrap();
    };
    let stopped = start();
    create(&stopped, "org_first");
    stopped.shutdown().await;
    create(&stopped, "org_afterwards");
    let next = start();
    assert_eq!(stopped.save_state().unwrap_err().kind(), ErrorKind::ResourceBusy);
    create(&next, "org_next");
    next.shutdown().await;
    let error = stopped.save_state().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored.contains("org_next") && !stored.contains("org_afterwards"));
}

#[test]
fn no_save_undoes_a_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let server = MockServer::builder().state_file(&path).start().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (server, path) = (&server, &path);
            scope.spawn(move || {
                for n in 0..25 {
                    let key = format!("org_{thread}-{n}.");
                    server.create_org_with_key(Plan::Free, &key).unwrap();
                    server.save_state().unwrap();
                    assert!(std::fs::read_to_string(path).unwrap().contains(&key));
                }
            });
        }
    });
}

#[tokio::test]
async fn a_graceful_shutdown_finishes_what_is_under_way() {
    let (server, org) = server_with_org(Plan::Free).await;
    let delay = std::time::Duration::from_millis(100);
    server.add_fault(machins_mock::Fault::delay(delay)).unwrap();
    let url = format!("{}/api/v1/usage", server.url());
    let request = client().get(url).header("x-org-key", org.key()).send();
    let call = tokio::spawn(request);
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    server.shutdown_gracefully(std::time::Duration::from_secs(30)).await;
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert!(TcpStream::connect(server.addr()).is_err());
}

#[tokio::test]
async fn a_graceful_shutdown_has_a_limit() {
    let (server, org) = server_with_org(Plan::Free).await;
    let delay = std::time::Duration::from_secs(5 * 60);
    server.add_fault(machins_mock::Fault::delay(delay)).unwrap();
    let url = format!("{}/api/v1/usage", server.url());
    let call = tokio::spawn(client().get(url).header("x-org-key", org.key()).send());
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    // An idle connection does not count.
    let _idle = TcpStream::connect(server.addr()).unwrap();
    server.shutdown_gracefully(std::time::Duration::from_millis(10)).await;
    assert!(call.await.unwrap().is_err());
    assert!(TcpStream::connect(server.addr()).is_err());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_a_shutdown() {
    let server = MockServer::start().await;
    let mut idle = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    send(&server, reqwest::Method::GET, "/_mock/health", "", serde_json::Value::Null).await;
    let started = std::time::Instant::now();
    server.shutdown_gracefully(std::time::Duration::from_secs(60)).await;
    assert!(started.elapsed() < std::time::Duration::from_secs(30));
    assert!(
        idle.read(&mut [0]).await.is_ok_and(|read| read == 0) || idle.read(&mut [0]).await.is_err()
    );
}

#[test]
fn blocking_code_can_wait() {
    let server = blocking::MockServer::start();
    assert_eq!(usage_blocking(&server), 200);
    let usage = Conditions::new().path("/api/v1/usage");
    let found = server.wait_for_requests(usage, 1, Duration::from_secs(30)).unwrap();
    assert_eq!(found[0].status, Some(200));
    server.webhooks_sent();
    assert!(server.wait_for_webhooks(Conditions::new(), 1, Duration::ZERO).is_err());
    assert!(server.resend_webhook(1).is_none());
    let addr = server.addr();
    server.shutdown_gracefully(Duration::from_secs(30));
    assert!(TcpStream::connect(addr).is_err(), "closed when it returns");
    server.shutdown();
}
