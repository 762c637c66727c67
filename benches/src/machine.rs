//! The machine that the figures were measured on.

use std::fmt;
use std::fs;
use std::num::NonZero;
use std::process::Command;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    system: String,
    compiler: String,
}

impl Machine {
    /// Describes this machine.
    pub(crate) fn this() -> Self {
        let memory = field("/proc/meminfo", "MemTotal").and_then(|size| {
            let kibibytes: u64 = size.trim_end_matches(" kB").parse().ok()?;
            Some(kibibytes.div_ceil(1024 * 1024))
        });
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: available_parallelism().map_or(1, NonZero::get),
            memory_gib: memory.unwrap_or_default(),
            system: output_of("uname", &["-sr"]),
            compiler: output_of("rustc", &["--version"]),
        }
    }

    /// Returns whether figures of another machine can be compared with those of this one.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (&self.cpu, self.cores) == (&other.cpu, other.cores)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, memory_gib, system, compiler } = self;
        write!(f, "{cpu}, {cores} cores, {memory_gib} GiB, {system}, {compiler}")
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Returns the value of the first line `name: value` of a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    values.next().map(str::to_owned)
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| unknown(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
