//! What pages are made of.

use crate::text::beginning;
use std::fmt::Write as _;

use maud::{Markup, html};
use serde_json::Value;

use super::query::{Query, segment};
use super::request::Console;
use super::token::token;
use super::words::{readable, status_tone, tone};

/// How many entries a page of a list shows.
pub(super) const PAGE: u64 = 50;

/// The longest JSON that a page shows, in bytes; the control API gives it whole.
const SHOWN: usize = 64 * 1024;

/// Returns a text in JSON; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Returns a number in JSON; 0 if there is none.
pub(super) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

/// Returns a list in JSON; empty if there is none.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Shows a state as a label.
pub(super) fn badge(state: &str) -> Markup {
    badge_as(tone(state), &readable(state))
}

pub(super) fn badge_as(tone: &str, words: &str) -> Markup {
    html! { span class={ "badge " (tone) } { (words) } }
}

/// Shows an HTTP status.
pub(super) fn status(value: &Value) -> Markup {
    let status = value.as_u64();
    let words = status.map_or_else(|| "no reply".to_owned(), |status| status.to_string());
    badge_as(status_tone(status), &words)
}

/// Shows a time; a dash if there is none.
pub(super) fn time(value: &Value) -> Markup {
    let Some(time) = value.as_str() else {
        return html! { span.none { "–" } };
    };
    let (date, rest) = time.split_once('T').unwrap_or((time, ""));
    let clock = rest.get(..8).unwrap_or(rest);
    html! { time datetime=(time) title=(time) { span.date { (date) } " " (clock) } }
}

/// Shows a text; a dash if there is none.
pub(super) fn or_dash(value: &Value) -> Markup {
    match value {
        Value::String(text) if !text.is_empty() => html! { (text) },
        Value::Number(number) => html! { (number) },
        _ => html! { span.none { "–" } },
    }
}

/// Returns the beginning of an id.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Links to a page about a trade by the beginning of its id.
pub(super) fn trade_link(console: &Console, id: &str) -> Markup {
    let path = console.link(&format!("/console/trades/{}", segment(id)));
    html! { a.mono href=(path) title=(id) { (short(id)) } }
}

/// Links to a page about an agent.
pub(super) fn agent_link(console: &Console, slug: &Value) -> Markup {
    let Some(slug) = slug.as_str() else {
        return html! { span.none { "–" } };
    };
    let path = format!("/console/agents/{}", segment(slug));
    html! { a href=(console.link(&path)) { (slug) } }
}

/// Shows JSON, indented as it was sent.
pub(super) fn json(label: &str, json: &str) -> Markup {
    let cut = beginning(json, SHOWN).len();
    let shown = indent(&json[..cut]);
    html! {
        pre.json tabindex="0" role="region" aria-label=(label) { code { (shown) @if cut < json.len() { "…" } } }
        @if cut < json.len() {
            p.hint { "The first 64 KiB of " (json.len()) " bytes." }
        }
    }
}

/// Indents JSON without changing anything else in it.
fn indent(json: &str) -> String {
    let mut indented = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    let line = |indented: &mut String, depth: usize| {
        let _ = write!(indented, "\n{:1$}", "", depth.min(32) * 2);
    };
    while let Some(character) = characters.next() {
        if in_string {
            indented.push(character);
            (in_string, escaped) = (escaped || character != '"', character == '\\' && !escaped);
            continue;
        }
        match character {
            '{' | '[' => {
                indented.push(character);
                let next = characters.peek();
                if matches!(next, Some('}' | ']')) {
                    indented.extend(characters.next());
                } else {
                    depth += 1;
                    line(&mut indented, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut indented, depth);
                indented.push(character);
            }
            ',' => {
                indented.push(character);
                line(&mut indented, depth);
            }
            ':' => indented.push_str(": "),
            '"' => {
                in_string = true;
                indented.push(character);
            }
            _ if character.is_ascii_whitespace() => {}
            _ => indented.push(character),
        }
    }
    indented
}

/// The hidden fields of every form: the token, and where to go afterwards.
pub(super) fn hidden(console: &Console) -> Markup {
    html! {
        input type="hidden" name="token" value=(token());
        input type="hidden" name="back" value=(without_notice(&console.path));
    }
}

/// Returns the address of a page without what it says about the last action.
fn without_notice(path: &str) -> String {
    match path.split_once('?') {
        None => path.to_owned(),
        Some((page, query)) => {
            let kept: Vec<_> = query.split('&').filter(|one| !one.starts_with("done=")).collect();
            if kept.is_empty() { page.to_owned() } else { format!("{page}?{}", kept.join("&")) }
        }
    }
}

/// A form with one button. `confirm` is asked before it is sent.
pub(super) fn button(
    console: &Console,
    path: &str,
    fields: &[(&str, &str)],
    label: &str,
    confirm: Option<&str>,
) -> Markup {
    let class = if confirm.is_some() { "danger" } else { "" };
    html! {
        form.inline method="post" action=(console.link(path)) {
            (hidden(console))
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button class=(class) data-confirm=[confirm] { (label) }
        }
    }
}

/// Links to the parts of a long list before and after the one that is shown.
pub(super) fn pager(console: &Console, path: &str, query: &Query, total: u64) -> Markup {
    let offset = console.params.number("offset").unwrap_or(0);
    let link = |offset: u64| {
        let query = query.clone().and("offset", Some(offset).filter(|offset| *offset > 0));
        console.link(&format!("{path}{}", query.suffix()))
    };
    let last = (offset + PAGE).min(total);
    html! {
        nav.pager aria-label="Parts of the list" {
            span { @if total == 0 { "0" } @else { (offset + 1) "–" (last) } " of " (total) }
            @if offset > 0 { a href=(link(offset.saturating_sub(PAGE))) rel="prev" { "Newer" } }
            @if last < total { a href=(link(offset + PAGE)) rel="next" { "Older" } }
        }
    }
}

/// A choice in a filter. Each option is a value and its name; the first stands for no filter.
pub(super) fn select(
    name: &str,
    label: &str,
    chosen: Option<&str>,
    options: &[(&str, &str)],
) -> Markup {
    html! {
        label { span { (label) }
            select name=(name) {
                @for (value, words) in options {
                    option value=(value) selected[chosen.unwrap_or_default() == *value] { (words) }
                }
            }
        }
    }
}

pub(super) fn input(name: &str, label: &str, value: Option<&str>, kind: &str) -> Markup {
    html! {
        label { span { (label) } input type=(kind) name=(name) value=[value] autocomplete="off"; }
    }
}

/// What a list says when there is nothing in it.
#[expect(clippy::needless_pass_by_value, reason = "markup is made where it is shown")]
pub(super) fn empty(what: &str, hint: Markup) -> Markup {
    html! { div.empty { p { strong { (what) } } p { (hint) } } }
}

/// A table that scrolls by itself if it is wider than the page.
#[expect(clippy::needless_pass_by_value, reason = "markup is made where it is shown")]
pub(super) fn table(label: &str, head: Markup, rows: Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table { thead { tr { (head) } } tbody { (rows) } }
        }
    }
}

/// A text with a button that copies it.
pub(super) fn copyable(id: &str, label: &str, text: &str) -> Markup {
    html! {
        div.copyable {
            pre tabindex="0" role="region" aria-label=(label) { code id=(id) { (text) } }
            button type="button" data-copy=(id) { "Copy" span.hidden { " " (label) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nested(
        r#"{"a":[1.50,{}],"b":"x,\"{"}"#,
        "{\n  \"a\": [\n    1.50,\n    {}\n  ],\n  \"b\": \"x,\\\"{\"\n}"
    )]
    #[case::text(r#""only {""#, r#""only {""#)]
    #[case::spaces("{ \"a\" : 1 }", "{\n  \"a\": 1\n}")]
    fn json_is_indented_and_kept(#[case] json: &str, #[case] shown: &str) {
        assert_eq!(indent(json), shown);
    }

    #[rstest]
    #[case::none("/console/clock", "/console/clock")]
    #[case::only("/?done=reset", "/")]
    #[case::others("/x?a=1&done=reset&b=2", "/x?a=1&b=2")]
    fn a_notice_is_shown_once(#[case] path: &str, #[case] kept: &str) {
        assert_eq!(without_notice(path), kept);
    }
}
