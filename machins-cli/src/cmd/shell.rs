//! Shell integration: `machins completions`, `machins man`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::error::Failure;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  machins completions bash > machins.bash")]
    Completions {
        /// Shell to complete commands in
        shell: Shell,
    },

    /// Print the manual page, or write one for each command
    #[command(after_help = "Examples:\n  machins man > machins.1\n  machins man --dir man1")]
    Man {
        /// Folder to write the pages of all commands to
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

impl Command {
    pub(crate) fn run(self, out: Output, tree: clap::Command) -> Result<(), Failure> {
        match self {
            Self::Completions { shell } => completions(out, shell, tree),
            Self::Man { dir } => man(out, dir.as_deref(), tree),
        }
    }
}

fn completions(out: Output, shell: Shell, mut tree: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut tree, "machins", &mut script);
    out.bytes(&script)
}

/// Prints the main page, or writes the pages of all commands to a folder.
fn man(out: Output, folder: Option<&Path>, tree: clap::Command) -> Result<(), Failure> {
    let mut tree = tree.disable_help_subcommand(true);
    tree.build();
    let Some(folder) = folder else {
        return out.bytes(&page(tree)?);
    };
    let failed = |error| Failure::local(format!("could not write to {}", folder.display()), error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut pages = Vec::new();
    collect(tree, &mut pages);
    for command in pages {
        let name = command.get_display_name().unwrap_or(command.get_name()).replace(' ', "-");
        fs::write(folder.join(format!("{name}.1")), page(command)?).map_err(failed)?;
    }
    Ok(())
}

fn collect(command: clap::Command, pages: &mut Vec<clap::Command>) {
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        collect(child.clone(), pages);
    }
    pages.push(command);
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::local("could not create the manual page", error))?;
    Ok(page)
}
