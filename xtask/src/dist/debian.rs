//! The package for Debian and its descendants. What it holds is listed in `machins-cli/Cargo.toml`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use xshell::{Shell, cmd};

use super::program::Program;

pub(super) fn build(shell: &Shell, program: &Program, out: &Path) -> Result<PathBuf> {
    compress_pages(&program.documents)?;
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
        let file = File::create(compressed.join(name))?;
        let mut gzip = GzBuilder::new().mtime(0).write(file, Compression::best());
        gzip.write_all(&fs::read(page.path())?)?;
        gzip.finish()?;
    }
    Ok(())
}
