//! Orgs and their devices.

use std::collections::{HashMap, HashSet};

use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::api::Refused;
use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, badge, badge_as, copyable, empty, hidden, input, list, number, pager, select, table,
    text, time,
};
use crate::console::query::{Query, segment};
use crate::console::request::Console;

const PATH: &str = "/console/devices";
const PLANS: [(&str, &str); 4] = [
    ("free", "free, 3 devices"),
    ("pro", "pro, 25"),
    ("scale", "scale, 250"),
    ("max", "max, 1,000"),
];

/// The switches of an org: the field, what it is called, and its values.
const SWITCHES: [(&str, &str, &str, &str); 4] = [
    ("execution_enabled", "Kill switch", "off: devices may run", "on: nothing runs"),
    ("frozen", "Freeze", "frozen", "not frozen"),
    ("entitlement_active", "Entitlement", "paid for", "expired"),
    ("available", "Service", "available", "outage"),
];

/// How many decisions the list of devices looks at for the last one of each device.
const DECISIONS: usize = 500;

pub(in crate::console) async fn show(console: Console) -> Answer {
    let orgs: Value = console.api.get("/_mock/machineid/orgs").await?;
    let orgs = list(&orgs, "orgs");
    let chosen = console.params.get("org_key").or_else(|| match orgs {
        [only] => only["org_key"].as_str(),
        _ => None,
    });
    let org = orgs.iter().find(|org| org["org_key"].as_str() == chosen);
    let filters = console.params.pick(&["org_key", "status", "search"]);
    let query =
        filters.clone().and("limit", Some(PAGE)).and("offset", console.params.number("offset"));
    let path = format!("/_mock/machineid/devices{}", query.suffix());
    let devices: Value = console.api.get(&path).await?;
    let decisions = last_decisions(&console, list(&devices, "devices")).await;
    let body = html! {
        div data-live="orgs" {
            @if orgs.is_empty() {
                (empty("No org yet.", html! { "Create one below; its key is what clients send." }))
            }
            @if orgs.len() > 1 { (org_table(&console, orgs, chosen)) }
            @if let Some(org) = org { (settings(&console, org)) }
        }
        @if !orgs.is_empty() {
            section {
                h2 #devices { "Devices" @if let Some(key) = chosen { " of " span.mono { (key) } } }
                form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
                    @if let Some(key) = console.params.get("org_key") {
                        input type="hidden" name="org_key" value=(key);
                    }
                    (input("search", "Search", console.params.get("search"), "search"))
                    (select("status", "State", console.params.get("status"),
                        &[("", "any"), ("active", "active"), ("revoked", "revoked")]))
                    button.quiet { "Filter" }
                }
                (device_form(&console, &devices, &decisions, &filters, chosen))
                @if let Some(key) = chosen { (register(&console, key)) }
            }
        }
        section {
            h2 { "New org" }
            form.row method="post" action=(console.link("/console/orgs")) {
                (hidden(&console))
                (select("plan", "Plan", None, &PLANS))
                (input("org_key", "Key (random if empty)", None, "text"))
                button { "Create" }
            }
        }
    };
    Ok(Page::new(&console, "Devices").show(body))
}

fn org_link(console: &Console, key: &str) -> String {
    let query = Query::default().and("org_key", Some(key));
    console.link(&format!("{PATH}{}", query.suffix()))
}

fn org_table(console: &Console, orgs: &[Value], chosen: Option<&str>) -> Markup {
    let head = html! { th { "Org" } th { "Plan" } th.end { "Active devices" } th { "State" } };
    let rows = html! {
        @for org in orgs.iter().rev().take(50) {
            @let key = text(org, "org_key");
            tr aria-current=[(chosen == Some(key)).then_some("true")] {
                td.wrap { a.mono href=(org_link(console, key)) { (key) } }
                td { (text(org, "plan")) }
                td.number { (number(org, "devices_used")) " / " (number(org, "limit")) }
                td { (org_state(org)) }
            }
        }
    };
    html! {
        (table("Orgs", head, rows))
        @if orgs.len() > 50 { p.hint { "The newest 50 of " (orgs.len()) " orgs." } }
        @if chosen.is_some() { p { a href=(console.link(PATH)) { "All orgs" } } }
    }
}

/// Says why an org's devices may not run, if so.
fn org_state(org: &Value) -> Markup {
    html! {
        @if org["available"] == false { (badge_as("bad", "outage")) " " }
        @if org["execution_enabled"] == false { (badge_as("bad", "kill switch on")) " " }
        @if org["frozen"] == true { (badge_as("warn", "frozen")) " " }
        @if org["entitlement_active"] == false { (badge_as("bad", "entitlement expired")) " " }
        @if may_run(org) { (badge_as("ok", "may run")) }
    }
}

fn may_run(org: &Value) -> bool {
    org["available"] == true
        && org["execution_enabled"] == true
        && org["frozen"] == false
        && org["entitlement_active"] == true
}

fn settings(console: &Console, org: &Value) -> Markup {
    let key = text(org, "org_key");
    let change = |field: &str, value: &str, label: &str, confirm: Option<&str>| {
        html! {
            form.inline method="post" action=(console.link("/console/orgs/change")) {
                (hidden(console))
                input type="hidden" name="org_key" value=(key);
                input type="hidden" name=(field) value=(value);
                button class=(if confirm.is_some() { "danger" } else { "" }) data-confirm=[confirm] { (label) }
            }
        }
    };
    html! {
        section.card.wide {
            h2 { "Org " span.mono { (key) } " " (org_state(org)) }
            dl.facts {
                div {
                    dt { "Plan" }
                    dd {
                        (number(org, "devices_used")) " of " (number(org, "limit")) " devices on "
                        b { (text(org, "plan")) }
                        form.row.tight method="post" action=(console.link("/console/orgs/change")) {
                            (hidden(console))
                            input type="hidden" name="org_key" value=(key);
                            (select("plan", "Change to", Some(text(org, "plan")), &PLANS))
                            button { "Change" }
                        }
                    }
                }
                @for (field, name, yes, no) in SWITCHES {
                    @let is_set = org[field] == true;
                    @let is_fine = is_set != (field == "frozen");
                    div {
                        dt { (name) }
                        dd {
                            (badge_as(if is_fine { "ok" } else { "bad" }, if is_set { yes } else { no })) " "
                            (change(field, if is_set { "false" } else { "true" }, switch_label(field, is_set),
                                is_fine.then(|| switch_question(field)).as_deref()))
                        }
                    }
                }
            }
            (copyable("org-key", "the org's key", key))
        }
    }
}

fn switch_label(field: &str, is_set: bool) -> &'static str {
    match (field, is_set) {
        ("execution_enabled", true) => "Stop everything",
        ("execution_enabled", false) => "Let devices run",
        ("frozen", true) => "Unfreeze",
        ("frozen", false) => "Freeze",
        ("entitlement_active", true) => "Let it expire",
        ("entitlement_active", false) => "Mark as paid",
        (_, true) => "Begin an outage",
        (_, false) => "End the outage",
    }
}

fn switch_question(field: &str) -> String {
    let what = match field {
        "execution_enabled" => "Stop everything of this org",
        "frozen" => "Freeze the plan",
        "entitlement_active" => "Let the entitlement expire",
        _ => "Make MachineID unavailable to this org",
    };
    format!("{what}? Every validation denies from then on.")
}

/// The last decisions about devices, by their org and id.
type Decisions = HashMap<(String, String), String>;

/// Returns the last decision about each of these devices, as far as the recorded requests show it.
async fn last_decisions(console: &Console, devices: &[Value]) -> Decisions {
    let mut decisions = Decisions::new();
    // Requests show their keys masked, so those of each org are asked for.
    let orgs: HashSet<_> = devices.iter().map(|device| text(device, "org_key")).collect();
    for key in orgs {
        let query = Query::default()
            .and("path", Some("/api/v1/devices/validate"))
            .and("org_key", Some(key))
            .and("limit", Some(DECISIONS));
        let path = format!("/_mock/requests{}", query.suffix());
        let requests: Value = console.api.get(&path).await.unwrap_or_default();
        // Later ones replace earlier ones.
        decisions.extend(list(&requests, "requests").iter().filter_map(|request| {
            let code = request["reply"]["code"].as_str()?.to_owned();
            Some(((key.to_owned(), request["device"].as_str()?.to_owned()), code))
        }));
    }
    decisions
}

fn device_form(
    console: &Console,
    devices: &Value,
    decisions: &Decisions,
    filters: &Query,
    org: Option<&str>,
) -> Markup {
    let rows = list(devices, "devices");
    html! {
        form method="post" action=(console.link(PATH)) data-select {
            (hidden(console))
            @if let Some(key) = org { input type="hidden" name="org" value=(key); }
            div.actions.bulk {
                button.danger name="action" value="revoke"
                    data-confirm="Revoke the selected devices? Their next validation denies." { "Revoke selected" }
                button name="action" value="restore" { "Restore selected" }
                button.danger name="action" value="remove"
                    data-confirm="Remove the selected devices for good?" { "Remove selected" }
                @if org.is_some() {
                    button name="action" value="restore-all" { "Restore all up to the plan's limit" }
                    button.danger name="action" value="revoke-all"
                        data-confirm="Revoke all devices of this org?" { "Revoke all" }
                }
            }
            div data-live="devices" {
                @if rows.is_empty() {
                    (empty("No device to show.", html! {
                        "Devices appear when a client registers them. Change the filter, or register one below."
                    }))
                } @else {
                    (device_table(console, rows, decisions, org))
                    (pager(console, PATH, filters, number(devices, "total")))
                }
            }
        }
    }
}

fn device_table(
    console: &Console,
    devices: &[Value],
    decisions: &Decisions,
    org: Option<&str>,
) -> Markup {
    let head = html! {
        th { label { span.hidden { "Select all" } input type="checkbox" data-select-all; } }
        th { "Device" } th { "State" } th { "Last decision" } th.less { "Last allowed" }
        th.less { "Registered" } @if org.is_none() { th.less { "Org" } } th { "Actions" }
    };
    let rows = html! {
        @for device in devices {
            @let (key, id) = (text(device, "org_key"), text(device, "device_id"));
            @let value = format!("{key} {id}");
            tr {
                td {
                    label {
                        span.hidden { "Select " (id) }
                        input type="checkbox" name="device" value=(value);
                    }
                }
                td.wrap.grow { a.mono href=(device_link(console, key, id)) { (id) } }
                td { (badge(text(device, "status"))) }
                td {
                    @match decisions.get(&(key.to_owned(), id.to_owned())) {
                        Some(code) => (decision(code)),
                        None => span.none { "–" },
                    }
                }
                td.less { (time(&device["last_validated_at"])) }
                td.less { (time(&device["created_at"])) }
                @if org.is_none() { td.less { a.mono href=(org_link(console, key)) { (key) } } }
                td.buttons { (device_buttons(&value, id, text(device, "status"))) }
            }
        }
    };
    table("Devices", head, rows)
}

/// The buttons of one device, in a form about many.
fn device_buttons(value: &str, id: &str, status: &str) -> Markup {
    html! {
        @if status == "active" {
            button.danger name="revoke" value=(value) aria-label={ "Revoke " (id) }
                data-confirm={ "Revoke " (id) "? Its next validation denies." } { "Revoke" }
        } @else {
            button name="restore" value=(value) aria-label={ "Restore " (id) } { "Restore" }
        }
        button.danger name="remove" value=(value) aria-label={ "Remove " (id) }
            data-confirm={ "Remove " (id) " for good?" } { "Remove" }
    }
}

fn decision(code: &str) -> Markup {
    badge_as(if code == "ALLOW" { "ok" } else { "bad" }, code)
}

fn device_link(console: &Console, key: &str, id: &str) -> String {
    let query = Query::default().and("org_key", Some(key)).and("device", Some(id));
    console.link(&format!("/console/device{}", query.suffix()))
}

fn register(console: &Console, key: &str) -> Markup {
    html! {
        form.row method="post" action=(console.link(PATH)) {
            (hidden(console))
            input type="hidden" name="org" value=(key);
            (input("new", "Device id", None, "text"))
            button name="action" value="register" { "Register" }
        }
    }
}

/// One device: its state and its last decisions.
pub(in crate::console) async fn one(console: Console) -> Answer {
    let (key, id) = (console.params.text("org_key"), console.params.text("device"));
    let query = Query::default().and("org_key", Some(key)).and("search", Some(id));
    let found: Value =
        console.api.get(&format!("/_mock/machineid/devices{}", query.suffix())).await?;
    let device = list(&found, "devices").iter().find(|device| device["device_id"] == id);
    let Some(device) = device else {
        return Err(Refused::new(404, "the org has no such device"));
    };
    let org: Value = console.api.get(&format!("/_mock/machineid/orgs/{}", segment(key))).await?;
    let query =
        Query::default().and("org_key", Some(key)).and("device", Some(id)).and("limit", Some(PAGE));
    let requests: Value = console.api.get(&format!("/_mock/requests{}", query.suffix())).await?;
    let value = format!("{key} {id}");
    let body = html! {
        div data-live="device" {
            dl.facts {
                div { dt { "State" } dd { (badge(text(device, "status"))) } }
                div { dt { "Org" } dd { a.mono href=(org_link(&console, key)) { (key) } " " (org_state(&org)) } }
                div { dt { "Registered" } dd { (time(&device["created_at"])) } }
                div { dt { "Last allowed" } dd { (time(&device["last_validated_at"])) } }
                div { dt { "Revoked" } dd { (time(&device["revoked_at"])) } }
            }
            form.actions method="post" action=(console.link(PATH)) {
                (hidden(&console))
                (device_buttons(&value, id, text(device, "status")))
            }
            h2 { "Last decisions and calls" }
            @let rows = list(&requests, "requests");
            @if rows.is_empty() {
                (empty("No call about this device is recorded.", html! { "Validate it, and the decision appears here." }))
            } @else {
                (table("Calls", html! { th { "Time" } th { "Call" } th { "Decision" } }, html! {
                    @for request in rows.iter().rev() {
                        tr {
                            td { (time(&request["received_at"])) }
                            td { a.mono href=(console.link(&format!("/console/requests/{}", number(request, "seq")))) { (text(request, "path")) } }
                            td { @match request["reply"]["code"].as_str() {
                                Some(code) => (decision(code)),
                                None => (badge(text(&request["reply"], "status"))),
                            } }
                        }
                    }
                }))
            }
        }
    };
    Ok(Page::new(&console, id).under(PATH, "Devices").show(body))
}

/// Revokes, restores, removes or registers devices.
pub(in crate::console) async fn act(console: Console) -> Answer {
    let action = console.action()?;
    let form = &console.form;
    let single = ["revoke", "restore", "remove"]
        .into_iter()
        .find_map(|name| Some((name, vec![form.get(name)?.to_owned()])));
    let (name, devices) = single.unwrap_or_else(|| {
        let chosen = form.all("device").map(ToOwned::to_owned).collect();
        (
            match form.text("action") {
                "restore" => "restore",
                "remove" => "remove",
                "restore-all" => "restore-all",
                "revoke-all" => "revoke-all",
                "register" => "register",
                _ => "revoke",
            },
            chosen,
        )
    });
    let mut by_org: HashMap<String, Vec<String>> = HashMap::new();
    for device in &devices {
        if let Some((key, id)) = device.split_once(' ') {
            by_org.entry(key.to_owned()).or_default().push(id.to_owned());
        }
    }
    let org = form.text("org").to_owned();
    let changes = match name {
        "restore-all" => vec![(org, json!({"action": "restore"}))],
        "revoke-all" => vec![(org, json!({"action": "revoke"}))],
        "register" => vec![(org, json!({"action": "register", "devices": [form.text("new")]}))],
        name => by_org
            .into_iter()
            .map(|(key, ids)| (key, json!({"action": name, "devices": ids})))
            .collect(),
    };
    if changes.is_empty() {
        return Ok(action.done("none-chosen"));
    }
    let (mut affected, mut kept) = (0, 0);
    for (key, body) in changes {
        let path = format!("/_mock/machineid/orgs/{}/devices", segment(&key));
        let reply = console.api.post(&path, &body).await?;
        affected += list(&reply, "changed").len();
        kept += list(&reply, "unchanged").len();
    }
    let done = match (name, affected, kept) {
        (_, 0, _) => "unchanged",
        (_, _, 1..) => "some",
        ("restore" | "restore-all", ..) => "restored",
        ("remove", ..) => "removed",
        ("register", ..) => "registered",
        _ => "revoked",
    };
    // The page of a device that is gone would be missing.
    Ok(if name == "remove" && affected > 0 && form.text("back").starts_with("/console/device?") {
        action.go(PATH, done)
    } else {
        action.done(done)
    })
}

pub(in crate::console) async fn create_org(console: Console) -> Answer {
    let action = console.action()?;
    let mut body = json!({"plan": console.form.text("plan")});
    if let Some(key) = console.form.get("org_key") {
        body["org_key"] = key.into();
    }
    let org = console.api.post("/_mock/machineid/orgs", &body).await?;
    let query = Query::default().and("org_key", org["org_key"].as_str());
    let response: Response = action.go(&format!("{PATH}{}", query.suffix()), "org-created");
    Ok(response)
}

pub(in crate::console) async fn change_org(console: Console) -> Answer {
    let action = console.action()?;
    let mut update = json!({});
    if let Some(plan) = console.form.get("plan") {
        update["plan"] = plan.into();
    }
    for (field, ..) in SWITCHES {
        if let Some(value) = console.form.get(field) {
            update[field] = (value == "true").into();
        }
    }
    let path = format!("/_mock/machineid/orgs/{}", segment(console.form.text("org_key")));
    console.api.send::<Value>(Method::PATCH, &path, &update, None).await?;
    Ok(action.done("org-changed"))
}
