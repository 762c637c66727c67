//! Makes the first calls of new clients, each with a key of its own, and prints the time and the memory that
//! they took as a JSON object. The benchmarks start it, since a second time would find warm caches.
#![expect(clippy::print_stdout, reason = "it prints its result")]

#[path = "../bare.rs"]
#[expect(dead_code, reason = "it is for other clients too")]
mod bare;

use std::error::Error;
use std::fs;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use machineid_client::{Client, ClientBuilder, ClientOptions, DeviceId, HttpPool, OrgKey};
use reqwest::Certificate;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::bare::TIME_LIMIT;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Arguments {
    clients: Clients,
    base_url: String,
    /// File with a certificate that is trusted beside those of the system
    certificate: String,
    /// The number of keys
    keys: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Clients {
    /// Each client is built by itself
    Own,
    /// Each client is built by itself, with the connections of one pool
    Pool,
    /// One client is built, the others are made of it by `with_org_key`
    WithKey,
    /// One client of reqwest sends each key
    Bare,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let authority = Certificate::from_pem(&fs::read(&arguments.certificate)?)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let keys = (0..arguments.keys).map(|number| format!("org_benchmark_{number}"));
    let keys: Vec<String> = keys.collect();
    let (memory, start) = (anonymous_kib()?, Instant::now());
    // Clients live until the memory is read.
    let living = match arguments.clients {
        Clients::Bare => {
            let http = bare::reqwest()
                .http1_only()
                .timeout(TIME_LIMIT)
                .tls_certs_merge([authority])
                .build()?;
            let url = format!("{}/api/v1/devices/validate", arguments.base_url);
            for key in &keys {
                let request = http.post(&url).header("x-org-key", key);
                let request = request.json(&json!({"deviceId": "agent-01"}));
                runtime.block_on(async {
                    let reply = request.send().await?.error_for_status()?;
                    reply.json::<Value>().await
                })?;
            }
            Living::Bare(http)
        }
        kind => {
            let options = ClientOptions::new()
                .http(move |http| http.http1_only().tls_certs_merge([authority.clone()]));
            let builder = Client::builder().base_url(&arguments.base_url);
            let device = DeviceId::new("agent-01")?;
            let mut clients = Vec::new();
            let build = clients_of(kind, builder, options)?;
            for key in &keys {
                let client = build(OrgKey::new(key)?)?;
                runtime.block_on(client.validate(&device))?;
                clients.push(client);
            }
            Living::Ours(clients)
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let kib = anonymous_kib()? - memory;
    println!("{}", json!({"seconds": seconds, "kib": kib}));
    drop(living);
    Ok(())
}

#[expect(dead_code, reason = "they only live")]
enum Living {
    Bare(reqwest::Client),
    Ours(Vec<Client>),
}

type Build = Box<dyn Fn(OrgKey) -> Result<Client>>;

fn clients_of(kind: Clients, builder: ClientBuilder, options: ClientOptions) -> Result<Build> {
    Ok(match kind {
        Clients::WithKey => {
            let client = builder.options(options).build()?;
            Box::new(move |key| Ok(client.with_org_key(key)))
        }
        Clients::Pool => {
            let options = options.clone().pool(HttpPool::new(&options));
            Box::new(move |key| {
                Ok(builder.clone().options(options.clone()).org_key(key).build()?)
            })
        }
        Clients::Own | Clients::Bare => Box::new(move |key| {
            Ok(builder.clone().options(options.clone()).org_key(key).build()?)
        }),
    })
}

/// The memory of this process that is not that of files.
fn anonymous_kib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no RssAnon")?;
    Ok(kib.trim().parse()?)
}
