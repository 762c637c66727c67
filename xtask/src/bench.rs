//! `cargo xtask bench --compare REV ROWS…`: two revisions measured in turns.
//!
//! The other revision is checked out and built below the build folder. Its own benchmarks measure it, so it
//! must have them as they are since `--json` exists.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::project::Project;

pub(crate) fn run(
    project: &Project,
    revision: &str,
    rounds: Option<NonZero<usize>>,
    rows: &[u8],
) -> Result<()> {
    let folder = project.target.join("compare");
    let (source, commit) = check_out(&project.root, &folder, revision)?;
    let name = if commit.starts_with(revision) { commit } else { format!("{revision} ({commit})") };
    eprintln!("building {name}");
    // Each builds into its own folder, and so do the programs that a row starts.
    let other = build(&source, &folder.join("target"))
        .with_context(|| format!("{name} could not be built"))?;
    eprintln!("building the working tree");
    let ours = build(&project.root, &project.target)?;
    let shell = project.shell()?;
    let rounds = rounds.map(|rounds| format!("--rounds={rounds}"));
    let rows = rows.iter().map(u8::to_string);
    cmd!(shell, "{ours} --compare {other} --name {name} {rounds...} {rows...}").quiet().run()?;
    Ok(())
}

/// Checks out a revision below a folder, and returns where, and its commit. Cargo rebuilds less if it is the
/// same place each time.
fn check_out(root: &Path, folder: &Path, revision: &str) -> Result<(PathBuf, String)> {
    let shell = Shell::new()?;
    shell.change_dir(root);
    let unknown = || format!("cannot find the revision {revision}");
    let commit = format!("{revision}^{{commit}}");
    let commit = cmd!(shell, "git rev-parse --verify --quiet --end-of-options {commit}");
    let commit = commit.quiet().read().with_context(unknown)?;
    let source = folder.join("source");
    if source.join(".git").exists() {
        shell.change_dir(&source);
        cmd!(shell, "git checkout --quiet --force --detach {commit}").quiet().run()?;
    } else {
        shell.create_dir(folder)?;
        // By force, because git may remember one that was deleted with the build folder.
        let add = cmd!(shell, "git worktree add --quiet --force --detach {source} {commit}");
        add.quiet().run()?;
    }
    Ok((source, cmd!(shell, "git rev-parse --short {commit}").quiet().read()?))
}

/// Builds the benchmarks, and returns their program.
fn build(source: &Path, target: &Path) -> Result<PathBuf> {
    let shell = Shell::new()?;
    shell.change_dir(source);
    // Before there was a profile for the libraries, `release` was it.
    let has_profile = shell.read_file("Cargo.toml")?.contains("[profile.libraries]");
    let profile = if has_profile { "libraries" } else { "release" };
    cmd!(
        shell,
        "cargo build --profile {profile} --package client-benchmarks --target-dir {target}"
    )
    .quiet()
    .run()?;
    Ok(target.join(profile).join("client-benchmarks"))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A repository with two commits of one file.
    fn repository() -> (TempDir, Shell) {
        let folder = TempDir::new().unwrap();
        let shell = Shell::new().unwrap();
        shell.change_dir(folder.path());
        cmd!(shell, "git init --quiet").quiet().run().unwrap();
        for content in ["first", "second"] {
            shell.write_file("file", content).unwrap();
            cmd!(shell, "git add file").quiet().run().unwrap();
            cmd!(shell, "git -c user.name=Test -c user.email=test@example.com commit --quiet --message {content}")
                .quiet()
                .run()
                .unwrap();
        }
        (folder, shell)
    }

    #[test]
    fn a_revision_is_checked_out_beside_the_working_tree() {
        let (repository, shell) = repository();
        let folder = repository.path().join("target/compare");
        shell.write_file("file", "changed").unwrap();
        // Again and again in one place, also where it was changed or deleted.
        for (revision, expected) in [("HEAD~1", "first"), ("HEAD", "second"), ("HEAD~1", "first")] {
            let (source, commit) = check_out(repository.path(), &folder, revision).unwrap();
            assert_eq!(shell.read_file(source.join("file")).unwrap(), expected);
            let head = cmd!(shell, "git rev-parse --short {revision}").quiet().read().unwrap();
            assert_eq!(commit, head);
            shell.write_file(source.join("file"), "changed").unwrap();
        }
        shell.remove_path(&folder).unwrap();
        let (source, _) = check_out(repository.path(), &folder, "HEAD").unwrap();
        assert_eq!(shell.read_file(source.join("file")).unwrap(), "second");
        assert_eq!(shell.read_file("file").unwrap(), "changed");
    }

    #[test]
    fn a_revision_that_does_not_exist_is_named() {
        let (repository, _) = repository();
        let error = check_out(repository.path(), repository.path(), "no-such").unwrap_err();
        assert_eq!(error.to_string(), "cannot find the revision no-such");
    }
}
