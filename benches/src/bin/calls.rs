//! Makes a number of calls of `validate`, for programs that count what they take.

#[path = "../bare.rs"]
mod bare;

use std::error::Error;

use clap::{Parser, ValueEnum};
use machineid_client::{Client, DeviceId, OrgKey};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::bare::{JSON, KEY, TIME_LIMIT, USER_AGENT, headers};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Arguments {
    client: Caller,
    base_url: String,
    calls: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Caller {
    Ours,
    Bare,
    OursBlocking,
    BareBlocking,
    Ureq,
}

fn main() -> Result<()> {
    let Arguments { client, base_url, calls } = Arguments::parse();
    let url = format!("{base_url}/api/v1/devices/validate");
    let device = DeviceId::new("agent-01")?;
    let body = || json!({"deviceId": device});
    let builder = Client::builder().org_key(OrgKey::new(KEY)?).base_url(&base_url);
    let runtime = || Builder::new_current_thread().enable_all().build();
    match client {
        Caller::Ours => {
            let (client, runtime) = (builder.build()?, runtime()?);
            for _ in 0..calls {
                runtime.block_on(client.validate(&device))?;
            }
        }
        Caller::Bare => {
            let (http, runtime) = (bare::reqwest().timeout(TIME_LIMIT).build()?, runtime()?);
            for _ in 0..calls {
                runtime.block_on(async {
                    let request = http.post(&url).header("x-org-key", KEY).json(&body());
                    request.send().await?.error_for_status()?.json::<Value>().await
                })?;
            }
        }
        Caller::OursBlocking => {
            let client = builder.build_blocking()?;
            for _ in 0..calls {
                client.validate(&device)?;
            }
        }
        Caller::BareBlocking => {
            let http = reqwest::blocking::Client::builder().no_proxy().user_agent(USER_AGENT);
            let http = http.default_headers(headers()).build()?;
            for _ in 0..calls {
                let request = http.post(&url).header("x-org-key", KEY).json(&body());
                request.send()?.error_for_status()?.json::<Value>()?;
            }
        }
        Caller::Ureq => {
            let agent = ureq::Agent::config_builder().user_agent(USER_AGENT).accept(JSON).build();
            let agent = ureq::Agent::new_with_config(agent);
            for _ in 0..calls {
                let request = agent.post(&url).header("x-org-key", KEY);
                let request = request.header("cache-control", "no-store");
                request.send_json(body())?.body_mut().read_json::<Value>()?;
            }
        }
    }
    Ok(())
}
