//! `cargo xtask dist`: the packages that users install.

mod archive;
mod check;
mod debian;
mod node;
mod notices;
mod program;
mod python;
mod sbom;
mod staging;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::Project;
use crate::tools;

use self::program::Program;

/// What was built.
struct Packages {
    archive: Option<PathBuf>,
    debian: Option<PathBuf>,
    sbom: Option<PathBuf>,
    wheel: PathBuf,
    tarball: PathBuf,
}

pub(crate) fn run(project: &Project, out: &Path, check: bool, debug: bool) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("could not create {}", out.display()))?;
    let out = out.canonicalize()?;
    if check && !debug {
        // First, since the programs are built in one place.
        program::check_client_alone(project, &tools::for_packages(project)?)?;
    }
    let packages = if debug { debug_packages(project, &out)? } else { packages(project, &out)? };
    if check {
        check::run(project, &packages)?;
    }
    for package in packages.all() {
        eprintln!("{}", package.display());
    }
    Ok(())
}

fn packages(project: &Project, out: &Path) -> Result<Packages> {
    let shell = tools::for_packages(project)?;
    // cargo-deb, cargo-cyclonedx, pip and npm write this time and no other.
    shell.set_var("SOURCE_DATE_EPOCH", project.source_date()?);
    let program = Program::build(project, &shell)?;
    let notices = notices::write(project, &shell, &program)?;
    program.write_documents(&shell)?;
    Ok(Packages {
        archive: Some(archive::build(project, &program, &notices, out)?),
        debian: Some(debian::build(project, &shell, &program, out)?),
        sbom: Some(sbom::build(project, &shell, &program, out)?),
        wheel: python::build(project, &shell, &program, Some(&notices), out)?,
        tarball: node::build(project, &shell, &program, Some(&notices), out)?,
    })
}

/// For a quick test: no package for others is made.
fn debug_packages(project: &Project, out: &Path) -> Result<Packages> {
    let shell = project.shell()?;
    let program = Program::build_debug(project, &shell)?;
    Ok(Packages {
        archive: None,
        debian: None,
        sbom: None,
        wheel: python::build(project, &shell, &program, None, out)?,
        tarball: node::build(project, &shell, &program, None, out)?,
    })
}

impl Packages {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let own = [&self.archive, &self.debian, &self.sbom].into_iter().flatten();
        own.chain([&self.wheel, &self.tarball])
    }
}
