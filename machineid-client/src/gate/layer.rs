//! A tower layer that checks before each request of a service.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use agent_client_core::{Error, lock};
use tower_layer::Layer;
use tower_service::Service;

use super::check::{Consequences, Gate};
use super::denied::Denied;
use super::permit::Permit;
use crate::device_id::DeviceId;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What follows from the check of a request.
const REQUEST: Consequences = Consequences { if_allowed: "passed_on", if_denied: "refused" };

/// How many gates of different devices are kept between requests.
const KEPT_GATES: usize = 1024;

/// A tower layer that passes a request on only if the device may run.
///
/// It checks before each request. A denied request fails with [`Denied`](crate::Denied).
///
/// With [`new`](Self::new) all requests are those of one device; with
/// [`per_request`](Self::per_request) each request names its own.
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
pub struct GateLayer<G = Gate> {
    gates: G,
}

impl GateLayer {
    /// Creates a layer that checks all requests with this gate. Requests can be of any type.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gates: gate }
    }
}

impl<F> GateLayer<ByDevice<F>> {
    /// Creates a layer that checks each HTTP request with the gate of the device that `device`
    /// returns for it. The settings of these gates are those of `gate`; its own device is not used.
    ///
    /// If `device` returns an error, the request is denied with the code `INVALID_DEVICE_ID`. A
    /// request that is passed on has the [`PermitFacts`](crate::PermitFacts) among its extensions.
    ///
    /// ```
    /// use machineid_client::{DeviceId, Gate, GateLayer, PermitFacts};
    ///
    /// # fn example(gate: Gate) {
    /// let layer = GateLayer::per_request(gate, |request: &http::Request<String>| {
    ///     let name = request.headers().get("x-device-id").and_then(|name| name.to_str().ok());
    ///     DeviceId::new(name.unwrap_or_default())
    /// });
    /// # let _ = layer;
    /// # }
    /// // In the service behind it:
    /// fn device(request: &http::Request<String>) -> Option<&DeviceId> {
    ///     Some(request.extensions().get::<PermitFacts>()?.device())
    /// }
    /// ```
    #[must_use]
    pub fn per_request<B>(gate: Gate, device: F) -> Self
    where
        F: Fn(&http::Request<B>) -> Result<DeviceId, Error>,
    {
        Self { gates: ByDevice::new(gate, device) }
    }
}

/// The gates of the devices that requests name, for [`GateLayer::per_request`].
pub struct ByDevice<F>(Arc<Inner<F>>);

struct Inner<F> {
    template: Gate,
    device: F,
    kept: Mutex<HashMap<DeviceId, Gate>>,
}

impl<F> ByDevice<F> {
    /// Selects the gate of the device that `device` returns for a request, with the settings of
    /// `gate`.
    pub fn new<B>(gate: Gate, device: F) -> Self
    where
        F: Fn(&http::Request<B>) -> Result<DeviceId, Error>,
    {
        Self(Arc::new(Inner { template: gate, device, kept: Mutex::default() }))
    }
}

impl<F> Inner<F> {
    /// Returns the gate of a device. Requests of one device that come at the same time share it.
    fn gate(&self, device: DeviceId) -> Gate {
        let mut kept = lock(&self.kept);
        if let Some(gate) = kept.get(&device) {
            return gate.clone();
        }
        let gate = self.template.for_device(device.clone());
        if kept.len() >= KEPT_GATES {
            kept.retain(|_, gate| !gate.is_unused());
        }
        if kept.len() < KEPT_GATES {
            kept.insert(device, gate.clone());
        }
        gate
    }
}

impl<F> Clone for ByDevice<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for ByDevice<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByDevice").field(&self.0.template).finish()
    }
}

/// Selects the gate that a request is checked with. [`Gate`] selects itself, [`ByDevice`] the gate of
/// the device that the request names.
pub trait SelectGate<Request> {
    /// Returns the gate to check this request with.
    ///
    /// # Errors
    /// Returns [`Denied`] if the request names no valid device.
    fn select(&self, request: &Request) -> Result<Gate, Denied>;

    /// Adds to a request what it was permitted by.
    fn permitted(&self, request: &mut Request, permit: &Permit);
}

impl<Request> SelectGate<Request> for Gate {
    fn select(&self, _: &Request) -> Result<Gate, Denied> {
        Ok(self.clone())
    }

    fn permitted(&self, _: &mut Request, _: &Permit) {}
}

impl<B, F> SelectGate<http::Request<B>> for ByDevice<F>
where
    F: Fn(&http::Request<B>) -> Result<DeviceId, Error>,
{
    fn select(&self, request: &http::Request<B>) -> Result<Gate, Denied> {
        match (self.0.device)(request) {
            Ok(device) => Ok(self.0.gate(device)),
            Err(error) => {
                let denied = Denied::without_device(error);
                self.0.template.refuse(&denied, REQUEST);
                Err(denied)
            }
        }
    }

    fn permitted(&self, request: &mut http::Request<B>, permit: &Permit) {
        request.extensions_mut().insert(permit.facts());
    }
}

impl<S, G: Clone> Layer<S> for GateLayer<G> {
    type Service = GateService<S, G>;

    fn layer(&self, inner: S) -> GateService<S, G> {
        GateService { gates: self.gates.clone(), inner }
    }
}

/// The service that a [`GateLayer`] creates: it checks before each request.
#[derive(Debug, Clone)]
pub struct GateService<S, G = Gate> {
    gates: G,
    inner: S,
}

impl<S, G, Request> Service<Request> for GateService<S, G>
where
    S: Service<Request, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    G: SelectGate<Request> + Clone + Send + 'static,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let gate = self.gates.select(&request);
        let gates = self.gates.clone();
        // `call` must go to the instance that `poll_ready` was called on, so a clone replaces it.
        let fresh = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            let permit = gate?.check_before(REQUEST).await?;
            gates.permitted(&mut request, &permit);
            ready.call(request).await.map_err(Into::into)
        })
    }
}
