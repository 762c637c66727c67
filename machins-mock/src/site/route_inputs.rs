//! What the routes take, so that anything else can be refused.

use http::Method;
use serde_json::{Map, Value};

use super::fallback::matches;
use crate::http::{Components, Operation, Route, refuse_unknown};
use crate::reading::FieldError;

/// What each route takes.
pub(super) struct RouteInputs(Vec<RouteInput>);

struct RouteInput {
    method: Method,
    path: &'static str,
    parameters: Vec<String>,
    takes_body: bool,
}

impl RouteInputs {
    /// Reads what the routes take from their documentation.
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut components = Components::new();
        let inputs = routes.iter().map(|route| {
            let mut operation = Operation::new(Map::new(), &mut components, &route.refusals);
            (route.describe)(&mut operation);
            let entry = operation.finish();
            let parameters = entry.get("parameters").and_then(Value::as_array);
            let names = parameters.into_iter().flatten().filter_map(|one| one["name"].as_str());
            RouteInput {
                method: route.method.clone(),
                path: route.path,
                parameters: names.map(ToOwned::to_owned).collect(),
                takes_body: entry.contains_key("requestBody"),
            }
        });
        Self(inputs.collect())
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
        let fitting =
            self.0.iter().filter(|route| route.method == method && matches(route.path, path));
        let Some(route) = fitting.min_by_key(|route| route.path.matches('{').count()) else {
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
