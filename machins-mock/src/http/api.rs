//! Registering routes together with their documentation.

use std::future::Future;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};
use http::Method;

use super::operation::Operation;
use super::output::{Output, Refusal};

/// An argument of a handler, which documents what it reads from a request.
pub(crate) trait Input {
    fn describe(operation: &mut Operation<'_>);
}

/// A handler that is documented by its arguments and its result; `T` is axum's marker of its
/// signature.
pub(crate) trait Documented<T> {
    fn describe(operation: &mut Operation<'_>);
}

macro_rules! documented {
    ($($argument:ident)*) => {
        impl<F, Fut, R, M, $($argument,)*> Documented<(M, $($argument,)*)> for F
        where
            F: FnOnce($($argument),*) -> Fut,
            Fut: Future<Output = R>,
            R: Output,
            $($argument: Input,)*
        {
            fn describe(operation: &mut Operation<'_>) {
                $($argument::describe(operation);)*
                operation.responses(R::describe);
            }
        }
    };
}
documented!();
documented!(A);
documented!(A B);
documented!(A B C);
documented!(A B C D);

/// A route, as the document describes it.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) refusals: Vec<Refusal>,
    /// Adds what the handler's types document.
    pub(crate) describe: fn(&mut Operation<'_>),
}

/// Routes under construction.
pub(crate) struct Api {
    router: Router,
    routes: Vec<Route>,
    tag: &'static str,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), routes: Vec::new(), tag: "" }
    }

    /// Returns the routes registered so far.
    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Sets the heading of the routes that follow in the document.
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    pub(crate) fn get<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, ()> + Documented<T>,
        T: 'static,
    {
        self.on((Method::GET, MethodFilter::GET), path, summary, handler)
    }

    pub(crate) fn post<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, ()> + Documented<T>,
        T: 'static,
    {
        self.on((Method::POST, MethodFilter::POST), path, summary, handler)
    }

    pub(crate) fn put<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, ()> + Documented<T>,
        T: 'static,
    {
        self.on((Method::PUT, MethodFilter::PUT), path, summary, handler)
    }

    pub(crate) fn patch<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, ()> + Documented<T>,
        T: 'static,
    {
        self.on((Method::PATCH, MethodFilter::PATCH), path, summary, handler)
    }

    pub(crate) fn delete<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, ()> + Documented<T>,
        T: 'static,
    {
        self.on((Method::DELETE, MethodFilter::DELETE), path, summary, handler)
    }

    /// Documents how the route registered last may refuse a request.
    pub(crate) fn refuses<const N: usize>(mut self, refusals: [Refusal; N]) -> Self {
        if let Some(route) = self.routes.last_mut() {
            route.refusals = refusals.to_vec();
        }
        self
    }

    fn on<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, ()> + Documented<T>,
        T: 'static,
    {
        let (tag, refusals) = (self.tag, Vec::new());
        let describe = H::describe;
        self.routes.push(Route { method, path, tag, summary, refusals, describe });
        self.router = self.router.route(path, MethodRouter::new().on(filter, handler));
        self
    }

    pub(crate) fn finish(self) -> (Router, Vec<Route>) {
        (self.router, self.routes)
    }
}
