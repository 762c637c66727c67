//! The package for Debian and its descendants. What it holds is listed in `machins-cli/Cargo.toml`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use xshell::{Shell, cmd};

use super::program::Program;
use crate::project::Project;

pub(super) fn build(
    project: &Project,
    shell: &Shell,
    program: &Program,
    out: &Path,
) -> Result<PathBuf> {
    compress_pages(&program.documents)?;
    let changelog = changelog(project, shell)?;
    compress(changelog.as_bytes(), &program.documents.join("changelog.Debian.gz"))?;
    let Program { target, .. } = program;
    let path = cmd!(
        shell,
        "cargo deb --locked --no-build --no-strip --package machins-cli --target {target} --output {out}"
    )
    .read()?;
    Ok(PathBuf::from(path))
}

/// Manual pages are compressed in Debian, without a name or a time inside.
fn compress_pages(documents: &Path) -> Result<()> {
    let compressed = documents.join("man1-compressed");
    fs::create_dir_all(&compressed)?;
    for page in fs::read_dir(documents.join("man1"))? {
        let page = page?;
        let name = format!("{}.gz", page.file_name().to_string_lossy());
        compress(&fs::read(page.path())?, &compressed.join(name))?;
    }
    Ok(())
}

fn compress(content: &[u8], to: &Path) -> Result<()> {
    let mut gzip = GzBuilder::new().mtime(0).write(File::create(to)?, Compression::best());
    gzip.write_all(content)?;
    gzip.finish()?;
    Ok(())
}

/// The changes of the package, which are those of the project.
fn changelog(project: &Project, shell: &Shell) -> Result<String> {
    let Project { version, homepage, .. } = project;
    let seconds = project.source_date()?;
    let date = cmd!(shell, "date --utc --rfc-email --date=@{seconds}").quiet().read()?;
    let maintainer = project.maintainer()?;
    Ok(format!(
        "machins ({version}-1) unstable; urgency=medium\n\n  * Version {version}: see {homepage}.\n\n -- {maintainer}  {date}\n"
    ))
}
