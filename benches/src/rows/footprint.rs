//! The program's size and the memory of its commands.

use std::fs;
use std::process::Command;

use crate::bench::Result;
use crate::programs::{Served, folder, machins, succeed, tool};
use crate::report::{Bound, Figure, Line};
use crate::server;
use crate::tls::TlsService;

const MEBIBYTE: f64 = 1024.0 * 1024.0;
const MOST_SIZE: f64 = 20.0;
const MOST_VALIDATE: f64 = 7.0;
const MOST_GUARD: f64 = 10.0;
const MOST_SERVER: f64 = 12.0;

pub(crate) fn run(_: usize) -> Result<Vec<Line>> {
    let (machins, peak) = (machins()?, tool("peak")?);
    let plain = format!("http://{}", server::start(|_| server::decision())?);
    let service = TlsService::start()?;
    let peak = |url: &str, arguments: &[&str]| -> Result<f64> {
        let mut command = Command::new(&peak);
        command.arg(&machins).args(arguments).env("HOME", folder("home")?);
        command.env("MACHINEID_BASE_URL", url).env("MACHINEID_ORG_KEY", "org_benchmark");
        command.env("SSL_CERT_FILE", &service.roots).env_remove("SSL_CERT_DIR");
        Ok(f64::from(succeed(&mut command)?.trim().parse::<u32>()?) / MEBIBYTE)
    };
    let guard = ["guard", "--device", "agent-01", "--every", "1", "--", "sleep", "3"];
    let size = f64::from(u32::try_from(fs::metadata(&machins)?.len())?) / MEBIBYTE;
    let line = |what: &str, figure: f64, most: f64| {
        Line::new(29, what, "MiB", Figure::exact(figure)).goal(Bound::AtMost(most))
    };
    let server = Served::start(&machins)?;
    let validate = ["validate", "agent-01"];
    Ok(vec![
        line("the program `machins`", size, MOST_SIZE),
        line("`validate`, peak memory", peak(&plain, &validate)?, MOST_VALIDATE),
        line("`validate` over TLS, peak memory", peak(&service.url, &validate)?, MOST_VALIDATE),
        line("`guard`, peak memory", peak(&plain, &guard)?, MOST_GUARD),
        line("`guard` over TLS, peak memory", peak(&service.url, &guard)?, MOST_GUARD),
        line("`mock serve`, idle, peak memory", server.peak()? / MEBIBYTE, MOST_SERVER),
    ])
}
