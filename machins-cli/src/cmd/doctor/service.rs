//! The services: their names, connections, certificates and clocks, and the keys for them.

use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use machineid_client::{Call, CallOptions, DeviceStatus, ErrorKind, Reply, reqwest::Url};

use super::check::{Check, Status};
use crate::config::key::{
    API_KEY, BASE_URL, Key, MACHINEID_BASE_URL, MACHINEID_DEVICE_ID, MACHINEID_ORG_KEY,
};
use crate::context::Context;
use crate::error::{Exit, Failure, OPERATOR_DECIDES};

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
        let hint = format!("`machins config set {} URL`", self.url.name);
        let base_url = match context.base_url(self.url) {
            Ok(url) => url.to_string(),
            Err(failure) => {
                let cure = failure.advice().unwrap_or(&hint);
                return vec![Check::failed(&name, failure.message(), cure).of_setup()];
            }
        };
        let mut checks = vec![Check::ok(&name, &*base_url)];
        checks.push(self.resolve(context, &base_url));
        let start = Instant::now();
        let asked = ask();
        let took = start.elapsed();
        let name = self.called("connection");
        match asked {
            Err(failure) => checks.push(Self::not_reached(&name, &failure)),
            Ok(reply) => {
                let how =
                    if base_url.starts_with("https:") { "certificate valid" } else { "plain http" };
                let message = format!("{how}, answered in {} ms", took.as_millis());
                checks.push(if reply.status() < 500 {
                    Check::ok(&name, message)
                } else {
                    let what = format!("{message}, but with status {}", reply.status());
                    Check::failed(&name, what, "the service is not well; try again later")
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
        if bare.parse::<std::net::IpAddr>().is_ok() || host.ends_with("localhost") {
            return Check::skipped(&name, format!("{host} is an address"));
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

    fn not_reached(name: &str, failure: &Failure) -> Check {
        let cure = match failure.kind() {
            kind if kind == ErrorKind::UntrustedCertificate.as_str() => {
                "correct the clock, or install the certificate of your proxy in the system's store"
            }
            kind if kind == ErrorKind::TimedOut.as_str() => {
                "check firewall and proxy (HTTPS_PROXY, NO_PROXY), or give more time with --timeout"
            }
            _ => "check the address, firewall and proxy (HTTPS_PROXY, NO_PROXY)",
        };
        Check::failed(name, failure.message(), cure)
    }

    /// Compares this machine's clock with the service's.
    fn clock(&self, reply: &Reply) -> Check {
        let name = self.called("clock");
        let date = reply.headers().get("date").and_then(|date| date.to_str().ok());
        let told = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        let Some(told) = told else {
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
        let how = match self.name {
            "machins" => "`machins join --name NAME`, or `machins config set api_key -`",
            _ => "`machins org create --save`, or `machins config set machineid.org_key -`",
        };
        let origin = match context.setting(self.key) {
            Err(failure) => return Check::failed(&name, failure.message(), how).of_setup(),
            Ok(None) => return Check::skipped(&name, format!("not set; {how}")),
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
            Err(failure) => {
                let is_setup = failure.exit == Exit::Setup
                    || matches!(failure.http_status(), Some(401 | 403 | 404));
                let check = Check::failed(&name, format!("{} ({origin})", failure.message()), how);
                if is_setup { check.of_setup() } else { check }
            }
        }
    }
}

/// Checks the configured device.
fn device(context: &Context, devices: Option<&[machineid_client::Device]>) -> Check {
    const NAME: &str = "MachineID device";
    let id = match context.value(&MACHINEID_DEVICE_ID) {
        Err(failure) => return Check::failed(NAME, failure.message(), "`machins config explain`"),
        Ok(None) => {
            return Check::skipped(NAME, "not set; `machins config set machineid.device_id ID`");
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
        Some(device) if device.status == Some(DeviceStatus::Active) => {
            Check::ok(NAME, format!("{id} is active"))
        }
        Some(_) => Check::failed(NAME, format!("{id} is revoked"), OPERATOR_DECIDES),
    }
}
