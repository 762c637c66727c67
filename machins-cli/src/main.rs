//! `machins`: the MachineID and machins APIs from a shell.
//!
//! One file a group of commands; [`args`] is the command tree, [`output`] where results go,
//! [`error`] what goes wrong and its exit code, [`config`] the settings.

mod api;
mod args;
mod config;
mod config_command;
mod context;
mod demo;
mod devices;
mod error;
mod format;
mod guard;
mod inbox;
mod join;
mod json;
mod json_flag;
mod lookup;
mod market;
mod mock;
mod org;
mod output;
mod owner;
mod pages;
mod panic;
mod process;
mod progress;
#[cfg(test)]
mod properties;
mod public;
mod python;
mod runtime;
mod secret;
mod sell;
mod shell;
mod shown_once;
mod subscriptions;
mod table;
mod text;
mod trades;
mod verbose;
mod wallet;
mod webhook;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::market::{Market, Owner};
use crate::args::{Command, Global, Org};
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    #[cfg(unix)]
    if arguments.get(1).is_some_and(|word| word == process::watchdog::ARGUMENT) {
        return process::watchdog::run();
    }
    panic::guarded(|| run(&arguments))
}

fn run(arguments: &[OsString]) -> ExitCode {
    let (global, command) = match args::parse(args::tree(), arguments) {
        Ok(parsed) => parsed,
        Err(error) => return not_run(&error, arguments),
    };
    let out = Output::new(&global);
    verbose::start(global.verbose);
    match dispatch(global, command, out) {
        Ok(code) => code,
        Err(failure) => {
            out.failure(&failure);
            failure.exit.into()
        }
    }
}

fn dispatch(global: Global, command: Option<Command>, out: Output) -> Result<ExitCode, Failure> {
    let Some(command) = command else {
        return shell::overview(out).map(done);
    };
    let context = Context::new(global, out, saves(&command));
    match command {
        Command::Demo => demo::run(out).map(done),
        Command::Market(command) => trade(&context, command).map(done),
        Command::Register(device) => devices::register(&context, &device).map(done),
        Command::Validate(device) => {
            panic::deny_on_panic();
            devices::validate(&context, &device).map_err(Failure::denying).map(done)
        }
        Command::Guard(guard) => {
            panic::deny_on_panic();
            guard::run(&context, &guard)
        }
        Command::Devices => devices::list(&context).map(done),
        Command::Revoke(devices) => devices::revoke(&context, &devices).map(done),
        Command::Unrevoke(devices) => devices::unrevoke(&context, &devices).map(done),
        Command::Remove(device) => devices::remove(&context, &device).map(done),
        Command::Usage => org::usage(&context).map(done),
        Command::Checkout { plan } => org::checkout(&context, &plan).map(done),
        Command::Org(command) => org::run(&context, &command).map(done),
        Command::Config { set, get, command } => {
            config_command::run(&context, set, get, command).map(done)
        }
        Command::Mock(command) => mock::run(out, &command),
        Command::Api(api) => api::run(&context, api).map(done),
        Command::Completions { shell } => shell::completions(out, shell).map(done),
        Command::Man { dir } => shell::man(out, dir.as_deref()).map(done),
    }
}

/// Whether a command saves what it gets: then the profile that --profile names may be a new one.
fn saves(command: &Command) -> bool {
    matches!(
        command,
        Command::Org(Org::Create { save: true })
            | Command::Market(Market::Join(_) | Market::Owner(Owner::Login { .. }))
    )
}

fn trade(context: &Context, command: Market) -> Result<(), Failure> {
    match command {
        Market::Join(agent) => join::run(context, agent),
        Market::Status => join::status(context),
        Market::Browse(wanted) => market::browse(context, &wanted),
        Market::Show { id } => market::show(context, &id),
        Market::Sell(listing) => sell::run(context, listing),
        Market::Listings => sell::list(context),
        Market::Listing { id } => sell::show(context, &id),
        Market::Edit(changes) => sell::edit(context, changes),
        Market::Unlist { id } => sell::unlist(context, &id),
        Market::Buy(proposal) => trades::buy(context, proposal),
        Market::Trades(wanted) => trades::list(context, &wanted),
        Market::Trade { id, wait: None } => trades::show(context, &id),
        Market::Trade { id, wait: Some(status) } => trades::wait(context, &id, &status),
        Market::Accept { id, reason } => trades::accept(context, &id, reason.is_some()),
        Market::Reject(action) => trades::reject(context, &action),
        Market::Cancel(action) => trades::cancel(context, &action),
        Market::Deliver(delivery) => trades::deliver(context, &delivery),
        Market::Confirm { id } => trades::confirm(context, &id),
        Market::Dispute(action) => trades::dispute(context, &action),
        Market::Review(review) => trades::review(context, review),
        Market::Wallet => wallet::show(context),
        Market::Transactions(paging) => wallet::transactions(context, &paging),
        Market::Inbox { list, command: None } => inbox::list(context, &list),
        Market::Inbox { list, command: Some(command) } => inbox::run(context, &list, &command),
        Market::Subscriptions => subscriptions::list(context),
        Market::Subscribe(wanted) => subscriptions::subscribe(context, wanted),
        Market::Unsubscribe { id } => subscriptions::unsubscribe(context, &id),
        Market::Webhook(command) => webhook::run(context, &command),
        Market::Claim(claim) => owner::claim(context, claim),
        Market::Owner(command) => owner::run(context, &command),
        Market::Stats => public::stats(context),
        Market::Leaderboard => public::leaderboard(context),
        Market::Agent { slug } => public::agent(context, &slug),
        Market::RecentTrades => public::recent_trades(context),
        Market::Info => public::info(context),
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Help and version go where they belong; anything else was wrong usage.
fn not_run(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let out = Output::new(&Global { json, ..Global::default() });
    if let Some((name, instead)) = python::instead(error) {
        let what = format!(
            "{name} is a command of the Python package alone: no reference documents its endpoint"
        );
        out.failure(&Failure::usage(what).hint(instead));
    } else if json && error.use_stderr() {
        let text = error.render().to_string();
        // The rest is for people: how it is used, and where to read more.
        let message: Vec<&str> = text
            .trim_start_matches("error: ")
            .lines()
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        out.failure(&Failure::usage(message.join(" ")));
    } else {
        // Nobody is left to tell when the pipe is closed.
        let _ = error.print();
    }
    if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}
