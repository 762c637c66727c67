//! A worker that runs only while MachineID allows it.
//!
//! ```sh
//! export MACHINEID_ORG_KEY=org_…  MACHINEID_DEVICE_ID=agent-01
//! cargo run -p examples --example gated_worker
//! ```
//!
//! To adapt it, replace `do_job` and choose how often to check.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::process::ExitCode;
use std::time::Duration;

use machineid_client::{Client, DeviceId, Gate};

const CHECK_EVERY: Duration = Duration::from_secs(30);
const TIME_TO_STOP: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<ExitCode, machineid_client::Error> {
    let client = Client::from_env()?;
    let gate = Gate::new(&client, DeviceId::from_env()?).register_on_start();

    let work = gate.supervise_gracefully(CHECK_EVERY, TIME_TO_STOP, async |stop| {
        for job in 1..=3 {
            if stop.is_cancelled() {
                break;
            }
            do_job(job).await;
        }
    });
    match work.await {
        Ok(()) => {
            println!("all jobs done");
            Ok(ExitCode::SUCCESS)
        }
        Err(denied) => {
            eprintln!("{denied:#}");
            Ok(ExitCode::from(3))
        }
    }
}

async fn do_job(job: u32) {
    tokio::time::sleep(Duration::from_millis(10)).await;
    println!("job {job} done");
}
