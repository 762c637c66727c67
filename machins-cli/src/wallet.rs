//! The commands about money: wallet, transactions.

use machins_client::{EntryType, PageQuery, Transaction};

use crate::args::market::Paging;
use crate::context::Context;
use crate::error::Failure;
use crate::format::{amount, credits, moment};
use crate::output::{BAD, GOOD, STRONG};
use crate::pages::{self, List};
use crate::table::{Cell, Column, cell, fields, fitted, styled};

/// `machins wallet`.
pub(crate) fn show(context: &Context) -> Result<(), Failure> {
    let wallet = context.machins()?.get_wallet()?;
    context.out.result(&wallet, || {
        fields(&[
            ("balance", styled(&credits(wallet.balance), STRONG)),
            ("in escrow", cell(&credits(wallet.held_balance))),
            ("available", styled(&credits(wallet.available_balance), GOOD)),
        ])
    })
}

/// `machins transactions`.
pub(crate) fn transactions(context: &Context, paging: &Paging) -> Result<(), Failure> {
    let mut query = PageQuery::new().limit(pages::limit(paging));
    if let Some(offset) = paging.offset {
        query = query.offset(offset);
    }
    let client = context.machins()?;
    let list = List::fetch(
        context,
        paging,
        "transaction",
        || client.list_transactions(&query),
        || client.transactions_all(&query),
    )?;
    if list.items().is_empty() {
        context.out.note("Nothing was paid in or out. See what you have: machins wallet");
        return context.out.result(&list, String::new);
    }
    let rows: Vec<Vec<Cell>> = list.items().iter().map(row).collect();
    let columns = [
        Column::whole("WHEN"),
        Column::number("AMOUNT"),
        Column::number("BALANCE"),
        Column::whole("FOR"),
        Column::text("WHAT"),
        Column::extra("ABOUT"),
    ];
    context.out.result(&list, || fitted(&columns, &rows))?;
    list.say_rest(context, "transaction");
    Ok(())
}

fn row(entry: &Transaction) -> Vec<Cell> {
    let amount_cell = match entry.entry_type {
        EntryType::Credit => styled(&format!("+{}", amount(entry.amount)), GOOD),
        EntryType::Debit => styled(&format!("-{}", amount(entry.amount)), BAD),
        _ => cell(&amount(entry.amount)),
    };
    vec![
        moment(entry.created_at.as_ref(), ""),
        amount_cell,
        cell(&entry.balance_after.map(amount).unwrap_or_default()),
        cell(entry.category.as_deref().unwrap_or_default()),
        cell(entry.description.as_deref().unwrap_or_default()),
        cell(entry.reference_id.as_deref().unwrap_or_default()),
    ]
}
