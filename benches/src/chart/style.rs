//! What the charts have in common.

pub(super) const WIDTH: f64 = 960.0;

/// The colours follow the reader's light or dark theme.
pub(super) const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.dim{fill:#57606a}\
    .met{fill:#2da44e}.missed{fill:#cf222e}.none{fill:#8c959f}line{stroke:#8c959f}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#8d96a0}\
    .met{fill:#3fb950}.missed{fill:#f85149}}";

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
