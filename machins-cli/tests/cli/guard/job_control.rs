//! What Ctrl-Z, `fg` and a command that changes the terminal do; `script` is the terminal.

use rstest::rstest;

use super::{World, is_installed};
use crate::home::{Ran, write_script};
use crate::terminal::on_a_terminal;

/// The shell of these tests.
const SHELL: &str = "exec bash --norc --noprofile -i";
const PROMPT: &str = "prompt> ";

impl World {
    /// Writes a command that the shell runs as `./job`. It does not start its own by `vfork`, with which
    /// a process can't be stopped at any time.
    fn job(&self, script: &str) {
        let path = self.home.path().join("job");
        write_script(&path, &format!("#!/usr/bin/env bash\n{script}\n"));
    }

    /// Types to an interactive shell.
    #[track_caller]
    fn types(&self, typed: &[(&str, &str)]) -> Ran {
        on_a_terminal(&self.home, SHELL, typed)
    }

    /// The same world for an interactive shell.
    fn interactive() -> Self {
        let mut world = Self::new();
        world.home = world.home.with("PS1", PROMPT);
        world
    }
}

/// Waits until the terminal has been lent to the job. (Ctrl-Z before that is undone when it is.)
const LENT: &str = "while [ $(ps -o tpgid= -p $$) != $$ ]; do sleep 0.05; done";

/// The job says that it is up, and asks for a line when there is a file.
const JOB: &str = "echo up-$((1+1)); while [ ! -e go-on ]; do sleep 0.05; done
echo asking-$((1+1)); read line; echo got-$line; exit 7";

/// The keeper waits 2.7 seconds for the next permit, which is less than the job is suspended for.
const GUARD: &str = "$MACHINS guard --every 0.2 --timeout 0.5 -- ./job";

#[rstest]
#[case::alone(GUARD, LENT, 7)]
#[case::in_a_guard(
    "$MACHINS guard --pass-org-key --every 0.2 --timeout 0.5 -- \
     $MACHINS guard --every 0.2 --timeout 0.5 -- ./job",
    LENT,
    7
)]
// The terminal is not lent to the command, so that Ctrl-Z stops the pipeline with guard in it.
#[case::in_a_pipeline("$MACHINS guard --every 0.2 --timeout 0.5 -- ./job </dev/tty | cat", "", 0)]
fn a_suspended_job_goes_on_when_it_may(
    #[case] guard: &str,
    #[case] begins: &str,
    #[case] code: i32,
) {
    if !is_installed("bash") {
        return;
    }
    let world = World::interactive();
    world.job(&format!("{begins}\n{JOB}"));
    let ran = world.types(&[
        (PROMPT, &format!("{guard}\n")),
        ("up-2", "\u{1a}"),
        ("Stopped", "sleep 4; echo slept-$((1+1))\n"),
        ("slept-2", "touch go-on; fg\n"),
        ("asking-2", "word\n"),
        ("got-word", "exit $?\n"),
    ]);
    assert!(ran.stdout.contains("got-word"), "{}", ran.stdout);
    ran.exits(code);
}

#[test]
fn a_suspended_job_ends_when_it_may_not_go_on() {
    if !is_installed("bash") {
        return;
    }
    let world = World::interactive();
    world.job(&format!(
        "{LENT}; trap 'echo went-on-$((1+1))' CONT; echo up-$((1+1)); while :; do sleep 0.05; done"
    ));
    let ran = world.types(&[
        (PROMPT, "$MACHINS guard --every 60 -- ./job\n"),
        ("up-2", "\u{1a}"),
        ("Stopped", "$MACHINS revoke agent-01; echo revoked-$((1+1))\n"),
        ("revoked-2", "fg; echo status-$?\n"),
        ("status-3", "exit\n"),
    ]);
    assert!(!ran.stdout.contains("went-on-2"), "{}", ran.stdout);
    let denials = ran.stdout.matches("guard: denied (DEVICE_REVOKED)").count();
    assert_eq!(denials, 1, "{}", ran.stdout);
}

#[test]
fn ctrl_z_stops_processes_that_have_left_the_group() {
    if !is_installed("bash") {
        return;
    }
    let world = World::interactive();
    world.job(&format!(
        "{LENT}; setsid sh -c 'while :; do echo x >> ticks; sleep 0.02; done' &
         while [ ! -e ticks ]; do sleep 0.05; done; echo up-$((1+1)); wait"
    ));
    let lines = "$(wc -l < ticks)";
    let compare = format!(
        "sleep 1; a={lines}; sleep 1; [ $a = {lines} ] && echo still-$((2+2)) || echo ticks-$((2+2))\n"
    );
    let ran = world.types(&[
        (PROMPT, &format!("{GUARD}\n")),
        ("up-2", "\u{1a}"),
        ("Stopped", &compare),
        ("-4", "kill -KILL $(jobs -p); disown -a; exit\n"),
    ]);
    assert!(ran.stdout.contains("still-4"), "{}", ran.stdout);
}

#[rstest]
#[case::denied("$MACHINS revoke agent-01; exec sleep 600", 3)]
#[case::ended_by_itself("exit 9", 9)]
#[case::killed("kill -KILL $$", 137)]
fn the_terminal_is_as_it_was(#[case] script: &str, #[case] code: i32) {
    let world = World::new();
    world.job(&format!("stty raw -echo; {script}"));
    let line = "before=$(stty -g); $MACHINS guard --every 0.1 --pass-org-key -- ./job; status=$?
        [ $before = $(stty -g) ] && echo same; exit $status";
    let ran = on_a_terminal(&world.home, line, &[]).exits(code);
    assert!(ran.stdout.contains("same"), "{}", ran.stdout);
}

/// Its command has a terminal, so that guard is in the background when it writes.
#[test]
fn a_terminal_that_stops_background_output_costs_nothing() {
    let world = World::new();
    world.job("echo up; $MACHINS revoke agent-01; exec sleep 600");
    let line = "stty tostop; $MACHINS guard -vv --pass-org-key --every 0.1 -- ./job";
    on_a_terminal(&world.home, line, &[]).exits(3);
}
