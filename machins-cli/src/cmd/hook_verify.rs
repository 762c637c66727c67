//! `machins hook verify`: runs agent runtimes with what is installed.

use serde_json::json;

use crate::error::{ExitCode, Failure};
use crate::hook::{self, Finding, Outcome, RUNTIMES, Runtime};
use crate::output::Output;
use crate::style::{BAD, GOOD, WARN};
use crate::text::clean;
use crate::{panic, runtime};

/// Runs the runtimes, and says in one line for each whether its tool ran.
pub(super) fn run(out: Output, runtimes: &[&'static dyn Runtime]) -> Result<ExitCode, Failure> {
    panic::deny_on_panic();
    let runtimes = if runtimes.is_empty() { &RUNTIMES[..] } else { runtimes };
    let findings: Vec<Finding> = runtime::block_on(async {
        let mut findings = Vec::new();
        for runtime in runtimes {
            findings.push(hook::verify(*runtime).await?);
        }
        Ok::<_, Failure>(findings)
    })??;
    out.result(&json!({"runtimes": findings}), || {
        findings.iter().map(describe).collect::<Vec<_>>().join("\n")
    })?;
    let names = |outcome: Outcome| {
        let found = findings.iter().filter(|finding| finding.outcome == outcome);
        found.map(|finding| finding.title).collect::<Vec<_>>().join(", ")
    };
    let (ran, not_proven) = (names(Outcome::Ran), names(Outcome::NotProven));
    if !ran.is_empty() {
        return Err(Failure::denied(format!("a tool ran that should not have: {ran}")));
    }
    if !not_proven.is_empty() {
        return Err(Failure::refused(format!("not proven: {not_proven}")));
    }
    Ok(ExitCode::SUCCESS)
}

/// A finding on one line.
fn describe(finding: &Finding) -> String {
    let (word, style) = match finding.outcome {
        Outcome::Blocked => ("blocked", GOOD),
        Outcome::Ran => ("the tool RAN", BAD),
        Outcome::NotProven => ("not proven", WARN),
    };
    let version = finding.version.as_ref().map(|version| format!(", {}", clean(version)));
    let (name, detail) = (finding.runtime, clean(&finding.detail));
    let (title, version) = (finding.title, version.unwrap_or_default());
    format!("{name}  {style}{word}{style:#}  {detail} ({title}{version})")
}
