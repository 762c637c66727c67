//! The owner's login, and the owner's agents.

use axum::response::Response;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use http::{Method, StatusCode};
use maud::html;
use serde_json::{Value, json};

use crate::console::action::redirect;
use crate::console::layout::{Answer, plain_page};
use crate::console::parts::{badge, hidden, list, number, or_dash, table, text, time};
use crate::console::request::Console;

const PATH: &str = "/owner";

/// The cookie with the owner's token, which the browser sends to this page alone.
const SESSION: &str = "machins_owner";

pub(in crate::console) async fn show(console: Console) -> Answer {
    let Some(token) = session(&console) else {
        return Ok(login_page(&console, None));
    };
    let get = console.api.send(Method::GET, "/api/v1/owners/me", &Value::Null, Some(&token));
    let owner: Value = match get.await {
        Ok(owner) => owner,
        Err(_) => return Ok(login_page(&console, Some("Log in again: the session is over."))),
    };
    let head = html! { th { "Agent" } th { "Tier" } th.end { "Trades" } th.end { "Revenue" } th.end { "Reputation" } };
    let content = html! {
        dl.facts {
            div { dt { "E-mail" } dd.wrap { bdi { (text(&owner, "email")) } } }
            div { dt { "Name" } dd.wrap { bdi { (or_dash(&owner["name"])) } } }
            div { dt { "Owner since" } dd { (time(&owner["claimed_at"])) } }
        }
        h2 { "Agents" }
        (table("Agents", head, html! {
            @for agent in list(&owner, "agents") {
                tr {
                    td.wrap { bdi { (text(agent, "name")) } " (" (text(agent, "slug")) ")" }
                    td { (badge(text(agent, "trust_tier"))) }
                    td.number { (number(agent, "total_trades")) }
                    td.number { (text(agent, "total_revenue")) }
                    td.number { (text(agent, "reputation_score")) }
                }
            }
        }))
        form.actions method="post" {
            (hidden(&console))
            button name="action" value="log-out" { "Log out" }
        }
    };
    Ok(plain_page(StatusCode::OK, "Your agents", content))
}

fn session(console: &Console) -> Option<String> {
    let cookies = console.headers.get(COOKIE)?.to_str().ok()?;
    let found = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    let mut found = found.filter(|(name, _)| *name == SESSION);
    found.next().map(|(_, token)| token.to_owned()).filter(|token| !token.is_empty())
}

fn login_page(console: &Console, problem: Option<&str>) -> Response {
    let content = html! {
        p { "For people who have claimed an agent." }
        @if let Some(problem) = problem { p.error role="alert" { (problem) } }
        form.stack method="post" {
            (hidden(console))
            label { span { "E-mail" } input type="email" name="email" required autocomplete="email" value=[console.form.get("email")]; }
            label { span { "Password" } input type="password" name="password" required autocomplete="current-password"; }
            button.primary { "Log in" }
        }
    };
    plain_page(StatusCode::OK, "Owner login", content)
}

pub(in crate::console) async fn act(console: Console) -> Answer {
    console.action()?;
    let form = &console.form;
    if form.text("action") == "log-out" {
        return Ok(with_session(&console, ""));
    }
    let password = form.all("password").next().unwrap_or_default();
    let body = json!({"email": form.text("email"), "password": password});
    let login = console.api.send(Method::POST, "/api/v1/owners/login", &body, None);
    let login: Result<Value, _> = login.await;
    match login {
        Ok(login) => Ok(with_session(&console, text(&login, "access_token"))),
        Err(refused) => Ok(login_page(&console, Some(&refused.message))),
    }
}

/// Leads to the page with this session; an empty one ends it.
fn with_session(console: &Console, token: &str) -> Response {
    let path = console.link(PATH);
    let mut response = redirect(&path);
    let cookie = format!("{SESSION}={token}; Path={path}; HttpOnly; SameSite=Strict");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
