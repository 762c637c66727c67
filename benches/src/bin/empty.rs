//! The program that the start of the command line is compared with.

fn main() {}
