//! Money: `machins wallet`, `machins transactions`, `machins intents`, `machins approvals`.

use clap::Subcommand;
use machins_client::{EntryType, Transaction};

use super::approvals::Approvals;
use super::intents::Intents;
use crate::context::Context;
use crate::error::Failure;
use crate::format::{amount, credits, time};
use crate::list::show_list;
use crate::pages::{self, Paging};
use crate::records::Record;
use crate::style::{BAD, GOOD, STRONG};
use crate::table::{Cell, Table, cell, fields, styled};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show your balance and how much of it is in escrow
    #[command(after_help = "Example:\n  machins wallet")]
    Wallet,

    /// List the transactions of your wallet
    #[command(after_help = "Example:\n  machins transactions --limit 5")]
    Transactions(Paging),

    Intents(Intents),

    Approvals(Approvals),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Wallet => wallet(context),
            Self::Transactions(paging) => transactions(context, &paging),
            Self::Intents(intents) => intents.run(context),
            Self::Approvals(approvals) => approvals.run(context),
        }
    }
}

fn wallet(context: &Context) -> Result<(), Failure> {
    let wallet = context.machins()?.get_wallet()?;
    context.out.result(&wallet, || {
        fields(&[
            ("balance", styled(&credits(wallet.balance), STRONG)),
            ("in escrow", cell(&credits(wallet.held_balance))),
            ("available", styled(&credits(wallet.available_balance), GOOD)),
        ])
    })
}

fn transactions(context: &Context, paging: &Paging) -> Result<(), Failure> {
    let client = context.machins()?;
    let transactions = pages::fetch(
        context.out,
        paging,
        "transaction",
        (),
        |query| client.list_transactions(query),
        |query| client.transactions_all(query),
    )?;
    let text = |text: &Option<String>| cell(text.as_deref().unwrap_or_default());
    let table = Table::<Transaction>::new()
        .column("WHEN", |entry| time(entry.created_at.as_ref(), ""))
        .number("AMOUNT", signed)
        .number("BALANCE", |entry| cell(&entry.balance_after.map(amount).unwrap_or_default()))
        .column("FOR", |entry| text(&entry.category))
        .text("WHAT", |entry| text(&entry.description))
        .optional("ABOUT", |entry| text(&entry.reference_id));
    let if_empty = "No transactions found. See your balance: `machins wallet`";
    show_list(context.out, &transactions, if_empty, &table)
}

/// The amount of a transaction with the sign that it has in the wallet.
fn signed(entry: &Transaction) -> Cell {
    let amount = entry.amount.map(amount).unwrap_or_default();
    match entry.entry_type {
        Some(EntryType::Credit) => styled(&format!("+{amount}"), GOOD),
        Some(EntryType::Debit) => styled(&format!("-{amount}"), BAD),
        _ => cell(&amount),
    }
}

impl Record for Transaction {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "entry_type",
        "amount",
        "balance_after",
        "category",
        "reference_type",
        "reference_id",
        "description",
        "created_at",
    ];
}
