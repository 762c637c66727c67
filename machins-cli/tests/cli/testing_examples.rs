//! The suites under `examples/` for other languages. Where Python is missing its test says so and passes,
//! unless `REQUIRE_PYTHON` is set, as CI does.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::home::{Home, Ran};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

fn home() -> Home {
    let program = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    Home::new().with("PATH", &path).with("PYTHONDONTWRITEBYTECODE", "1")
}

#[test]
fn the_shell_suite_passes() {
    let script = folder("shell").join("test.sh");
    let ran = home().run(&["mock", "exec", "--", script.to_str().unwrap()]).exits(0);
    assert!(ran.stdout.ends_with("ok\n"), "{ran:#?}");
}

#[test]
fn four_pytest_workers_share_one_server() {
    let home = home();
    let packages = home.path().join("packages");
    let pip = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&packages)
        .arg("--requirement")
        .arg(folder("python").join("requirements.txt"))
        .output();
    if !pip.as_ref().is_ok_and(|pip| pip.status.success()) {
        assert!(std::env::var_os("REQUIRE_PYTHON").is_none(), "no pytest: {pip:?}");
        eprintln!("SKIPPED: pytest cannot be installed here: {pip:?}");
        return;
    }
    let mut pytest = home.command("python3");
    pytest
        .args(["-m", "pytest", "-n", "4", "-p", "no:cacheprovider"])
        .env("PYTHONPATH", packages)
        .current_dir(folder("python"));
    let ran = Ran::from(pytest.output().unwrap()).exits(0);
    assert!(ran.stdout.contains("60 passed"), "{ran:#?}");
}
