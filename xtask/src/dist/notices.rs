//! `THIRD-PARTY-LICENSES`: the licences of everything that is in the program.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};
use zip::ZipArchive;

use super::program::Program;
use crate::project::Project;

pub(super) const NAME: &str = "THIRD-PARTY-LICENSES";

/// Swagger UI is no crate of its own: its files are in one as an archive, with its licence.
const SWAGGER_UI: &str = "utoipa-swagger-ui-vendored";

pub(super) fn write(project: &Project, shell: &Shell, program: &Program) -> Result<PathBuf> {
    fs::create_dir_all(&program.documents)?;
    let path = program.documents.join(NAME);
    let Program { target, .. } = program;
    // Without the network, and so the same text each time: that in the crates.
    let crates = cmd!(
        shell,
        "cargo about generate --frozen --fail --config xtask/about.toml --manifest-path machins-cli/Cargo.toml --features full --target {target} xtask/about.hbs"
    )
    .read()?;
    let libraries =
        [aws_lc(project)?, swagger_ui(project)?, musl(project)?, standard_library(shell)?]
            .join("\n");
    fs::write(&path, format!("{crates}\n{libraries}"))?;
    Ok(path)
}

/// The cryptographic library, in C, whose licence names its many authors.
fn aws_lc(project: &Project) -> Result<String> {
    let licence = project.dependency("aws-lc-sys")?.join("aws-lc/LICENSE");
    Ok(format!("{:=<80}\nAWS-LC\n\n{}", "", fs::read_to_string(licence)?))
}

/// The C library, which the standard library is linked with statically.
fn musl(project: &Project) -> Result<String> {
    let licence = fs::read_to_string(project.root.join("xtask/musl-COPYRIGHT"))?;
    Ok(format!("{:=<80}\nmusl\n\n{licence}", ""))
}

/// The standard library of Rust and what it is made of, as the compiler documents it.
fn standard_library(shell: &Shell) -> Result<String> {
    let sysroot = PathBuf::from(cmd!(shell, "rustc --print sysroot").quiet().read()?);
    let page = sysroot.join("share/doc/rust/COPYRIGHT-library.html");
    let page = fs::read_to_string(&page)
        .with_context(|| format!("could not read {}, which comes with rustc", page.display()))?;
    Ok(format!("{:=<80}\n{}", "", text_of(&page)))
}

/// The text of a page, without tags and repeated blank lines.
fn text_of(page: &str) -> String {
    let (_, body) = page.split_once("<body>").unwrap_or(("", page));
    let pieces = body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    let text = pieces.collect::<String>();
    let text = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(text, |text, (entity, character)| text.replace(entity, character));
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.dedup_by(|one, other| one.is_empty() && other.is_empty());
    lines.join("\n") + "\n"
}

fn swagger_ui(project: &Project) -> Result<String> {
    let folder = project.dependency(SWAGGER_UI)?.join("res");
    let archive = fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "zip"))
        .context("the crate of Swagger UI has no archive")?;
    let mut archive = ZipArchive::new(File::open(archive)?)?;
    let mut text = format!("{:=<80}\nSwagger UI, which the mock server shows at /docs\n\n", "");
    for name in ["NOTICE", "LICENSE"] {
        let ending = format!("/{name}");
        let inside = archive
            .file_names()
            .filter_map(Result::ok)
            .find(|path| path.ends_with(&ending) && path.matches('/').count() == 1)
            .with_context(|| format!("the archive of Swagger UI has no {name}"))?
            .into_owned();
        archive.by_name(&inside)?.read_to_string(&mut text)?;
        text.push('\n');
    }
    Ok(text)
}
