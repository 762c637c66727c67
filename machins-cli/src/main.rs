//! machins
fn main() {}
