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
    use jaq_core::{Compiler, Ctx, Vars, unwrap_valr};
    use jaq_json::{Val, read};

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
            let formats = parse(FORMATS, |parser| parser.defs()).unwrap_or_default();
            let definitions =
                jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(formats);
            let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
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
        /// failed.
        pub(crate) fn apply(&self, json: &str) -> Result<Vec<String>, String> {
            let input = read::parse_single(json.as_bytes()).map_err(|error| error.to_string())?;
            let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
            let results = self.0.id.run((context, input)).map(unwrap_valr);
            results
                .map(|result| match result {
                    Ok(Val::TStr(text)) => Ok(super::safe(&String::from_utf8_lossy(&text))),
                    Ok(value) => Ok(super::safe(&value.to_string())),
                    Err(error) => Err(error.to_string()),
                })
                .collect()
        }
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
    fn a_failing_filter_says_why() {
        let error = Filter::parse(".a.b").unwrap().apply(r#"{"a": 1}"#).unwrap_err();
        assert!(error.contains("index"), "{error}");
    }
}
