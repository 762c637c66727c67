//! `machins mock`: the embedded mock server.

use std::ffi::OsString;
use std::fmt::Write;
use std::process::{self as std_process, Command, ExitCode};

use machineid_client::{ClientBuilder, DeviceId, OrgKey};
use machins_mock::{MockServer, Plan};
use serde_json::json;

use crate::args::{Mock, Serve};
use crate::error::Failure;
use crate::output::{FAINT, Output, STRONG};
use crate::process::{self, Job};
use crate::runtime;

/// What a mock with demo data holds.
const DEMO_DEVICES: [&str; 3] = ["agent-01", "agent-02", "agent-03"];

/// `machins mock`.
pub(crate) fn run(out: Output, command: &Mock) -> Result<ExitCode, Failure> {
    match command {
        Mock::Serve(serve) => self::serve(out, serve),
        Mock::Exec { command } => exec(command),
    }
}

fn serve(out: Output, serve: &Serve) -> Result<ExitCode, Failure> {
    let mut builder = MockServer::builder().addr(serve.addr);
    if let Some(seed) = serve.seed {
        builder = builder.seed(seed);
    }
    if let Some(path) = &serve.state {
        builder = builder.state_file(path);
    }
    let server = builder.start().map_err(|error| {
        Failure::local(format!("the mock can't serve at {}", serve.addr), error)
    })?;
    if !server.is_loopback() {
        out.warn("everybody who reaches this address controls the mock and reads its keys");
    }
    let key = if serve.demo_data { Some(demo_data(&server)?) } else { None };
    runtime::block_on(async {
        let mut signals = process::signals()?;
        announce(out, &server, key.as_ref())?;
        signals.asked_to_stop().await;
        server.shutdown().await;
        server
            .save_state()
            .map_err(|error| Failure::local("the mock's state could not be saved", error))
    })??;
    Ok(ExitCode::SUCCESS)
}

fn announce(out: Output, server: &MockServer, key: Option<&OrgKey>) -> Result<(), Failure> {
    let mut document = json!({
        "url": server.url(),
        "machins_base_url": server.machins_base_url(),
        "machineid_base_url": server.machineid_base_url(),
        "pid": std_process::id(),
    });
    let mut text = format!(
        "{STRONG}The mock server is ready at {}{STRONG:#}\n\n\
         export MACHINEID_BASE_URL={}\n\
         export MACHINS_BASE_URL={}\n",
        server.url(),
        server.machineid_base_url(),
        server.machins_base_url(),
    );
    if let Some(key) = key {
        document["org_key"] = key.expose().into();
        let _ = writeln!(text, "export MACHINEID_ORG_KEY={}", key.expose());
    }
    let _ = writeln!(
        text,
        "\n{FAINT}What it can do is shown at {}/docs. Ctrl-C stops it.{FAINT:#}",
        server.url()
    );
    if out.is_json() { out.line(&document) } else { out.text(&text) }
}

/// An organisation with a few devices, one of them revoked.
fn demo_data(server: &MockServer) -> Result<OrgKey, Failure> {
    let key = OrgKey::new(server.create_org(Plan::Pro).key())?;
    let client = ClientBuilder::default()
        .org_key(key.clone())
        .base_url(server.machineid_base_url())
        .build_blocking()?;
    let devices: Vec<DeviceId> =
        DEMO_DEVICES.iter().map(|id| DeviceId::new(id)).collect::<Result<_, _>>()?;
    for device in &devices {
        let _registered = client.register(device)?;
    }
    if let Some(last) = devices.last() {
        client.revoke(last)?;
    }
    Ok(key)
}

fn exec(command: &[OsString]) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::usage("no command given"));
    };
    let server = MockServer::builder()
        .start()
        .map_err(|error| Failure::local("the mock can't be started", error))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("MACHINEID_BASE_URL", server.machineid_base_url())
        .env("MACHINS_BASE_URL", server.machins_base_url());
    runtime::block_on(async {
        let job = Job::new(command);
        match process::accompany(&job, job.run()).await? {
            Ok(Ok(status)) => Ok(process::exit_code(status)),
            Ok(Err(error)) => Err(process::not_started(program, &error)),
            Err(interrupted) => Ok(interrupted.into()),
        }
    })?
}
