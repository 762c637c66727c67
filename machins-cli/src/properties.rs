//! Properties: any input is accepted or refused, and never causes a panic.

use std::iter;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::cmd::{self, Command};
use crate::config::document::Document;
use crate::flags;
use crate::flags::{Global, price};
use crate::json_flag;
use crate::naming::slug_from;
use crate::table::{Table, cell};
use crate::text::{clean, is_printable};

static TREE: LazyLock<clap::Command> = LazyLock::new(cmd::tree);

fn parse(words: &[String]) -> Result<(Global, Option<Command>), clap::Error> {
    let line: Vec<_> =
        iter::once("machins").chain(words.iter().map(String::as_str)).map(Into::into).collect();
    cmd::parse(TREE.clone(), &line)
}

/// The names of all commands and flags.
fn known() -> Vec<String> {
    fn collect(command: &clap::Command, words: &mut Vec<String>) {
        words.push(command.get_name().to_owned());
        words.extend(
            command.get_arguments().filter_map(clap::Arg::get_long).map(|f| format!("--{f}")),
        );
        command.get_subcommands().for_each(|child| collect(child, words));
    }
    let mut words = vec!["--".to_owned(), "-q".into(), "-vv".into(), "-".into()];
    collect(&TREE, &mut words);
    words
}

/// Any text, with a liking for what has a meaning somewhere.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-+0-9.eExX,_]{0,20}",
        "[\\[\\]{}\":, a0-9\\\\\u{1b}\u{202e}東\n]{0,40}",
        vec(any::<char>(), 0..3000).prop_map(|text| text.into_iter().collect()),
    ]
}

proptest! {
    #[test]
    fn any_words_are_a_command_or_refused(
        words in vec(prop_oneof![3 => select(known()), 1 => any_text()], 0..8),
    ) {
        if let Err(error) = parse(&words) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_price_is_what_was_typed(text in any_text()) {
        let words = ["sell", "--title=Any", &format!("--price={text}")].map(Into::into);
        prop_assert_eq!(parse(&words).is_ok(), price(&text).is_ok());
        if let Ok(price) = price(&text) {
            let (typed, read): (f64, f64) =
                (text.trim().parse().unwrap(), price.to_string().parse().unwrap());
            prop_assert!((typed - read).abs() <= typed.abs() * 1e-15, "{text:?} {price}");
        }
    }

    #[test]
    fn a_time_is_bounded(text in any_text()) {
        let words = [format!("--timeout={text}"), "devices".into()];
        if let Ok((global, _)) = parse(&words) {
            let seconds = global.timeout.unwrap().as_secs_f64();
            prop_assert!(seconds > 0.0 && seconds < 4e7, "{text:?} {seconds}");
        }
    }

    #[test]
    fn json_is_read_or_its_place_shown(text in any_text().prop_filter("stdin or a file", |text| text != "-" && !text.starts_with('@'))) {
        match json_flag::value("--data", &text) {
            Ok(value) => prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap()),
            Err(failure) => {
                let lines = failure.lines().unwrap();
                prop_assert!(lines.chars().all(|c| is_printable(c) || c == '\n'), "{lines:?}");
                prop_assert!(lines.lines().all(|line| line.width() <= 130), "{lines:?}");
            }
        }
    }

    #[test]
    fn a_slug_is_one(text in any_text()) {
        let slug = slug_from(&text, "listing");
        prop_assert!((3..=100).contains(&slug.len()) && flags::slug(&slug).is_ok(), "{slug}");
    }

    #[test]
    fn a_config_file_is_read_or_refused_and_keeps_what_it_has(text in any_text()) {
        if let Ok(document) = Document::parse(&text) {
            let again = Document::parse(&document.to_text());
            prop_assert!(again == Ok(document), "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_is_printable_and_short(text in any_text()) {
        let shown = clean(&text);
        prop_assert!(shown.chars().all(is_printable) && shown.chars().count() <= 2001, "{shown:?}");
        prop_assert_eq!(clean(&shown), shown.as_ref());
    }

    #[test]
    fn a_row_is_one_line(texts in vec(any_text(), 1..5)) {
        let table = Table::<String>::new()
            .text("TITLE", |text| cell(text))
            .column("ID", |_| cell("end"))
            .render(&texts);
        let table = anstream::adapter::strip_str(&table).to_string();
        prop_assert_eq!(table.lines().count(), texts.len() + 1);
        let width = table.lines().next().unwrap().width() - "ID".len();
        for line in table.lines().skip(1) {
            prop_assert_eq!(line.strip_suffix("end").unwrap().width(), width, "{}", line);
        }
    }
}
