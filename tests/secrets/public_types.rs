//! `Debug` of every public type, each with a secret wherever it can hold one.
//!
//! The test fails for a public type that is not listed here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::{self as core, Transport};
use machineid_client::{self as machineid, blocking as machineid_blocking, decision_log};
use machins_client::{self as machins, blocking as machins_blocking, webhook};
use machins_mcp as mcp;
use machins_mock::{self as mock, blocking as mock_blocking};
use machins_relay as relay;
use serde_json::json;
use tempfile::TempDir;

use crate::exported;
use crate::world::{self, SECRETS, answering, assert_hidden, read, secret, with_secrets};

type Shown = Vec<(String, String)>;

/// Prints a value of each type with `Debug`. Returns its name, under `prefix`, and the output.
macro_rules! show {
    ($krate:ident, $prefix:literal {
        $($name:ident $(<$($generic:ty),+>)? = $value:expr),+ $(,)?
    }) => {{
        let mut shown = Shown::new();
        $(
            let value: $krate::$name$(<$($generic),+>)? = $value;
            let name = concat!($prefix, stringify!($name)).to_owned();
            shown.push((name, format!("{value:?}\n{value:#?}")));
        )+
        shown
    }};
}

/// Checks that the output has every public type of the crate except `others`, and no secret.
fn check(package: &str, others: &[&str], secrets: &[&str], shown: Shown) {
    for (name, text) in &shown {
        assert!(!text.trim().is_empty(), "{package} {name}");
        assert_hidden(&format!("{package} {name}"), text, secrets);
    }
    let mut exported = exported::types(package);
    for name in others {
        assert!(exported.remove(*name), "{package} has no {name}");
    }
    let shown: BTreeSet<_> = shown.into_iter().map(|(name, _)| name).collect();
    assert_eq!(shown, exported, "{package}: what is shown here, and what the crate exports");
}

/// Returns a body that is a valid reply to every call that returns a key, a decision or a
/// registration.
fn any_reply() -> String {
    with_secrets(json!({
        "orgApiKey": world::NEW_ORG_KEY,
        "api_key": world::NEW_API_KEY,
        "access_token": world::NEW_TOKEN,
        "claim_url": format!("https://machins.co/claim/{}", world::CLAIM_TOKEN),
        "allowed": true,
        "code": "ALLOW",
        "request_id": "r1",
        "status": "ok",
    }))
    .to_string()
}

static SCHEME: core::Scheme =
    core::Scheme { name: "key", header: "x-org-key", prefix: "", missing: "set it" };

fn in_another_thread<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::spawn(run).join().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_core_shows_no_secret() {
    use core::retry;

    let url = answering(200, any_reply()).await;
    let base_url = || core::BaseUrl::parse(&url).unwrap();
    let credential = || core::Credential::new(&SCHEME, secret(world::ORG_KEY)).unwrap();
    let summaries = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&summaries);
    let observer = move |summary: &core::CallSummary| seen.lock().unwrap().push(summary.clone());
    let messages = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&messages);
    let on_message = move |message: &core::WireMessage| shown.lock().unwrap().push(message.clone());
    let options = || {
        let options = core::ClientOptions::new().user_agent("test").observer(observer.clone());
        options.on_message(on_message.clone())
    };
    let transport = core::Async::new(base_url(), vec![credential()], options()).unwrap();
    let call = || {
        core::Call::post("/claim/{token}")
            .segment("token", world::CLAIM_TOKEN)
            .query(&[("key", world::API_KEY)])
            .secret(&secret(world::PASSWORD))
            .auth(&SCHEME)
            .body(&json!({"password": world::PASSWORD}))
    };
    let probe = || core::Probe::new(call(), |_| Ok(core::ProbeResult::Absent));
    let blocking = core::Blocking::new(base_url(), vec![credential()], options()).unwrap();
    let mut shown = show!(core, "" {
        Async = transport.clone(),
        BaseUrl = base_url(),
        Blocking = blocking.clone(),
        Call<core::Reply> = call(),
        Connection = core::Connection::default().base_url(&url).options(options()),
        Credential = credential(),
        Document = core::Document::from(with_secrets(json!({}))),
        Error = transport.send(call().json::<u8>()).await.unwrap_err(),
        ErrorKind = core::ErrorKind::NotSent,
        Extra = read(json!({})),
        Probe<core::Reply> = probe(),
        HttpPool = core::HttpPool::new(&options()),
        Method = core::Method::POST,
        CallOutcome = core::CallOutcome::Cancelled,
        CallSummary = summaries.lock().unwrap().remove(0),
        CallOptions = core::CallOptions::new().header("x-token", world::ORG_KEY),
        ClientOptions = options(),
        Pending<core::Reply> = transport.send(call()),
        Reply = transport.send(call()).await.unwrap(),
        Scheme = core::Scheme { name: "", header: "", prefix: "", missing: "" },
        Secret = secret(world::PASSWORD),
        TotalTimeout = core::TotalTimeout::new(Duration::ZERO),
        WireMessage = messages.lock().unwrap().remove(0),
        SystemClock = core::SystemClock,
        MockClock = core::MockClock::new(0.0),
        Timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap(),
        ProbeResult<core::Reply> = core::ProbeResult::Next(probe()),
    });
    let policy = core::retry::Policy::default;
    shown.extend(show!(retry, "retry::" {
        Budget = retry::Budget::default(),
        RetryState = retry::RetryState::new(policy(), retry::Idempotency::NonIdempotent),
        Outcome = retry::Outcome::NotSent,
        Policy = policy(),
        Idempotency = retry::Idempotency::NonIdempotent,
        Step = retry::Step::Send(Duration::ZERO),
    }));
    in_another_thread(move || drop(blocking));
    check(
        "client-core",
        &[
            "AndThen",
            "Clock",
            "ConfigFile",
            "Operation",
            "Rule",
            "Script",
            "ScriptedRequest",
            "Transport",
            "WithExtra",
        ],
        &SECRETS,
        shown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn machineid_shows_no_secret() {
    use machineid::{DeviceId, Gate, Reason};
    use tower::Layer;

    let url = answering(200, any_reply()).await;
    let client = world::machineid(&url).build().unwrap();
    let device = || DeviceId::new("agent-01").unwrap();
    let gate = || Gate::new(&client, device());
    let silent =
        answering(401, world::with_secrets(json!({"error": world::ORG_KEY})).to_string()).await;
    let refused = Gate::new(&world::machineid(&silent).build().unwrap(), device());
    // The server repeats its request id, which each client believes once.
    let fresh = || world::machineid(&url).build().unwrap();
    let blocking = world::machineid(&url).build_blocking().unwrap();
    let mut shown = show!(machineid, "" {
        Api<machineid::Async> = client.clone(),
        BatchItem = read(json!({"deviceId": "a", "status": "revoked"})),
        BatchStatus = machineid::BatchStatus::Revoked,
        CancellationToken = machineid::CancellationToken::new(),
        Checkout = read(json!({"url": "https://checkout"})),
        Client = client.clone(),
        ClientBuilder = world::machineid(&url),
        Decision = fresh().validate(&device()).await.unwrap(),
        DecisionCode = machineid::DecisionCode::Allow,
        Denied = refused.check().await.unwrap_err(),
        Device = read(json!({"deviceId": "a"})),
        DeviceChange = read(json!({"status": "ok"})),
        DeviceId = device(),
        DeviceList = read(json!({"devices": []})),
        DeviceStatus = machineid::DeviceStatus::Active,
        Gate = gate(),
        GateLayer<_> = machineid::GateLayer::per_request(
            gate(), |_: &axum::http::Request<()>| Ok(device()),
        ),
        GateService<()> = machineid::GateLayer::new(gate()).layer(()),
        InvalidAllow = machineid::InvalidAllow::HttpStatus(202),
        NewOrg = client.create_org().await.unwrap(),
        OrgKey = machineid::OrgKey::new(world::ORG_KEY).unwrap(),
        Permit = Gate::new(&fresh(), device()).check().await.unwrap(),
        PermitFacts = Gate::new(&fresh(), device()).check().await.unwrap().facts(),
        PlanFigures = serde_json::from_value(json!({"planTier": "free"})).unwrap(),
        PlanTier = machineid::PlanTier::Free,
        Reason = Reason::Refused(fresh().validate(&device()).await.unwrap()),
        Registration = client.register(&device()).await.unwrap(),
        RegistrationReply = client.register(&device()).await.unwrap().reply().clone(),
        RevokeBatch = read(json!({"results": []})),
        UnrevokeBatch = read(json!({"results": []})),
        UnrevokeReason = machineid::UnrevokeReason::AtCap,
        Usage = read(json!({})),
    });
    shown.extend(show!(machineid_blocking, "blocking::" {
        Client = blocking.clone(),
        Gate = machineid_blocking::Gate::new(&blocking, device()),
    }));
    in_another_thread(move || drop(blocking));
    let (_folder, path) = decision_log().await;
    shown.extend(show!(decision_log, "decision_log::" {
        DecisionLog = decision_log::DecisionLog::new(&path),
        Entries = decision_log::entries(&path).unwrap(),
        Entry = decision_log::entries(&path).unwrap().next().unwrap().unwrap(),
        LogError = decision_log::Verifier::new("missing").verify().unwrap_err(),
        Problem = decision_log::Problem::Changed,
        Record = decision_log::Record::new(None, &machineid::DecisionCode::Allow, None, "started"),
        Verified = decision_log::Verifier::new(&path).verify().unwrap(),
        Verifier = decision_log::Verifier::new(&path),
    }));
    // `ByDevice` is seen only within a `GateLayer`.
    check("machineid-client", &["ByDevice", "SelectGate"], &SECRETS, shown);
}

/// A decision log with a line, in a folder of its own. The server repeats every secret.
async fn decision_log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions.jsonl");
    let client = world::machineid(&answering(200, any_reply()).await).build().unwrap();
    let log = decision_log::DecisionLog::new(&path);
    let gate = machineid::Gate::new(&client, machineid::DeviceId::new("a").unwrap());
    let _permit = gate.decision_log(log).check().await.unwrap();
    (folder, path)
}

#[expect(clippy::too_many_lines, reason = "as long as the list of types")]
#[tokio::test(flavor = "multi_thread")]
async fn machins_shows_no_secret() {
    use machins::{EventType, Money, Role, Side, Trade, TradeId};

    let url = answering(200, any_reply()).await;
    let client = world::machins(&url).build().unwrap();
    let id = || TradeId::new("t1").unwrap();
    let trade = || {
        read::<Trade>(json!({
            "id": "t1", "listing_id": "l1", "buyer_agent_id": "a1", "seller_agent_id": "a2",
            "status": "delivered", "price": "1.00",
            "metadata": with_secrets(json!({})), "delivery_payload": with_secrets(json!({})),
            "delivery_verification": with_secrets(json!({})),
        }))
    };
    let data = || with_secrets(json!({"trade_id": "t1", "listing_id": "l1"}));
    let hook = || {
        read::<webhook::Webhook>(
            json!({"event": "new_agent", "subscription_id": "s", "data": data()}),
        )
    };
    let access = || json!({"token": world::API_KEY});
    let claim = machins::Claim::new(&secret(world::CLAIM_TOKEN), "a@b", secret(world::PASSWORD));
    let listing =
        json!({"id": "l1", "title": "T", "slug": "t", "listing_type": "api", "price": "1"});
    let inbox = json!({
        "items": [
            with_secrets(json!({"id": "n1", "event_type": "new_agent", "payload": data()})),
            with_secrets(json!({"id": "n2"})),
        ],
        "has_more": false,
    });
    let inbox = world::machins(&answering(200, inbox.to_string()).await).build().unwrap();
    let (sender, parked) = std::sync::mpsc::channel();
    let watch = inbox.inbox_watch().on_parked(move |it| sender.send(it.clone()).unwrap());
    let mut deliveries = watch.concurrency(2).deliveries();
    let malformed = deliveries.next().await.unwrap().unwrap();
    let inbox_delivery = deliveries.next().await.unwrap().unwrap();
    assert!(malformed.notification().is_none() && inbox_delivery.notification().is_some());
    malformed.park("malformed");
    let intent = read::<machins::Intent>(json!({
        "key": "k", "base_url": "u", "agent": "a", "kind": "trade", "listing_id": "l1",
        "request": "p", "reference": "r", "created_at_ms": 0, "state": "sent", "until_ms": 0,
    }));
    let policy = || machins::SpendingPolicy::new().max_per_day(Money::ZERO);
    let purchase = machins::Purchase::new(Money::credits(1), machins::ListingType::Task);
    let now = std::time::SystemTime::now();
    let machins::PolicyDecision::Refused(refusal) = policy().decide(&purchase, &[], now) else {
        panic!("nothing is left");
    };
    let not_reached = client
        .wait_for_trade(&id(), machins::TradeStatus::Delivered, Duration::ZERO)
        .await
        .unwrap_err();
    let not_reached = machins::NotReached::from_error(&not_reached).unwrap().clone();
    let blocking = world::machins(&url).build_blocking().unwrap();
    let mut shown = show!(machins, "" {
        Acknowledged = read(json!({})),
        Approval = read(json!({
            "id": "1", "reference": "r", "listing_id": "l1", "title": "T", "amount": "1",
            "state": "pending", "asked_at_ms": 0,
        })),
        ApprovalState = machins::ApprovalState::Pending,
        Action = machins::Action::Accept,
        Agent = read(json!({})),
        AgentEvent = read(data()),
        AgentId = machins::AgentId::new("a1").unwrap(),
        AgentSlug = machins::AgentSlug::new("ada").unwrap(),
        AgentType = machins::AgentType::Tool,
        Api<machins::Async> = client.clone(),
        ApiKey = machins::ApiKey::new(world::API_KEY).unwrap(),
        CancellationToken = machins::CancellationToken::new(),
        Claim = claim,
        Claimed = read(json!({})),
        Deactivated = read(json!({})),
        Client = client.clone(),
        ClientBuilder = world::machins(&url),
        Commitment = machins::Commitment::open(Money::credits(1), None),
        Deliveries = client.inbox_watch().deliveries(),
        Delivery = machins::Delivery::api("https://api", access()),
        ReceivedDelivery = machins::ReceivedDelivery::from(&read::<machins::Extra>(json!({
            "endpoint_url": "https://api", "credentials": access()
        }))),
        EntryType = machins::EntryType::Debit,
        Event = machins::Event::new("another".into(), data()),
        EventType = EventType::NewAgent,
        InboxDelivery = inbox_delivery,
        FileIntentStore = machins::FileIntentStore::new("intents"),
        FileSpendingStore = machins::FileSpendingStore::new("spending"),
        InboxFilter = machins::InboxFilter::default(),
        InboxQuery = machins::InboxQuery::new(),
        InboxWaker = client.inbox_watch().waker(),
        InboxWatch = client.inbox_watch(),
        Intent = intent,
        IntentKind = machins::IntentKind::Trade,
        Items<machins::Async, Trade> = client.trades_all(&machins::TradeQuery::new()),
        Joined = client.join(&machins::NewAgent::new("Ada", "ada")).await.unwrap(),
        Listing = read(listing.clone()),
        LimitStatus = policy().remaining(&[], now).remove(0),
        ListingEvent = read(data()),
        ListingId = machins::ListingId::new("l1").unwrap(),
        ListingStatus = "active".into(),
        ListingType = machins::ListingType::Api,
        ListingUpdate = machins::ListingUpdate::new().title("T"),
        MarketplaceFilter = machins::MarketplaceFilter::default(),
        MarketplaceListing = read(listing),
        MarketplaceQuery = machins::MarketplaceQuery::new(),
        MatchEvent = read(data()),
        Money = Money::credits(1),
        MemoryIntentStore = machins::MemoryIntentStore::new(),
        MemorySpendingStore = machins::MemorySpendingStore::new(),
        NewAgent = machins::NewAgent::new("Ada", "ada"),
        NewListing =
            machins::NewListing::new("T", "t", machins::ListingType::Api, Money::credits(1)),
        NewReview = machins::NewReview::new(machins::Rating::new(5).unwrap()),
        NewSubscription = machins::NewSubscription::new(EventType::NewAgent, "https://hook")
            .secret(secret(world::WEBHOOK_SECRET)),
        Notification = read(json!({"id": "n", "event_type": "new_agent", "payload": data()})),
        NotReached = not_reached,
        NotificationId = machins::NotificationId::new("n").unwrap(),
        Owner = read(json!({})),
        OwnerSession = client.owner_login("a@b", &secret(world::PASSWORD)).await.unwrap(),
        Page<Trade> = read(json!({"items": [trade()]})),
        PageQuery = machins::PageQuery::new(),
        ParkedNotification = parked.recv().unwrap(),
        Party = machins::Party::new(Role::Buyer, &Side::Offer),
        PlatformStats = read(json!({
            "total_agents": 1, "active_listings": 1, "total_trades": 1, "total_volume": "1.00",
        })),
        PolicyDecision = policy().decide(&purchase, &[], now),
        PolicyRefusal = refusal,
        PolicyRule = machins::PolicyRule::MaxPerDay,
        Proposal = machins::Proposal::new(&machins::ListingId::new("l1").unwrap()),
        Purchase = purchase,
        Query<machins::TradeFilter> = machins::TradeQuery::new(),
        Rating = machins::Rating::new(5).unwrap(),
        Review = read(json!({"id": "r", "rating": 5})),
        ReviewId = machins::ReviewId::new("r").unwrap(),
        Role = Role::Buyer,
        Side = Side::Offer,
        Sort = machins::Sort::Newest,
        SpendingClient<machins::Async> = machins::SpendingClient::new(&client, policy()),
        SpendingJournal = machins::SpendingJournal::default(),
        SpendingPolicy = policy(),
        Subscription =
            read(json!({"id": "s", "event_type": "new_agent", "webhook_url": "https://hook"})),
        SubscriptionId = machins::SubscriptionId::new("s").unwrap(),
        Trade = trade(),
        TradeEvent = read(data()),
        TradeFilter = machins::TradeFilter::default(),
        TradeId = id(),
        TradeQuery = machins::TradeQuery::new(),
        TradeStatus = machins::TradeStatus::Proposed,
        Transaction = read(json!({"id": "x", "entry_type": "debit", "amount": "1.00"})),
        TrustTier = machins::TrustTier::Starter,
        TrustTierInfo = read(json!({"current": "starter"})),
        Unsubscribed = read(json!({})),
        Wallet = read(json!({"balance": "1", "held_balance": "1", "available_balance": "0"})),
    });
    shown.extend(show!(webhook, "webhook::" {
        Rejection = webhook::Rejection::Wrong,
        Signer = webhook::Signer::new(&secret(world::WEBHOOK_SECRET)).unwrap(),
        Verification = webhook::Verification::accept(),
        Verified = webhook::Verified(hook()),
        Verifier = webhook::Verifier::new(&secret(world::WEBHOOK_SECRET)).unwrap(),
        Webhook = hook(),
    }));
    shown.extend(show!(machins_blocking, "blocking::" {
        Client = blocking.clone(),
        InboxWatch = blocking.inbox_watch(),
    }));
    in_another_thread(move || drop(blocking));
    let traits =
        ["IntentLock", "IntentStore", "LockCheck", "SpendingLock", "SpendingStore", "StoreFuture"];
    check("machins-client", &traits, &SECRETS, shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mock_shows_no_secret() {
    use mock::{Conditions, Fault, MockServer, NewAgent, OrgUpdate, Plan};

    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let log = move |line: &mock::RequestLine| log.lock().unwrap().push(line.clone());
    let server = MockServer::builder().on_request(log).start().unwrap();
    let org = server.create_org(Plan::Free);
    let agent = server.create_agent(NewAgent::new().slug("ada")).unwrap();
    let subscription =
        machins::NewSubscription::new(machins::EventType::NewAgent, "http://127.0.0.1:9/hook")
            .secret(secret(world::WEBHOOK_SECRET));
    let client = machins::Client::builder()
        .api_key(machins::ApiKey::new(&agent.api_key).unwrap())
        .base_url(server.machins_base_url())
        .build()
        .unwrap();
    client.subscribe(&subscription).await.unwrap();
    let claim_token = agent.claim_url.rsplit('/').next().unwrap();
    let claim = machins::Claim::new(&secret(claim_token), "a@b.example", secret(world::PASSWORD));
    client.claim(&claim).await.unwrap();
    server.create_agent(NewAgent::new().slug("bob")).unwrap();
    server.webhooks_sent().await;
    let guard = server.fault_scoped(Fault::garbage()).unwrap();
    let glob = server.add_fault(Fault::garbage().path("[")).unwrap_err();
    let mock::FaultError::Conditions(conditions) = glob.clone() else { panic!("{glob:?}") };
    let mock::ConditionsError::Glob(_, invalid_glob) = conditions.clone() else {
        panic!("{conditions:?}")
    };
    let waited = server.wait_for_requests(Conditions::new(), 99, Duration::ZERO).await;
    let fixtures = json!({"agents": [{"slug": "x", "api_key": &agent.api_key}]}).to_string();
    let expecting = MockServer::start().await;
    expecting.expect(mock::Method::GET, "/api/v1/claim/*", 2..=2);
    let stranger =
        machins::Client::builder().base_url(expecting.machins_base_url()).build().unwrap();
    let claim = || machins::Call::get("/claim/{token}").segment("token", claim_token);
    stranger.send(claim()).await.unwrap();

    let reply = json!({"access_token": [world::NEW_TOKEN], "token_type": "bearer"});
    let reply = reply.to_string();
    let path = "/api/v1/owners/login";
    let differences = mock::compare_reply(&mock::Method::POST, path, 200, reply.as_bytes());
    let difference = &differences[0];

    let mut shown = show!(mock, "" {
        AccountKind = server.ledger().accounts[0].account,
        Agent = agent.clone(),
        ClockHandle = server.clock(),
        Conditions = Conditions::new().agent("ada"),
        ConditionsError = conditions,
        Difference = difference.clone(),
        DifferenceKind = difference.kind,
        Fault = Fault::garbage(),
        FaultError = glob,
        FaultGuard = guard,
        FixtureError = server.load_fixtures(&fixtures).unwrap_err(),
        InvalidGlob = invalid_glob,
        Ledger = server.ledger(),
        LedgerAccount = server.ledger().accounts[0].clone(),
        MachinsError = server.create_agent(NewAgent::new().slug("ada")).unwrap_err(),
        Method = mock::Method::GET,
        MockServerBuilder = MockServer::builder(),
        NewAgent = NewAgent::new().name("Ada"),
        Org = org.clone(),
        OrgKeyError = server.create_org_with_key(Plan::Free, org.key()).unwrap_err(),
        OrgState = org.state().unwrap(),
        OrgUpdate = OrgUpdate::new().frozen(true),
        Outcome = mock::Outcome::Refund,
        Plan = Plan::Free,
        ActiveFault = { server.add_fault(Fault::garbage()).unwrap(); server.faults()[0].clone() },
        RawJson = server.load_fixtures(r#"{"agents": [{"slug": "eve"}]}"#).unwrap(),
        RequestLine = lines.lock().unwrap().last().unwrap().clone(),
        RequestRecord = server.requests().last().unwrap().clone(),
        Snapshot = server.snapshot(),
        Tier = mock::Tier::Starter,
        ClockOutOfRange = mock::ClockOutOfRange,
        UnknownOrg = mock::UnknownOrg,
        WaitError = waited.unwrap_err(),
        WorldError = server.create_world("a b").unwrap_err(),
        UnmetExpectations = expecting.verify().unwrap_err(),
        WebhookAttempt = server.webhooks().last().unwrap().clone(),
    });
    shown.push(("MockServer".to_owned(), format!("{server:?}\n{server:#?}")));
    let blocking = in_another_thread(|| {
        let server = mock_blocking::MockServer::start();
        format!("{server:?}")
    });
    shown.push(("blocking::MockServer".to_owned(), blocking));
    let secrets = [org.key(), &agent.api_key, claim_token, world::PASSWORD, world::WEBHOOK_SECRET];
    check("machins-mock", &[], &secrets, shown);
    stranger.send(claim()).await.unwrap();
}

#[tokio::test]
async fn the_mcp_gate_shows_no_secret() {
    struct Handler;

    impl std::fmt::Debug for Handler {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Handler")
        }
    }

    impl rmcp::ServerHandler for Handler {}

    let url = answering(200, any_reply()).await;
    let key = machineid::OrgKey::new(world::ORG_KEY).unwrap();
    let client = machineid::Client::builder().org_key(key).base_url(&url).build().unwrap();
    let device = || machineid::DeviceId::new("agent-01").unwrap();
    let gate = || machineid::Gate::new(&client, device());
    let denied = || mcp::CallDenied::Tool("echo".to_owned());
    let server = format!("http://127.0.0.1:9/mcp?key={}", world::API_KEY);
    let with_password = format!("http://user:{}@127.0.0.1/mcp", world::PASSWORD);
    let shown = show!(mcp, "" {
        CallDenied = denied(),
        Event = mcp::Event::Denied { tool: "echo".to_owned(), denied: denied() },
        GatedHandler<Handler> = mcp::ToolGate::new(gate()).wrap(Handler),
        HttpServer = mcp::HttpServer::new(&server).unwrap(),
        InvalidServer = mcp::HttpServer::new(&with_password).unwrap_err(),
        MarketplaceServer = mcp::MarketplaceServer::new(machins::SpendingClient::new(
            &world::machins(&url).build().unwrap(),
            machins::SpendingPolicy::new(),
        ))
        .devices(client.clone()),
        McpGate = mcp::McpGate::new(gate()),
        OnDenial = mcp::OnDenial::Stop,
        Peer = mcp::Peer::Client,
        ServerError = mcp::ServerError::from(process_containment::Error::Ended),
        SessionEnd = mcp::SessionEnd::Denied(denied()),
        ToolGate = mcp::ToolGate::new(gate()),
    });
    // Made by running a server, and by calling a tool: the parts of both are above.
    check("machins-mcp", &["ServerEnd", "ToolCall"], &SECRETS, shown);
}

#[tokio::test]
async fn the_relay_shows_no_secret() {
    let client = world::machins("http://127.0.0.1:9").build().unwrap();
    let agent = machins::AgentId::new("a1").unwrap();
    let stream = relay::EventStream::new("EVENTS").unwrap();
    let secret = machins::Secret::new(world::API_KEY);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = |scheme: &str| format!("{scheme}://user:{}@127.0.0.1", world::PASSWORD);
    let notification = read(json!({
        "id": "n1", "event_type": "trade_delivered", "payload": {"token": world::API_KEY},
    }));
    let shown = show!(relay, "" {
        CloudEvent = relay::CloudEvent::new("https://machins.co", &agent, &notification),
        Effect = relay::Effect::New,
        EventStream = stream.clone(),
        HttpReceiver = relay::HttpReceiver::new("https://hooks.example/").unwrap().secret(&secret).unwrap(),
        NatsConnection = relay::NatsConnection::new(&address("nats")).unwrap(),
        Handled = relay::Handled::Dead("the listing is gone".to_owned()),
        NatsStore = relay::NatsStore::new(&relay::NatsConnection::new(&address("nats")).unwrap()),
        Notice = relay::Notice::Interrupted("the connection to NATS is interrupted".to_owned()),
        Relay = relay::Relay::new().agent(&client, agent.clone()),
        Webhooks = relay::Webhooks::new(listener, &secret).unwrap(),
        RelaySetup = relay::RelaySetup::from_toml("[stream]\nname = \"EVENTS\"").unwrap(),
        RelayError = relay::NatsConnection::new(&address("http")).unwrap_err(),
        Worker = relay::Worker::new("group", &stream).unwrap(),
        WorkerNotice = relay::WorkerNotice::Interrupted("it does not answer".to_owned()),
    });
    // Made of what NATS says, or at a server: an event, which is what was sent, and a bucket, which
    // has no key.
    let of_nats = [
        "ConsumerStatus",
        "DeadLetter",
        "Difference",
        "Effects",
        "LeaseStatus",
        "ReceivedEvent",
        "StreamAdmin",
        "StreamStatus",
    ];
    check("machins-relay", &of_nats, &SECRETS, shown);
}
