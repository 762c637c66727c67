//! Prints how long it takes from `kill()` or `terminate()` to the end of the last descendant, for 1, 100
//! and 1,000 descendants in as many sessions, which all end at TERM.
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
    use std::time::{Duration, Instant};

    use process_containment::{Command, Containment, Job};

    const RUNS: usize = 5;

    pub(super) fn measure() -> Result<(), Box<dyn Error>> {
        let minimum: Containment = match std::env::args().nth(1) {
            Some(name) => name.parse()?,
            None => Containment::Auto,
        };
        println!(
            "{:>11}  {:<9}  in force  milliseconds, {RUNS} runs, sorted",
            "descendants", "ended by"
        );
        for descendants in [1, 100, 1_000] {
            for (name, end) in [("kill", kill as fn(&Job)), ("terminate", terminate)] {
                let mut times = Vec::new();
                let mut in_force = Containment::Auto;
                for _ in 0..RUNS {
                    let (containment, millis) = run(minimum, descendants, end)?;
                    in_force = containment;
                    times.push(millis);
                }
                times.sort_by(f64::total_cmp);
                let times: Vec<_> = times.iter().map(|time| format!("{time:.1}")).collect();
                println!("{descendants:>11}  {name:<9}  {in_force:<8}  {}", times.join("  "));
            }
        }
        Ok(())
    }

    fn kill(job: &Job) {
        job.kill();
    }

    fn terminate(job: &Job) {
        job.terminate(Duration::from_mins(1));
    }

    /// The last descendant's end is the end of the pipe that all of them hold.
    fn run(
        minimum: Containment,
        descendants: u32,
        end: fn(&Job),
    ) -> Result<(Containment, f64), Box<dyn Error>> {
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
        end(&job);
        output.read_to_end(&mut Vec::new())?;
        let millis = start.elapsed().as_secs_f64() * 1_000.0;
        job.wait();
        Ok((job.containment(), millis))
    }
}
