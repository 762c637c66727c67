//! What the Markdown pages refer to exists: links, paths, test targets.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::source::{files, root};

/// Endings of file names by which a text in backticks is recognised as a path.
const EXTENSIONS: [&str; 6] = [".rs", ".md", ".toml", ".json", ".svg", ".py"];

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut dead = Vec::new();
    for page in pages() {
        // `crate::…` in a page of a crate's documentation is an item; rustdoc checks it.
        let is_elsewhere = |link: &str| link.contains("://") || link.starts_with("crate::");
        for link in page.links().filter(|link| !is_elsewhere(link)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.path.clone() } else { page.folder().join(file) };
            if !target.exists() || !anchor.is_empty() && !Page::read(target).has_heading(anchor) {
                dead.push(format!("{}: {link}", page.name()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn every_path_in_backticks_exists() {
    let mut missing = Vec::new();
    for page in pages() {
        for path in page.inline_code().filter(|code| is_path(code)) {
            if !root().join(path).exists() && !page.folder().join(path).exists() {
                missing.push(format!("{}: {path}", page.name()));
            }
        }
    }
    assert!(missing.is_empty(), "paths that do not exist:\n{}", missing.join("\n"));
}

#[test]
fn every_test_command_names_an_existing_target() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        for command in page.text.lines().flat_map(|line| line.split('`')) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let Some(start) = words.iter().position(|word| *word == "cargo") else { continue };
            let sources = match words[start + 1..] {
                ["test", ..] => test_sources(&words[start + 2..]),
                ["+nightly", "fuzz", "run", target, ..] => {
                    vec![root().join(format!("fuzz/fuzz_targets/{target}.rs"))]
                }
                _ => continue,
            };
            count += sources.len();
            let missing = sources.iter().filter(|source| !source.exists());
            wrong.extend(missing.map(|_| format!("{}: {}", page.name(), command.trim())));
        }
    }
    assert!(count > 10, "only {count} targets were found");
    assert!(wrong.is_empty(), "commands without a target:\n{}", wrong.join("\n"));
}

/// A Markdown page.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        Self { path, text }
    }

    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap()
    }

    /// The lines outside blocks of code.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut in_block = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            in_block ^= is_fence;
            !in_block && !is_fence
        })
    }

    /// The targets of `[text](target)`.
    fn links(&self) -> impl Iterator<Item = &str> {
        self.prose()
            .flat_map(|line| line.split("](").skip(1))
            .filter_map(|rest| Some(rest.split_once(')')?.0))
    }

    /// The texts between backticks.
    fn inline_code(&self) -> impl Iterator<Item = &str> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2))
    }

    /// Whether a heading has this anchor.
    fn has_heading(&self, anchor: &str) -> bool {
        let anchors = self.prose().filter(|line| line.starts_with('#')).map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
            kept.collect::<String>().replace(' ', "-")
        });
        anchors.into_iter().any(|known| known == anchor)
    }
}

fn pages() -> Vec<Page> {
    files(&root(), "md").into_iter().map(Page::read).collect()
}

/// Whether a text in backticks is the path of a file or folder of this repository.
fn is_path(code: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let (first, rest) = code.split_once('/').unwrap_or((code, ""));
    code.chars().all(is_plain)
        && !code.starts_with(['/', '.'])
        && (EXTENSIONS.iter().any(|extension| code.ends_with(extension))
            || !rest.is_empty() && root().join(first).is_dir())
}

/// The source files that the arguments of a `cargo test` name: the targets, and the modules in them
/// to which the run is limited.
fn test_sources(arguments: &[&str]) -> Vec<PathBuf> {
    let value = |flag: &str| {
        let position = arguments.iter().position(|argument| *argument == flag)?;
        arguments.get(position + 1).copied()
    };
    let Some(package) = value("-p").map(folder_of_package) else { return Vec::new() };
    let targets = arguments.windows(2).filter(|pair| pair[0] == "--test");
    let mut sources: Vec<PathBuf> = targets.map(|pair| test_target(&package, pair[1])).collect();
    if value("--bin").is_some() {
        sources.push(package.join("src/main.rs"));
    }
    let folder = sources.first().and_then(|main| main.parent()).map(Path::to_owned);
    let filter = arguments.iter().find(|argument| argument.contains("::"));
    if let (Some(folder), Some(filter)) = (folder, filter) {
        let module = folder.join(filter.trim_end_matches("::").replace("::", "/"));
        let file = module.with_extension("rs");
        sources.push(if file.exists() { file } else { module.join("mod.rs") });
    }
    sources
}

fn folder_of_package(name: &str) -> PathBuf {
    let manifests = files(&root(), "toml").into_iter().filter(|path| path.ends_with("Cargo.toml"));
    let folder = manifests
        .filter(|path| {
            table(path).get("package").is_some_and(|of| of["name"].as_str() == Some(name))
        })
        .find_map(|path| path.parent().map(Path::to_owned));
    folder.unwrap_or_else(|| panic!("there is no package {name}"))
}

/// The main file of a package's test target, whether or not it exists.
fn test_target(package: &Path, name: &str) -> PathBuf {
    let manifest = table(&package.join("Cargo.toml"));
    let listed = manifest.get("test").and_then(Value::as_array).into_iter().flatten();
    let path = listed
        .filter(|target| target["name"].as_str() == Some(name))
        .find_map(|target| target.get("path")?.as_str());
    if let Some(path) = path {
        return package.join(path);
    }
    let file = package.join(format!("tests/{name}.rs"));
    if file.exists() { file } else { package.join(format!("tests/{name}/main.rs")) }
}

fn table(path: &Path) -> Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}
