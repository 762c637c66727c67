//! The name and the path of every endpoint, as errors and observers show them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use machineid_client::{CallOutcome, ClientOptions, ErrorKind, PlanTier};
use support::{builder, device};

#[tokio::test]
async fn every_endpoint_shows_its_name_and_real_path() {
    let summaries = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&summaries);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = ClientOptions::new()
        .max_attempts(1)
        .observer(move |summary| seen.lock().unwrap().push(summary.clone()));
    let client = builder(&format!("http://{closed}")).options(options).build().unwrap();
    let (device, devices) = (device(), [device()]);

    macro_rules! calls {
        ($($name:literal $call:literal $method:ident($($argument:expr),*);)*) => {
            vec![$((
                $name,
                $call,
                client.$method($($argument),*).await.map(drop).unwrap_err(),
            )),*]
        };
    }
    let calls = calls! {
        "machineid.register" "POST /api/v1/devices/register" register(&device);
        "machineid.validate" "POST /api/v1/devices/validate" validate(&device);
        "machineid.list_devices" "GET /api/v1/devices/list" list_devices();
        "machineid.revoke" "POST /api/v1/devices/revoke" revoke(&device);
        "machineid.unrevoke" "POST /api/v1/devices/unrevoke" unrevoke(&device);
        "machineid.remove" "POST /api/v1/devices/remove" remove(&device);
        "machineid.revoke_batch" "POST /api/v1/devices/revoke_batch" revoke_batch(&devices);
        "machineid.revoke_all_active" "POST /api/v1/devices/revoke_batch" revoke_all_active();
        "machineid.unrevoke_batch" "POST /api/v1/devices/unrevoke_batch" unrevoke_batch(&devices);
        "machineid.unrevoke_all_revoked" "POST /api/v1/devices/unrevoke_batch"
            unrevoke_all_revoked();
        "machineid.usage" "GET /api/v1/usage" usage();
        "machineid.checkout" "POST /api/v1/billing/checkout" checkout(&PlanTier::Pro);
        "machineid.create_org" "POST /api/v1/org/create" create_org();
    };
    let summaries = summaries.lock().unwrap();
    assert_eq!(summaries.len(), calls.len());
    for ((name, call, error), summary) in calls.iter().zip(&*summaries) {
        assert_eq!(summary.operation, *name);
        assert_eq!(format!("{} {}", summary.method, summary.template), *call);
        assert_eq!(summary.outcome, CallOutcome::Failed(ErrorKind::NotSent));
        assert!(error.to_string().starts_with(&format!("{call}: ")), "{name}: {error}");
    }
}
