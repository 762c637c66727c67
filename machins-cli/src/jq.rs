//! `--jq`: what of a JSON document is printed, said in the language of jq.

use crate::text::is_printable;

/// A filter that is ready to be applied.
pub(crate) use filter::Filter;

/// What a filter yields, as text for a terminal: a string without its quotation marks but with its
/// line breaks, anything else as JSON on one line.
fn safe(text: &str) -> String {
    text.chars().filter(|c| is_printable(*c) || matches!(c, '\n' | '\t')).collect()
}

#[cfg(feature = "jq")]
mod filter {
    use std::fmt;

    use jaq_core::data::JustLut;
    use jaq_core::load::lex::Expect;
    use jaq_core::load::{Arena, Error, File, Loader, parse};
    use jaq_core::native::{Fun, bome, run, v};
    use jaq_core::{Compiler, Ctx, Exn, Vars};
    use jaq_json::{Val, read};
    use serde::de::IgnoredAny;

    /// How many levels `fromjson` reads. A text may be another agent's, and each level takes some of the stack.
    const MAX_DEPTH: usize = 1_000;

    /// `fromjson`, by the function of that name under another one.
    const FROM_JSON: &str = "def fromjson: shallow | parsed;";

    /// The formats of jq for rows of a table, which the crates do not define.
    const FORMATS: &str = r#"
        def escaped($from; $to): split($from) | join($to);
        def @tsv: map(
            if . == null then ""
            elif isstring then escaped("\\"; "\\\\") | escaped("\t"; "\\t") | escaped("\n"; "\\n")
                | escaped("\r"; "\\r")
            else tostring end) | join("\t");
        def @csv: map(
            if . == null then ""
            elif isstring then "\"" + escaped("\""; "\"\"") + "\""
            else tostring end) | join(",");
    "#;

    pub(crate) struct Filter(jaq_core::Filter<JustLut<Val>>);

    impl fmt::Debug for Filter {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Filter")
        }
    }

    impl Filter {
        /// Parses an expression, or says what is wrong with it.
        pub(crate) fn parse(expression: &str) -> Result<Self, String> {
            let ours = |code| parse(code, |parser| parser.defs()).unwrap_or_default();
            let definitions = ours(FROM_JSON)
                .into_iter()
                .chain(jaq_core::defs())
                .chain(jaq_std::defs())
                .chain(jaq_json::defs())
                .chain(ours(FORMATS));
            let of_json = jaq_json::funs().map(|(name, arguments, function)| {
                (if name == "fromjson" { "parsed" } else { name }, arguments, function)
            });
            let functions =
                jaq_core::funs().chain(jaq_std::funs()).chain(of_json).chain([shallow()]);
            let arena = Arena::default();
            let modules = Loader::new(definitions)
                .load(&arena, File { code: expression, path: () })
                .map_err(|errors| {
                    errors.first().map_or_else(String::new, |(_, error)| describe(error))
                })?;
            let filter = Compiler::default().with_funs(functions).compile(modules);
            filter.map(Self).map_err(|errors| {
                let unknown = errors.iter().flat_map(|(_, errors)| errors).next();
                unknown.map_or_else(String::new, |(name, undefined)| {
                    format!("there is no {} {name}", undefined.as_str())
                })
            })
        }

        /// Applies the filter to a document. Returns what it yields, in the form of `jq -r`, or says why it
        /// failed. `halt` ends it: the status with which the program ends is not the filter's to choose.
        pub(crate) fn apply(&self, json: &str) -> Result<Vec<String>, String> {
            let input = read::parse_single(json.as_bytes()).map_err(|error| error.to_string())?;
            let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
            let mut texts = Vec::new();
            for result in self.0.id.run((context, input)) {
                match result.map_err(Exn::get_err) {
                    Ok(Val::TStr(text)) => texts.push(super::safe(&String::from_utf8_lossy(&text))),
                    Ok(value) => texts.push(super::safe(&value.to_string())),
                    Err(Ok(error)) => return Err(error.to_string()),
                    Err(Err(_halt)) => break,
                }
            }
            Ok(texts)
        }
    }

    /// A function that returns its input, or fails if that is a text that is not one document of JSON, or
    /// has too many levels.
    fn shallow() -> Fun<JustLut<Val>> {
        run(("shallow", v(0), |(_, value)| {
            let (Val::TStr(text) | Val::BStr(text)) = &value else { return bome(Ok(value)) };
            // Skipping a document does not recurse.
            bome(if serde_json::from_slice::<IgnoredAny>(text).is_err() {
                Err(jaq_core::Error::str("the text is not JSON"))
            } else if depth(text) > MAX_DEPTH {
                let message = format_args!("JSON is nested more than {MAX_DEPTH} levels deep");
                Err(jaq_core::Error::str(message))
            } else {
                Ok(value)
            })
        }))
    }

    /// The number of levels of a document of JSON.
    fn depth(json: &[u8]) -> usize {
        let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
        for byte in json {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = in_string,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => depth += 1,
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    fn describe(error: &Error<&str>) -> String {
        let at = |expected: &str, found: &str| match found {
            "" => format!("{expected} is missing at the end"),
            found => format!("{expected} expected at {found:?}"),
        };
        match error {
            Error::Lex(errors) => errors.first().map(|(expected, found)| match expected {
                Expect::Delim(open) => format!("{open:?} is not closed"),
                expected => at(expected.as_str(), found),
            }),
            Error::Parse(errors) => {
                errors.first().map(|(expected, found)| at(expected.as_str(), found))
            }
            Error::Io(errors) => errors.first().map(|(path, error)| format!("{path}: {error}")),
        }
        .unwrap_or_default()
    }
}

#[cfg(not(feature = "jq"))]
mod filter {
    /// There is none in this build.
    #[derive(Debug)]
    pub(crate) enum Filter {}

    impl Filter {
        pub(crate) fn parse(_: &str) -> Result<Self, String> {
            Err("this build of machins lacks the feature jq; build it with --features full".into())
        }

        pub(crate) fn apply(&self, _json: &str) -> Result<Vec<String>, String> {
            match *self {}
        }
    }
}

#[cfg(all(test, feature = "jq"))]
mod tests {
    use rstest::rstest;

    use super::Filter;

    #[rstest]
    #[case::string(".a", r#"{"a": "it's\n\u001b[2Jx"}"#, &["it's\n[2Jx"])]
    #[case::several(".items[].id", r#"{"items": [{"id": 1}, {"id": "b"}]}"#, &["1", "b"])]
    #[case::object("{a, n: 1}", r#"{"a": "x"}"#, &[r#"{"a":"x","n":1}"#])]
    #[case::digits(".[]", "[12345678901234567890123, 0.10]", &["12345678901234567890123", "0.10"])]
    #[case::tsv(".[] | @tsv", r#"[["a\tb", 1, null, ""]]"#, &["a\\tb\t1\t\t"])]
    #[case::csv("@csv", r#"["a\"b", 1, true, ""]"#, &[r#""a""b",1,true,"""#])]
    #[case::nothing("empty", "1", &[])]
    #[case::halt("1, halt, 2", "null", &["1"])]
    #[case::halt_with_a_status("1, halt(3), 2", "null", &["1"])]
    fn it_yields_what_jq_does(#[case] filter: &str, #[case] json: &str, #[case] yields: &[&str]) {
        assert_eq!(Filter::parse(filter).unwrap().apply(json).unwrap(), yields);
    }

    #[rstest]
    #[case::unclosed(".items[", "\"[\" is not closed")]
    #[case::unknown("lenght", "there is no filter lenght")]
    #[case::incomplete(".a |", "is missing at the end")]
    #[case::misplaced(". )", "expected at \")\"")]
    fn a_wrong_expression_is_explained(#[case] filter: &str, #[case] why: &str) {
        let error = Filter::parse(filter).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_text_is_parsed_unless_it_is_nested_too_deeply() {
        let nested = |levels| format!("\"{}\"", "[".repeat(levels) + &"]".repeat(levels));
        let parsed = |filter, json: &str| Filter::parse(filter).unwrap().apply(json);
        assert_eq!(parsed("fromjson | length", &nested(1_000)).unwrap(), ["1"]);
        for levels in [1_001, 1_000_000] {
            let error = parsed("fromjson", &nested(levels)).unwrap_err();
            assert!(error.contains("more than 1000 levels"), "{error}");
        }
        let brackets = serde_json::json!(format!(r#""\"{}""#, "[".repeat(20_000))).to_string();
        assert!(parsed("fromjson | length", &brackets).is_ok(), "brackets in a string are text");
        // After an error, what follows would be read as another document.
        for start in ["# \"\n", "\"\\q ", "\u{1}", "NaN ", ""] {
            let text = serde_json::json!([format!("{start}{}", "[".repeat(1_000_000))]).to_string();
            assert_eq!(parsed("[.[] | fromjson?]", &text).unwrap(), ["[]"], "{start:?}");
        }
    }

    #[test]
    fn a_failing_filter_says_why() {
        let error = Filter::parse(".a.b").unwrap().apply(r#"{"a": 1}"#).unwrap_err();
        assert!(error.contains("index"), "{error}");
    }
}
