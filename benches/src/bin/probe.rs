//! Counts allocations in a process of its own, with a counting allocator. The benchmarks start it,
//! and it prints a JSON object.
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::error::Error;
use std::time::Instant;

use machineid_client::{DeviceId, OrgKey};
use machins_client::{ListingType, MarketplaceQuery};
use serde_json::{Value, json};
use tokio::runtime::Builder;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const KEY: &str = "org_benchmark";
const CALLS: u32 = 100;
const CLONES: u32 = 10_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let found = match &arguments[..] {
        ["allocations", url] => allocations(url)?,
        ["clones"] => clones()?,
        ["pager", url] => pager(url)?,
        _ => return Err("allocations URL | clones | pager URL".into()),
    };
    println!("{found}");
    Ok(())
}

/// Counts the allocations of one `validate`, and of the same call with bare reqwest.
fn allocations(url: &str) -> Result<Value> {
    let device = DeviceId::new("agent-01")?;
    let client = machineid_client::Client::builder().org_key(OrgKey::new(KEY)?).base_url(url);
    let client = client.build()?;
    let http = reqwest::Client::new();
    let url = format!("{url}/api/v1/devices/validate");
    let ours = async || -> Result<()> {
        client.validate(&device).await?;
        Ok(())
    };
    let bare = async || -> Result<()> {
        let request = http.post(&url).header("x-org-key", KEY).json(&json!({"deviceId": device}));
        request.send().await?.error_for_status()?.json::<Value>().await?;
        Ok(())
    };
    Ok(json!({"ours": counted(ours)?, "bare": counted(bare)?}))
}

/// Counts the allocations of one call and their bytes after a warm-up, all on this thread.
fn counted(call: impl AsyncFn() -> Result<()>) -> Result<Value> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for _ in 0..CALLS {
        runtime.block_on(call())?;
    }
    let mut result = Ok(());
    let info = allocation_counter::measure(|| {
        result = (0..CALLS).try_for_each(|_| runtime.block_on(call()));
    });
    result?;
    let calls = u64::from(CALLS);
    Ok(json!({"count": info.count_total / calls, "bytes": info.bytes_total / calls}))
}

/// Measures the memory of idle clones, including the list that holds them.
fn clones() -> Result<Value> {
    let client = machins_client::Client::builder().build()?;
    let mut clones = Vec::new();
    let info = allocation_counter::measure(|| {
        clones = (0..CLONES).map(|_| client.clone()).collect();
    });
    Ok(json!({"bytes": info.bytes_current, "clones": clones.len()}))
}

/// Measures the peak memory and the time of going through a whole marketplace.
fn pager(url: &str) -> Result<Value> {
    let client = machins_client::Client::builder().base_url(url).build_blocking()?;
    let query = MarketplaceQuery::new().listing_type(ListingType::Task).limit(200);
    let mut listings = Ok(0);
    let start = Instant::now();
    let info = allocation_counter::measure(|| {
        listings = client.browse_all(&query).try_fold(0, |count, listing| {
            listing?;
            Ok::<u32, machins_client::Error>(count + 1)
        });
    });
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({"peak_bytes": info.bytes_max, "seconds": seconds, "listings": listings?}))
}
