//! `validate`, compared with the same POST and parsing with bare HTTP clients.

use futures_util::future::try_join_all;
use machineid_client::{Client, DeviceId, OrgKey, blocking};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::bare::{self, JSON, KEY, TIME_LIMIT, USER_AGENT, headers};
use crate::bench::{Result, in_turns, micros_each};
use crate::programs::probe;
use crate::report::{Bound, Figure, Line};
use crate::server;

pub(super) const CALLS: u32 = 500;
const AT_ONCE: u32 = 64;
const CALLS_OF_EACH: u32 = 30;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let base_url = format!("http://{}", server::start(|_| server::decision())?);
    let device = DeviceId::new("agent-01")?;
    let url = format!("{base_url}/api/v1/devices/validate");
    let builder = Client::builder().org_key(OrgKey::new(KEY)?).base_url(&base_url);
    let mut lines = vec![allocations(&base_url)?];
    lines.extend(asynchronous(rounds, &builder.clone().build()?, &device, &url)?);
    lines.extend(blocking(rounds, &builder.build_blocking()?, &device, &url)?);
    Ok(lines)
}

fn allocations(url: &str) -> Result<Line> {
    #[derive(Deserialize)]
    struct Count {
        count: u32,
        bytes: u32,
    }

    #[derive(Deserialize)]
    struct Counts {
        ours: Count,
        bare: Count,
    }

    let Counts { ours, bare } = probe(&["allocations", url])?;
    let note = format!("{} bytes, bare reqwest {}", ours.bytes, bare.bytes);
    let (ours, bare) = (f64::from(ours.count), f64::from(bare.count));
    Ok(Line::new(1, "`validate`, async", "allocations", Figure::exact(ours))
        .against("bare reqwest", Figure::exact(bare), Figure::exact(ours / bare))
        .note(note))
}

fn asynchronous(rounds: usize, client: &Client, device: &DeviceId, url: &str) -> Result<Vec<Line>> {
    let limited = bare::reqwest().timeout(TIME_LIMIT).build()?;
    let unlimited = bare::reqwest().build()?;
    let ours = async || -> Result<()> {
        client.validate(device).await?;
        Ok(())
    };
    let bare = async |http: &reqwest::Client| -> Result<()> {
        let request = http.post(url).header("x-org-key", KEY).json(&json!({"deviceId": device}));
        request.send().await?.error_for_status()?.json::<Value>().await?;
        Ok(())
    };
    let limited = async || bare(&limited).await;
    let unlimited = async || bare(&unlimited).await;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let alone = in_turns(
        rounds,
        [
            &mut || micros_each(CALLS, || runtime.block_on(ours())),
            &mut || micros_each(CALLS, || runtime.block_on(limited())),
            &mut || micros_each(CALLS, || runtime.block_on(unlimited())),
        ],
    )?;
    let together = in_turns(
        rounds,
        [&mut || at_once(&runtime, &ours), &mut || at_once(&runtime, &limited), &mut || {
            at_once(&runtime, &unlimited)
        }],
    )?;
    let mut lines = Vec::new();
    for (number, what, samples) in [
        (1, "`validate`, one at a time, async", alone),
        (2, "`validate`, 64 at once, async", together),
    ] {
        let line = || Line::new(number, what, "µs", samples.figure(0));
        lines.push(
            line()
                .against("bare reqwest with a time limit", samples.figure(1), samples.ratio(0, 1))
                .goal(Bound::AtMost(1.03)),
        );
        lines.push(line().against(
            "bare reqwest without one",
            samples.figure(2),
            samples.ratio(0, 2),
        ));
    }
    Ok(lines)
}

/// Microseconds per call when so many callers call again and again.
pub(super) fn at_once(runtime: &Runtime, call: &impl AsyncFn() -> Result<()>) -> Result<f64> {
    let caller = async || -> Result<()> {
        for _ in 0..CALLS_OF_EACH {
            call().await?;
        }
        Ok(())
    };
    let all = micros_each(1, || {
        runtime.block_on(try_join_all((0..AT_ONCE).map(|_| caller())))?;
        Ok(())
    })?;
    Ok(all / f64::from(AT_ONCE * CALLS_OF_EACH))
}

fn blocking(
    rounds: usize,
    client: &blocking::Client,
    device: &DeviceId,
    url: &str,
) -> Result<Vec<Line>> {
    let http = reqwest::blocking::Client::builder();
    let http = http.user_agent(USER_AGENT).default_headers(headers()).build()?;
    let agent = ureq::Agent::config_builder().user_agent(USER_AGENT).accept(JSON).build();
    let agent = ureq::Agent::new_with_config(agent);
    let mut ours = || {
        client.validate(device)?;
        Ok(())
    };
    let mut bare = || {
        let request = http.post(url).header("x-org-key", KEY).json(&json!({"deviceId": device}));
        request.send()?.error_for_status()?.json::<Value>()?;
        Ok(())
    };
    let mut ureq = || {
        let request = agent.post(url).header("x-org-key", KEY).header("cache-control", "no-store");
        request.send_json(json!({"deviceId": device}))?.body_mut().read_json::<Value>()?;
        Ok(())
    };
    let samples = in_turns(
        rounds,
        [&mut || micros_each(CALLS, &mut ours), &mut || micros_each(CALLS, &mut bare), &mut || {
            micros_each(CALLS, &mut ureq)
        }],
    )?;
    let line = || Line::new(3, "`validate`, blocking", "µs", samples.figure(0));
    Ok(vec![
        line()
            .against("reqwest::blocking", samples.figure(1), samples.ratio(0, 1))
            .goal(Bound::AtMost(1.03)),
        line().against("ureq", samples.figure(2), samples.ratio(0, 2)).goal(Bound::AtMost(1.05)),
    ])
}
