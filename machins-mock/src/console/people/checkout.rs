//! The checkout, at the address that `billing/checkout` replies with.

use http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::action::redirect;
use crate::console::layout::{Answer, plain_page};
use crate::console::parts::{hidden, number, text};
use crate::console::query::segment;
use crate::console::request::{Console, Name};

pub(in crate::console) async fn show(Name(id): Name, console: Console) -> Answer {
    let path = format!("/_mock/machineid/checkouts/{}", segment(&id));
    let Ok(checkout) = console.api.get::<Value>(&path).await else {
        let content = html! {
            p { "There is no such checkout. The server may have been restarted or emptied since." }
        };
        return Ok(plain_page(StatusCode::NOT_FOUND, "Checkout", content));
    };
    Ok(plain_page(StatusCode::OK, "Checkout", content(&console, &checkout)))
}

fn content(console: &Console, checkout: &Value) -> Markup {
    let (plan, status) = (text(checkout, "plan"), text(checkout, "status"));
    html! {
        @if status == "paid" { p.notice role="status" { "Paid. The org is on the plan " b { (plan) } " now." } }
        @if status == "cancelled" { p.notice role="status" { "Cancelled. Nothing was changed or paid." } }
        dl.facts {
            div { dt { "Plan" } dd { b { (plan) } ", up to " (number(checkout, "limit")) " active devices" } }
            div { dt { "Price" } dd { b { "$" (number(checkout, "price_usd")) } " a month" span.fine { " (a price of the mock; no money moves)" } } }
            div { dt { "Org" } dd.wrap.mono { (text(checkout, "org_key")) } }
            div { dt { "Its plan now" } dd { (text(checkout, "current_plan")) } }
        }
        @if status == "open" {
            form.actions method="post" {
                (hidden(console))
                button.primary name="outcome" value="pay" { "Pay" }
                button name="outcome" value="cancel" { "Cancel" }
            }
        }
    }
}

pub(in crate::console) async fn finish(Name(id): Name, console: Console) -> Answer {
    console.action()?;
    let outcome = if console.form.text("outcome") == "pay" { "pay" } else { "cancel" };
    let path = format!("/_mock/machineid/checkouts/{}/finish", segment(&id));
    let finished = console.api.post(&path, &json!({"outcome": outcome})).await;
    match finished {
        // Paid or cancelled already: the page says which.
        Err(refused) if refused.status != 409 => return Err(refused),
        _ => {}
    }
    Ok(redirect(&console.link(&format!("/checkout/{}", segment(&id)))))
}
