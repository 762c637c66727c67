//! Text that means harm, in whatever a server says to any command: nothing but printable text
//! reaches a terminal, and with `--json` the text is intact.
//!
//! The replies are the mock's own, with the harm added on their way, so that a new command or
//! field is tested without a word here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::examples::{World, examples, run};
use crate::home::{Home, Ran};
use crate::stub::{self, Reply};

/// Escapes of both widths, a clipboard write, a title, bidi overrides, breaks, what is invisible.
const HARM: &str = "\u{1b}[35;45m\u{1b}]52;c;aGk=\u{7}\u{1b}]0;owned\u{1b}\\\u{9b}2J\u{90}q\u{9c}\
                    \u{202e}evil\u{2066}\u{200f}\r\nerror: forged\u{2028}\t\u{8}\u{7f}\0\
                    \u{feff}\u{200b}\u{ad}\u{e0041}\"\\東京";

/// What this program itself sends to a terminal beside text.
const STYLES: [&str; 7] =
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"];

/// Away from a terminal escapes are taken out, unless colours are wanted. The log tells most.
const LOUD: &str = "-vv --color always";

fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{200b}' | '\u{200e}' | '\u{200f}')
        && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e0fff}')
}

#[track_caller]
fn is_harmless(line: &str, Ran { stdout, stderr, .. }: &Ran) {
    for text in [stdout, stderr] {
        let plain = unstyled(text);
        if let Some(at) = plain.find(|c: char| c != '\n' && !is_printable(c)) {
            panic!("{line}: {:?}", plain[at..].chars().take(60).collect::<String>());
        }
        // A break in a text does not begin a line of its own.
        assert!(!plain.lines().any(|line| line.starts_with("error: forged")), "{line}: {plain}");
    }
}

fn unstyled(text: &str) -> String {
    STYLES.iter().fold(text.to_owned(), |text, style| text.replace(style, ""))
}

/// Whether a text is a table; then each row has a gap before each column that its heading begins.
#[track_caller]
fn is_aligned(line: &str, text: &str) -> bool {
    // The headings of numbers, which are aligned on the right.
    const RIGHT: [&str; 6] = ["PRICE", "AMOUNT", "BALANCE", "RANK", "REPUTATION", "TRADES"];
    let mut rows = text.lines();
    let headings = rows.next().unwrap_or_default();
    let is_heading = |c: char| c.is_ascii_uppercase() || c == ' ';
    if headings.is_empty() || !headings.chars().all(is_heading) {
        return false;
    }
    let left =
        headings.split("  ").filter(|word| !word.is_empty() && !RIGHT.contains(&word.trim()));
    let starts: Vec<usize> = left.map(|word| headings.find(word.trim()).unwrap()).collect();
    for row in rows {
        for start in starts.iter().filter(|start| **start > 0) {
            let mut width = 0;
            let before: String = row
                .chars()
                .take_while(|c| {
                    width += c.width().unwrap_or(0);
                    width <= *start
                })
                .collect();
            assert!(
                before.ends_with("  ") || before.width() < *start,
                "{line}: {row:?} at {start}"
            );
        }
    }
    true
}

/// Adds harm to every text that does not have to be read as something else.
fn poison(value: &mut Value, harm: &str) {
    match value {
        Value::String(text) => {
            let is_amount = text.parse::<f64>().is_ok();
            if !is_amount && !text.starts_with("at_") && !text.starts_with("org_") {
                text.push_str(harm);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, harm)),
        Value::Object(fields) => {
            // What allows must stay what it is; only with it does the command go on.
            for (_, value) in fields.iter_mut().filter(|(name, _)| *name != "code") {
                poison(value, harm);
            }
            fields.insert(format!("unknown{harm}"), json!(harm));
        }
        _ => {}
    }
}

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// A world behind a server that adds harm to what the mock says. It keeps its last reply.
fn poisoned(world: &World, harm: &'static str) -> (String, Arc<Mutex<Value>>) {
    let url = world.shop.server.url();
    let last = Arc::new(Mutex::new(Value::Null));
    let said = Arc::clone(&last);
    let address = stub::serve(move |request| {
        let reply = stub::forward(&url, &request);
        let mut body = serde_json::from_slice(&reply.body).unwrap();
        poison(&mut body, harm);
        let reply = Reply::json(reply.status, &body);
        *said.lock().unwrap() = body;
        reply
    });
    (address, last)
}

#[test]
fn nothing_but_printable_text_reaches_a_terminal() {
    let world = World::new();
    let (url, last) = poisoned(&world, HARM);
    let mut tables = 0;
    for example in examples().iter().filter(|example| example.is_first) {
        let line = &example.line;
        // Whole ids: none of those in the lists can be named any more.
        let script = world.script(example, usize::MAX);
        let human = run(&world.home(&url), example, &script, LOUD);
        is_harmless(line, &human);
        tables += usize::from(is_aligned(line, &unstyled(&human.stdout)));

        *last.lock().unwrap() = Value::Null;
        let json = run(&world.home(&url), example, &script, "--json");
        is_harmless(line, &json);
        let Ran { stdout, code, .. } = json;
        assert_eq!(code, human.code, "{line}");
        let said = last.lock().unwrap().clone();
        if said.is_null() || code != Some(0) {
            continue;
        }
        let Ok(shown) = serde_json::from_str::<Value>(stdout.lines().next().unwrap_or_default())
        else {
            // It is the output of the command that it ran.
            assert!(["guard", "mock exec"].contains(&&*example.command), "{line}: {stdout}");
            continue;
        };
        let (mut said_texts, mut shown_texts) = (BTreeSet::new(), BTreeSet::new());
        texts(&said, &mut said_texts);
        texts(&shown, &mut shown_texts);
        let missing: Vec<_> = said_texts.difference(&shown_texts).collect();
        // The token is nobody's business, and the others are summaries.
        let is_part = ["owner login", "status", "doctor"].contains(&&*example.command);
        assert!(missing.is_empty() || is_part, "{line}: {missing:?}\n{stdout}");
    }
    assert!(tables >= 8, "{tables}");
}

#[test]
fn errors_are_as_printable_as_replies() {
    let world = World::new();
    let (harm, code) = (format!("no{HARM}"), format!("CODE{HARM}"));
    let body = json!({
        "detail": harm, "error": {"code": code, "message": harm, "details": {&harm: harm}},
        "code": code, "request_id": harm, "status": harm, "allowed": false, "deviceId": harm,
    });
    let replies = stub::serve(move |_| Reply {
        headers: b"content-type: application/json\r\nx-request-id: \x9b31m\xe2\x80\xae\r\n".into(),
        ..Reply::json(422, &body)
    });
    let page = stub::serve(|_| Reply {
        status: 404,
        headers: b"content-type: text/html\r\n".into(),
        body: format!("<p>{HARM}").into(),
    });
    for example in examples().iter().filter(|example| example.is_first) {
        let (line, script) = (&example.line, world.script(example, usize::MAX));
        is_harmless(line, &run(&world.home(&replies), example, &script, LOUD));
        let ran = run(&world.home(&page), example, &script, "--json");
        is_harmless(line, &ran);
        if ran.code != Some(0) {
            assert!(!ran.error()["message"].as_str().unwrap().is_empty(), "{line}");
        }
    }
}

#[test]
fn long_text_is_cut_for_people_and_whole_in_json() {
    let world = World::new();
    let long: &'static str = "A megabyte of 東京 \u{1b}[2J\n".repeat(40_000).leak();
    let url = world.shop.server.url();
    let address = stub::serve(move |request| {
        let reply = stub::forward(&url, &request);
        let mut body = serde_json::from_slice(&reply.body).unwrap();
        lengthen(&mut body, long);
        Reply::json(reply.status, &body)
    });
    for example in examples().iter().filter(|example| example.is_first) {
        let (line, script) = (&example.line, world.script(example, usize::MAX));
        let human = run(&world.home(&address), example, &script, "--color always");
        is_harmless(line, &human);
        assert!(human.stderr.len() < 20_000, "{line}: {}", human.stderr.len());
        // The one document that is shown as it came.
        assert!(human.stdout.len() < 50_000 || example.command == "api", "{line}");
    }
    let home = world.home(&address);
    let show = ["show", &world.ids[0].1, "--json"];
    assert!(home.run(&show).exits(0).document()["title"].as_str().unwrap().ends_with(long));
}

/// Makes the first text of a reply that is no id very long.
fn lengthen(value: &mut Value, long: &str) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().any(|item| lengthen(item, long)),
        Value::Object(fields) => fields.iter_mut().any(|(name, value)| match value {
            Value::String(text) if ["title", "name", "terms", "detail"].contains(&&**name) => {
                text.push_str(long);
                true
            }
            other => lengthen(other, long),
        }),
        _ => false,
    }
}

#[test]
fn the_log_has_no_control_characters() {
    let body = json!({"detail": HARM});
    let url = stub::serve(move |_| Reply::json(503, &body));
    let home = Home::new().with("MACHINS_BASE_URL", &url);
    let ran = home.run(&["stats", "-v", "--color", "always"]).exits(1);
    assert!(ran.stderr.contains("sending again"), "{ran:?}");
    is_harmless("stats", &ran);
}
