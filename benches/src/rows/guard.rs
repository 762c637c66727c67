//! `machins guard`: how soon a revoke ends everything, and what watching costs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::Result;
use crate::programs::{folder, machins, memory};
use crate::report::{Bound, Figure, Line};
use crate::server;

/// A round with 1,000 descendants takes seconds to set up.
const MOST_ROUNDS: usize = 7;
/// From the denying answer to the last descendant's end, in milliseconds.
const SOON: f64 = 50.0;
/// The interval and [`SOON`]; the answer on loopback takes less than one.
const REACH: f64 = 1_051.0;
/// For how long the cost of watching is measured.
const WATCHED: Duration = Duration::from_mins(1);

pub(crate) fn revoke(rounds: usize) -> Result<Vec<Line>> {
    let machins = machins()?;
    let mut lines = Vec::new();
    for descendants in [1, 100, 1_000] {
        let mut ends = Vec::new();
        for _ in 0..rounds.min(MOST_ROUNDS) {
            ends.push(time_to_end(&machins, descendants)?);
        }
        let figure = |pick: fn(&End) -> f64| Figure::of(ends.iter().map(pick));
        let what = format!("from a revoke to the end of the last of {descendants}, `--every 1`");
        lines.push(
            Line::new(15, what, "ms", figure(|end| end.after_revoke)).goal(Bound::AtMost(REACH)),
        );
        let what = format!("of it after the denying answer, {descendants}");
        lines.push(
            Line::new(15, what, "ms", figure(|end| end.after_answer)).goal(Bound::AtMost(SOON)),
        );
    }
    Ok(lines)
}

pub(crate) fn watching(_: usize) -> Result<Vec<Line>> {
    let service = Service::start()?;
    let mut guard = service.guard(&machins()?, "echo ready; exec sleep 600")?;
    let mut ready = String::new();
    BufReader::new(guard.process.stdout.take().ok_or("no output")?).read_line(&mut ready)?;
    let processes = [guard.process.id(), guard.keeper()?];
    let before = processor_seconds(&processes)?;
    thread::sleep(WATCHED);
    let percent = (processor_seconds(&processes)? - before) / WATCHED.as_secs_f64() * 100.0;
    let [of_guard, of_keeper] = processes.map(mebibytes);
    Ok(vec![
        Line::new(16, "guard, resident memory", "MiB", Figure::exact(of_guard?))
            .goal(Bound::AtMost(10.0)),
        Line::new(16, "its keeper, resident memory", "MiB", Figure::exact(of_keeper?)),
        Line::new(16, "both, processor time at `--every 1`", "% of a core", Figure::exact(percent))
            .goal(Bound::AtMost(0.1)),
    ])
}

/// How long a job took to end, in milliseconds.
struct End {
    after_revoke: f64,
    after_answer: f64,
}

/// The last descendant's end is the end of the pipe that all of them hold.
fn time_to_end(machins: &Path, descendants: u32) -> Result<End> {
    let service = Service::start()?;
    let script = format!(
        "i=1; while [ $i -lt {descendants} ]; do setsid -f sleep 600; i=$((i+1)); done
         echo ready; exec sleep 600"
    );
    let mut guard = service.guard(machins, &script)?;
    let mut output = BufReader::new(guard.process.stdout.take().ok_or("no output")?);
    output.read_line(&mut String::new())?;
    let revoked = service.revoke();
    output.read_to_end(&mut Vec::new())?;
    let ended = Instant::now();
    let answered = service.denied().ok_or("it was not denied")?;
    let millis = |since: Instant| (ended - since).as_secs_f64() * 1e3;
    Ok(End { after_revoke: millis(revoked), after_answer: millis(answered) })
}

/// A service that allows until the device is revoked.
struct Service {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_revoked: bool,
    /// When the first denying answer was given.
    denied: Option<Instant>,
}

impl Service {
    fn start() -> Result<Self> {
        let state = Arc::new(Mutex::<State>::default());
        let of_server = Arc::clone(&state);
        let address = server::start(move |request| {
            if !request.starts_with(b"POST /api/v1/devices/validate ") {
                return r#"{"status":"ok"}"#.to_owned();
            }
            let mut state = of_server.lock().unwrap_or_else(PoisonError::into_inner);
            if state.is_revoked {
                state.denied.get_or_insert_with(Instant::now);
                return server::decision()
                    .replace("true", "false")
                    .replace("ALLOW", "DEVICE_REVOKED");
            }
            server::decision()
        })?;
        Ok(Self { address, state })
    }

    fn revoke(&self) -> Instant {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_revoked = true;
        Instant::now()
    }

    fn denied(&self) -> Option<Instant> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).denied
    }

    /// Starts a guard on a shell script.
    fn guard(&self, machins: &Path, script: &str) -> Result<Guard> {
        let mut command = Command::new(machins);
        command
            .args(["guard", "--device", "agent-01", "--every", "1", "--", "sh", "-c", script])
            .env("HOME", folder("home")?)
            .env("MACHINEID_ORG_KEY", "org_0123456789abcdef")
            .env("MACHINEID_BASE_URL", format!("http://{}", self.address))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Ok(Guard { process: command.spawn()? })
    }
}

/// A guard, killed when dropped.
struct Guard {
    process: Child,
}

impl Guard {
    /// The process that holds the command: the only child.
    fn keeper(&self) -> Result<u32> {
        let guard = self.process.id();
        let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children"))?;
        Ok(children.trim().parse()?)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The processor time that all threads of these processes have used.
fn processor_seconds(processes: &[u32]) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for process in processes {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let used = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += used.split(' ').next().ok_or("no time")?.parse::<f64>()?;
        }
    }
    Ok(nanoseconds / 1e9)
}

fn mebibytes(process: u32) -> Result<f64> {
    Ok(f64::from(u32::try_from(memory(process, "VmRSS:")? / 1024)?) / 1024.0)
}
