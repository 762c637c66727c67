//! `machins hook run`: from its start to its answer.

use std::io::Write;
use std::process::{Command, Stdio};

use machineid_client::{Client, ClientOptions, DeviceId, OrgKey};
use reqwest::Certificate;
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Result, in_turns, micros_each};
use crate::programs::{folder, machins, succeed};
use crate::report::{Figure, Line};
use crate::server;
use crate::tls::{ROOTS, TlsService};

/// In milliseconds, without the question.
const MOST_MILLIS: f64 = 10.0;
const EVENT: &str =
    r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"date"}}"#;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let machins = machins()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let hook = |url: &str, roots: &str| {
        let mut command = Command::new(&machins);
        command
            .args(["hook", "run", "claude", "--device", "agent-01"])
            .env("HOME", folder("home")?)
            .env("MACHINEID_BASE_URL", url)
            .env("MACHINEID_ORG_KEY", "org_benchmark")
            .env("SSL_CERT_FILE", roots)
            .env_remove("SSL_CERT_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        micros_each(1, || answer(&mut command))
    };
    let mut lines = Vec::new();

    let url = format!("http://{}", server::start(|_| server::decision())?);
    let samples = in_turns(
        rounds,
        [&mut || hook(&url, ROOTS), &mut || question(&runtime, &url, None), &mut || {
            version(&machins)
        }],
    )?;
    lines.push(line("http", samples.figure(0), samples.figure(1)));
    let figure = samples.figure(2);
    lines.push(Line::new(21, "`machins --version`, for comparison", "µs", figure));

    let service = TlsService::start()?;
    let (url, roots) = (&service.url, &service.roots);
    let trusted = Some(&service.trusted);
    let samples =
        in_turns(rounds, [&mut || hook(url, roots), &mut || question(&runtime, url, trusted)])?;
    lines.push(line("https, with the roots of the system", samples.figure(0), samples.figure(1)));
    Ok(lines)
}

fn line(scheme: &str, hook: Figure, question: Figure) -> Line {
    let most = MOST_MILLIS * 1e3 + question.median;
    Line::new(21, format!("`hook run`, from its start to its end, {scheme}"), "µs", hook)
        .note(format!("a question on a new connection takes {:.0} µs", question.median))
        .goal_text("≤ 10 ms and one question", hook.median <= most)
}

/// Runs the hook, which must allow.
fn answer(command: &mut Command) -> Result<()> {
    let mut hook = command.spawn()?;
    let mut stdin = hook.stdin.take().ok_or("no input")?;
    stdin.write_all(EVENT.as_bytes())?;
    drop(stdin);
    let output = hook.wait_with_output()?;
    if output.status.success() && output.stdout.is_empty() {
        return Ok(());
    }
    Err(format!("the hook blocked: {}", String::from_utf8_lossy(&output.stderr)).into())
}

fn version(machins: &std::path::Path) -> Result<f64> {
    micros_each(1, || succeed(Command::new(machins).arg("--version")).map(drop))
}

/// The time of one question on a new connection.
fn question(runtime: &Runtime, url: &str, trusted: Option<&Certificate>) -> Result<f64> {
    let mut options = ClientOptions::new();
    if let Some(trusted) = trusted.cloned() {
        options = options.http(move |builder| builder.tls_certs_only([trusted.clone()]));
    }
    let client = Client::builder()
        .org_key(OrgKey::new("org_benchmark")?)
        .base_url(url)
        .options(options)
        .build()?;
    let device = DeviceId::new("agent-01")?;
    micros_each(1, || {
        runtime.block_on(client.validate(&device))?;
        Ok(())
    })
}
