//! The end-to-end tests are beside this folder. This library only tests the example in the README.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
