//! `cargo xtask release VERSION`: one version for everything, and what must hold before it is tagged.

use std::collections::HashSet;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use semver::Version;
use toml_edit::{DocumentMut, value};
use xshell::{Shell, cmd};

use crate::project::Project;

const UNRELEASED: &str = "## Unreleased\n";

/// The crates whose public API is recorded, in `public-api.txt`.
const RECORDED: [&str; 3] = ["client-core", "machineid-client", "machins-client"];

/// Checks that the sources are those of this version.
pub(crate) fn check(project: &Project, version: &str) -> Result<()> {
    require_addresses(project)?;
    ensure!(project.version == version, "the sources are of version {}", project.version);
    let changelog = fs::read_to_string(project.root.join("CHANGELOG.md"))?;
    let heading = format!("\n## {version} ");
    ensure!(changelog.contains(&heading), "CHANGELOG.md has no section for {version}");
    Ok(())
}

/// Changes the version everywhere, after checking that it can be released.
pub(crate) fn prepare(project: &Project, version: &str) -> Result<()> {
    let shell = project.shell()?;
    require_addresses(project)?;
    let next: Version = version.parse().context("not a semantic version, such as 1.2.3")?;
    let current: Version = project.version.parse()?;
    let last_tag = last_tag(&shell)?;
    ensure!(
        next > current || last_tag.is_none() && next == current,
        "{next} is not newer than {current}"
    );
    ensure!(
        cmd!(shell, "git status --porcelain").quiet().read()?.is_empty(),
        "there are changes that are not committed"
    );
    cmd!(shell, ".ci/public-api").run().context("the recorded API is not that of the sources")?;
    match &last_tag {
        None => eprintln!("no version was released before: there is no API to compare with"),
        Some(tag) => check_api(project, &shell, tag, &next)?,
    }
    let today = cmd!(shell, "date --utc +%F").quiet().read()?;
    let path = project.root.join("CHANGELOG.md");
    let changelog = released(&fs::read_to_string(&path)?, version, &today)?;
    fs::write(path, changelog)?;
    let path = project.root.join("Cargo.toml");
    fs::write(&path, with_version(&fs::read_to_string(&path)?, version)?)?;
    cmd!(shell, "cargo update --quiet --workspace --offline").run()?;
    // Cargo finds the order: each crate after those that it depends on.
    cmd!(shell, "cargo publish --workspace --dry-run --no-verify --allow-dirty").run()?;
    eprintln!("review the changes, commit them, and push the tag v{version}");
    Ok(())
}

fn require_addresses(project: &Project) -> Result<()> {
    for address in [&project.repository, &project.homepage, project.maintainer()?] {
        ensure!(
            !address.contains(".invalid"),
            "{address} is a placeholder: set `repository` and `homepage` in Cargo.toml, and the maintainer in machins-cli/Cargo.toml"
        );
    }
    Ok(())
}

fn last_tag(shell: &Shell) -> Result<Option<String>> {
    let tags = cmd!(shell, "git tag --list v* --sort=-version:refname").quiet().read()?;
    Ok(tags.lines().next().map(str::to_owned))
}

/// Refuses a version that may not break users if something is gone from the recorded API. What was
/// added, and crates without a recorded API, are not checked.
fn check_api(project: &Project, shell: &Shell, tag: &str, next: &Version) -> Result<()> {
    let last: Version = tag.trim_start_matches('v').parse().with_context(|| tag.to_owned())?;
    if may_break(&last, next) {
        return Ok(());
    }
    for folder in RECORDED {
        let path = format!("{folder}/public-api.txt");
        let before = cmd!(shell, "git show {tag}:{path}").quiet().read()?;
        let now = fs::read_to_string(project.root.join(&path))?;
        let gone = gone(&before, &now);
        ensure!(
            gone.is_empty(),
            "{next} would break users of {last}: {folder} no longer has\n{}",
            gone.join("\n")
        );
    }
    eprintln!(
        "nothing is gone from {}. Not checked: what was added (a required method, a variant or a \
         field can break users, too), and the other crates. Read `git diff {tag}` for these",
        RECORDED.join(", ")
    );
    Ok(())
}

/// Returns whether a version may break users of another, as Cargo understands versions.
fn may_break(last: &Version, next: &Version) -> bool {
    next.major != last.major || next.major == 0 && next.minor != last.minor
}

/// Returns the items that were there and are not any more, or not as they were.
fn gone<'a>(before: &'a str, now: &str) -> Vec<&'a str> {
    let now: HashSet<&str> = now.lines().collect();
    before.lines().filter(|item| !now.contains(item)).collect()
}

/// Turns the section of what is unreleased into that of a version.
fn released(changelog: &str, version: &str, date: &str) -> Result<String> {
    let Some((before, after)) = changelog.split_once(UNRELEASED) else {
        bail!("CHANGELOG.md has no section `Unreleased`");
    };
    let section = after.split("\n## ").next().unwrap_or_default();
    ensure!(
        section.lines().any(|line| line.starts_with("- ")),
        "CHANGELOG.md says nothing about what is new"
    );
    Ok(format!("{before}{UNRELEASED}\n## {version} ({date})\n{after}"))
}

/// Changes the version in the workspace's manifest, and in its dependencies on its own crates.
fn with_version(manifest: &str, version: &str) -> Result<String> {
    let mut manifest: DocumentMut = manifest.parse()?;
    let workspace = &mut manifest["workspace"];
    workspace["package"]["version"] = value(version);
    let dependencies = workspace["dependencies"].as_table_like_mut();
    for (_, dependency) in dependencies.context("Cargo.toml has no dependencies")?.iter_mut() {
        let Some(dependency) = dependency.as_table_like_mut() else { continue };
        if dependency.contains_key("path") && dependency.contains_key("version") {
            dependency.insert("version", value(version));
        }
    }
    Ok(manifest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\n## Unreleased\n\n### Added\n\n- New.\n";

    #[test]
    fn a_release_begins_a_new_section() {
        let text = released(CHANGELOG, "1.2.0", "2026-01-31").unwrap();
        assert_eq!(
            text,
            "# Changelog\n\n## Unreleased\n\n## 1.2.0 (2026-01-31)\n\n### Added\n\n- New.\n"
        );
        let again = released(&text, "1.3.0", "2026-02-01").unwrap_err();
        assert!(again.to_string().contains("nothing about what is new"), "{again}");
    }

    #[test]
    fn what_is_gone_needs_a_version_that_may_break() {
        let before = "pub fn a::one()\npub fn a::two(u8)\n";
        assert_eq!(gone(before, "pub fn a::one()\npub fn a::two(u16)\n"), ["pub fn a::two(u8)"]);
        assert!(gone(before, &format!("{before}pub fn a::three()\n")).is_empty());
        let version = |text: &str| text.parse::<Version>().unwrap();
        for (last, next, expected) in [
            ("0.1.0", "0.1.1", false),
            ("0.1.0", "0.2.0", true),
            ("1.1.0", "1.2.0", false),
            ("1.1.0", "2.0.0", true),
        ] {
            assert_eq!(may_break(&version(last), &version(next)), expected, "{last} to {next}");
        }
    }

    #[test]
    fn our_own_dependencies_get_the_version_too() {
        let manifest = "[workspace.package]\nversion = \"0.1.0\" # one for all\n\n\
                        [workspace.dependencies]\nours = { path = \"ours\", version = \"0.1.0\" }\n\
                        test = { path = \"test\" }\nother = { version = \"0.1.0\" }\n";
        let expected = "[workspace.package]\nversion = \"0.2.0\"\n\n\
                        [workspace.dependencies]\nours = { path = \"ours\", version = \"0.2.0\" }\n\
                        test = { path = \"test\" }\nother = { version = \"0.1.0\" }\n";
        let changed = with_version(manifest, "0.2.0").unwrap();
        assert_eq!(changed.replace(" # one for all", ""), expected);
    }
}
