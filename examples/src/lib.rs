//! The examples are beside this folder; there is no library.
