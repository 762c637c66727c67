//! `validate` over TLS, compared with bare HTTP clients.

use std::sync::Arc;

use machineid_client::{Client, ClientOptions, DeviceId, OrgKey, reqwest as http};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use ureq::tls::{Certificate, RootCerts, TlsConfig, parse_pem};

use super::validate::{CALLS, at_once};
use crate::bare::{self, JSON, KEY, TIME_LIMIT, USER_AGENT};
use crate::bench::{Result, in_turns, micros_each};
use crate::report::{Bound, Line};
use crate::tls_server::TlsServer;

const GOAL: f64 = 1.03;
const GOAL_BLOCKING: f64 = 1.05;

#[derive(Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }

    /// HTTP/2 is what a client asks for first, if reqwest is compiled with it.
    fn limit(self, builder: http::ClientBuilder) -> http::ClientBuilder {
        match self {
            Self::Http1 => builder.http1_only(),
            Self::Http2 => builder,
        }
    }
}

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let server = TlsServer::start()?;
    let mut lines = asynchronous(rounds, &server, Version::Http1)?;
    lines.extend(asynchronous(rounds, &server, Version::Http2)?);
    lines.push(blocking(rounds, &server)?);
    Ok(lines)
}

fn options(server: &TlsServer, version: Version) -> ClientOptions {
    let certificate = server.certificate.clone();
    ClientOptions::new()
        .http(move |builder| version.limit(builder).tls_certs_merge([certificate.clone()]))
}

fn asynchronous(rounds: usize, server: &TlsServer, version: Version) -> Result<Vec<Line>> {
    let device = DeviceId::new("agent-01")?;
    let client = Client::builder().org_key(OrgKey::new(KEY)?).base_url(server.url());
    let client = client.options(options(server, version)).build()?;
    let bare = bare::reqwest().timeout(TIME_LIMIT).tls_certs_merge([server.certificate.clone()]);
    let bare = version.limit(bare).build()?;
    let url = format!("{}/api/v1/devices/validate", server.url());
    let ours = async || -> Result<()> {
        client.validate(&device).await?;
        Ok(())
    };
    let bare = async || -> Result<()> {
        let request = bare.post(&url).header("x-org-key", KEY).json(&json!({"deviceId": device}));
        let reply = request.send().await?.error_for_status()?;
        let is_http2 = reply.version() == http::Version::HTTP_2;
        if is_http2 != matches!(version, Version::Http2) {
            return Err(format!("it is not {}", version.name()).into());
        }
        reply.json::<Value>().await?;
        Ok(())
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let alone = in_turns(
        rounds,
        [&mut || micros_each(CALLS, || runtime.block_on(ours())), &mut || {
            micros_each(CALLS, || runtime.block_on(bare()))
        }],
    )?;
    let together =
        in_turns(rounds, [&mut || at_once(&runtime, &ours), &mut || at_once(&runtime, &bare)])?;
    let line = |what: &str, samples: &crate::bench::Samples| {
        let what = format!("`validate` over TLS, {}, {what}", version.name());
        Line::new(25, what, "µs", samples.figure(0))
            .against("bare reqwest", samples.figure(1), samples.ratio(0, 1))
            .goal(Bound::AtMost(GOAL))
    };
    Ok(vec![line("one at a time, async", &alone), line("64 at once, async", &together)])
}

fn blocking(rounds: usize, server: &TlsServer) -> Result<Line> {
    let device = DeviceId::new("agent-01")?;
    let client = Client::builder().org_key(OrgKey::new(KEY)?).base_url(server.url());
    let client = client.options(options(server, Version::Http1)).build_blocking()?;
    let url = format!("{}/api/v1/devices/validate", server.url());
    let roots =
        parse_pem(&std::fs::read(&server.pem)?).collect::<std::result::Result<Vec<_>, _>>()?;
    let roots = roots.into_iter().filter_map(|item| match item {
        ureq::tls::PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots.collect::<Vec<Certificate<'static>>>())))
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build();
    let agent = ureq::Agent::config_builder().user_agent(USER_AGENT).accept(JSON).tls_config(tls);
    let agent = ureq::Agent::new_with_config(agent.build());
    let mut ours = || {
        client.validate(&device)?;
        Ok(())
    };
    let mut ureq = || {
        let request = agent.post(&url).header("x-org-key", KEY).header("cache-control", "no-store");
        request.send_json(json!({"deviceId": device}))?.body_mut().read_json::<Value>()?;
        Ok(())
    };
    let samples = in_turns(
        rounds,
        [&mut || micros_each(CALLS, &mut ours), &mut || micros_each(CALLS, &mut ureq)],
    )?;
    Ok(Line::new(25, "`validate` over TLS, blocking", "µs", samples.figure(0))
        .against("ureq", samples.figure(1), samples.ratio(0, 1))
        .goal(Bound::AtMost(GOAL_BLOCKING)))
}
