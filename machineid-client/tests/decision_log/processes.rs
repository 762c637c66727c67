//! Many processes that write to one log, rename it and are killed.

use std::env;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use machineid_client::decision_log::{DecisionLog, LogError, Problem, Verifier};

use crate::{Folder, record};

const WRITERS: usize = 16;
const LINES: usize = 25;

/// The path of the log, for a process that this one started.
const FILE: &str = "DECISION_LOG_TEST_FILE";
/// How many lines it writes, and the limit of the file.
const COUNT: &str = "DECISION_LOG_TEST_LINES";
const LIMIT: &str = "DECISION_LOG_TEST_LIMIT";

/// A process that writes lines. It is this program, which runs only the test `a_writer`.
fn writer(folder: &Folder, count: usize, limit: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "processes::a_writer"])
        .env(FILE, folder.file())
        .env(COUNT, count.to_string())
        .env(LIMIT, limit.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Writes lines if another test has started this process.
#[test]
fn a_writer() {
    let Some(path) = env::var_os(FILE) else { return };
    let number = |name| env::var(name).unwrap().parse::<u64>().unwrap();
    let log = DecisionLog::new(path).max_bytes(number(LIMIT));
    for n in 0..number(COUNT) {
        log.append(&record(&format!("{}-{n}", std::process::id()))).unwrap();
    }
}

fn wait(writers: Vec<Child>) {
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
}

/// Every writer's lines are there, in its order.
fn is_complete(folder: &Folder) {
    assert_eq!(folder.count(), (WRITERS * LINES) as u64);
    let mut next = std::collections::HashMap::new();
    for entry in folder.entries() {
        let id = entry.request_id.unwrap();
        let (writer, n) = id.split_once('-').unwrap();
        let expected = next.entry(writer.to_owned()).or_insert(0);
        assert_eq!(n.parse::<usize>().unwrap(), *expected);
        *expected += 1;
    }
    assert_eq!(next.len(), WRITERS);
}

#[test]
fn many_processes_write_one_chain() {
    let folder = Folder::new();
    wait((0..WRITERS).map(|_| writer(&folder, LINES, u64::MAX)).collect());
    is_complete(&folder);
}

#[test]
fn many_processes_continue_one_chain_in_new_files() {
    let folder = Folder::new();
    wait((0..WRITERS).map(|_| writer(&folder, LINES, 10_000)).collect());
    is_complete(&folder);
    assert!(fs::read_dir(folder.path()).unwrap().count() > 5);
}

#[test]
fn a_log_that_is_renamed_while_it_is_written_is_one_chain() {
    let folder = Folder::new();
    let mut writers: Vec<_> = (0..WRITERS).map(|_| writer(&folder, LINES, u64::MAX)).collect();
    let mut rotations = 0;
    while writers.iter_mut().any(|writer| writer.try_wait().unwrap().is_none()) {
        let is_long = fs::metadata(folder.file()).is_ok_and(|file| file.len() > 8_000);
        if is_long {
            rotations += 1;
            let name = format!("decisions.jsonl.{rotations}");
            fs::rename(folder.file(), folder.path().join(name)).unwrap();
        }
        std::thread::yield_now();
    }
    wait(writers);
    // The last rename may have left no file for the next line.
    File::options().append(true).create(true).open(folder.file()).unwrap();
    is_complete(&folder);
    assert!(rotations > 3, "{rotations}");
}

#[test]
fn a_killed_writer_costs_at_most_its_last_line() {
    let folder = Folder::new();
    let mut least = 0;
    for round in 1..=20 {
        let mut writer = writer(&folder, usize::MAX, u64::MAX);
        let length = || fs::metadata(folder.file()).map_or(0, |file| file.len());
        let enough = length() + 100 * round;
        while length() < enough {
            std::thread::yield_now();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        match Verifier::new(folder.file()).verify() {
            Ok(_) | Err(LogError::Broken { problem: Problem::Unfinished, .. }) => {}
            Err(error) => panic!("{error}"),
        }
        folder.log().append(&record("after the kill")).unwrap();
        let count = folder.count();
        assert!(count > least);
        least = count;
    }
}
