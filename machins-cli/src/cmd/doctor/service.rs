//! The services: their names, connections, certificates and clocks, and the keys for them.

use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use machineid_client::{Call, CallOptions, DeviceStatus, ErrorKind, Reply, reqwest::Url};

use super::check::{Check, Status};
use crate::config::key::{
    API_KEY, BASE_URL, Key, MACHINEID_BASE_URL, MACHINEID_DEVICE_ID, MACHINEID_ORG_KEY,
};
use crate::config::settings::Origin;
use crate::context::Context;
use crate::error::{Exit, Failure, OPERATOR_DECIDES};

/// What to do about a service that answers with an error of its own.
const UNWELL: &str = "the service is not well; try again later";
/// How long each step with a service may take unless `--timeout` says.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// A clock that is wrong by more than this makes times of the service look wrong.
const SKEW_TO_NOTE: SignedDuration = SignedDuration::from_secs(30);
/// A clock that is wrong by more than this makes certificates look invalid.
const SKEW_TOO_LARGE: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn machins(context: &Context) -> Vec<Check> {
    let service = Service { name: "machins", url: &BASE_URL, key: &API_KEY };
    let ask = || {
        let client = context.machins_public()?.with(once(context));
        Ok(client.send(Call::get("/public/stats"))?)
    };
    let mut checks = service.reach(context, ask);
    let key = service.key(context, is_failed(&checks), || {
        let wallet = context.machins()?.with(once(context)).get_wallet()?;
        let agent = wallet.agent_id.map(|id| format!(" of agent {id}")).unwrap_or_default();
        Ok(format!("valid, the key{agent}"))
    });
    checks.push(key);
    checks
}

pub(super) fn machineid(context: &Context) -> Vec<Check> {
    let service = Service { name: "MachineID", url: &MACHINEID_BASE_URL, key: &MACHINEID_ORG_KEY };
    let ask = || {
        let client = context.machineid_without_key()?.build_blocking()?.with(once(context));
        Ok(client.send(Call::get("/api/v1/usage"))?)
    };
    let mut checks = service.reach(context, ask);
    let mut devices = None;
    let key = service.key(context, is_failed(&checks), || {
        let list = context.machineid()?.with(once(context)).list_devices()?;
        let plan = list.figures.plan_tier.as_ref().map(|plan| format!(", {plan} plan"));
        devices = Some(list.devices);
        Ok(format!("valid{}", plan.unwrap_or_default()))
    });
    checks.push(key);
    checks.push(device(context, devices.as_deref()));
    checks
}

fn is_failed(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.status == Status::Failed)
}

/// Each step is tried once: a service that works at the third try is not well.
fn once(context: &Context) -> CallOptions {
    CallOptions::new().max_attempts(1).timeout(context.timeout().unwrap_or(TIME_LIMIT))
}

struct Service {
    name: &'static str,
    url: &'static Key,
    key: &'static Key,
}

impl Service {
    fn called(&self, what: &str) -> String {
        format!("{} {what}", self.name)
    }

    /// Checks the address, the name, the connection with its certificate, and the clock.
    fn reach(&self, context: &Context, ask: impl FnOnce() -> Result<Reply, Failure>) -> Vec<Check> {
        let name = self.called("URL");
        let base_url = match context.base_url(self.url) {
            Ok(url) => url.to_string(),
            Err(failure) => {
                let origin = context.setting(self.url).ok().flatten().map(|found| found.origin);
                let cure = match (failure.advice(), origin) {
                    (Some(advice), _) => advice.to_owned(),
                    (None, Some(origin)) => correction(&origin, self.url),
                    (None, None) => "`machins config explain`".to_owned(),
                };
                return vec![Check::failed(&name, failure.message(), &cure).of_setup()];
            }
        };
        let mut checks = vec![Check::ok(&name, &*base_url)];
        checks.push(self.resolve(context, &base_url));
        let start = Instant::now();
        let asked = ask();
        let took = start.elapsed();
        let name = self.called("connection");
        match asked {
            Err(failure) => {
                checks.push(Check::failed(&name, failure.message(), no_answer_cure(&failure)));
            }
            Ok(reply) => {
                let how =
                    if base_url.starts_with("https:") { "certificate valid" } else { "plain http" };
                let message = format!("{how}, answered in {} ms", took.as_millis());
                checks.push(if reply.status() < 500 {
                    Check::ok(&name, message)
                } else {
                    let what = format!("{message}, but with status {}", reply.status());
                    Check::failed(&name, what, UNWELL)
                });
                checks.push(self.clock(&reply));
            }
        }
        checks
    }

    fn resolve(&self, context: &Context, base_url: &str) -> Check {
        let name = self.called("DNS");
        let url = Url::parse(base_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if bare.parse::<std::net::IpAddr>().is_ok() {
            return Check::skipped(&name, format!("{bare} is an address"));
        }
        if host == "localhost" || host.ends_with(".localhost") {
            return Check::skipped(&name, format!("{host} needs no DNS"));
        }
        let port = url.and_then(|url| url.port_or_known_default()).unwrap_or(443);
        let (sender, receiver) = mpsc::channel();
        let asked = host.clone();
        thread::spawn(move || {
            let found = (asked.as_str(), port).to_socket_addrs().map(|mut found| found.next());
            // Nobody may wait for it any more.
            let _ = sender.send(found.map_err(|error| error.to_string()));
        });
        let limit = context.timeout().unwrap_or(TIME_LIMIT);
        let cure = "check the name and the network; behind a proxy, set HTTPS_PROXY";
        match receiver.recv_timeout(limit) {
            Ok(Ok(Some(address))) => Check::ok(&name, format!("{host} is {}", address.ip())),
            // A proxy resolves names itself.
            Ok(Ok(None)) => Check::warning(&name, format!("{host} has no address"), cure),
            Ok(Err(why)) => Check::warning(&name, format!("{host}: {why}"), cure),
            Err(_) => Check::warning(&name, format!("{host}: no answer within {limit:?}"), cure),
        }
    }

    /// Compares this machine's clock with the service's.
    fn clock(&self, reply: &Reply) -> Check {
        let name = self.called("clock");
        let date = reply.headers().get("date").and_then(|date| date.to_str().ok());
        let told = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let Some(told) = told.and_then(|time| Timestamp::try_from(time).ok()) else {
            return Check::skipped(&name, "the service does not tell the time");
        };
        let ahead = Timestamp::now().duration_since(told);
        let cure = "synchronise the clock (NTP): timedatectl set-ntp true";
        let seconds = ahead.as_secs().unsigned_abs();
        let side = if ahead.is_negative() { "behind" } else { "ahead of" };
        let what = format!("this machine is {seconds} s {side} the service");
        match ahead.abs() {
            skew if skew > SKEW_TOO_LARGE => Check::failed(&name, what, cure),
            skew if skew > SKEW_TO_NOTE => Check::warning(&name, what, cure),
            _ => Check::ok(&name, format!("right to {seconds} s")),
        }
    }

    /// Checks the key by a call that takes it.
    fn key(
        &self,
        context: &Context,
        is_unreachable: bool,
        ask: impl FnOnce() -> Result<String, Failure>,
    ) -> Check {
        let name = self.called("key");
        let origin = match context.setting(self.key) {
            Err(failure) => {
                return Check::failed(&name, failure.message(), "`machins config explain`")
                    .of_setup();
            }
            Ok(None) => {
                let how = match self.name {
                    "machins" => "`machins join --help`",
                    _ => "`machins org create --save`",
                };
                return Check::not_set(&name, how);
            }
            Ok(Some(setting)) => setting.origin,
        };
        if is_unreachable {
            return Check::skipped(
                &name,
                format!("set ({origin}), but the service cannot be asked"),
            );
        }
        match ask() {
            Ok(what) => Check::ok(&name, format!("{what} ({origin})")),
            // The message says where the key comes from.
            Err(failure) if failure.exit == Exit::Setup => {
                let cure = correction(&origin, self.key);
                Check::failed(&name, failure.message(), &cure).of_setup()
            }
            Err(failure) => {
                let what = format!("{} ({origin})", failure.message());
                if matches!(failure.http_status(), Some(401 | 403 | 404)) {
                    let cure = correction(&origin, self.key);
                    Check::failed(&name, what, &cure).of_setup()
                } else {
                    Check::failed(&name, what, no_answer_cure(&failure))
                }
            }
        }
    }
}

/// What to do about a service that gives no usable answer.
fn no_answer_cure(failure: &Failure) -> &'static str {
    match failure.kind() {
        kind if kind == ErrorKind::UntrustedCertificate.as_str() => {
            "correct the clock, or add your proxy's certificate to the system's"
        }
        kind if kind == ErrorKind::TimedOut.as_str() => {
            "check firewall and HTTPS_PROXY, or give more time with --timeout"
        }
        _ if failure.http_status().is_some() => UNWELL,
        _ => "check the address, firewall and proxy (HTTPS_PROXY, NO_PROXY)",
    }
}

/// What to do about a value that is wrong, where it comes from.
fn correction(origin: &Origin, key: &Key) -> String {
    match origin {
        Origin::Flag(name) => format!("correct {name}"),
        Origin::Environment(name) => format!("correct or unset {name}"),
        Origin::Profile(_) | Origin::File | Origin::Default => {
            format!("`machins config set {} {}`", key.name, key.default.unwrap_or("-"))
        }
    }
}

/// Checks the configured device.
fn device(context: &Context, devices: Option<&[machineid_client::Device]>) -> Check {
    const NAME: &str = "MachineID device";
    let id = match context.value(&MACHINEID_DEVICE_ID) {
        Err(failure) => return Check::failed(NAME, failure.message(), "`machins config explain`"),
        Ok(None) => {
            return Check::not_set(NAME, "`machins config set machineid.device_id agent-01`");
        }
        Ok(Some(id)) => id,
    };
    let Some(devices) = devices else {
        return Check::skipped(NAME, format!("{id}; the service cannot be asked"));
    };
    match devices.iter().find(|device| device.device_id.as_str() == id) {
        None => {
            let what = format!("{id} is not registered");
            Check::warning(NAME, what, &format!("`machins register {id}`"))
        }
        Some(device) => match &device.status {
            Some(DeviceStatus::Active) => Check::ok(NAME, format!("{id} is active")),
            Some(DeviceStatus::Revoked) => {
                Check::failed(NAME, format!("{id} is revoked"), OPERATOR_DECIDES)
            }
            other => {
                let state = other.as_ref().map_or("unknown", |status| status.as_str());
                let what = format!("{id} is neither active nor revoked: {state}");
                Check::warning(NAME, what, OPERATOR_DECIDES)
            }
        },
    }
}
