//! Crates and build time of the clients, compared with other API clients.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Result, micros_each};
use crate::programs::{self, folder, succeed};
use crate::report::{Figure, Line};

const PEERS: [&str; 2] = ["async-stripe 1.0.0-rc.10", "octocrab 0.54.9"];

pub(crate) fn run(_: usize) -> Result<Vec<Line>> {
    let clients = ["machineid-client", "machins-client"];
    let [machineid, machins] = clients.map(|name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        Project::new(name, &format!("{{ path = '{}' }}", path.display()))
    });
    let [stripe, octocrab] = PEERS.map(|peer| {
        let (name, version) = peer.split_once(' ').unwrap_or((peer, "*"));
        Project::new(name, &format!("'={version}'"))
    });
    let (machineid, machins, stripe, octocrab) = (machineid?, machins?, stripe?, octocrab?);
    let mut lines = Vec::new();
    let peers = [(PEERS[0], &stripe, stripe.build()?), (PEERS[1], &octocrab, octocrab.build()?)];
    for client in [&machineid, &machins] {
        let took = client.build()?;
        for &(name, peer, theirs_took) in &peers {
            let (ours, theirs) = (client.crates()?, peer.crates()?);
            lines.push(
                Line::new(12, format!("crates of {}", client.name), "crates", Figure::exact(ours))
                    .against(name, Figure::exact(theirs), Figure::exact(ours / theirs))
                    .goal_text("fewest", ours < theirs),
            );
            let seconds = Figure::exact(took);
            lines.push(
                Line::new(12, format!("cold debug build of {}", client.name), "s", seconds)
                    .against(name, Figure::exact(theirs_took), Figure::exact(took / theirs_took))
                    .note("built once"),
            );
        }
    }
    let program = fs::metadata(programs::machins()?)?.len();
    let mebibytes = f64::from(u32::try_from(program / 1024)?) / 1024.0;
    lines.push(Line::new(12, "the program `machins`, stripped", "MiB", Figure::exact(mebibytes)));
    Ok(lines)
}

/// An empty project with one dependency and its default features.
struct Project {
    name: &'static str,
    folder: PathBuf,
}

impl Project {
    fn new(name: &'static str, dependency: &str) -> Result<Self> {
        let folder = folder(&format!("build-{name}"))?;
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "")?;
        let manifest = format!(
            "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies]\n{name} = {dependency}\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        let project = Self { name, folder };
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
    fn build(&self) -> Result<f64> {
        let target = self.folder.join("target");
        if target.exists() {
            fs::remove_dir_all(target)?;
        }
        let micros = micros_each(1, || {
            succeed(self.cargo("build").arg("--quiet"))?;
            Ok(())
        })?;
        Ok(micros / 1e6)
    }
}
