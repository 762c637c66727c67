//! Plain http to another machine, which only the flag or the variable of its service permits.

use rstest::rstest;
use serde_json::json;

use crate::home::Home;
use crate::stub::{self, Reply};

const MACHINS: &str = "http://192.0.2.1/api/v1";
const MACHINEID: &str = "http://192.0.2.1";
const HINT: &str = "use https, or add --allow-insecure-http in a network that you trust";

/// A home in which a proxy stands for all other machines.
fn home() -> Home {
    let proxy = stub::serve(|_| {
        Reply::json(200, &json!({"allowed": true, "code": "ALLOW", "request_id": "r1"}))
    });
    Home::new()
        .with("HTTP_PROXY", &proxy)
        .with("http_proxy", &proxy)
        .with("NO_PROXY", "localhost")
        .with("no_proxy", "localhost")
}

/// A home whose two services are on another machine.
fn elsewhere() -> Home {
    home()
        .with("MACHINS_BASE_URL", MACHINS)
        .with("MACHINEID_BASE_URL", MACHINEID)
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef")
}

const STATS: &[&str] = &["api", "GET", "/public/stats"];
const VALIDATE: &[&str] = &["validate", "agent-01"];

#[rstest]
#[case::machins("MACHINS_ALLOW_INSECURE_HTTP", STATS, VALIDATE)]
#[case::machineid("MACHINEID_ALLOW_INSECURE_HTTP", VALIDATE, STATS)]
fn the_variable_of_a_service_permits_it(
    #[case] name: &str,
    #[case] own: &[&str],
    #[case] others: &[&str],
) {
    for yes in ["1", "true"] {
        let home = elsewhere().with(name, yes);
        home.run(own).exits(0);
        home.run(others).exits(2);
    }
    for no in ["", "0", "false"] {
        let ran = elsewhere().with(name, no).run(own).exits(2);
        assert!(ran.stderr.contains(HINT), "{ran:?}");
    }
    let ran = elsewhere().with(name, "yes").run(own).exits(2);
    assert!(ran.stderr.contains(name), "{ran:?}");
}

#[rstest]
#[case::machins(STATS)]
#[case::machineid(VALIDATE)]
fn the_flag_permits_it_for_both_services(#[case] command: &[&str]) {
    let ran = elsewhere().run(command).exits(2);
    assert!(ran.stderr.contains("would expose the key") && ran.stderr.contains(HINT), "{ran:?}");
    elsewhere().run(&[command, &["--allow-insecure-http"]].concat()).exits(0);
}

#[rstest]
#[case::machins("machins", "MACHINS_ALLOW_INSECURE_HTTP")]
#[case::machineid("machineid", "MACHINEID_ALLOW_INSECURE_HTTP")]
fn what_is_recorded_may_be_permitted_by_a_variable(#[case] service: &str, #[case] name: &str) {
    let upstream = ["--service", service, "--upstream", MACHINEID];
    let listen = ["--until-stdin-closes", "--addr", "0"];
    let record = [&["mock", "record"], &upstream[..], &listen].concat();
    let refused = home().run(&record).exits(2);
    assert!(refused.stderr.contains(HINT), "{refused:?}");
    home().with(name, "1").run(&record).exits(0);
}

#[test]
fn such_an_address_is_saved_where_it_is_permitted() {
    let home = home();
    for (key, url) in [("base_url", MACHINS), ("machineid.base_url", MACHINEID)] {
        let set = ["config", "set", key, url];
        let ran = home.run(&set).exits(2);
        assert!(ran.stderr.contains(HINT), "{ran:?}");
        home.run(&[&set[..], &["--allow-insecure-http"]].concat()).exits(0);
    }
    assert!(home.run(STATS).exits(2).stderr.contains(HINT));
    home.run(&[STATS, &["--allow-insecure-http"]].concat()).exits(0);
}

#[test]
fn doctor_passes_what_is_permitted_and_cures_the_rest() {
    let from_file = home();
    from_file.write_config(
        &json!({"base_url": MACHINS, "machineid": {"base_url": MACHINEID}}).to_string(),
    );
    for home in [elsewhere(), from_file] {
        let ran = home.run(&["doctor"]).exits(4);
        for service in ["machins", "MachineID"] {
            let line = format!("failed   {:22} ", format!("{service} URL"));
            assert!(ran.stdout.contains(&line), "{ran:?}");
        }
        assert_eq!(ran.stdout.matches("plain http").count(), 2, "{ran:?}");
        assert_eq!(ran.stdout.matches("next: use https, or add --allow-insecure-http").count(), 2);
        assert_eq!(ran.stdout.matches("failed").count(), 2, "{ran:?}");
        let ran = home.run(&["doctor", "--allow-insecure-http"]);
        assert!(!ran.stdout.contains("failed   machins URL"), "{ran:?}");
        assert_eq!(ran.stdout.matches("plain http, answered").count(), 2, "{ran:?}");
    }
}
