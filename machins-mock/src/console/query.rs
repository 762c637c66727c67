//! Parameters of pages and of the calls that they make.

use std::fmt::Display;

use form_urlencoded::{Serializer, byte_serialize};

/// The parameters of a page, or the fields of a form.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Returns the value of a parameter; `None` if it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Returns the value of a parameter; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Returns all values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns a query with these parameters of this one.
    pub(super) fn pick(&self, names: &[&str]) -> Query {
        names.iter().fold(Query::default(), |query, name| query.and(name, self.get(name)))
    }
}

/// A query of a URL.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Adds a parameter, unless it has no value; replaces one of the same name.
    pub(super) fn and(mut self, name: &str, value: Option<impl Display>) -> Self {
        self.0.retain(|(other, _)| other != name);
        if let Some(value) = value {
            self.0.push((name.to_owned(), value.to_string()));
        }
        self
    }

    /// Returns the query with a question mark before it; empty if it has no parameters.
    pub(super) fn suffix(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut serializer = Serializer::new("?".to_owned());
        for (name, value) in &self.0 {
            serializer.append_pair(name, value);
        }
        serializer.finish().replacen("?&", "?", 1)
    }
}

/// Returns a text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
