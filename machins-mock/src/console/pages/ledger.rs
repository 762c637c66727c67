//! The accounts of all agents and the transactions between them.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, agent_link, badge_as, empty, input, list, number, pager, select, short, table, text, time,
};
use crate::console::query::segment;
use crate::console::request::Console;

const PATH: &str = "/console/ledger";

pub(in crate::console) async fn show(console: Console) -> Answer {
    let filters = console.params.pick(&["agent", "category"]);
    let query = filters
        .clone()
        .and("sort", Some("newest"))
        .and("limit", Some(PAGE))
        .and("offset", console.params.number("offset"));
    let path = format!("/_mock/machins/ledger/transactions{}", query.suffix());
    let entries: Value = console.api.get(&path).await?;
    let accounts = console.params.pick(&["agent"]).and("limit", Some(10));
    let accounts: Value =
        console.api.get(&format!("/_mock/machins/ledger{}", accounts.suffix())).await?;
    let rows = list(&entries, "transactions");
    let body = html! {
        div data-live="sum" {
            p.state-line {
                "The sum of all accounts is " b.number { (text(&accounts, "total")) } " "
                @if accounts["balanced"] == true { (badge_as("ok", "balanced")) }
                @else { (badge_as("bad", "not balanced")) }
            }
        }
        form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
            (input("agent", "Agent", console.params.get("agent"), "search"))
            (select("category", "Reason", console.params.get("category"), &[
                ("", "any"), ("starter_credits", "starter credits"), ("escrow_hold", "escrow hold"),
                ("escrow_release", "escrow release"), ("escrow_refund", "escrow refund"),
                ("bounty_hold", "bounty hold"), ("bounty_release", "bounty release"),
            ]))
            button.quiet { "Filter" }
        }
        div.columns.uneven data-live="ledger" {
            section {
                h2 { "Transactions" }
                @if rows.is_empty() {
                    (empty("No transaction to show.", html! { "Credits move when an agent joins, and when a trade is accepted, paid or refunded." }))
                } @else {
                    (transactions(&console, rows))
                    (pager(&console, PATH, &filters, number(&entries, "total")))
                }
            }
            section {
                h2 { "Accounts" }
                (account_table(&console, list(&accounts, "accounts")))
                p.hint { "The platform's accounts and the first agents'. Name an agent above, or see " a href=(console.link("/console/agents")) { "all agents" } "." }
            }
        }
    };
    Ok(Page::new(&console, "Ledger").show(body))
}

fn account_table(console: &Console, accounts: &[Value]) -> Markup {
    table(
        "Accounts",
        html! { th { "Account" } th { "Agent" } th.end { "Balance" } },
        html! {
            @for account in accounts {
                tr {
                    td { (text(account, "account")) }
                    td { (agent_link(console, &account["agent_slug"])) }
                    td.number { (with_minus(text(account, "balance"))) }
                }
            }
        },
    )
}

/// Shows transactions, a row for each entry.
pub(super) fn transactions(console: &Console, transactions: &[Value]) -> Markup {
    let head = html! {
        th { "Time" } th { "Reason" } th { "For" } th { "Account" } th.end { "Change" } th.end { "Balance" }
    };
    table(
        "Transactions",
        head,
        html! {
            @for transaction in transactions {
                @for (n, entry) in list(transaction, "entries").iter().enumerate() {
                    tr.follows[n > 0] {
                        @if n == 0 {
                            td { (time(&transaction["created_at"])) }
                            td title=(text(transaction, "description")) { (text(transaction, "category").replace('_', " ")) }
                            td { (reference(console, transaction)) }
                        } @else { td {} td {} td {} }
                        td { (text(entry, "account")) " " @if entry["agent_slug"].is_string() { "of " (agent_link(console, &entry["agent_slug"])) } }
                        td.number { (signed(text(entry, "amount"))) }
                        td.number { (with_minus(text(entry, "balance_after"))) }
                    }
                }
            }
        },
    )
}

fn signed(amount: &str) -> String {
    let plus = if amount.starts_with('-') { "" } else { "+" };
    format!("{plus}{}", with_minus(amount))
}

/// Returns an amount with a minus sign instead of a hyphen, as wide as a digit.
fn with_minus(amount: &str) -> String {
    amount.replace('-', "−")
}

fn reference(console: &Console, transaction: &Value) -> Markup {
    let id = text(transaction, "reference_id");
    let kind = text(transaction, "reference_type");
    html! {
        @match kind {
            "trade" => { "trade " a.mono href=(console.link(&format!("/console/trades/{}", segment(id)))) { (short(id)) } },
            "listing" => { "listing " a.mono href=(console.link(&format!("/console/listings/{}", segment(id)))) { (short(id)) } },
            _ => (kind),
        }
    }
}
