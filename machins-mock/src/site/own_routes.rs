//! The mock's own routes, which are not part of a vendor's API.

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
