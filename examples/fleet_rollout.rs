//! A blocking script that manages a fleet: registers the devices of a roll-out, revokes them all
//! in one call, and restores as many as the plan has room for.
//!
//! ```sh
//! export MACHINEID_ORG_KEY=org_…
//! cargo run -p examples --example fleet_rollout
//! ```
//!
//! To adapt it, change `FLEET` and remove the steps you do not want.
#![expect(clippy::print_stdout, reason = "a program talks to its user")]

use machineid_client::blocking::Client;
use machineid_client::{DeviceId, Error, Registration};

const FLEET: [&str; 4] = ["worker-1", "worker-2", "worker-3", "worker-4"];

fn main() -> Result<(), Error> {
    let client = Client::from_env()?;
    let fleet = FLEET.into_iter().map(DeviceId::new).collect::<Result<Vec<_>, _>>()?;

    for device in &fleet {
        match client.register(device)? {
            Registration::Created(_) | Registration::Exists(_) => println!("{device} is in"),
            Registration::Blocked(reply) => {
                println!("{device} has no room: the plan allows {:?}", reply.figures.limit);
            }
            other => println!("{device} is out: {}", other.reply().status),
        }
    }

    let stopped = client.revoke_batch(&fleet)?;
    println!("stopped {}", stopped.revoked_count.unwrap_or_default());
    for item in &stopped.results {
        println!("  {}: {}", item.device_id, item.status);
    }

    let restored = client.unrevoke_all_revoked()?;
    println!("restored {}", restored.unrevoked_count.unwrap_or_default());
    Ok(())
}
