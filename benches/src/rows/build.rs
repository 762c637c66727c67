//! Crates and build time of the clients, compared with other API clients.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Result, micros_each};
use crate::programs::{self, folder, succeed};
use crate::report::{Bound, Figure, Line};

const PEERS: [&str; 2] = ["async-stripe 1.0.0-rc.10", "octocrab 0.54.9"];

/// How much of the time of the peers may a build take.
const GOAL: f64 = 0.7;

pub(crate) fn run(_: usize) -> Result<Vec<Line>> {
    let (clients, peers) = (clients()?, peers()?);
    let mut lines = cold_builds(12, Profile::Debug, &clients, &peers)?;
    for client in &clients {
        for peer in &peers {
            let (ours, theirs) = (client.crates()?, peer.crates()?);
            lines.push(
                Line::new(12, format!("crates of {}", client.name), "crates", Figure::exact(ours))
                    .against(peer.title, Figure::exact(theirs), Figure::exact(ours / theirs))
                    .goal_text("fewest", ours < theirs),
            );
        }
    }
    let program = fs::metadata(programs::machins()?)?.len();
    let mebibytes = f64::from(u32::try_from(program / 1024)?) / 1024.0;
    lines.push(Line::new(12, "the program `machins`, stripped", "MiB", Figure::exact(mebibytes)));
    Ok(lines)
}

pub(crate) fn release(_: usize) -> Result<Vec<Line>> {
    cold_builds(30, Profile::Release, &clients()?, &peers()?)
}

fn clients() -> Result<[Project; 2]> {
    let [machineid, machins] = ["machineid-client", "machins-client"].map(|name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        Project::new(name, name, &format!("{{ path = '{}' }}", path.display()))
    });
    Ok([machineid?, machins?])
}

fn peers() -> Result<[Project; 2]> {
    let [stripe, octocrab] = PEERS.map(|peer| {
        let (name, version) = peer.split_once(' ').unwrap_or((peer, "*"));
        Project::new(name, peer, &format!("'={version}'"))
    });
    Ok([stripe?, octocrab?])
}

/// Measures building each project once, into an empty directory.
fn cold_builds(
    row: u8,
    profile: Profile,
    clients: &[Project],
    peers: &[Project],
) -> Result<Vec<Line>> {
    let theirs = peers.iter().map(|peer| Ok((peer.title, peer.build(profile)?)));
    let theirs = theirs.collect::<Result<Vec<_>>>()?;
    let mut lines = Vec::new();
    for client in clients {
        let took = client.build(profile)?;
        for &(title, theirs_took) in &theirs {
            let what = format!("cold {} build of {}", profile.name(), client.name);
            lines.push(
                Line::new(row, what, "s", Figure::exact(took))
                    .against(title, Figure::exact(theirs_took), Figure::exact(took / theirs_took))
                    .goal(Bound::AtMost(GOAL))
                    .note("built once"),
            );
        }
    }
    Ok(lines)
}

#[derive(Clone, Copy)]
enum Profile {
    Debug,
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// An empty project with one dependency and its default features.
struct Project {
    name: &'static str,
    /// Its name, with the version of a peer.
    title: &'static str,
    folder: PathBuf,
}

impl Project {
    fn new(name: &'static str, title: &'static str, dependency: &str) -> Result<Self> {
        let folder = folder(&format!("build-{name}"))?;
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "")?;
        let manifest = format!(
            "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\n{name} = {dependency}\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        let project = Self { name, title, folder };
        succeed(project.cargo("fetch").arg("--quiet"))?;
        Ok(project)
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.arg(command).current_dir(&self.folder).env("CARGO_TARGET_DIR", "target");
        cargo
    }

    /// Counts the crates in a program, the client itself included.
    fn crates(&self) -> Result<f64> {
        let tree = succeed(self.cargo("tree").args(["--edges", "normal", "--prefix", "none"]))?;
        let crates: BTreeSet<&str> =
            tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        // Without the empty project.
        Ok(f64::from(u32::try_from(crates.len())? - 1))
    }

    /// Measures a build into an empty directory, in seconds.
    fn build(&self, profile: Profile) -> Result<f64> {
        let target = self.folder.join("target");
        if target.exists() {
            fs::remove_dir_all(target)?;
        }
        let micros = micros_each(1, || {
            let mut build = self.cargo("build");
            build.arg("--quiet");
            if let Profile::Release = profile {
                build.arg("--release");
            }
            succeed(&mut build)?;
            Ok(())
        })?;
        Ok(micros / 1e6)
    }
}
