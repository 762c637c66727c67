//! A tower layer that checks before each request of a service.

use std::error::Error as StdError;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::check::Gate;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A tower layer that passes a request on only if the device may run.
///
/// It checks before each request. A denied request fails with [`Denied`](crate::Denied).
///
/// ```
/// use machineid_client::{Denied, Gate, GateLayer};
/// use tower::{ServiceBuilder, service_fn};
///
/// # fn example(gate: Gate) {
/// let service = ServiceBuilder::new()
///     .layer(GateLayer::new(gate))
///     .service(service_fn(async |job: String| Ok::<_, std::io::Error>(job.len())));
/// # let _: machineid_client::GateService<_> = service;
/// # }
/// # fn on_error(error: Box<dyn std::error::Error + Send + Sync>) {
/// // Where the error is handled:
/// if let Some(denied) = error.downcast_ref::<Denied>() {
///     println!("403: {denied}");
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GateLayer {
    gate: Gate,
}

impl GateLayer {
    /// Creates a layer that checks with this gate.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService { gate: self.gate.clone(), inner }
    }
}

/// The service that a [`GateLayer`] creates: it checks before each request.
#[derive(Debug, Clone)]
pub struct GateService<S> {
    gate: Gate,
    inner: S,
}

impl<S, Request> Service<Request> for GateService<S>
where
    S: Service<Request, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let gate = self.gate.clone();
        // `call` must go to the instance that `poll_ready` was called on, so a clone replaces it.
        let fresh = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            let _permit = gate.check().await?;
            ready.call(request).await.map_err(Into::into)
        })
    }
}
