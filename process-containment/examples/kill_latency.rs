//! Prints how long it takes from `kill()` to the end of the last descendant, for 1, 100 and 1,000
//! descendants in as many sessions.
//!
//! ```sh
//! cargo run --release -p process-containment --example kill_latency [auto|tree|cgroup|pidns]
//! ```

fn main() -> Result<(), Box<dyn std::error::Error>> {
    process_containment::init();
    #[cfg(target_os = "linux")]
    linux::measure()?;
    Ok(())
}

#[cfg(target_os = "linux")]
#[allow(clippy::print_stdout, reason = "its result")]
mod linux {
    use std::error::Error;
    use std::io::{BufRead, BufReader, Read};
    use std::time::Instant;

    use process_containment::{Command, Containment};

    const RUNS: usize = 5;

    pub(super) fn measure() -> Result<(), Box<dyn Error>> {
        let minimum: Containment = match std::env::args().nth(1) {
            Some(name) => name.parse()?,
            None => Containment::Auto,
        };
        println!("{:>11}  {:>10}  in force  milliseconds, {RUNS} runs", "descendants", "median");
        for descendants in [1, 100, 1_000] {
            let mut times = Vec::new();
            let mut in_force = Containment::Auto;
            for _ in 0..RUNS {
                let (containment, millis) = run(minimum, descendants)?;
                in_force = containment;
                times.push(millis);
            }
            times.sort_by(f64::total_cmp);
            let all = times.iter().map(|time| format!("{time:.1}")).collect::<Vec<_>>().join(" ");
            println!("{descendants:>11}  {:>7.1} ms  {in_force:<8}  {all}", times[RUNS / 2]);
        }
        Ok(())
    }

    /// The last descendant's end is the end of the pipe that all of them hold.
    fn run(minimum: Containment, descendants: u32) -> Result<(Containment, f64), Box<dyn Error>> {
        let (reader, writer) = std::io::pipe()?;
        let script = format!(
            "i=1; while [ $i -lt {descendants} ]; do setsid -f sleep 600; i=$((i+1)); done
             echo ready; exec sleep 600"
        );
        let job =
            Command::new("sh").args(["-c", &script]).containment(minimum).stdout(writer).spawn()?;
        let mut output = BufReader::new(reader);
        output.read_line(&mut String::new())?;
        let start = Instant::now();
        job.kill();
        output.read_to_end(&mut Vec::new())?;
        let millis = start.elapsed().as_secs_f64() * 1_000.0;
        job.wait();
        Ok((job.containment(), millis))
    }
}
