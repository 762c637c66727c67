//! The command line as whole processes.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use machins_mock::{NewAgent, blocking::MockServer};

use crate::bench::{Result, in_turns, micros_each};
use crate::programs::{folder, machins, python_packages, succeed, tool};
use crate::report::{Bound, Figure, Line};

/// How long a shell may wait for candidates, in milliseconds.
const COMPLETED_WITHIN: f64 = 100.0;
/// The commands, with how many times faster than Python each should be, and how many times slower
/// than a program that does nothing it may be.
const COMMANDS: [(&str, f64, f64); 2] = [("--version", 100.0, 2.5), ("wallet", 100.0, 4.0)];
const TIMES_SMALLER: f64 = 6.0;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let server = MockServer::start();
    let agent = server.create_agent(NewAgent::new())?;
    let environment = [
        ("HOME", folder("home")?.display().to_string()),
        ("MACHINS_API_KEY", agent.api_key.clone()),
        ("MACHINS_BASE_URL", server.machins_base_url()),
        ("PYTHONPATH", python_packages()?.display().to_string()),
    ];
    let machins = machins()?.display().to_string();
    let empty = tool("empty")?.display().to_string();
    let peak = tool("peak")?;
    let mut lines = Vec::new();
    for (argument, times_faster, times_empty) in COMMANDS {
        let ours = [machins.as_str(), argument];
        let theirs = ["python3", "-m", "machins.cli.main", argument];
        let time = |arguments: &[&str]| {
            let mut command = Command::new(arguments[0]);
            command.args(&arguments[1..]).envs(environment.clone()).stdout(Stdio::null());
            micros_each(1, || match command.status()? {
                status if status.success() => Ok(()),
                status => Err(format!("{command:?}: {status}").into()),
            })
        };
        let samples = in_turns(
            rounds,
            [&mut || time(&ours), &mut || time(&theirs), &mut || time(&[empty.as_str()])],
        )?;
        let faster = samples.ratio(1, 0).median;
        lines.push(
            Line::new(6, format!("`machins {argument}`"), "µs", samples.figure(0))
                .against("the Python command", samples.figure(1), samples.ratio(0, 1))
                .goal_text(format!("≤ 1/{times_faster}"), faster >= times_faster),
        );
        lines.push(
            Line::new(6, format!("`machins {argument}`"), "µs", samples.figure(0))
                .against("an empty program", samples.figure(2), samples.ratio(0, 2))
                .goal(Bound::AtMost(times_empty)),
        );
        let peak = |arguments: &[&str]| -> Result<f64> {
            let mut command = Command::new(&peak);
            let bytes = succeed(command.args(arguments).envs(environment.clone()))?;
            Ok(f64::from(bytes.trim().parse::<u32>()?) / MEBIBYTE)
        };
        let (ours, theirs) = (peak(&ours)?, peak(&theirs)?);
        lines.push(
            Line::new(6, format!("`machins {argument}`, peak memory"), "MiB", Figure::exact(ours))
                .against("the Python command", Figure::exact(theirs), Figure::exact(ours / theirs))
                .goal_text(format!("≤ 1/{TIMES_SMALLER}"), theirs / ours >= TIMES_SMALLER),
        );
    }
    lines.extend(completions(rounds, &machins, &server, &agent.api_key)?);
    Ok(lines)
}

/// What a shell waits for the ids of trades: those kept, those of a service that answers, and none
/// from one that does not.
fn completions(
    rounds: usize,
    machins: &str,
    server: &MockServer,
    api_key: &str,
) -> Result<Vec<Line>> {
    let silent = TcpListener::bind(("127.0.0.1", 0))?;
    let silent = format!("http://{}", silent.local_addr()?);
    let home = folder("completing")?;
    let complete = |url: &str, is_kept: bool| {
        if !is_kept {
            fs::remove_dir_all(&home)?;
            fs::create_dir_all(&home)?;
        }
        let mut command = Command::new(machins);
        command.args(["--", "machins", "accept", ""]);
        command.env("HOME", &home).env_remove("XDG_CACHE_HOME").env("MACHINS_COMPLETE", "fish");
        command.env("MACHINS_API_KEY", api_key).env("MACHINS_BASE_URL", url);
        Ok::<f64, crate::bench::Error>(micros_each(1, || succeed(&mut command).map(drop))? / 1e3)
    };
    let url = server.machins_base_url();
    let samples = in_turns(
        rounds,
        [&mut || complete(&silent, false), &mut || complete(&url, false), &mut || {
            complete(&url, true)
        }],
    )?;
    let sides = ["a service that does not answer", "a service that answers", "ids that were kept"];
    Ok(sides
        .into_iter()
        .enumerate()
        .map(|(side, what)| {
            let what = format!("completing the id of a trade: {what}");
            Line::new(6, what, "ms", samples.figure(side)).goal(Bound::AtMost(COMPLETED_WITHIN))
        })
        .collect())
}
