//! Shell integration: `machins completions`, `machins man`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use super::{completion, topics};
use crate::error::Failure;
use crate::output::Output;
use crate::suggestion;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a completion script for a shell
    ///
    /// The script asks machins for what can be completed: commands, flags, types, statuses, events,
    /// settings, profiles, and the ids of your devices, trades and listings, which are kept in the
    /// cache folder of your user for two minutes. Where a service does not answer, no ids are offered.
    ///
    /// In ~/.bashrc, or in ~/.zshrc after compinit: source <(machins completions bash), or zsh. In the
    /// config of fish: machins completions fish | source.
    #[command(after_help = "Example:\n  machins completions bash > machins.bash")]
    Completions {
        /// Shell to complete commands in
        shell: Shell,
    },

    /// Print the manual page of the program or of a command
    #[command(
        after_help = "Examples:\n  machins man > machins.1\n  machins man inbox ack\n  machins man --dir man1"
    )]
    Man {
        /// Command whose page to print
        #[arg(value_name = "COMMAND", conflicts_with = "dir")]
        command: Vec<String>,
        /// Folder to write the pages of all commands to
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

impl Command {
    pub(crate) fn run(self, out: Output, tree: clap::Command) -> Result<(), Failure> {
        match self {
            Self::Completions { shell } => generated(out, &completion::script(shell)),
            Self::Man { command, dir } => man(out, &command, dir.as_deref(), tree),
        }
    }
}

/// Prints a generated file: as it is, or as a JSON string.
fn generated(out: Output, file: &[u8]) -> Result<(), Failure> {
    if out.is_json() { out.document(&String::from_utf8_lossy(file)) } else { out.bytes(file) }
}

/// Prints the page of the program or of a command, or writes the pages of all commands to a folder.
fn man(
    out: Output,
    words: &[String],
    folder: Option<&Path>,
    tree: clap::Command,
) -> Result<(), Failure> {
    let mut tree = tree.disable_help_subcommand(true);
    tree.build();
    let Some(folder) = folder else {
        let mut command = &tree;
        for word in words {
            command = command.find_subcommand(word).ok_or_else(|| {
                let names: Vec<&str> =
                    command.get_subcommands().map(clap::Command::get_name).collect();
                Failure::usage(suggestion::unknown("command", word, &names))
            })?;
        }
        return generated(out, &page(command.clone())?);
    };
    let failed = |error| Failure::local(format!("could not write to {}", folder.display()), error);
    fs::create_dir_all(folder).map_err(failed)?;
    let (mut pages, mut names) = (Vec::new(), Vec::new());
    collect(tree, &mut pages);
    for command in pages {
        let name = command.get_display_name().unwrap_or(command.get_name()).replace(' ', "-");
        fs::write(folder.join(format!("{name}.1")), page(command)?).map_err(failed)?;
        names.push(name);
    }
    out.result(&json!({"path": folder, "pages": names}), String::new)
}

fn collect(command: clap::Command, pages: &mut Vec<clap::Command>) {
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        collect(child.clone(), pages);
    }
    pages.push(command);
}

/// The manual page of a command, in the order of `man-pages(7)`.
fn page(mut command: clap::Command) -> Result<Vec<u8>, Failure> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let usage = command.render_usage().to_string();
    let has_options = command.get_arguments().any(|argument| !argument.is_hide_set());
    let has_commands = command.has_subcommands();
    let examples = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command);
    let mut page = Vec::new();
    let write = |page: &mut Vec<u8>| {
        // No date: that of the build would differ from one to the next.
        writeln!(page, r#".TH {name} 1 "" "machins {}" """#, env!("CARGO_PKG_VERSION"))?;
        man.render_name_section(page)?;
        let usage = usage.trim_start_matches("Usage:").trim_end().lines().map(str::trim);
        section("SYNOPSIS", |roff| lines(roff, usage)).to_writer(page)?;
        man.render_description_section(page)?;
        if has_options {
            man.render_options_section(page)?;
        }
        if has_commands {
            man.render_subcommands_section(page)?;
        }
        for (heading, rows) in [
            ("EXIT STATUS", owned(topics::exit_codes())),
            ("ENVIRONMENT", owned(topics::variables())),
            ("FILES", owned(topics::FILES)),
        ] {
            section(heading, |roff| {
                for (name, text) in rows {
                    roff.control("TP", []).text([bold(name)]).text([roman(text)]);
                }
            })
            .to_writer(page)?;
        }
        if let Some((_, examples)) = examples.as_deref().and_then(|text| text.split_once('\n')) {
            let indented = examples.lines().map(|line| line.strip_prefix("  ").unwrap_or(line));
            section("EXAMPLES", |roff| lines(roff, indented)).to_writer(page)?;
        }
        if name.contains('-') {
            let program = |roff: &mut Roff| {
                roff.text([bold("machins"), roman("(1)")]);
            };
            section("SEE ALSO", program).to_writer(page)?;
        }
        Ok(())
    };
    write(&mut page)
        .map_err(|error: io::Error| Failure::local("could not create the manual page", error))?;
    Ok(page)
}

fn section(heading: &str, fill: impl FnOnce(&mut Roff)) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    fill(&mut roff);
    roff
}

/// Adds lines as they are.
fn lines<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

/// Rows of a section as texts.
fn owned<N: Into<String>>(
    rows: impl IntoIterator<Item = (N, &'static str)>,
) -> Vec<(String, String)> {
    rows.into_iter().map(|(name, text)| (name.into(), text.to_owned())).collect()
}
