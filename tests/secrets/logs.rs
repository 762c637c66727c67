//! Logs at level TRACE, error messages and the mock server's journal contain no secret.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

use machineid_client::{DeviceId, Gate};
use machins_client::{Call, Claim, ClientOptions, EventType, MockClock, NewAgent, NewSubscription};
use machins_mock::{Fault, MockServer, OrgUpdate, Plan};
use serde_json::{Value, json};
use test_support::Log;

use crate::world::{self, answering, assert_hidden, secret};

/// Returns the texts of an error and of its sources.
fn texts_of(error: &machins_client::Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n{:?}\n", error.excerpt());
    write!(text, "{:?} {:?} {}", error.code(), error.request_id(), error.message()).unwrap();
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, "\n{error}\n{error:?}").unwrap();
        source = error.source();
    }
    text
}

/// Returns the text with every character as a JSON escape.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |json, c| format!("{json}\\u{:04x}", u32::from(c)))
}

fn output<T: fmt::Debug>(result: Result<T, machins_client::Error>) -> String {
    match result {
        Ok(value) => format!("{value:?}\n{value:#?}"),
        Err(error) => texts_of(&error),
    }
}

/// Makes every call that sends a secret, to servers that echo it in this form, and returns the
/// output.
async fn echoed(status: u16, shape: fn(&str) -> String) -> String {
    let echo = async |sent: &[&str]| answering(status, shape(&sent.join(" "))).await;
    let options = || ClientOptions::new().clock(MockClock::new(0.0));
    let machineid = async |sent: &[&str]| {
        world::machineid(&echo(sent).await).options(options()).build().unwrap()
    };
    let machins = async |sent: &[&str]| {
        let sent = [&[world::API_KEY, world::OWNER_TOKEN], sent].concat();
        world::machins(&echo(&sent).await).options(options()).build().unwrap()
    };
    let device = DeviceId::new("agent-01").unwrap();
    let password = secret(world::PASSWORD);
    let claim = Claim::new(&secret(world::CLAIM_TOKEN), "a@b", password.clone());
    let subscription = NewSubscription::new(EventType::NewAgent, "https://hook")
        .secret(secret(world::WEBHOOK_SECRET));

    let client = machineid(&[world::ORG_KEY]).await;
    let mut text = match Gate::new(&client, device).check().await {
        Ok(permit) => panic!("{permit:?}"),
        Err(denied) => format!("{denied}\n{denied:?}\n{denied:#?}\n"),
    };
    text.push_str(&output(client.list_devices().await));
    let client = machins(&[]).await;
    text.push_str(&output(client.get_wallet().await));
    text.push_str(&output(client.get_owner().await));
    let client = machins(&[world::WEBHOOK_SECRET]).await;
    text.push_str(&output(client.subscribe(&subscription).await));
    let client = machins(&[world::CLAIM_TOKEN, world::PASSWORD]).await;
    text.push_str(&output(client.claim(&claim).await));
    let client = machins(&[world::PASSWORD]).await;
    text.push_str(&output(client.owner_login("a@b", &password).await));
    text
}

/// Makes every call that receives or sends a secret, to the mock server, and returns its journal.
async fn through_the_mock(secrets: &mut Vec<String>) -> String {
    let server = MockServer::start().await;
    let org = server.create_org(Plan::Free);
    org.update(OrgUpdate::new().plan(Plan::Pro)).unwrap();
    let _lost = server.fault_scoped(Fault::status(503).times(1)).unwrap();
    let machineid = machineid_client::Client::builder()
        .org_key(machineid_client::OrgKey::new(org.key()).unwrap())
        .base_url(server.machineid_base_url())
        .options(ClientOptions::new().clock(MockClock::new(0.0)))
        .build()
        .unwrap();
    let device = DeviceId::new("agent-01").unwrap();
    let _registered = machineid.register(&device).await.unwrap();
    let _permit = Gate::new(&machineid, device).check().await.unwrap();
    let created = machineid.create_org().await.unwrap();

    let nobody = || machins_client::Client::builder().base_url(server.machins_base_url());
    let stranger = nobody().build().unwrap();
    let joined = stranger.join(&NewAgent::new("Ada", "ada")).await.unwrap();
    let claim_url = joined.claim_url.unwrap();
    let password = secret(world::PASSWORD);
    stranger.claim(&Claim::new(&claim_url, "a@b.example", password.clone())).await.unwrap();
    let session = stranger.owner_login("a@b.example", &password).await.unwrap();
    let wrong = stranger.owner_login("a@b.example", &secret("wrong-horse-staple")).await;
    let client = nobody()
        .api_key(joined.api_key.clone())
        .owner_token(session.token.clone())
        .build()
        .unwrap();
    client.get_owner().await.unwrap();
    let subscription = NewSubscription::new(EventType::NewAgent, "http://127.0.0.1:9/hook")
        .secret(secret(world::WEBHOOK_SECRET));
    client.subscribe(&subscription).await.unwrap();
    stranger.join(&NewAgent::new("Bob", "bob")).await.unwrap();
    server.webhooks_sent().await;

    // The control API, with a key in the path, as tests in other languages call it.
    let control = machins_client::Client::builder().base_url(server.url()).build().unwrap();
    let update = Call::new(machins_client::Method::PATCH, "/_mock/machineid/orgs/{key}")
        .segment("key", org.key())
        .body(&json!({"frozen": true}));
    assert!(control.send(update).await.unwrap().is_success());
    let misplaced = Call::get("/agents/{key}").segment("key", joined.api_key.expose());
    control.send(misplaced.query(&[("token", session.token.expose())])).await.unwrap();
    let journal: Value = control.send(Call::get("/_mock/requests").json()).await.unwrap();
    let webhooks: Value = control.send(Call::get("/_mock/webhooks").json()).await.unwrap();

    let claim_token = claim_url.expose().rsplit('/').next().unwrap();
    secrets.extend([org.key(), created.org_key.expose(), joined.api_key.expose()].map(Into::into));
    secrets.extend([claim_token, session.token.expose(), "wrong-horse-staple"].map(Into::into));
    let remembered = format!("{:?}{:?}{journal}{webhooks}", server.requests(), server.webhooks());
    assert!(remembered.contains("/claim/…") && remembered.contains("/agents/at_…"), "{remembered}");
    remembered + &texts_of(&wrong.unwrap_err())
}

/// One test, because the subscriber belongs to the whole process.
#[tokio::test(flavor = "multi_thread")]
async fn logs_errors_and_the_journal_contain_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let shapes: [fn(&str) -> String; 6] = [
        |sent| json!({"detail": sent}).to_string(),
        |sent| json!({"error": {"code": sent, "message": sent}, "request_id": sent}).to_string(),
        |sent| json!({"code": "DEVICE_REVOKED", "allowed": false, "request_id": sent}).to_string(),
        |sent| format!("{{\"detail\":\"{0}\",\"request_id\":\"{0}\"}}", escaped(sent)),
        |sent| format!("<html>{sent}</html>"),
        |sent| json!([sent]).to_string(),
    ];
    let mut shown = String::new();
    for shape in shapes {
        for status in [200, 302, 400, 401, 429, 503] {
            shown.push_str(&echoed(status, shape).await);
        }
    }
    let mut secrets = world::SECRETS.map(str::to_owned).to_vec();
    shown.push_str(&through_the_mock(&mut secrets).await);

    let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
    assert_hidden("an error or the journal", &shown, &secrets);
    let log = log.text();
    assert!(
        log.contains("TRACE hyper") && log.contains(r#"url.template="/claim/{token}""#),
        "{log}"
    );
    assert_hidden("the log", &log, &secrets);
}
