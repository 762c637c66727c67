//! The mock's own routes, which are not part of a vendor's API.

use serde_json::{Map, Value};

use super::fallback::matches;
use crate::http::{Components, Operation, Route, refuse_unknown};
use crate::reading::FieldError;
use http::Method;

/// Returns whether a path belongs to the mock itself rather than to a vendor's API.
pub(crate) fn is_own_route(path: &str) -> bool {
    let under = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    under("/_mock") || under("/docs") || path == "/openapi.json" || is_page(path)
}

/// Returns whether a path, without a world's prefix, is that of a page for people.
pub(crate) fn is_page(path: &str) -> bool {
    #[cfg(feature = "console")]
    let is_console = crate::console::is_console(path);
    #[cfg(not(feature = "console"))]
    let is_console = false;
    is_console || matches!(path, "/docs" | "/docs/")
}

/// What the routes of the control API take.
pub(super) struct OwnRoutes(Vec<OwnRoute>);

struct OwnRoute {
    method: Method,
    path: &'static str,
    parameters: Vec<String>,
    takes_body: bool,
}

impl OwnRoutes {
    /// Reads what the routes take from their documentation.
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut components = Components::new();
        let own = routes.iter().filter(|route| is_own_route(route.path)).map(|route| {
            let mut operation = Operation::new(Map::new(), &mut components, &route.refusals);
            (route.describe)(&mut operation);
            let entry = operation.finish();
            let parameters = entry.get("parameters").and_then(Value::as_array);
            let names = parameters.into_iter().flatten().filter_map(|one| one["name"].as_str());
            OwnRoute {
                method: route.method.clone(),
                path: route.path,
                parameters: names.map(ToOwned::to_owned).collect(),
                takes_body: entry.contains_key("requestBody"),
            }
        });
        Self(own.collect())
    }

    /// Refuses a request with a parameter or a body that its route does not take.
    pub(super) fn refuse_extras(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        body: &[u8],
    ) -> Result<(), FieldError> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let route = self.0.iter().find(|route| route.method == method && matches(route.path, path));
        let Some(route) = route else {
            return Ok(());
        };
        let known: Vec<&str> = route.parameters.iter().map(String::as_str).collect();
        refuse_unknown(query, &known)?;
        if route.takes_body || body.trim_ascii().is_empty() {
            return Ok(());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Null) => Ok(()),
            Ok(Value::Object(fields)) => fields.keys().next().map_or(Ok(()), |name| {
                Err(FieldError::unknown("field", name.clone(), name, std::iter::empty()))
            }),
            _ => Err(FieldError::new("", "this route takes no body")),
        }
    }
}
