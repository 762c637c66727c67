//! A program that asks once over TLS, from its start to its end, beside curl.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

use crate::bench::{Result, in_turns};
use crate::programs::{folder, machins, not_started};
use crate::report::{Bound, Figure, Line};
use crate::tls::TlsService;

const KEY: &str = "org_benchmark";
/// How long may it take, in times of curl's; and the time of the processor, in milliseconds.
const GOAL: f64 = 0.4;
const MOST_MILLIS: f64 = 15.0;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let service = TlsService::start()?;
    let mut ours = Command::new(machins()?);
    ours.args(["validate", "agent-01"])
        .env("HOME", folder("home")?)
        .env("MACHINEID_BASE_URL", &service.url)
        .env("MACHINEID_ORG_KEY", KEY)
        .env("SSL_CERT_FILE", &service.roots)
        .env_remove("SSL_CERT_DIR");
    let mut curl = Command::new("curl");
    let url = format!("{}/api/v1/devices/validate", service.url);
    curl.args(["--silent", "--fail", "--cacert", &service.roots, &url]);
    curl.args(["--header", &format!("x-org-key: {KEY}"), "--json", r#"{"deviceId":"agent-01"}"#]);
    let mut processor = [Vec::new(), Vec::new()];
    let [ours_processor, curl_processor] = &mut processor;
    let samples = in_turns(
        rounds,
        [&mut || millis(&mut ours, ours_processor), &mut || millis(&mut curl, curl_processor)],
    )?;
    let [ours, curl] = processor.map(|times| Figure::of(times.into_iter()));
    let what = "cold `validate` over TLS, with the roots of the system";
    Ok(vec![
        Line::new(23, what, "ms", samples.figure(0))
            .against("curl", samples.figure(1), samples.ratio(0, 1))
            .goal(Bound::AtMost(GOAL)),
        Line::new(23, format!("{what}, processor time"), "ms", ours)
            .note(format!("curl {:.1} ms", curl.median))
            .goal_text(format!("≤ {MOST_MILLIS}"), ours.median <= MOST_MILLIS),
    ])
}

/// Returns the time that a program takes, and adds that of the processor to a list.
fn millis(command: &mut Command, processor: &mut Vec<f64>) -> Result<f64> {
    let start = Instant::now();
    let process = command.stdout(Stdio::null()).spawn();
    let ended = process.map_err(|error| not_started(command, &error))?.wait4()?;
    let time = start.elapsed();
    if !ended.status.success() {
        return Err(format!("{command:?}: {}", ended.status).into());
    }
    let in_millis = |time: Duration| time.as_secs_f64() * 1e3;
    processor.push(in_millis(ended.rusage.utime + ended.rusage.stime));
    Ok(in_millis(time))
}
