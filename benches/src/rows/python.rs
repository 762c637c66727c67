//! `validate` and `get_wallet`, compared with the vendors' Python packages.

use std::path::Path;
use std::process::Command;

use machineid_client::DeviceId;
use machins_client::NewAgent;
use tokio::runtime::Builder;

use crate::bench::{Result, Samples, in_turns, micros_each};
use crate::programs::{Served, Talker, machins, python_packages};
use crate::report::Line;

const CALLS: u32 = 200;
/// The synchronous machins client connects anew for every call.
const SLOW_CALLS: u32 = 10;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let server = Served::start(&machins()?)?;
    let machineid_url = format!("http://{}", server.address);
    let machins_url = format!("{machineid_url}/api/v1");
    let machineid = machineid_client::Client::builder().base_url(&machineid_url);
    let org_key = machineid.clone().build_blocking()?.create_org()?.org_key;
    let machineid = machineid.org_key(org_key.clone()).build_blocking()?;
    let device = DeviceId::new("agent-01")?;
    if !machineid.register(&device)?.is_registered() {
        return Err("the device could not be registered".into());
    }
    let machins = machins_client::Client::builder().base_url(&machins_url);
    let joined = machins.clone().build_blocking()?.join(&NewAgent::new("Ada", "ada"))?;
    let machins = machins.api_key(joined.api_key.clone());
    let machins_blocking = machins.clone().build_blocking()?;
    let machins = machins.build()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/time_calls.py");
    let mut python = Talker::start(
        Command::new("python3")
            .env("PYTHONPATH", python_packages()?)
            .arg(script)
            .args([&machineid_url, org_key.expose(), device.as_str()])
            .args([&machins_url, joined.api_key.expose()]),
    )?;
    let mut asked = |call, times| -> Result<f64> {
        Ok(python.ask(&format!("{call} {times}"))?.trim().parse()?)
    };

    let validate = in_turns(
        rounds,
        [
            &mut || {
                micros_each(CALLS, || {
                    machineid.validate(&device)?;
                    Ok(())
                })
            },
            &mut || asked("validate", CALLS),
        ],
    )?;
    let wallet = in_turns(
        rounds,
        [
            &mut || {
                micros_each(CALLS, || {
                    runtime.block_on(machins.get_wallet())?;
                    Ok(())
                })
            },
            &mut || asked("wallet_async", CALLS),
        ],
    )?;
    let wallet_blocking = in_turns(
        rounds,
        [
            &mut || {
                micros_each(CALLS, || {
                    machins_blocking.get_wallet()?;
                    Ok(())
                })
            },
            &mut || asked("wallet", SLOW_CALLS),
        ],
    )?;
    let comparisons = [
        (validate, "`validate`, blocking", "machineid-io 0.1.6", 15.0),
        (wallet, "`get_wallet`, async", "machins 0.1.0, async", 12.0),
        (wallet_blocking, "`get_wallet`, blocking", "machins 0.1.0, sync", 350.0),
    ];
    let line = |(samples, what, package, times): (Samples, _, _, f64)| {
        let faster = samples.ratio(1, 0).median;
        Line::new(4, what, "µs", samples.figure(0))
            .against(package, samples.figure(1), samples.ratio(0, 1))
            .goal_text(format!("≥ {times} × faster"), faster >= times)
    };
    Ok(comparisons.into_iter().map(line).collect())
}
