//! Each package, installed into an empty place and used as its users would.

use std::env;
use std::fs::{self, DirEntry, File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;
use xshell::{Shell, cmd};

use super::{Packages, notices, staging};
use crate::npm_release;
use crate::project::Project;

/// What the demo says when all of it has worked.
const DEMO_HAS_WORKED: &str = "steps had the expected outcome";

pub(super) fn run(project: &Project, packages: &Packages) -> Result<()> {
    let check = Check { project, shell: project.shell()? };
    if let Some(archive) = &packages.archive {
        check.archive(archive)?;
    }
    if let Some(package) = &packages.debian {
        check.debian(package)?;
    }
    if let Some(sbom) = &packages.sbom {
        check_sbom(sbom)?;
    }
    let is_release = packages.archive.is_some();
    check.wheel(&packages.wheel, is_release)?;
    check.tarball(&packages.tarball, is_release)
}

struct Check<'a> {
    project: &'a Project,
    shell: Shell,
}

impl Check<'_> {
    /// The program runs where there is nothing else, not even a folder.
    fn archive(&self, archive: &Path) -> Result<()> {
        eprintln!("checking {}", archive.display());
        let unpacked = TempDir::new()?;
        tar::Archive::new(GzDecoder::new(File::open(archive)?)).unpack(&unpacked)?;
        let folder = fs::read_dir(&unpacked)?.next().context("the archive is empty")??.path();
        let Self { shell, .. } = self;
        let completions = folder.join("completions/machins.bash");
        cmd!(shell, "bash -c 'source \"$0\" && complete -p machins' {completions}")
            .quiet()
            .run()?;
        for file in [notices::NAME, "LICENSE-MIT", "man/man1/machins-mock-serve.1"] {
            ensure!(folder.join(file).exists(), "the archive has no {file}");
        }
        check_licences(&folder.join(notices::NAME))?;
        let root = TempDir::new()?;
        staging::copy(&folder.join("machins"), &root.path().join("machins"))?;
        self.demo_in(root.path(), "/machins")?;
        self.own_test(unpacked.path(), &root.path().join("machins"))?;
        self.container(root.path())
    }

    /// The server and its health check as `Dockerfile` has them: no files but the program, and no
    /// rights.
    fn container(&self, root: &Path) -> Result<()> {
        let dockerfile = fs::read_to_string(self.project.root.join("Dockerfile"))?;
        for line in [
            "FROM scratch",
            "USER 65534:65534",
            "CMD [\"/machins\", \"mock\", \"health\", \"--url\", \"http://127.0.0.1:8080\"]",
        ] {
            ensure!(dockerfile.lines().any(|own| own.trim() == line), "no `{line}` in Dockerfile");
        }
        fs::remove_dir(root.join("tmp"))?;
        let words = &self.chroot(root, "65534:65534")?;
        let mut server = Command::new(&words[0])
            .args(&words[1..])
            .args(["/machins", "--json", "mock", "serve", "--port", "0", "--until-stdin-closes"])
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = server.stdout.take().context("no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).context("the server did not start")?;
        let url = ready["url"].as_str().context("the server named no URL")?;
        let Self { shell, .. } = self;
        let health = cmd!(shell, "env {words...} /machins mock health --url {url}");
        let healthy = health.quiet().ignore_stdout().run();
        drop(server.stdin.take());
        server.wait()?;
        healthy?;
        // Without certificates of authorities, https says what to do.
        let info =
            cmd!(shell, "env {words...} /machins --base-url https://machins.invalid/api/v1 info");
        let error = info.quiet().ignore_status().read_stderr()?;
        ensure!(error.contains("SSL_CERT_FILE"), "no advice about certificates: {error}");
        Ok(())
    }

    /// dpkg installs the package into an empty root, where the program runs.
    fn debian(&self, package: &Path) -> Result<()> {
        eprintln!("checking {}", package.display());
        let root = TempDir::new()?;
        let root = root.path();
        let Self { shell, .. } = self;
        fs::create_dir_all(root.join("var/lib/dpkg/updates"))?;
        fs::create_dir_all(root.join("var/lib/dpkg/info"))?;
        fs::write(root.join("var/lib/dpkg/status"), "")?;
        cmd!(shell, "dpkg --root={root} --log=/dev/null --force-not-root --install {package}")
            .quiet()
            .ignore_stdout()
            .run()?;
        for file in [
            "usr/share/bash-completion/completions/machins",
            "usr/share/doc/machins/changelog.Debian.gz",
            "usr/share/doc/machins/copyright",
            "usr/share/fish/vendor_completions.d/machins.fish",
            "usr/share/man/man1/machins.1.gz",
            "usr/share/zsh/vendor-completions/_machins",
        ] {
            ensure!(root.join(file).exists(), "the Debian package has no {file}");
        }
        check_licences(&root.join("usr/share/doc/machins").join(notices::NAME))?;
        self.demo_in(root, "/usr/bin/machins")?;
        self.own_test(root, &root.join("usr/bin/machins"))
    }

    /// A virtual environment that has the vendor's package, too.
    fn wheel(&self, wheel: &Path, is_release: bool) -> Result<()> {
        eprintln!("checking {}", wheel.display());
        let place = TempDir::new()?;
        let place = place.path();
        let Self { shell, project } = self;
        let environment = place.join("venv");
        cmd!(shell, "python3 -m venv {environment}").quiet().run()?;
        let bin = environment.join("bin");
        cmd!(shell, "{bin}/pip --disable-pip-version-check install --quiet {wheel} pytest>=8 pytest-xdist>=3 machins[cli]==0.1.0")
            .quiet()
            .run()?;
        let info = environment.join("lib");
        if is_release {
            let licences = find(&info, notices::NAME)?;
            check_licences(&licences)?;
        }
        // The vendor's script is still the vendor's.
        let script = fs::read_to_string(bin.join("machins"))?;
        ensure!(script.starts_with("#!"), "the wheel has replaced the script machins");
        let program =
            cmd!(shell, "{bin}/python -c 'import machins_mock; print(machins_mock.program())'")
                .env_remove("MACHINS")
                .quiet()
                .read()?;
        self.demo(place, Path::new(&program))?;
        let tests = project.root.join("packages/python/examples/test_devices.py");
        staging::copy(&tests, &place.join("suite/test_devices.py"))?;
        let _suite = shell.push_dir(place.join("suite"));
        let exit = cmd!(shell, "{bin}/machins-mock exec -- sh -c 'exit 7'").quiet().ignore_status();
        let status = exit.env_remove("MACHINS").env("HOME", place).output()?.status;
        ensure!(status.code() == Some(7), "machins-mock exec gave {status}, not 7");
        cmd!(shell, "{bin}/pytest -q -n 2 -p no:cacheprovider")
            .env_remove("MACHINS")
            .quiet()
            .run()?;
        Ok(())
    }

    /// A project of vitest's and one of jest's.
    fn tarball(&self, tarball: &Path, is_release: bool) -> Result<()> {
        eprintln!("checking {}", tarball.display());
        let Self { shell, project } = self;
        for runner in ["vitest", "jest"] {
            let place = TempDir::new()?;
            let place = place.path();
            let source = project.root.join("packages/node/examples").join(runner);
            cmd!(shell, "cp -r {source}/. {place}").quiet().run()?;
            let _place = shell.push_dir(place);
            cmd!(shell, "npm install --silent --no-audit --no-fund {tarball}").quiet().run()?;
            let package = place.join("node_modules/machins-mock");
            if is_release {
                check_licences(&package.join(notices::NAME))?;
            }
            cmd!(shell, "npm test --silent").env_remove("MACHINS").quiet().run()?;
            cmd!(shell, "npx --no-install machins-mock exec -- true")
                .env_remove("MACHINS")
                .env("HOME", place)
                .quiet()
                .run()?;
            self.demo(place, &package.join("bin/machins"))?;
        }
        if is_release { self.published(tarball) } else { Ok(()) }
    }

    /// The packages that a release publishes: one without a program finds that of its platform.
    fn published(&self, tarball: &Path) -> Result<()> {
        let Self { shell, project } = self;
        let place = TempDir::new()?;
        let place = place.path();
        let packages = place.join("packages");
        npm_release::run(project, &packages, &[tarball.to_owned()])?;
        let paths: Vec<_> = fs::read_dir(packages)?.collect::<Result<_, _>>()?;
        let paths: Vec<_> = paths.iter().map(DirEntry::path).collect();
        ensure!(paths.len() == 2, "{} packages for one platform", paths.len());
        let _place = shell.push_dir(place);
        cmd!(shell, "npm install --silent --no-audit --no-fund {paths...}").quiet().run()?;
        let own = place.join("node_modules/machins-mock/bin");
        ensure!(!own.exists(), "the package for all platforms has a program");
        cmd!(shell, "npx --no-install machins-mock exec -- true")
            .env_remove("MACHINS")
            .env("HOME", place)
            .quiet()
            .run()?;
        Ok(())
    }

    fn demo(&self, home: &Path, program: &Path) -> Result<()> {
        let Self { shell, .. } = self;
        let demo = cmd!(shell, "{program} demo").env("HOME", home).quiet().read()?;
        ensure!(demo.contains(DEMO_HAS_WORKED), "the demo ended early:\n{demo}");
        Ok(())
    }

    /// Runs the demo with this folder as the root of the file system.
    fn demo_in(&self, root: &Path, program: &str) -> Result<()> {
        let Self { shell, .. } = self;
        fs::create_dir_all(root.join("tmp"))?;
        fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777))?;
        let words = self.chroot(root, "0:0")?;
        let demo = cmd!(shell, "env {words...} {program} demo").quiet().read()?;
        ensure!(demo.contains(DEMO_HAS_WORKED), "the demo ended early:\n{demo}");
        Ok(())
    }

    /// A test of a user's own: a new device may run, and its command does.
    fn own_test(&self, home: &Path, program: &Path) -> Result<()> {
        let Self { shell, .. } = self;
        let test = "\"$0\" register agent-01 && \"$0\" guard --device agent-01 -- true";
        cmd!(shell, "{program} mock exec -- sh -c {test} {program}")
            .env("HOME", home)
            .quiet()
            .ignore_stdout()
            .run()?;
        Ok(())
    }

    /// Returns the beginning of a command line whose rest runs with this folder as the root.
    fn chroot(&self, root: &Path, user: &str) -> Result<Vec<String>> {
        let Self { shell, .. } = self;
        let root = root.to_str().context("a path is not UTF-8")?;
        let words = if cmd!(shell, "id -u").quiet().read()? == "0" {
            vec!["chroot".to_owned(), format!("--userspec={user}"), root.to_owned()]
        } else {
            // A namespace of the user's own permits what chroot needs, for one user.
            ["unshare", "--user", "--map-root-user", "chroot", root].map(str::to_owned).into()
        };
        Ok(words)
    }
}

fn check_sbom(sbom: &Path) -> Result<()> {
    eprintln!("checking {}", sbom.display());
    let document: Value = serde_json::from_str(&fs::read_to_string(sbom)?)?;
    ensure!(document["bomFormat"] == "CycloneDX", "{} is no CycloneDX document", sbom.display());
    let components = document["components"].as_array().into_iter().flatten();
    let names: Vec<&str> = components.filter_map(|part| part["name"].as_str()).collect();
    for name in ["machins-mock", "reqwest", "tokio"] {
        ensure!(names.contains(&name), "{} lacks {name}", sbom.display());
    }
    ensure!(!names.contains(&"rstest"), "{} lists what only tests use", sbom.display());
    Ok(())
}

/// Requires the licences to be those of the crates and of the libraries that are no crates.
fn check_licences(licences: &Path) -> Result<()> {
    let text = fs::read_to_string(licences)
        .with_context(|| format!("{} is missing", licences.display()))?;
    for part in [
        "OpenSSL",
        "SmartBear Software",
        "Rich Felker",
        "The Rust Standard Library",
        "Apache License",
        "reqwest",
        "tokio",
    ] {
        ensure!(text.contains(part), "{} does not mention {part}", licences.display());
    }
    Ok(())
}

/// Returns the file of this name below a folder.
fn find(folder: &Path, name: &str) -> Result<std::path::PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let found = entries.map(walkdir::DirEntry::into_path).find(|path| path.ends_with(name));
    found.with_context(|| format!("there is no {name} below {}", folder.display()))
}
