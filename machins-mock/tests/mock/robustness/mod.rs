//! Whatever is sent to the server, it answers, keeps its invariants, stays within its bounds, and
//! stops when it is told to.
//!
//! The suite runs a small size. In full, some 200,000 requests, a few minutes:
//! `FULL_SIZE=1 cargo test -p machins-mock --test mock robustness::`

mod bounds;
mod connections;
mod fuzz;
mod operations;
