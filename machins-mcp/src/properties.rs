//! Any bytes in any pieces: what is accepted comes out as it went in, and has one meaning.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use crate::lines::{Line, Splitter, content};
use crate::message::{Id, Message};

/// The largest message of these tests.
const LONGEST: usize = 300;

/// Splits a stream that arrives in pieces of these sizes.
fn split(stream: &[u8], sizes: &[usize]) -> Vec<Line> {
    let mut splitter = Splitter::new(LONGEST);
    let mut lines = Vec::new();
    let mut rest = stream;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        splitter.add(piece);
        lines.extend(std::iter::from_fn(|| splitter.next()));
        rest = after;
    }
    lines.extend(splitter.rest());
    lines
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..200_usize, 1..8)
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        2 => Just(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_vec()),
        1 => Just(vec![b'x'; LONGEST]),
        1 => Just(vec![b'x'; LONGEST + 1]),
        1 => Just(b" \r".to_vec()),
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join(&b'\n'))
}

/// JSON of any shape that fits into a message.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-zé\"\\\\]{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The text of a string in which every character is written as an escape.
fn escaped(text: &str) -> String {
    let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{}\"", units.concat())
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_how_they_arrive(stream in stream(), sizes in sizes()) {
        prop_assert_eq!(split(&stream, &sizes), split(&stream, &[stream.len().max(1)]));
    }

    #[test]
    fn whole_lines_come_out_as_they_went_in(stream in stream(), sizes in sizes()) {
        let lines = split(&stream, &sizes);
        let whole: Vec<_> = lines.iter().filter_map(|line| match line {
            Line::Whole(line) => Some(line.to_vec()),
            Line::Unreadable(_) => None,
        }).collect();
        let expected: Vec<_> = stream
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"))
            .filter(|line| {
                let content = content(line);
                !content.trim_ascii().is_empty()
                    && content.len() <= LONGEST
                    && !content.iter().any(|byte| matches!(byte, b'\r' | 0))
            })
            .map(<[u8]>::to_vec)
            .collect();
        prop_assert_eq!(whole, expected);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::read(&bytes);
    }

    /// What is read of a message is what another parser reads.
    #[test]
    fn tool_calls_are_read_as_other_parsers_do(
        tool in "\\PC{0,20}", id in any::<i32>(), arguments in value(), is_pretty in any::<bool>(),
    ) {
        let call = json!({
            "id": id, "params": {"arguments": arguments, "name": tool},
            "jsonrpc": "2.0", "method": "tools/call",
        });
        let text = if is_pretty { format!("{call:#}") } else { call.to_string() };
        let expected = Message::ToolCall { id: Id::Number(id.into()), tool, client: None };
        prop_assert_eq!(Message::read(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn escapes_hide_no_tool_call(tool in "\\PC{1,8}") {
        let text = format!(
            "{{\"jsonrpc\":\"2.0\",{}:{},{}:{{{}:{}}},\"id\":1}}",
            escaped("method"), escaped("tools/call"), escaped("params"), escaped("name"), escaped(&tool),
        );
        let expected = Message::ToolCall { id: Id::Number(1), tool, client: None };
        prop_assert_eq!(Message::read(text.as_bytes()), Ok(expected));
    }

    /// A key twice, at any depth, written in any way.
    #[test]
    fn a_key_that_occurs_twice_is_refused(
        key in "[a-z]{1,4}", first in value(), second in value(), depth in 0..5_usize,
        is_escaped in any::<bool>(), others in 0..40_usize,
    ) {
        let again = if is_escaped { escaped(&key) } else { format!("\"{key}\"") };
        let between: Vec<_> = (0..others).map(|number| format!("\"{number}\":0,")).collect();
        let between = between.concat();
        let inner = format!("{{\"{key}\":{first},{between}{again}:{second}}}");
        let nested = (0..depth).fold(inner, |inner, level| match level % 2 {
            0 => format!("[{inner}]"),
            _ => format!("{{\"a\":{inner}}}"),
        });
        for member in ["params", "result", "extension"] {
            let kind = if member == "result" { "" } else { "\"method\":\"ping\"," };
            let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":7,{kind}\"{member}\":{nested}}}");
            let refusal = Message::read(text.as_bytes()).unwrap_err();
            prop_assert!(refusal.reason.contains("twice"), "{}", refusal.reason);
            prop_assert_eq!(refusal.id, Some(Id::Number(7)), "{}", text);
        }
    }

    /// A message that is damaged anywhere is refused, or is still what another parser takes it for.
    #[test]
    fn damaged_messages_have_one_meaning_or_none(
        at in 0..200_usize, byte in any::<u8>(), is_inserted in any::<bool>(),
    ) {
        let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":[1,"b"]}}}"#;
        let mut bytes = call.to_vec();
        let at = at % bytes.len();
        if is_inserted { bytes.insert(at, byte) } else { bytes[at] = byte }
        let Ok(message) = Message::read(&bytes) else { return Ok(()) };
        let other: Value = serde_json::from_slice(&bytes).unwrap();
        let is_call = matches!(message, Message::ToolCall { .. });
        prop_assert_eq!(is_call, other["method"] == "tools/call");
        if let Message::ToolCall { tool, .. } = message {
            prop_assert_eq!(other["params"]["name"].as_str(), Some(&*tool));
        }
    }
}

#[rstest]
#[case::batch(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#)]
#[case::empty_batch("[]")]
#[case::two_messages(r#"{"jsonrpc":"2.0","method":"a"}{"jsonrpc":"2.0","method":"b"}"#)]
#[case::string(r#""ping""#)]
#[case::byte_order_mark("\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"a\"}")]
#[case::version_1(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#)]
#[case::no_version(r#"{"id":1,"method":"ping"}"#)]
#[case::version_number(r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#)]
#[case::null_id(r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"a"}}"#)]
#[case::fraction_id(r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#)]
#[case::exponent_id(r#"{"jsonrpc":"2.0","id":1e0,"method":"ping"}"#)]
#[case::negative_zero_id(r#"{"jsonrpc":"2.0","id":-0,"method":"ping"}"#)]
#[case::id_beyond_doubles(r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}"#)]
#[case::huge_id(r#"{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}"#)]
#[case::object_id(r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#)]
#[case::boolean_id(r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#)]
#[case::zero_before_id(r#"{"jsonrpc":"2.0","id":"01","method":"ping"}"#)]
#[case::space_before_id(r#"{"jsonrpc":"2.0","id":" 1","method":"ping"}"#)]
#[case::separator_after_id(r#"{"jsonrpc":"2.0","id":"1\u001f","method":"ping"}"#)]
#[case::signed_id(r#"{"jsonrpc":"2.0","id":"+1","method":"ping"}"#)]
#[case::negative_zero_text_id(r#"{"jsonrpc":"2.0","id":"-0","method":"ping"}"#)]
#[case::underscore_in_id(r#"{"jsonrpc":"2.0","id":"1_0","method":"ping"}"#)]
#[case::arabic_id(r#"{"jsonrpc":"2.0","id":"١","method":"ping"}"#)]
#[case::zeros_of_a_response(r#"{"jsonrpc":"2.0","id":"001","result":{}}"#)]
#[case::call_as_notification(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#)]
#[case::no_name(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#)]
#[case::no_params(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#)]
#[case::name_in_array(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["a"]}"#)]
#[case::name_number(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}"#)]
#[case::name_with_nul(
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u0000b"}}"#
)]
#[case::key_with_nul(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a\u0000":1}}"#)]
#[case::method_with_nul(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000"}"#)]
#[case::second_name(
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#
)]
#[case::method_in_capitals(r#"{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call"}"#)]
#[case::call_in_capitals(r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"a"}}"#)]
#[case::call_with_a_space(
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"a"}}"#
)]
#[case::only_capitals(r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call"}"#)]
#[case::long_s(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","paramſ":{"name":"a"}}"#)]
#[case::prototype(
    r#"{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{"method":"tools/call"}}"#
)]
#[case::method_and_result(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{}}"#)]
#[case::result_and_error(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#)]
#[case::neither(r#"{"jsonrpc":"2.0","id":1}"#)]
#[case::result_without_id(r#"{"jsonrpc":"2.0","result":{}}"#)]
#[case::leading_surrogate(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\ud800"}}"#)]
#[case::trailing_surrogate(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":["\udc00x"]}"#)]
#[case::comment(r#"{"jsonrpc":"2.0","id":1,/**/"method":"ping"}"#)]
#[case::trailing_comma(r#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#)]
#[case::single_quotes("{'jsonrpc':'2.0','id':1,'method':'ping'}")]
#[case::nan(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}"#)]
#[case::infinite(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1e999}}"#)]
#[case::cut(r#"{"jsonrpc":"2.0","id":1,"method":"pi"#)]
fn what_has_no_single_meaning_is_refused(#[case] text: &str) {
    Message::read(text.as_bytes()).unwrap_err();
}

#[test]
fn invalid_utf_8_is_refused() {
    let mut bytes = br#"{"jsonrpc":"2.0","method":"a"}"#.to_vec();
    for byte in [0x80, 0xc0, 0xff] {
        bytes[24] = byte;
        Message::read(&bytes).unwrap_err();
    }
}

#[test]
fn too_deep_nesting_is_refused() {
    let deep = |levels: usize| {
        let value = "[".repeat(levels) + &"]".repeat(levels);
        format!(r#"{{"jsonrpc":"2.0","method":"a","params":{value}}}"#)
    };
    Message::read(deep(100).as_bytes()).unwrap();
    Message::read(deep(100_000).as_bytes()).unwrap_err();
}

#[rstest]
#[case::request(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#)]
#[case::number_as_text(r#"{"jsonrpc":"2.0","id":"-10","method":"ping"}"#)]
#[case::zero_as_text(r#"{"jsonrpc":"2.0","id":"0","method":"ping"}"#)]
#[case::long_number_as_text(r#"{"jsonrpc":"2.0","id":"98765432109876543210","method":"ping"}"#)]
#[case::number_and_more(r#"{"jsonrpc":"2.0","id":"01-1","method":"ping"}"#)]
#[case::hexadecimal(r#"{"jsonrpc":"2.0","id":"0f","method":"ping"}"#)]
#[case::underscore(r#"{"jsonrpc":"2.0","id":"_","method":"ping"}"#)]
#[case::empty(r#"{"jsonrpc":"2.0","id":"","method":"ping"}"#)]
#[case::spaces(" \t{ \"jsonrpc\" : \"2.0\" , \"method\" : \"a\" } ")]
#[case::result(
    r#"{"result":{"content":[{"type":"text","text":"\u0000 is data"}]},"jsonrpc":"2.0","id":3}"#
)]
#[case::error(r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#)]
#[case::extension(r#"{"jsonrpc":"2.0","id":1,"method":"ping","trace":{"id":1}}"#)]
#[case::pair(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\ud83d\ude00"}}"#)]
#[case::names_of_prompts(
    r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"a","Name":"b"}}"#
)]
#[case::capitals_in_arguments(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"Name":1,"name":2}}}"#)]
fn ordinary_messages_pass(#[case] text: &str) {
    Message::read(text.as_bytes()).unwrap();
}

#[rstest]
#[case::middle(b"{\"a\":\r{\"jsonrpc\":\"2.0\"}\r}\n")]
#[case::nul(b"{\"a\":\0}\n")]
#[case::no_end(b"{}")]
fn lines_that_others_split_differently_are_unreadable(#[case] stream: &[u8]) {
    let lines = split(stream, &[7]);
    assert!(matches!(lines[..], [Line::Unreadable(_)]), "{lines:?}");
}

#[test]
fn lines_may_end_as_on_windows() {
    let lines = split(b"{}\r\n\r\n{}\n", &[3]);
    assert_eq!(lines, [Line::Whole("{}\r\n".into()), Line::Whole("{}\n".into())]);
}
