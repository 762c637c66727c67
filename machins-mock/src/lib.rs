//! machins-mock
