//! The program with its completions, manual pages and licences, for any Linux.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};
use walkdir::WalkDir;

use super::notices;
use super::program::Program;
use crate::project::Project;

const FILES: [&str; 4] =
    ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "packages/archive/README.md"];

pub(super) fn build(
    project: &Project,
    program: &Program,
    third_party: &Path,
    out: &Path,
) -> Result<PathBuf> {
    let name = format!("machins-{}-{}", project.version, program.target);
    let path = out.join(format!("{name}.tar.gz"));
    let gzip = GzBuilder::new().mtime(0).write(File::create(&path)?, Compression::best());
    let mut archive =
        Archive { tar: Builder::new(gzip), name, date: project.source_date()?.parse()? };
    archive.add("machins", &program.path, 0o755)?;
    archive.add(notices::NAME, third_party, 0o644)?;
    for file in FILES {
        let name = file.rsplit('/').next().unwrap_or(file);
        archive.add(name, &project.root.join(file), 0o644)?;
    }
    archive.add_folder("completions", &program.documents.join("completions"))?;
    archive.add_folder("man/man1", &program.documents.join("man1"))?;
    archive.tar.into_inner()?.finish()?;
    Ok(path)
}

/// An archive that depends on nothing but what is put into it: no owner, no order, no time of this
/// machine.
struct Archive<W: std::io::Write> {
    tar: Builder<W>,
    /// The folder that everything is in.
    name: String,
    date: u64,
}

impl<W: std::io::Write> Archive<W> {
    fn add(&mut self, name: &str, source: &Path, mode: u32) -> Result<()> {
        let content = fs::read(source)?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(mode);
        header.set_mtime(self.date);
        header.set_size(content.len().try_into()?);
        self.tar.append_data(&mut header, format!("{}/{name}", self.name), content.as_slice())?;
        Ok(())
    }

    fn add_folder(&mut self, name: &str, source: &Path) -> Result<()> {
        for entry in WalkDir::new(source).min_depth(1).sort_by_file_name() {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy();
            self.add(&format!("{name}/{file}"), entry.path(), 0o644)?;
        }
        Ok(())
    }
}
