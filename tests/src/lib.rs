//! The end-to-end tests are beside this folder; there is no library.
