//! The settings, and the file that they are kept in.

pub(crate) mod atomic;
pub(crate) mod document;
pub(crate) mod file;
pub(crate) mod key;
mod original;
pub(crate) mod settings;
mod trust;
