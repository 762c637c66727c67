//! The config file: nothing lost, nobody let in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Instant;

use machins_mock::Plan;
use machins_mock::blocking::MockServer;
use rstest::rstest;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::home::{Home, Ran, full_size, mode};

#[test]
fn unknown_settings_are_kept_in_their_order() {
    let home = Home::new();
    home.write_config(r#"{"zeta": [1, 2.5], "api_key": "at_1", "machineid": {"later": {}}}"#);
    home.run(&["config", "set", "machineid.device_id", "agent-01"]).exits(0);
    home.run(&["config", "set", "api_key", ""]).exits(0);
    assert_data_eq!(
        home.read_config(),
        str![[r#"
{
  "zeta": [
    1,
    2.5
  ],
  "machineid": {
    "later": {},
    "device_id": "agent-01"
  }
}

"#]]
    );
}

#[test]
fn a_locked_file_is_waited_for_within_the_time_limit() {
    let home = Home::new();
    home.run(SET).exits(0);
    let lock = fs::File::open(home.config().with_extension("json.lock")).unwrap();
    lock.lock().unwrap();
    let ran = home.run(&[SET, &["--timeout", "0.1"]].concat()).exits(4);
    assert!(
        ran.stderr.contains("is locked: another process has been writing it for 0.1 s"),
        "{ran:?}"
    );
}

#[test]
fn a_folder_that_a_link_leads_to_keeps_its_mode() {
    let home = Home::new();
    home.run(SET).exits(0);
    let files = home.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::set_permissions(&files, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(home.config(), files.join("machins.json")).unwrap();
    std::os::unix::fs::symlink("../files/machins.json", home.config()).unwrap();
    home.run(SET).exits(0);
    assert_eq!(mode(&files), 0o755);
    assert_eq!(mode(home.config().parent().unwrap()), 0o700);
}

const CORRUPT: &str = "{\"api_key\": \"at_1\"";
const SET: &[&str] = &["config", "set", "machineid.device_id", "agent-01"];

#[rstest]
#[case::config_show(CORRUPT, &["config", "show"])]
#[case::devices(CORRUPT, &["devices"])]
#[case::validate(CORRUPT, &["validate", "agent-01"])]
#[case::guard(CORRUPT, &["guard", "--device", "agent-01", "--", "true"])]
#[case::org_create(CORRUPT, &["org", "create", "--save"])]
#[case::cut_json(CORRUPT, SET)]
#[case::list("[]", SET)]
#[case::number_as_section("{\"machineid\": 1}", SET)]
#[case::nul("\u{0}", SET)]
fn a_corrupt_file_is_an_error_and_never_overwritten(
    #[case] text: &str,
    #[case] arguments: &[&str],
) {
    let home = Home::new().with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    home.write_config(text);
    let ran = home.run(&[&["--json"], arguments].concat()).exits(4);
    assert_eq!(ran.error()["kind"], "config");
    assert_eq!(home.read_config(), text);
}

#[rstest]
#[case::empty("")]
#[case::blank("\n")]
#[case::byte_order_mark("\u{feff}")]
#[case::byte_order_mark_and_settings("\u{feff}{}")]
fn an_empty_file_is_an_empty_config(#[case] text: &str) {
    let home = Home::new();
    home.write_config(text);
    assert_eq!(home.run(&["config", "show", "--json"]).exits(0).document(), json!({}));
    home.run(SET).exits(0);
    assert_eq!(home.run(&["config", "get", "machineid.device_id"]).stdout, "agent-01\n");
    assert!(home.read_config().starts_with('{'));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let home = Home::new();
    home.write_config("\u{feff}{\"agent_slug\": \"zoe\"}");
    assert_eq!(home.run(&["config", "get", "agent_slug"]).exits(0).stdout, "zoe\n");
}

#[test]
fn the_file_can_be_named_below_the_home() {
    let home = Home::new().with("MACHINS_CONFIG", "~/kept/machins.json");
    home.run(SET).exits(0);
    assert!(home.path().join("kept/machins.json").exists());
}

/// A server with a registered device, and a home in which all that `validate` needs is in the
/// environment.
fn all_in_the_environment() -> (MockServer, Home) {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org).with("MACHINEID_DEVICE_ID", "agent-01");
    home.run(&["register"]).exits(0);
    (server, home)
}

#[test]
fn an_unusable_file_matters_only_when_it_is_needed() {
    let (server, home) = all_in_the_environment();
    home.write_config(CORRUPT);
    let ran = home.run(&["validate"]).exits(0);
    assert!(ran.stderr.contains("is corrupt") && ran.stderr.contains("decision log"), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1);
    home.run(&["usage"]).exits(0);
    home.run(&["config", "show"]).exits(4);
    home.run(&["--profile", "ci", "validate"]).exits(4);
    let without_url = Home::new().with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    without_url.write_config(CORRUPT);
    without_url.run(&["validate", "agent-01"]).exits(4);
    drop(server);
}

#[test]
fn concurrent_writers_lose_nothing() {
    let home = Home::new();
    let rounds = if full_size() { 20 } else { 2 };
    thread::scope(|scope| {
        for writer in 0..16 {
            let home = &home;
            scope.spawn(move || {
                for round in 0..rounds {
                    let profile = format!("writer-{writer}-{round}");
                    let set = ["--profile", &profile, "config", "set", "machineid.device_id", "d"];
                    home.run(&set).exits(0);
                }
            });
        }
    });
    let document: Value = serde_json::from_str(&home.read_config()).unwrap();
    assert_eq!(document["profiles"].as_object().unwrap().len(), 16 * rounds);
}

#[test]
fn a_killed_writer_leaves_a_whole_file() {
    let home = Home::new();
    home.write_config(r#"{"api_key": "at_kept", "machineid": {"device_id": "first"}}"#);
    let start = Instant::now();
    home.run(&["-q", "config", "set", "machineid.device_id", "second"]).exits(0);
    let run = start.elapsed();
    let rounds = if full_size() { 200 } else { 40 };
    for round in 0..rounds {
        let value = format!("agent-{round}");
        let set = ["-q", "config", "set", "machineid.device_id", &value];
        let mut writer = home.machins(&set).spawn().unwrap();
        // Somewhere between the start and the end of a run.
        let moment = Instant::now() + run * round / rounds;
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let document: Value = serde_json::from_str(&home.read_config()).unwrap();
        assert_eq!(document["api_key"], "at_kept");
        assert!(document["machineid"]["device_id"].is_string());
    }
    home.run(&["config", "set", "machineid.device_id", "last"]).exits(0);
    assert_eq!(files(&home), ["config.json", "config.json.lock"]);
}

/// What is in the folder of the config file.
fn files(home: &Home) -> Vec<String> {
    let folder = fs::read_dir(home.config().parent().unwrap()).unwrap();
    let mut files: Vec<_> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

#[test]
fn secrets_come_from_stdin_and_are_masked() {
    const KEY: &str = "org_0123456789abcdef0123";
    let home = Home::new();
    let refused = home.run(&["config", "set", "machineid.org_key", KEY]).exits(2);
    assert!(!refused.stderr.contains(KEY), "{refused:?}");
    home.run_with_stdin(&["config", "set", "machineid.org_key", "-"], &format!("{KEY}\n")).exits(0);
    assert!(home.read_config().contains(KEY));
    for arguments in [
        &["config"][..],
        &["config", "show", "--json"],
        &["config", "explain"],
        &["config", "get", "machineid.org_key"],
    ] {
        let ran = home.run(arguments).exits(0);
        assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "{ran:?}");
        assert!(ran.stdout.contains("org_…0123"), "{ran:?}");
    }
    let revealed = home.run(&["config", "get", "machineid.org_key", "--reveal"]).exits(0);
    assert_eq!(revealed.stdout.trim(), KEY);
}

#[rstest]
#[case::device_id("machineid.device_id", "no spaces")]
#[case::machineid_url("machineid.base_url", "not a url")]
#[case::scheme("base_url", "ftp://example.com")]
#[case::unknown_key("colour", "red")]
fn invalid_values_are_refused(#[case] key: &str, #[case] value: &str) {
    let home = Home::new();
    home.run(&["config", "set", key, value]).exits(2);
    assert!(!home.config().exists());
}

#[rstest]
#[case::another_kind("at_wrong")]
#[case::empty("")]
fn invalid_keys_are_refused(#[case] key: &str) {
    let home = Home::new();
    home.run_with_stdin(&["config", "set", "machineid.org_key", "-"], key).exits(2);
    assert!(!home.config().exists());
}

#[test]
fn an_empty_home_is_not_the_current_folder() {
    let home = Home::new();
    let ran = Ran::from(home.machins(&["config", "path"]).env("HOME", "").output().unwrap());
    assert!(std::path::Path::new(ran.exits(0).stdout.trim()).is_absolute());
}

#[cfg(unix)]
#[test]
fn a_device_as_config_is_not_to_be_protected() {
    let ran = Home::new().with("MACHINS_CONFIG", "/dev/null").run(&["config", "explain"]).exits(0);
    assert_eq!(ran.stderr, "file: /dev/null\n");
}

#[test]
fn the_origin_of_each_value_is_explained() {
    let home = Home::new().with("MACHINEID_DEVICE_ID", "from-environment");
    home.write_config(
        r#"{"agent_slug": "zoe", "machineid": {"device_id": "from-file", "base_url": "http://localhost:1"},
            "profiles": {"ci": {"machineid": {"org_key": "org_0123456789abcdef"}}}}"#,
    );
    let ran = home
        .run(&["--profile", "ci", "--base-url", "http://localhost:2", "config", "explain"])
        .exits(0);
    assert_data_eq!(
        ran.stdout,
        str![[r"
SETTING                           VALUE               FROM
api_key                           not set
agent_id                          not set
agent_slug                        zoe                 file
base_url                          http://localhost:2  flag --base-url
store                             not set
machineid.org_key                 org_…cdef           profile ci
machineid.device_id               from-environment    environment MACHINEID_DEVICE_ID
machineid.base_url                http://localhost:1  file
machineid.decision_log            not set
machineid.decision_log_max_bytes  not set
machineid.decision_log_required   not set
owner.token                       not set
policy.read_only                  not set
policy.max_per_trade              not set
policy.max_per_day                not set
policy.max_per_month              not set
policy.max_in_escrow              not set
policy.max_per_seller             not set
policy.allow_sellers              not set
policy.deny_sellers               not set
policy.allow_tags                 not set
policy.deny_tags                  not set
policy.min_reputation             not set
policy.require_verified           not set
policy.approval_above             not set

"]]
    );
    let get = home.run(&["config", "get", "machineid.device_id"]).exits(0);
    assert_eq!(get.stdout, "from-environment\n");
}

#[test]
fn an_unknown_profile_is_an_error_that_names_the_others() {
    let home = Home::new();
    home.write_config(r#"{"profiles": {"ci": {}, "prod": {}}}"#);
    let ran = home.run(&["--profile", "pord", "--json", "devices"]).exits(4);
    let message = ran.error()["message"].to_string();
    assert!(message.contains("ci, prod"), "{message}");
    home.run(&["--profile", "pord", "config", "explain"]).exits(4);
}

#[test]
fn the_environment_can_name_another_file() {
    let home = Home::new().with("MACHINS_CONFIG", "elsewhere/machins.json");
    home.run(&["config", "set", "agent_slug", "zoe"]).exits(0);
    assert!(!home.config().exists());
    let text = fs::read_to_string(home.path().join("elsewhere/machins.json")).unwrap();
    assert!(text.contains("zoe"));
    assert_eq!(home.run(&["config", "path"]).stdout, "elsewhere/machins.json\n");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, chown, symlink};
    use std::os::unix::process::CommandExt;
    use std::path::Path;

    use super::*;
    use crate::home::{Ran, copy_program, mode, set_mode};

    #[test]
    fn the_file_is_readable_by_its_owner_only() {
        let home = Home::new();
        home.run(&["config", "set", "agent_slug", "zoe"]).exits(0);
        assert_eq!(mode(home.config().parent().unwrap()), 0o700);
        for file in ["config.json", "config.json.lock"] {
            assert_eq!(mode(&home.config().with_file_name(file)), 0o600);
        }
    }

    /// Files may not grow beyond nothing: the first byte of a temporary file kills its writer.
    #[test]
    fn temporary_files_are_readable_by_their_owner_only() {
        let home = Home::new();
        let script = r#"umask 0; ulimit -c 0; ulimit -f 0; exec "$0" config set agent_slug zoe"#;
        let killed = home.run_program("sh", &["-c", script, env!("CARGO_BIN_EXE_machins")], "");
        assert_eq!(killed.code, None, "{killed:?}");
        assert_eq!(mode(home.config().parent().unwrap()), 0o700);
        let left = files(&home);
        assert!(left.iter().any(|name| name.starts_with(".config.json.tmp-")), "{left:?}");
        for name in left {
            assert_eq!(mode(&home.config().with_file_name(&name)), 0o600, "{name}");
        }
    }

    #[rstest]
    #[case::pipe("pipe")]
    #[case::device("/dev/zero")]
    fn what_is_no_regular_file_is_not_read(#[case] path: &str) {
        let home = Home::new().with("MACHINS_CONFIG", path);
        assert!(home.command("mkfifo").arg("pipe").status().unwrap().success());
        set_mode(&home.path().join("pipe"), 0o600);
        for arguments in [&["config", "get", "agent_slug"][..], SET] {
            let ran = home.run(arguments).exits(4);
            assert!(ran.stderr.contains("regular file") || ran.stderr.contains("not trusted"));
        }
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_not_followed() {
        let home = Home::new();
        home.write_config("{}");
        let elsewhere = home.path().join("elsewhere");
        symlink(&elsewhere, home.config().with_file_name("config.json.lock")).unwrap();
        let ran = home.run(SET).exits(4);
        assert!(ran.stderr.contains("could not be locked"), "{ran:?}");
        assert!(!elsewhere.exists());
    }

    #[test]
    fn loose_permissions_warn_until_they_are_fixed() {
        let home = Home::new();
        home.write_config("{}");
        let folder = home.config().parent().unwrap().to_owned();
        set_mode(&folder, 0o722);
        let warned = home.run(&["config", "explain"]).exits(0);
        assert!(warned.stderr.contains("mode 0722"), "{warned:?}");
        set_mode(&folder, 0o755);
        assert!(!home.run(&["config", "explain"]).stderr.contains("mode"));
        set_mode(&home.config(), 0o644);
        let warned = home.run(&["config", "explain"]).exits(0);
        assert!(warned.stderr.contains("mode 0644"), "{warned:?}");
        assert_eq!(home.run(&["config", "explain", "--json"]).stderr, "");
        home.run(&["config", "set", "agent_slug", "zoe"]).exits(0);
        assert_eq!(mode(&home.config()), 0o600);
        assert_eq!(mode(home.config().parent().unwrap()), 0o700);
        assert!(!home.run(&["config", "explain"]).stderr.contains("mode"));
    }

    const KEY: &str = r#"{"machineid": {"org_key": "org_0123456789abcdef", "device_id": "d"}}"#;

    #[rstest]
    #[case::by_the_group(0o620, "0620")]
    #[case::by_all(0o602, "0602")]
    #[case::by_both(0o666, "0666")]
    fn a_file_that_others_can_write_is_not_used(#[case] mode: u32, #[case] shown: &str) {
        let server = MockServer::start();
        let home = Home::new().with("MACHINEID_BASE_URL", &server.machineid_base_url());
        home.write_config(KEY);
        set_mode(&home.config(), mode);
        for arguments in [&["validate"][..], &["devices"], &["config", "show"], SET] {
            let ran = home.run(arguments).exits(4);
            assert!(ran.stderr.contains("config.json is not trusted"), "{ran:?}");
            assert!(ran.stderr.contains(&format!("mode {shown}")), "{ran:?}");
        }
        assert_eq!(home.read_config(), KEY);
        assert!(server.requests().is_empty());
    }

    /// A user who is neither root nor the one who runs the tests.
    const STRANGER: u32 = 54_321;
    const OTHER: u32 = 54_322;

    /// Whether files can be given to other users. Says so if not.
    #[allow(clippy::print_stderr, reason = "the test did not run")]
    fn is_root() -> bool {
        let is_root = nix::unistd::geteuid().is_root();
        if !is_root {
            eprintln!("skipped: only root can give a file to another user");
        }
        is_root
    }

    fn give(path: &Path, user: u32) {
        chown(path, Some(user), Some(user)).unwrap();
    }

    #[test]
    fn a_file_of_another_user_is_not_used() {
        if !is_root() {
            return;
        }
        let server = MockServer::start();
        let home = Home::new().with("MACHINEID_BASE_URL", &server.machineid_base_url());
        home.write_config(KEY);
        give(&home.config(), STRANGER);
        for arguments in [&["validate"][..], &["guard", "--", "true"], &["devices"], &["config"]] {
            let ran = home.run(arguments).exits(4);
            assert!(ran.stderr.contains("config.json is not trusted"), "{ran:?}");
            assert!(ran.stderr.contains("belongs to uid 54321"), "{ran:?}");
        }
        assert!(server.requests().is_empty());
    }

    #[test]
    fn root_that_changes_another_users_file_keeps_its_owner() {
        if !is_root() {
            return;
        }
        let home = Home::new();
        home.write_config(KEY);
        let folder = home.config().parent().unwrap().to_owned();
        give(&home.config(), STRANGER);
        give(&folder, STRANGER);
        home.run(SET).exits(0);
        for path in [home.config(), home.config().with_file_name("config.json.lock"), folder] {
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (STRANGER, STRANGER), "{path:?}");
        }
        assert_eq!(mode(&home.config()), 0o600);
        assert!(home.read_config().contains("agent-01") && home.read_config().contains("org_0"));
    }

    /// A copy of the program that every user can run: the folder of the build may be closed to them.
    fn program_for_all(home: &Home) -> std::path::PathBuf {
        let copy = home.path().join("machins");
        copy_program(env!("CARGO_BIN_EXE_machins"), &copy);
        set_mode(home.path(), 0o755);
        copy
    }

    #[test]
    fn an_ordinary_user_uses_own_files_and_those_of_root() {
        if !is_root() {
            return;
        }
        let home = Home::new().with("MACHINS_CONFIG", "config.json");
        let program = program_for_all(&home);
        let file = home.path().join("config.json");
        fs::write(&file, KEY).unwrap();
        set_mode(&file, 0o644);
        let get = |user| {
            let mut command = home.command(&program);
            Ran::from(
                command.args(["config", "get", "machineid.device_id"]).uid(user).output().unwrap(),
            )
        };
        assert_eq!(get(STRANGER).exits(0).stdout, "d\n", "of root");
        give(&file, STRANGER);
        assert_eq!(get(STRANGER).exits(0).stdout, "d\n", "own");
        let refused = get(OTHER).exits(4);
        assert!(refused.stderr.contains("belongs to uid 54321"), "{refused:?}");
    }

    #[test]
    fn a_user_without_a_home_needs_none() {
        if !is_root() {
            return;
        }
        let (_server, home) = all_in_the_environment();
        let program = program_for_all(&home);
        let run = |arguments: &[&str]| {
            let mut command = home.command(&program);
            Ran::from(command.args(arguments).env_remove("HOME").uid(STRANGER).output().unwrap())
        };
        let ran = run(&["validate"]).exits(0);
        assert_eq!(ran.stderr, "");
        let ran = run(SET).exits(4);
        assert!(ran.stderr.contains("no home directory"), "{ran:?}");
    }

    #[test]
    fn an_unreadable_home_needs_not_be_read() {
        if !is_root() {
            return;
        }
        let (_server, home) = all_in_the_environment();
        let program = program_for_all(&home);
        home.write_config(KEY);
        let run = |arguments: &[&str]| {
            let mut command = home.command(&program);
            Ran::from(command.args(arguments).uid(STRANGER).output().unwrap())
        };
        run(&["validate"]).exits(0);
        run(&["config", "show"]).exits(4);
    }

    #[test]
    fn a_folder_of_the_users_keeps_its_permissions() {
        let home = Home::new().with("MACHINS_CONFIG", "config.json");
        set_mode(home.path(), 0o755);
        home.run(&["config", "set", "agent_slug", "zoe"]).exits(0);
        assert_eq!(mode(home.path()), 0o755);
        assert_eq!(mode(&home.path().join("config.json")), 0o600);
    }

    #[test]
    fn a_symbolic_link_is_followed() {
        let home = Home::new();
        let real = home.path().join("dotfiles.json");
        fs::write(&real, r#"{"kept": true}"#).unwrap();
        home.write_config("");
        fs::remove_file(home.config()).unwrap();
        symlink("../dotfiles.json", home.config()).unwrap();
        home.run(&["config", "set", "agent_slug", "zoe"]).exits(0);
        assert!(home.config().is_symlink());
        let text = fs::read_to_string(&real).unwrap();
        assert!(text.contains("kept") && text.contains("zoe"), "{text}");

        fs::remove_file(&real).unwrap();
        let ran = home.run(&["config", "set", "agent_slug", "zoe", "--json"]).exits(4);
        assert!(ran.error()["message"].to_string().contains("broken link"));
    }

    #[test]
    fn a_folder_in_place_of_the_file_is_left_alone() {
        let home = Home::new();
        fs::create_dir_all(home.config()).unwrap();
        home.run(&["config", "set", "agent_slug", "zoe"]).exits(4);
        home.run(&["config", "show"]).exits(4);
        assert!(home.config().is_dir());
    }

    /// Nobody writes into the pipe, so that reading it would take for ever.
    #[rstest]
    #[case::validate(&["validate", "agent-01"])]
    #[case::guard(&["guard", "--device", "agent-01", "--", "true"])]
    #[case::config_show(&["config", "show"])]
    fn a_pipe_that_nobody_writes_to_is_an_error(#[case] arguments: &[&str]) {
        let home = Home::new();
        fs::create_dir_all(home.config().parent().unwrap()).unwrap();
        assert!(home.command("mkfifo").arg("-m600").arg(home.config()).status().unwrap().success());
        let ran = home.run(arguments).exits(4);
        assert!(ran.stderr.contains("not a regular file"), "{ran:?}");
    }

    #[test]
    fn the_null_device_stands_for_no_file() {
        let (_server, home) = all_in_the_environment();
        let home = home.with("MACHINS_CONFIG", "/dev/null");
        home.run(&["config", "show"]).exits(0);
        home.run(&["guard", "--device", "agent-01", "--", "true"]).exits(0);
        home.run(SET).exits(4);
    }

    #[test]
    fn a_full_disk_loses_nothing() {
        let home = Home::new();
        home.write_config(r#"{"kept": true}"#);
        // Files may not grow beyond nothing: what a full disk looks like from here.
        let ran = home
            .command("sh")
            .args(["-c", r#"trap "" XFSZ; ulimit -f 0; exec "$0" config set agent_slug zoe"#])
            .arg(env!("CARGO_BIN_EXE_machins"))
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(4), "{ran:?}");
        assert_eq!(home.read_config(), r#"{"kept": true}"#);
    }
}
