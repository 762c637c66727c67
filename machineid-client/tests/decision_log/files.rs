//! The file: torn by crashes, renamed by others, and never another one.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use machineid_client::decision_log::{LogError, Problem, Verifier};
use rstest::rstest;

use crate::{Folder, record};

#[test]
fn an_unfinished_line_is_named_and_replaced_by_the_next() {
    let (folder, _) = Folder::filled(3);
    let text = folder.text();
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for cut in last + 1..text.len() - 1 {
        fs::write(folder.file(), &text[..cut]).unwrap();
        let error = Verifier::new(folder.file()).verify().unwrap_err();
        let LogError::Broken { line: 3, problem: Problem::Unfinished, .. } = error else {
            panic!("{cut}: {error}");
        };
        folder.log().append(&record("after the crash")).unwrap();
        assert_eq!(folder.count(), 3, "{cut}");
        let discarded = folder.entries()[2].discarded_bytes;
        assert_eq!(discarded, Some((cut - last) as u64));
    }
}

#[test]
fn a_line_that_lacks_only_its_line_break_is_kept() {
    let (folder, _) = Folder::filled(2);
    fs::write(folder.file(), folder.text().trim_end()).unwrap();
    folder.log().append(&record("after the crash")).unwrap();
    assert_eq!(folder.count(), 3);
    assert!(folder.entries().iter().all(|entry| entry.discarded_bytes.is_none()));
}

#[test]
fn an_unfinished_first_line_is_replaced() {
    let (folder, _) = Folder::filled(1);
    let text = folder.text();
    for cut in 1..text.len() - 1 {
        fs::write(folder.file(), &text[..cut]).unwrap();
        folder.log().append(&record("after the crash")).unwrap();
        assert_eq!(folder.count(), 1, "{cut}");
    }
}

#[test]
fn zeros_left_by_a_loss_of_power_are_replaced() {
    for lines in [0, 2] {
        let (folder, _) = Folder::filled(lines);
        let mut bytes = if lines > 0 { fs::read(folder.file()).unwrap() } else { Vec::new() };
        bytes.extend([0; 300]);
        fs::write(folder.file(), &bytes).unwrap();
        folder.log().append(&record("after the loss")).unwrap();
        assert_eq!(folder.count(), lines as u64 + 1);
        assert_eq!(folder.entries()[lines].discarded_bytes, Some(300));
    }
}

const FOREIGN: &str = "{\"time\":\"2026-03-01T12:00:00.000000Z\",\"level\":\"info\"}";

#[rstest]
#[case::text("root:x:0:0\n")]
#[case::no_line_break("precious")]
#[case::json("{\"precious\": true}\n")]
#[case::blank_line("\n")]
#[case::log_of_another_program(&format!("{FOREIGN}\n"))]
#[case::unfinished_log_of_another_program(FOREIGN)]
fn a_file_that_is_no_decision_log_is_left_alone(#[case] content: &str) {
    let folder = Folder::new();
    fs::write(folder.file(), content).unwrap();
    let errors =
        [folder.log().append(&record("r")).unwrap_err(), folder.log().check().unwrap_err()];
    for error in errors {
        assert!(matches!(error, LogError::NotALog { .. }), "{error}");
        assert!(error.to_string().contains("decisions.jsonl is not a decision log"), "{error}");
    }
    assert_eq!(folder.text(), content);
}

#[test]
fn a_log_followed_by_other_text_is_left_alone() {
    let (folder, _) = Folder::filled(1);
    let text = folder.text() + "appended by hand\n";
    fs::write(folder.file(), &text).unwrap();
    let error = folder.log().append(&record("r")).unwrap_err();
    assert!(matches!(error, LogError::NotALog { .. }), "{error}");
    assert_eq!(folder.text(), text);
}

#[test]
fn a_missing_folder_is_an_error() {
    let folder = Folder::new();
    let path = folder.path().join("missing/decisions.jsonl");
    let log = machineid_client::decision_log::DecisionLog::new(&path);
    assert!(matches!(log.append(&record("r")), Err(LogError::Io { .. })));
    assert!(log.check().is_ok(), "there is no other content");
    assert!(matches!(Verifier::new(path).verify(), Err(LogError::Io { .. })));
}

#[test]
fn the_wait_for_a_lock_has_a_limit() {
    let (folder, _) = Folder::filled(1);
    let holder = File::open(folder.file()).unwrap();
    holder.lock().unwrap();
    let start = Instant::now();
    assert!(matches!(folder.log().append(&record("r")), Err(LogError::Locked { .. })));
    assert!(start.elapsed().as_secs() < 10);
    holder.unlock().unwrap();
    folder.log().append(&record("r")).unwrap();
    assert_eq!(folder.count(), 2);
}

/// The names of the files in the folder, in order.
fn names(folder: &Folder) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn rename(folder: &Folder, to: &str) {
    fs::rename(folder.file(), folder.path().join(to)).unwrap();
}

#[rstest]
#[case::logrotate("decisions.jsonl.1", "decisions.jsonl.2")]
#[case::with_date("decisions.jsonl-20260302", "decisions.jsonl-20260301")]
fn a_renamed_log_is_continued(#[case] newer: &str, #[case] older: &str) {
    let (folder, first) = Folder::filled(3);
    rename(&folder, older);
    let log = folder.log();
    let second = log.append(&record("second")).unwrap();
    rename(&folder, newer);
    // A log of its own, and one that is empty, are not continued.
    fs::write(folder.path().join("decisions.jsonl.empty"), "").unwrap();
    fs::write(folder.path().join("decisions.jsonl.gz"), "no log").unwrap();
    fs::write(folder.file(), "").unwrap();
    let third = log.append(&record("third")).unwrap();

    let verified = Verifier::new(folder.file()).verify().unwrap();
    assert_eq!((verified.entries, &verified.head), (5, &third));
    let files: Vec<_> =
        verified.files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(files, [older, newer, "decisions.jsonl"]);
    assert_eq!(folder.entries().len(), 5);
    for hash in [&first[0], &second, &third] {
        assert!(Verifier::new(folder.file()).expect(hash).verify().is_ok());
    }

    let removed = folder.path().join(older);
    let kept = fs::read(&removed).unwrap();
    fs::remove_file(&removed).unwrap();
    let error = Verifier::new(folder.file()).verify().unwrap_err();
    let LogError::Broken { path, line: 1, problem: Problem::NoBeginning(hash) } = error else {
        panic!("{error}");
    };
    assert_eq!((path, &hash), (folder.path().join(newer), &first[2]));
    assert_eq!(Verifier::new(folder.file()).after(&hash).verify().unwrap().entries, 2);

    // The end of an old file cannot be cut off either.
    let line = kept.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(&removed, &kept[..line]).unwrap();
    assert!(Verifier::new(folder.file()).verify().is_err());
}

#[test]
fn a_log_that_is_copied_and_emptied_is_continued() {
    let (folder, _) = Folder::filled(2);
    fs::copy(folder.file(), folder.path().join("decisions.jsonl.1")).unwrap();
    fs::write(folder.file(), "").unwrap();
    folder.log().append(&record("next")).unwrap();
    assert_eq!(folder.count(), 3);
}

#[test]
fn a_file_does_not_exceed_its_limit() {
    const LIMIT: u64 = 1_500;
    let folder = Folder::new();
    let log = folder.log().max_bytes(LIMIT);
    for n in 0..20 {
        log.append(&record(&format!("req-{n}"))).unwrap();
    }
    assert_eq!(folder.count(), 20);
    let names = names(&folder);
    assert!(names.len() >= 5, "{names:?}");
    for name in &names {
        assert!(name.starts_with("decisions.jsonl"), "{names:?}");
        assert!(fs::metadata(folder.path().join(name)).unwrap().len() <= LIMIT);
    }
    let ids: Vec<_> = folder.entries().into_iter().filter_map(|entry| entry.request_id).collect();
    assert_eq!(ids, (0..20).map(|n| format!("req-{n}")).collect::<Vec<_>>());
}

#[test]
fn a_limit_below_one_line_still_keeps_every_line() {
    let folder = Folder::new();
    let log = folder.log().max_bytes(1);
    for n in 0..3 {
        log.append(&record(&format!("req-{n}"))).unwrap();
    }
    assert_eq!((folder.count(), names(&folder).len()), (3, 3));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_can_read_the_log() {
        let folder = Folder::new();
        let log = folder.log().max_bytes(1);
        log.append(&record("r")).unwrap();
        log.append(&record("r")).unwrap();
        for name in names(&folder) {
            assert_eq!(mode(&folder.path().join(name)), 0o600);
        }
    }

    #[test]
    fn a_link_leads_to_a_log_and_to_nothing_else() {
        let (folder, _) = Folder::filled(1);
        let real = folder.path().join("real.jsonl");
        fs::rename(folder.file(), &real).unwrap();
        symlink(&real, folder.file()).unwrap();
        let log = folder.log().max_bytes(1);
        log.append(&record("r")).unwrap();
        assert!(fs::symlink_metadata(folder.file()).unwrap().is_symlink());
        assert_eq!(Verifier::new(&real).verify().unwrap().entries, 2);

        for content in ["precious", ""] {
            let target = folder.path().join("target");
            fs::write(&target, content).unwrap();
            let link = folder.path().join(format!("to-{}", content.len()));
            symlink(&target, &link).unwrap();
            let log = machineid_client::decision_log::DecisionLog::new(&link);
            let error = log.append(&record("r")).unwrap_err();
            assert!(matches!(error, LogError::NotALog { .. }), "{error}");
            assert!(matches!(log.check(), Err(LogError::NotALog { .. })));
            assert_eq!(fs::read_to_string(target).unwrap(), content);
        }
    }

    #[test]
    fn a_broken_link_creates_nothing() {
        let folder = Folder::new();
        let target = folder.path().join("elsewhere");
        symlink(&target, folder.file()).unwrap();
        assert!(matches!(folder.log().append(&record("r")), Err(LogError::Io { .. })));
        assert!(!target.exists());
    }

    #[rstest]
    #[case::full_device("/dev/full")]
    #[case::folder("/tmp")]
    fn a_file_that_is_not_regular_is_refused(#[case] path: &str) {
        let log = machineid_client::decision_log::DecisionLog::new(path);
        let error = log.append(&record("r")).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}
