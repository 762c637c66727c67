//! The colours of the output, by meaning.

use anstyle::AnsiColor;
pub(crate) use anstyle::Style;

/// Success, and states that allow.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Errors, and states that deny.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Warnings, and states that need attention.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Details beside the main content.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// Headings and the most important value.
pub(crate) const STRONG: Style = Style::new().bold();
