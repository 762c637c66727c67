//! What a shell wants to have: the overview, completions, manual pages.

use std::fs;
use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::args;
use crate::error::Failure;
use crate::output::Output;

/// `machins` alone: the commands in groups.
pub(crate) fn overview(out: Output) -> Result<(), Failure> {
    if out.is_json() {
        return Err(Failure::usage("no command given").hint("machins --help"));
    }
    out.text(&args::tree().render_help().ansi().to_string())
}

/// `machins completions`.
pub(crate) fn completions(out: Output, shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::tree(), "machins", &mut script);
    out.bytes(&script)
}

/// `machins man`: the main page on stdout, or all pages as files.
pub(crate) fn man(out: Output, folder: Option<&Path>) -> Result<(), Failure> {
    let mut tree = args::tree().disable_help_subcommand(true);
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
        .map_err(|error| Failure::local("could not make the manual page", error))?;
    Ok(page)
}
