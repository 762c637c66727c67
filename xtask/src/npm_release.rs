//! `cargo xtask npm-release`: of one package for each platform, the packages that are published.
//!
//! What `cargo xtask dist` makes contains the program of one platform. Published are a package
//! without a program, and one with nothing but the program for each platform, on which the former
//! depends; npm installs the one that fits.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use xshell::{Shell, cmd};

use crate::project::Project;

pub(crate) fn run(project: &Project, out: &Path, tarballs: &[PathBuf]) -> Result<()> {
    fs::create_dir_all(out)?;
    let out = &out.canonicalize()?;
    let shell = project.shell()?;
    let place = TempDir::new()?;
    let mut platforms = Map::new();
    let mut main = None;
    for (index, tarball) in tarballs.iter().enumerate() {
        let unpacked = place.path().join(index.to_string());
        tar::Archive::new(GzDecoder::new(File::open(tarball)?)).unpack(&unpacked)?;
        let folder = unpacked.join("package");
        let manifest = read(&folder)?;
        ensure!(
            manifest["version"] == project.version.as_str(),
            "{} is not of version {}",
            tarball.display(),
            project.version,
        );
        let (system, processor) = (text(&manifest["os"][0])?, text(&manifest["cpu"][0])?);
        let name = format!("{}-{system}-{processor}", text(&manifest["name"])?);
        platforms.insert(name.clone(), manifest["version"].clone());
        let platform = place.path().join(&name);
        fs::create_dir(&platform)?;
        fs::rename(folder.join("bin"), platform.join("bin"))?;
        for file in ["LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-LICENSES"] {
            fs::copy(folder.join(file), platform.join(file))?;
        }
        let mut own = json!({
            "name": name,
            "description": format!("The program of machins-mock for {system} on {processor}"),
            "files": ["bin", "LICENSE-*", "THIRD-PARTY-LICENSES"],
        });
        for field in ["version", "license", "homepage", "repository", "os", "cpu"] {
            own[field] = manifest[field].clone();
        }
        pack(&shell, &platform, &own, out)?;
        main = Some((folder, manifest));
    }
    let (folder, mut manifest) = main.context("no packages were given")?;
    if let Some(fields) = manifest.as_object_mut() {
        fields.shift_remove("os");
        fields.shift_remove("cpu");
    }
    manifest["optionalDependencies"] = platforms.into();
    pack(&shell, &folder, &manifest, out)
}

fn read(folder: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(folder.join("package.json"))?)?)
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("a field of package.json is missing")
}

fn pack(shell: &Shell, folder: &Path, manifest: &Value, out: &Path) -> Result<()> {
    fs::write(folder.join("package.json"), serde_json::to_string_pretty(manifest)?)?;
    let name = cmd!(shell, "npm pack --silent --pack-destination {out} {folder}").quiet().read()?;
    eprintln!("{}", out.join(name).display());
    Ok(())
}
