//! The tower layer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use machineid_client::{DecisionCode, Denied, Gate, GateLayer};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::servers::{revoked, server_with};
use crate::support::{Allow, client, device};

#[tokio::test]
async fn the_layer_checks_before_each_request() {
    let server = server_with(2, Allow, revoked()).await;
    let jobs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&jobs);
    let mut service = ServiceBuilder::new()
        .layer(GateLayer::new(Gate::new(&client(&server), device())))
        .service(service_fn(move |job: u32| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, std::io::Error>(job * 2))
        }));
    for job in [1, 2] {
        assert_eq!(service.ready().await.unwrap().call(job).await.unwrap(), job * 2);
    }
    let error = service.ready().await.unwrap().call(3).await.unwrap_err();
    let denied = error.downcast_ref::<Denied>().unwrap();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    assert_eq!(jobs.load(Ordering::SeqCst), 2, "the denied request never reached the service");
}
