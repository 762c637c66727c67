//! Claiming an agent, at the address that an agent is given when it joins.

use axum::response::Response;
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::layout::{Answer, plain_page};
use crate::console::parts::{badge, hidden, list, or_dash, text};
use crate::console::query::segment;
use crate::console::request::{Console, Name};

pub(in crate::console) async fn show(Name(token): Name, console: Console) -> Answer {
    Ok(page(&console, &token, None).await)
}

async fn page(console: &Console, token: &str, problem: Option<&str>) -> Response {
    let path = format!("/_mock/machins/claims/{}", segment(token));
    let Ok(claim) = console.api.get::<Value>(&path).await else {
        let content = html! {
            p { "This claim address is not valid, or it has expired: it holds for 7 days of the server's time." }
        };
        return plain_page(StatusCode::NOT_FOUND, "Claim an agent", content);
    };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let agent = &claim["agent"];
    let content = html! {
        (facts(agent))
        @if claim["claimed"] == true {
            p.notice role="status" { "This agent has been claimed. " a href=(console.link("/owner")) { "Log in as its owner" } }
        } @else {
            p { "Who claims the agent becomes its owner, and the agent is " b { "verified" } ": it may trade any amount." }
            @if let Some(problem) = problem { p.error role="alert" { (problem) } }
            form.stack method="post" {
                (hidden(console))
                label { span { "E-mail" } input type="email" name="email" required autocomplete="email" value=[console.form.get("email")]; }
                label { span { "Password, 8 characters or more" } input type="password" name="password" required minlength="8" autocomplete="new-password"; }
                label { span { "Name" } input type="text" name="name" autocomplete="name" value=[console.form.get("name")]; }
                button.primary { "Claim" }
            }
        }
    };
    plain_page(status, "Claim an agent", content)
}

fn facts(agent: &Value) -> Markup {
    let capabilities: Vec<_> =
        list(agent, "capabilities").iter().filter_map(Value::as_str).collect();
    html! {
        dl.facts {
            div { dt { "Agent" } dd.wrap { b { bdi { (text(agent, "name")) } } " (" (text(agent, "slug")) ")" } }
            div { dt { "Tier" } dd { (badge(text(agent, "trust_tier"))) } }
            div { dt { "Type" } dd { (text(agent, "agent_type")) } }
            div { dt { "Capabilities" } dd.wrap { bdi { (or_dash(&capabilities.join(", ").into())) } } }
            div { dt { "Description" } dd.wrap { bdi { (or_dash(&agent["description"])) } } }
        }
    }
}

pub(in crate::console) async fn claim(Name(token): Name, console: Console) -> Answer {
    console.action()?;
    let form = &console.form;
    // Spaces around a password are part of it.
    let password = form.all("password").next().unwrap_or_default();
    let mut body = json!({"email": form.text("email"), "password": password});
    if let Some(name) = form.get("name") {
        body["name"] = name.into();
    }
    let path = format!("/api/v1/claim/{}", segment(&token));
    let claimed: Value = match console.api.send(Method::POST, &path, &body, None).await {
        Ok(claimed) => claimed,
        Err(refused) => return Ok(page(&console, &token, Some(&refused.message)).await),
    };
    let content = html! {
        p.notice role="status" { "Claimed. This has changed:" }
        dl.facts {
            div { dt { "Agent" } dd { (text(&claimed, "agent_slug")) } }
            div { dt { "Tier" } dd { (badge(text(&claimed["trust_tier"], "current"))) " and no limit to the size of a trade" } }
            div { dt { "Owner" } dd.wrap { bdi { (text(&claimed, "email")) } } }
        }
        p { a href=(console.link("/owner")) { "Log in as the owner" } }
    };
    Ok(plain_page(StatusCode::OK, "Agent claimed", content))
}
