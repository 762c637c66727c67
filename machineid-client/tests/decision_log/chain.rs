//! The chain: any change is found, and named.

use std::fs;

use machineid_client::decision_log::{LogError, Problem, Record, Verifier};
use machineid_client::{DecisionCode, DeviceId};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;

use crate::{Folder, record};

const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What is wrong with a log that has these lines, and in which line.
#[track_caller]
fn problem(folder: &Folder, text: &[u8]) -> (u64, Problem) {
    fs::write(folder.file(), text).unwrap();
    match Verifier::new(folder.file()).verify() {
        Err(LogError::Broken { line, problem, .. }) => (line, problem),
        other => panic!("{other:?}: {}", String::from_utf8_lossy(text)),
    }
}

fn joined(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into()
}

#[test]
fn a_line_has_its_fields_in_order_and_the_hash_of_its_text() {
    let (folder, hashes) = Folder::filled(2);
    let text = folder.text();
    let lines: Vec<&str> = text.lines().collect();
    let values: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names = "time device allowed code request_id asked_by followed previous_hash hash";
    let mut at = 0;
    for name in names.split(' ') {
        let found = lines[1].find(&format!("\"{name}\":")).unwrap();
        assert!(found >= at, "{name}: {}", lines[1]);
        at = found;
    }
    assert_eq!(values[1]["device"], "agent-01");
    assert_eq!((&values[1]["allowed"], &values[1]["code"]), (&true.into(), &"ALLOW".into()));
    assert_eq!(values[1]["request_id"], "req-1");
    assert_eq!(
        (&values[1]["asked_by"], &values[1]["followed"]),
        (&"gate".into(), &"permitted".into())
    );
    assert_eq!(
        (&values[0]["previous_hash"], &values[1]["previous_hash"]),
        (&NO_HASH.into(), &values[0]["hash"])
    );
    assert_eq!(values[1]["hash"], *hashes[1]);
    assert!(values[1]["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn text_from_the_network_is_bounded_and_harmless() {
    let folder = Folder::new();
    let hostile = "\"},{\u{1b}[2J\u{202e}\n\\".repeat(1_000);
    let device = DeviceId::new(&"d".repeat(128)).unwrap();
    let code = DecisionCode::from(hostile.as_str());
    let record = Record::new(Some(&device), &code, Some(&hostile), &hostile);
    folder.log().asked_by(&hostile).append(&record).unwrap();
    let text = folder.text();
    assert_eq!(text.lines().count(), 1);
    assert!(
        text.len() < 8 * 1024
            && text.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}')
    );
    let entry = &folder.entries()[0];
    assert!(!entry.allowed && entry.request_id.as_ref().unwrap().starts_with("\"},{ [2J"));
    assert_eq!(folder.count(), 1);
}

#[test]
fn a_removed_line_is_named() {
    let (folder, _) = Folder::filled(4);
    let text = folder.text();
    let lines: Vec<&str> = text.lines().collect();
    let without = |at: usize| joined(&[&lines[..at], &lines[at + 1..]].concat());
    assert_eq!(problem(&folder, &without(1)), (2, Problem::OutOfOrder));
    assert_eq!(problem(&folder, &without(2)), (3, Problem::OutOfOrder));
    let (line, first) = problem(&folder, &without(0));
    assert!(line == 1 && matches!(first, Problem::NoBeginning(_)), "{first:?}");
}

#[test]
fn a_changed_line_is_named() {
    let (folder, _) = Folder::filled(3);
    let text = folder.text();
    let changed = text.replacen("req-1", "req-9", 1);
    assert_eq!(problem(&folder, changed.as_bytes()), (2, Problem::Changed));
    let garbage = text.replacen("{\"time", "{\"tame", 2);
    let (line, malformed) = problem(&folder, garbage.as_bytes());
    assert!(line == 1 && matches!(malformed, Problem::Malformed(_)), "{malformed:?}");
}

/// A line that has a right hash of its own, but whose change every later hash contradicts.
#[test]
fn a_line_that_was_written_anew_is_found_at_the_next() {
    let (folder, _) = Folder::filled(3);
    let (other, _) = Folder::filled(3);
    let (text, other) = (folder.text(), other.text());
    let lines: Vec<&str> = text.lines().collect();
    let foreign: Vec<&str> = other.lines().collect();
    let mixed = joined(&[foreign[0], lines[1], lines[2]]);
    assert_eq!(problem(&folder, &mixed), (2, Problem::OutOfOrder));
}

#[test]
fn a_cut_tail_is_found_by_the_expected_hash() {
    let (folder, hashes) = Folder::filled(4);
    let text = folder.text();
    for (at, hash) in hashes.iter().enumerate() {
        let kept: Vec<&str> = text.lines().take(at).collect();
        fs::write(folder.file(), joined(&kept)).unwrap();
        let verifier = Verifier::new(folder.file());
        assert_eq!(verifier.verify().unwrap().entries, at as u64);
        let error = verifier.expect(hash).verify().unwrap_err();
        let is_cut = matches!(error, LogError::Broken { problem: Problem::CutOff, line, .. } if line == at as u64);
        assert!(is_cut, "{error}");
    }
    fs::write(folder.file(), text).unwrap();
    for hash in &hashes {
        let expected = Verifier::new(folder.file()).expect(&hash.to_uppercase());
        assert_eq!(expected.verify().unwrap().head, *hashes.last().unwrap());
    }
}

/// What is done to a log.
#[derive(Debug, Clone)]
enum Change {
    Byte(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, String),
    Erase(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1_u8..).prop_map(|(at, by)| Change::Byte(at, by)),
        index().prop_map(Change::Remove),
        (index(), index()).prop_map(|(one, other)| Change::Swap(one, other)),
        (index(), index()).prop_map(|(line, at)| Change::Repeat(line, at)),
        (index(), ".{0,40}").prop_map(|(at, line)| Change::Insert(at, line)),
        index().prop_map(Change::Erase),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// All but the removal of the last line, which only an expected hash shows.
    #[test]
    fn any_single_change_is_found(change in change()) {
        const LINES: usize = 6;
        let (folder, hashes) = Folder::filled(LINES);
        let before = folder.text();
        let mut lines: Vec<&str> = before.lines().collect();
        let mut bytes = before.clone().into_bytes();
        let text = match &change {
            Change::Byte(at, by) => {
                let at = at.index(bytes.len());
                bytes[at] ^= by;
                bytes
            }
            Change::Erase(at) => {
                bytes.remove(at.index(bytes.len()));
                bytes
            }
            Change::Remove(at) => {
                lines.remove(at.index(LINES));
                joined(&lines)
            }
            Change::Swap(one, other) => {
                lines.swap(one.index(LINES), other.index(LINES));
                joined(&lines)
            }
            Change::Repeat(line, at) => {
                lines.insert(at.index(LINES + 1), lines[line.index(LINES)]);
                joined(&lines)
            }
            Change::Insert(at, line) => {
                lines.insert(at.index(LINES + 1), line);
                joined(&lines)
            }
        };
        prop_assume!(text != before.as_bytes());
        fs::write(folder.file(), &text).unwrap();
        let verifier = Verifier::new(folder.file()).expect(&hashes[LINES - 1]);
        let verified = verifier.verify();
        prop_assert!(verified.is_err(), "{change:?}: {verified:?}");
        let is_last = matches!(&change, Change::Remove(at) if at.index(LINES) == LINES - 1);
        if !is_last {
            prop_assert!(Verifier::new(folder.file()).verify().is_err(), "{change:?}");
        }
    }
}

#[rstest]
#[case::empty(0)]
#[case::one_line(1)]
fn short_logs_verify(#[case] lines: usize) {
    let (folder, hashes) = Folder::filled(lines);
    if lines == 0 {
        fs::write(folder.file(), "").unwrap();
    }
    folder.log().check().unwrap();
    let verified = Verifier::new(folder.file()).verify().unwrap();
    assert_eq!(verified.entries, lines as u64);
    assert_eq!(verified.head, hashes.last().map_or(NO_HASH, |hash| hash));
    folder.log().append(&record("next")).unwrap();
    assert_eq!(folder.count(), lines as u64 + 1);
}
