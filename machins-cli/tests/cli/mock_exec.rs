//! What `mock exec` gives to its command, and what it keeps as it was.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::home::{Home, Ran, mode};

const OWN: &str = "{\"api_key\": \"at_live0123456789\"}\n";
/// What the Python package does: it knows no `MACHINS_CONFIG`.
const OVERWRITE: &str =
    "mkdir -p ~/.machins; echo '{\"api_key\":\"at_mock\"}' > ~/.machins/config.json";

/// A home with its `machins` on the path.
fn home() -> Home {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    Home::new().with("PATH", &path)
}

fn exec(home: &Home, script: &str) -> Ran {
    home.run(&["mock", "exec", "--", "sh", "-c", script])
}

/// Runs `mock exec`, and kills it once its command has written a line.
fn kill_after_a_line(home: &Home, script: &str) {
    let mut process = home
        .machins(&["mock", "exec", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGKILL).unwrap();
    process.wait().unwrap();
}

fn beside(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.config().parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.contains(".lock")).collect()
}

#[test]
fn the_command_is_given_working_keys() {
    let home = home();
    exec(&home, "machins validate").exits(0);
    exec(&home, "machins wallet").exits(0);
    exec(&home, "machins mock health").exits(0);
    let devices = "machins mock requests --json | grep -q '\"total\":0'";
    exec(&home, devices).exits(0);
}

#[test]
fn live_keys_do_not_reach_the_command() {
    let home = home()
        .with("MACHINEID_ORG_KEY", "org_live0123456789")
        .with("MACHINS_API_KEY", "at_live0123456789")
        .with("MACHINS_PROFILE", "live")
        .with("NO_PROXY", "example.com");
    let ran = exec(&home, "env").exits(0);
    assert!(!ran.stdout.contains("live"), "{ran:#?}");
    assert!(ran.stdout.contains("NO_PROXY=example.com,127.0.0.1,"), "{ran:#?}");
    assert!(ran.stdout.contains("no_proxy=127.0.0.1,"), "{ran:#?}");
    assert!(ran.stdout.contains(&format!("HOME={}\n", home.path().display())), "{ran:#?}");
}

#[test]
fn a_proxy_does_not_catch_its_calls() {
    let proxy = "http://127.0.0.1:9";
    let home = home().with("http_proxy", proxy).with("HTTP_PROXY", proxy).with("ALL_PROXY", proxy);
    exec(&home, "machins validate && machins wallet && machins mock health").exits(0);
}

#[rstest]
#[case::join("machins join --name Zoe")]
#[case::org_create("machins org create --save")]
#[case::overwritten(OVERWRITE)]
#[case::removed("rm ~/.machins/config.json")]
#[case::by_another_config_of_ours("env -u MACHINS_CONFIG machins join --name Zoe")]
#[case::failing("echo x > ~/.machins/config.json; exit 0")]
#[case::folder_removed("rm -rf ~/.machins")]
#[case::all_files_removed("rm -f ~/.machins/*")]
#[case::folder_moved("mv ~/.machins ~/moved")]
#[case::everybody_may_write("chmod 666 ~/.machins/config.json")]
#[case::written_by_everybody("chmod 666 ~/.machins/config.json; echo x > ~/.machins/config.json")]
#[case::a_folder_now("cd ~/.machins; rm config.json; mkdir config.json")]
fn the_own_config_is_put_back(#[case] script: &str) {
    let home = home();
    home.write_config(OWN);
    exec(&home, script).exits(0);
    assert_eq!(home.read_config(), OWN);
    assert_eq!(mode(&home.config()), 0o600);
    assert_eq!(beside(&home), ["config.json"]);
}

#[rstest]
#[case::at_the_end(false)]
#[case::after_a_crash(true)]
fn nothing_is_written_through_a_link_of_the_command(#[case] is_killed: bool) {
    let home = home();
    home.write_config(OWN);
    let victim = home.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let script = "ln -sf ~/victim ~/.machins/config.json; echo written";
    if is_killed {
        kill_after_a_line(&home, &format!("{script}; exec sleep 600"));
        home.run(&["config", "path"]).exits(0);
    } else {
        exec(&home, script).exits(0);
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(!home.config().is_symlink());
    assert_eq!((home.read_config().as_str(), mode(&home.config())), (OWN, 0o600));
    assert_eq!(beside(&home), ["config.json"]);
}

#[rstest]
#[case::overwritten(OVERWRITE)]
#[case::replaced("rm ~/.machins/config.json; echo x > ~/.machins/config.json")]
#[case::lead_elsewhere("ln -sf ~/elsewhere ~/.machins/config.json")]
#[case::removed("rm -rf ~/.machins ~/files")]
fn a_link_of_the_user_is_put_back(#[case] script: &str) {
    let home = home();
    home.write_config(OWN);
    let target = home.path().join("files/machins.json");
    fs::create_dir(home.path().join("files")).unwrap();
    fs::rename(home.config(), &target).unwrap();
    std::os::unix::fs::symlink("../files/machins.json", home.config()).unwrap();
    exec(&home, script).exits(0);
    assert_eq!(fs::read_link(home.config()).unwrap().to_str(), Some("../files/machins.json"));
    assert_eq!((fs::read_to_string(&target).unwrap().as_str(), mode(&target)), (OWN, 0o600));
}

#[test]
fn a_config_that_was_not_there_is_removed() {
    let home = home();
    exec(&home, OVERWRITE).exits(0);
    assert_eq!(beside(&home), [""; 0]);
}

#[test]
fn a_private_copy_is_kept_meanwhile() {
    let home = home();
    home.write_config(OWN);
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o644)).unwrap();
    let script = format!("{OVERWRITE}; cat ~/.machins/*.before-mock-exec; ls -l ~/.machins/*exec");
    let ran = exec(&home, &script).exits(0);
    assert!(ran.stdout.starts_with(&format!("{OWN}-rw-------")), "{ran:#?}");
    assert_eq!((home.read_config().as_str(), mode(&home.config())), (OWN, 0o644));
}

#[test]
fn others_use_and_change_the_own_config_meanwhile() {
    let home = home();
    home.write_config(OWN);
    let script = format!(
        "{OVERWRITE}
         unset MACHINS_CONFIG MACHINS_API_KEY MACHINS_BASE_URL MACHINS_MOCK_URL
         machins config get agent_slug; echo mine | machins config set agent_slug mine"
    );
    exec(&home, &script).exits(0);
    let config = home.read_config();
    assert!(config.contains("at_live0123456789") && config.contains("mine"), "{config}");
}

#[test]
fn after_a_crash_the_next_command_puts_it_back() {
    let home = home();
    home.write_config(OWN);
    kill_after_a_line(&home, &format!("{OVERWRITE}; echo written; exec sleep 600"));
    assert!(home.read_config().contains("at_mock"));
    home.run(&["config", "path"]).exits(0);
    assert_eq!(home.read_config(), OWN);
    assert_eq!(beside(&home), ["config.json"]);
}

#[test]
fn the_last_of_two_runs_puts_it_back() {
    let home = home();
    home.write_config(OWN);
    let inner = format!("env -u MACHINS_CONFIG machins mock exec -- sh -c \"{}\"", "exit 0");
    let script = format!("{OVERWRITE}; {inner}; grep at_mock ~/.machins/config.json");
    exec(&home, &script).exits(0);
    assert_eq!(home.read_config(), OWN);
}

#[test]
fn exec_starts_with_what_it_is_told() {
    let home = home();
    fs::write(home.path().join("market.json"), r#"{"agents": [{"slug": "cleo"}]}"#).unwrap();
    let agents = "machins agent cleo";
    let fixtures = ["mock", "exec", "--fixtures", "market.json", "--", "sh", "-c", agents];
    home.run(&fixtures).exits(0);
    for _ in 0..2 {
        let state = ["mock", "exec", "--demo-data", "--state", "world.json", "--"];
        let count = "machins --json browse | grep -q '\"total\":2'";
        home.run(&[&state[..], &["sh", "-c", count]].concat()).exits(0);
    }
    let key = ["mock", "exec", "--seed", "7", "--", "sh", "-c", "echo $MACHINS_API_KEY"];
    assert_eq!(home.run(&key).stdout, home.run(&key).stdout);
}
