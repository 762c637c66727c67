//! Registering routes together with their documentation.

use std::future::Future;

use axum::Router;
use axum::extract::State;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};
use http::Method;

use super::App;
use super::document::Operation;
use super::output::Output;

/// A handler argument that knows what it adds to the document.
pub(crate) trait Input {
    fn describe(operation: &mut Operation<'_>);
}

/// The world behind the routes is nothing a caller sends.
impl Input for State<App> {
    fn describe(_: &mut Operation<'_>) {}
}

/// A handler whose arguments and result are documented; `T` is axum's handler signature.
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

/// One registered route, as far as its document is concerned.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// Adds what the handler's types say.
    pub(super) describe: fn(&mut Operation<'_>),
}

/// The routes so far.
pub(crate) struct Api {
    router: Router<App>,
    routes: Vec<Route>,
    tag: &'static str,
}

impl Api {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), routes: Vec::new(), tag: "" }
    }

    /// Files the routes that follow under a heading.
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    pub(crate) fn get<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on((Method::GET, MethodFilter::GET), path, summary, handler)
    }

    pub(crate) fn post<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on((Method::POST, MethodFilter::POST), path, summary, handler)
    }

    pub(crate) fn put<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on((Method::PUT, MethodFilter::PUT), path, summary, handler)
    }

    pub(crate) fn patch<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on((Method::PATCH, MethodFilter::PATCH), path, summary, handler)
    }

    pub(crate) fn delete<H, T>(self, path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on((Method::DELETE, MethodFilter::DELETE), path, summary, handler)
    }

    fn on<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.routes.push(Route { method, path, tag: self.tag, summary, describe: H::describe });
        self.router = self.router.route(path, MethodRouter::new().on(filter, handler));
        self
    }

    pub(super) fn finish(self) -> (Router<App>, Vec<Route>) {
        (self.router, self.routes)
    }
}
