//! Runs a command and prints the most memory that it occupied, in bytes.
//!
//! The system counts what the starting process occupied, too. So this is a program of its own,
//! and smaller than whatever it starts.
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

use wait4::Wait4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().ok_or("peak COMMAND…")?;
    let used = Command::new(&program).args(arguments).stdout(Stdio::null()).spawn()?.wait4()?;
    if !used.status.success() {
        return Err(format!("{}: {}", program.display(), used.status).into());
    }
    println!("{}", used.rusage.maxrss);
    Ok(())
}
