//! Settings and the file they are kept in.

pub(crate) mod document;
pub(crate) mod file;
pub(crate) mod settings;
