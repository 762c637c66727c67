//! The end-to-end tests are beside this folder. This library only holds the README to its word.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
