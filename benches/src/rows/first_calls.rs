//! The first calls of new clients over TLS, with the roots of the system, and of many clients.

use std::process::Command;

use serde::Deserialize;

use crate::bench::{Result, in_turns};
use crate::programs::{succeed, tool};
use crate::report::{Bound, Figure, Line};
use crate::tls_server::TlsServer;

const KEYS: u32 = 100;
/// How much more may it take than with bare reqwest.
const GOAL: f64 = 1.1;

/// What a process took for the first calls of its clients.
#[derive(Deserialize)]
struct Taken {
    seconds: f64,
    kib: f64,
}

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let (server, program) = (TlsServer::start()?, tool("first-calls")?);
    let mut memory: [Vec<f64>; 4] = Default::default();
    let measure = |clients: &str, keys: u32| -> Result<Taken> {
        let mut command = Command::new(&program);
        command.args([clients, &server.url()]).arg(&server.pem).arg(keys.to_string());
        Ok(serde_json::from_str(&succeed(&mut command)?)?)
    };
    let one = |clients| Ok(measure(clients, 1)?.seconds * 1e3);
    let many = |clients, memory: &mut Vec<f64>| {
        let taken = measure(clients, KEYS)?;
        memory.push(taken.kib / 1024.0);
        Ok(taken.seconds * 1e3)
    };
    let [of_bare, of_with_key, of_pool, of_own] = &mut memory;
    let samples = in_turns(
        rounds,
        [
            &mut || one("own"),
            &mut || one("bare"),
            &mut || many("bare", of_bare),
            &mut || many("with-key", of_with_key),
            &mut || many("pool", of_pool),
            &mut || many("own", of_own),
        ],
    )?;
    let memory = memory.map(|samples| Figure::of(samples.into_iter()));
    let what = "a client's first `validate` over TLS, with the roots of the system";
    let mut lines = vec![
        Line::new(24, what, "ms", samples.figure(0))
            .against("bare reqwest", samples.figure(1), samples.ratio(0, 1))
            .goal(Bound::AtMost(GOAL)),
    ];
    let bare = "one bare reqwest client";
    for (number, what) in
        [(1, "made by `with_org_key`"), (2, "with one `HttpPool`"), (3, "each built by itself")]
    {
        let side = number + 2;
        let what =
            format!("{KEYS} clients for {KEYS} keys over TLS, {what}, first `validate` of each");
        let time = Line::new(24, &what, "ms", samples.figure(side));
        let time = time.against(bare, samples.figure(2), samples.ratio(side, 2));
        let (ours, theirs) = (memory[number], memory[0]);
        let ratio = Figure::exact(ours.median / theirs.median);
        let memory = Line::new(24, format!("{what}: memory"), "MiB", ours);
        let memory = memory.against(bare, theirs, ratio);
        // Who builds each by itself asks for connections of its own.
        let is_shared = number < 3;
        lines.extend(
            [time, memory].map(
                |line| {
                    if is_shared { line.goal(Bound::AtMost(GOAL)) } else { line }
                },
            ),
        );
    }
    Ok(lines)
}
