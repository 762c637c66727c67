//! Runs a command and prints its peak memory in bytes.
//!
//! The system includes the memory of the process that started the command. So this is a separate
//! program, smaller than any that it starts.
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
