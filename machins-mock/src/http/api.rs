//! Registering routes together with their documentation.

use std::future::Future;

use axum::Router;
use axum::extract::{Path, State};
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};
use serde_json::Value;

use super::App;
use super::document::{Document, Operation};
use super::output::Output;

/// A handler argument that knows what it adds to the document.
pub(crate) trait Input {
    fn describe(operation: &mut Operation<'_>);
}

/// The world behind the routes is nothing a caller sends.
impl Input for State<App> {
    fn describe(_: &mut Operation<'_>) {}
}

/// Path parameters are documented from the path itself.
impl<T> Input for Path<T> {
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

/// The routes so far and their document.
pub(crate) struct Api {
    router: Router<App>,
    document: Document,
    tag: &'static str,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), document: Document::new(), tag: "" }
    }

    /// Files the routes that follow under a heading.
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    pub(crate) fn get<H, T>(self, path: &str, summary: &str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on(("get", MethodFilter::GET), path, summary, handler)
    }

    pub(crate) fn post<H, T>(self, path: &str, summary: &str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on(("post", MethodFilter::POST), path, summary, handler)
    }

    pub(crate) fn put<H, T>(self, path: &str, summary: &str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on(("put", MethodFilter::PUT), path, summary, handler)
    }

    pub(crate) fn patch<H, T>(self, path: &str, summary: &str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on(("patch", MethodFilter::PATCH), path, summary, handler)
    }

    pub(crate) fn delete<H, T>(self, path: &str, summary: &str, handler: H) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.on(("delete", MethodFilter::DELETE), path, summary, handler)
    }

    fn on<H, T>(
        mut self,
        (method, filter): (&'static str, MethodFilter),
        path: &str,
        summary: &str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App> + Documented<T>,
        T: 'static,
    {
        self.document.operation(method, path, |operation| {
            operation.about(self.tag, summary);
            H::describe(operation);
        });
        self.router = self.router.route(path, MethodRouter::new().on(filter, handler));
        self
    }

    /// The routes, and the OpenAPI document that describes them all.
    pub(crate) fn finish(self) -> (Router<App>, Value) {
        (self.router, self.document.finish())
    }
}
