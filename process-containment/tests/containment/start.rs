//! How a job starts, or does not and why.

use std::fs;
use std::process::Command;

use rstest::rstest;

use crate::harness::{Caller, Setting, Spawned, is_root, public_directory, write_script};

#[rstest]
fn a_command_that_can_not_be_run_is_told_apart(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser, Setting::PidNamespace)]
    setting: Setting,
) {
    let directory = public_directory();
    let text = directory.path().join("text");
    fs::write(&text, "text").unwrap();
    let text = text.to_str().unwrap();
    for (flags, program, expected) in [
        (&[][..], "/no/such/program", "NotFound"),
        (&[], text, "NotExecutable"),
        (&[], "/", "NotExecutable"),
        (&["--directory", "/no/such/directory"], "true", "CurrentDir"),
        (&["--directory", text], "true", "CurrentDir"),
    ] {
        let line = Caller::fails(setting, flags, &[program]);
        assert!(line.starts_with(&format!("error {expected} ")), "{program}: {line}");
    }
}

#[test]
fn what_is_in_force_is_reported() {
    let in_force = |setting, flags: &[&str]| {
        let mut caller = Caller::start(setting, flags, "exit 0");
        caller.ends();
        caller.containment.clone()
    };
    assert_eq!(in_force(Setting::PidNamespace, &[]), "pidns");
    if is_root() {
        assert_eq!(in_force(Setting::WithoutCgroup, &[]), "tree");
        assert_eq!(in_force(Setting::OrdinaryUser, &[]), "tree");
    }
    for demanded in ["auto", "group", "tree"] {
        let containment = in_force(Setting::WithoutCgroup, &["--containment", demanded]);
        assert!(["tree", "cgroup"].contains(&containment.as_str()), "{containment}");
    }
}

#[test]
fn a_demand_that_can_not_be_met_starts_nothing() {
    if !is_root() {
        eprintln!("not tested: needs root to take away the cgroups");
        return;
    }
    let demand = ["--containment", "cgroup"];
    let line = Caller::fails(Setting::WithoutCgroup, &demand, &["sh", "-c", "echo started"]);
    assert!(line.starts_with("error Unavailable "), "{line}");
    let line = Caller::fails(Setting::OrdinaryUser, &demand, &["sh", "-c", "echo started"]);
    assert!(line.starts_with("error Unavailable "), "{line}");
}

#[test]
fn without_proc_nothing_starts() {
    if !is_root() {
        eprintln!("not tested: needs root to take away /proc");
        return;
    }
    for prelude in [
        r#"exec unshare --mount sh -c 'umount -l /proc; exec "$@"' sh "$@""#,
        // One that is another PID namespace's.
        r#"exec unshare --pid --fork "$@""#,
    ] {
        let Spawned::Failed(line) = Caller::after(prelude, &[], &["true"]) else {
            panic!("it was started")
        };
        assert!(line.starts_with("error NoProc "), "{line}");
    }
}

/// Either it works, or the error says that the containment could not be set up. The command is never
/// blamed, and nothing is left.
#[test]
fn few_descriptors_are_never_the_commands_fault() {
    let mut started = 0;
    // With fewer the caller's own program does not load.
    for limit in 4..24 {
        let prelude = format!(r#"ulimit -n {limit}; exec "$@""#);
        match Caller::after(&prelude, &[], &["true"]) {
            Spawned::Started(caller) => {
                started += 1;
                assert!(caller.reports("ended").starts_with("Exited"), "limit {limit}");
            }
            Spawned::Failed(line) => {
                let kind = line.split(' ').nth(1).unwrap_or_default();
                assert!(["Caller", "Setup", "KeeperLost"].contains(&kind), "limit {limit}: {line}");
            }
        }
    }
    assert!(started > 5, "{started}");
}

#[test]
fn ignored_signals_stay_ignored_and_others_do_not() {
    let prelude = r#"trap '' HUP USR2; exec "$@""#;
    let script = "kill -HUP $$; kill -USR2 $$; echo alive; kill -USR1 $$; echo alive still";
    let Spawned::Started(mut caller) = Caller::after(prelude, &[], &["sh", "-c", script]) else {
        panic!("it was not started")
    };
    caller.prints("alive");
    assert_eq!(caller.ends(), "Exited Some(10)");
}

#[test]
fn a_caller_that_ignores_its_children_still_learns_the_status() {
    let prelude = r#"trap '' CHLD; exec "$@""#;
    let Spawned::Started(mut caller) = Caller::after(prelude, &[], &["sh", "-c", "exit 3"]) else {
        panic!("it was not started")
    };
    assert_eq!(caller.ends(), "Exited Some(768)");
}

#[test]
fn the_command_has_the_callers_environment_and_directory() {
    let directory = public_directory();
    let script = write_script(directory.path(), "script", "#!/bin/sh\npwd; echo $HELLO\n");
    let prelude = format!(r#"cd {}; HELLO=world exec "$@""#, directory.path().display());
    let program = script.to_str().unwrap();
    let Spawned::Started(mut caller) = Caller::after(&prelude, &[], &[program]) else {
        panic!("it was not started")
    };
    caller.prints(directory.path().to_str().unwrap());
    caller.prints("world");
    caller.ends();
}

#[test]
fn large_and_odd_arguments_arrive() {
    let long = "x".repeat(100_000);
    let odd = "ä \" \\ \t $HOME '";
    let script = "for argument; do echo ${#argument}; done; printf '%s\\n' \"$1\"";
    let mut program = vec!["bash", "-c", script, "bash", odd];
    program.extend([long.as_str(); 10]);
    let mut caller = Caller::start_program(Setting::Plain, &[], &program);
    caller.next_output();
    for _ in 0..10 {
        caller.prints("100000");
    }
    caller.prints(odd);
    caller.ends();
}

/// Neither descriptors of the caller nor of the keeper.
#[rstest]
fn the_command_has_no_more_descriptors_than_elsewhere(
    #[values(Setting::Plain, Setting::PidNamespace)] setting: Setting,
) {
    let program = ["ls", "/proc/self/fd"];
    let elsewhere = Command::new(program[0]).arg(program[1]).output().unwrap().stdout;
    let mut caller = Caller::start_program(setting, &[], &program);
    for fd in String::from_utf8(elsewhere).unwrap().lines() {
        caller.prints(fd);
    }
    caller.ends();
}

#[test]
fn a_broken_pipe_ends_a_command_as_elsewhere() {
    let script = "exec bash -c 'yes | head -n 1; echo ${PIPESTATUS[0]}'";
    let mut caller = Caller::start(Setting::Plain, &[], script);
    caller.prints("y");
    caller.prints("141");
    caller.ends();
}

#[test]
fn the_command_leads_a_group_of_its_own() {
    let script = "cut -d' ' -f1,5 /proc/self/stat; cut -d' ' -f1,5 /proc/$$/stat";
    let mut caller = Caller::start(Setting::Plain, &[], script);
    let child = caller.next_output();
    assert!(child.ends_with(&format!(" {}", caller.pid)), "{child}");
    caller.prints(&format!("{0} {0}", caller.pid));
    caller.ends();
}

/// As in a container: the caller is the first process of its PID namespace.
#[test]
fn a_caller_can_be_process_one() {
    if !is_root() {
        eprintln!("not tested: needs root to make a PID namespace");
        return;
    }
    let script = "setsid sh -c 'echo ready; exec sleep 600' & (sleep 600 &); echo ready; exit 3";
    let prelude = r#"exec unshare --pid --fork --mount-proc --kill-child "$@""#;
    let flags = ["--leftover-grace", "0"];
    let Spawned::Started(caller) = Caller::after(prelude, &flags, &["sh", "-c", script]) else {
        panic!("it was not started")
    };
    assert_eq!(caller.reports("exited"), "768");
    assert_eq!(caller.reports("ended"), "Exited Some(768)");
}

/// `/proc` shows the user nothing of other users' processes, nor of own ones that can't be traced.
#[test]
fn hidden_processes_are_held() {
    if !is_root() {
        eprintln!("not tested: needs root to mount /proc");
        return;
    }
    let prelude = r#"exec unshare --mount sh -c '
        mount -t proc -o hidepid=2 proc /proc
        exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"' sh "$@""#;
    let script = "setsid sh -c 'echo ready; exec sleep 600' & (sleep 600 &); wait";
    let Spawned::Started(mut caller) = Caller::after(prelude, &[], &["sh", "-c", script]) else {
        panic!("it was not started")
    };
    caller.prints("ready");
    caller.order("kill");
    assert_eq!(caller.ends(), "Requested Some(9)");
}

#[rstest]
#[case::inherited(&["--block", "20"], true)]
#[case::unblocked(&["--block", "20", "--unblock", "20"], false)]
#[cfg(target_os = "linux")]
fn a_signal_can_be_unblocked_for_the_command(#[case] flags: &[&str], #[case] blocked: bool) {
    let script = "while read -r name mask; do [ $name = SigBlk: ] && echo $mask; done \
                  </proc/self/status";
    let caller = Caller::start(Setting::Plain, flags, script);
    let mask = u64::from_str_radix(&caller.next_output(), 16).unwrap();
    assert_eq!(mask >> 19 & 1 == 1, blocked, "{mask:x}");
}
