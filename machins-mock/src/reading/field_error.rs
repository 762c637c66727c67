//! What is wrong with a field of a body or with a parameter.

use crate::text::beginning;

/// An error: a field or a parameter is unknown, missing, or has a value that it does not take.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct FieldError {
    /// The path of the field, such as `match.paht` or `trades[0].buyer`, or the name of the
    /// parameter.
    pub(crate) field: String,
    pub(crate) message: String,
    /// The nearest known name, if the given one is unknown.
    pub(crate) nearest: Option<String>,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, rule: impl std::fmt::Display) -> Self {
        let field = field.into();
        let message =
            if field.is_empty() { rule.to_string() } else { format!("`{field}`: {rule}") };
        Self { field, message, nearest: None }
    }

    /// Returns the refusal of a name that is none of the known ones; `kind` is `field` or
    /// `parameter`.
    pub(crate) fn unknown<'a>(
        kind: &str,
        field: String,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        let name = beginning(name, 100);
        let distance =
            |known: &str| strsim::normalized_damerau_levenshtein(known, &name.to_lowercase());
        let nearest = known.max_by(|a, b| distance(a).total_cmp(&distance(b)));
        let message = match nearest {
            Some(nearest) => {
                format!("unknown {kind} `{field}`; the nearest known one is `{nearest}`")
            }
            None => format!("unknown {kind} `{field}`; there are none here"),
        };
        Self { field, message, nearest: nearest.map(ToOwned::to_owned) }
    }

    /// Returns the error with a path in front of its field.
    pub(crate) fn within(self, path: &str) -> Self {
        let Self { field, message, nearest } = self;
        let inner = if field.is_empty() || field.starts_with('[') {
            field.clone()
        } else {
            format!(".{field}")
        };
        let whole = format!("{path}{inner}");
        let message = if field.is_empty() {
            format!("`{whole}`: {message}")
        } else {
            message.replacen(&format!("`{field}`"), &format!("`{whole}`"), 1)
        };
        Self { field: whole, message, nearest }
    }
}
