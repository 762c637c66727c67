//! Globs over request paths: `*` within a segment, `**` across segments, `{a,b}` for either.

/// The longest glob, in bytes.
const MAX_GLOB: usize = 1024;

/// The maximum number of patterns that the alternatives of one glob may expand to.
const MAX_PATTERNS: usize = 64;

/// How much of an invalid glob an error shows, in characters.
const SHOWN: usize = 80;

/// An error: the text is not a valid glob over request paths; see
/// [`Fault::path`](crate::Fault::path).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{glob}` is not a glob over paths: {reason}")]
pub struct InvalidGlob {
    glob: String,
    reason: String,
}

/// A glob over request paths, ready to match.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    /// The patterns that the alternatives expand to.
    patterns: Vec<Vec<Segment>>,
}

#[derive(Debug, Clone)]
enum Segment {
    /// `**`: any number of segments.
    Any,
    /// A segment, in which `*` stands for any text.
    Text(String),
}

impl Glob {
    pub(crate) fn new(glob: &str) -> Result<Self, InvalidGlob> {
        let invalid = |reason| InvalidGlob { glob: glob.chars().take(SHOWN).collect(), reason };
        if glob.len() > MAX_GLOB {
            return Err(invalid(format!("it is longer than {MAX_GLOB} bytes")));
        }
        if let Some(char) = glob.chars().find(|char| "?[]\\".contains(*char)) {
            let reason = format!("`{char}` is not supported, only `*`, `**` and `{{a,b}}`");
            return Err(invalid(reason));
        }
        let patterns = expand(glob).map_err(invalid)?;
        let patterns: Result<_, _> = patterns.iter().map(|pattern| segments(pattern)).collect();
        Ok(Self { patterns: patterns.map_err(invalid)? })
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        let path: Vec<_> = path.split('/').collect();
        self.patterns.iter().any(|pattern| matches_path(pattern, &path))
    }
}

/// Returns every text that a glob's `{a,b}` alternatives stand for.
fn expand(glob: &str) -> Result<Vec<String>, String> {
    let mut patterns = vec![String::new()];
    let mut rest = glob;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, group) = rest.split_at(at);
        let group = group.strip_prefix('{').ok_or("a `}` has no `{` before it")?;
        let (alternatives, after) = group.split_once('}').ok_or("a `{` is not closed")?;
        if alternatives.contains('{') {
            return Err("`{a,b}` cannot be nested".to_owned());
        }
        patterns = patterns
            .iter()
            .flat_map(|start| {
                alternatives
                    .split(',')
                    .map(move |alternative| format!("{start}{text}{alternative}"))
            })
            .collect();
        if patterns.len() > MAX_PATTERNS {
            return Err(format!("its alternatives make more than {MAX_PATTERNS} patterns"));
        }
        rest = after;
    }
    for pattern in &mut patterns {
        pattern.push_str(rest);
    }
    Ok(patterns)
}

fn segments(pattern: &str) -> Result<Vec<Segment>, String> {
    let mut segments: Vec<_> = Vec::new();
    for segment in pattern.split('/') {
        segments.push(match segment {
            "**" => Segment::Any,
            text if text.contains("**") => {
                return Err("`**` must be a whole segment".to_owned());
            }
            text => Segment::Text(text.to_owned()),
        });
    }
    // A final `/**` matches what is under a path, not the path itself.
    if let [.., Segment::Text(_), Segment::Any] = segments[..] {
        segments.insert(segments.len() - 1, Segment::Text("*".to_owned()));
    }
    Ok(segments)
}

fn matches_path(pattern: &[Segment], path: &[&str]) -> bool {
    matches(
        pattern,
        path,
        |segment| matches!(segment, Segment::Any),
        |segment, text| match segment {
            Segment::Any => true,
            Segment::Text(pattern) => {
                matches(pattern.as_bytes(), text.as_bytes(), |byte| *byte == b'*', PartialEq::eq)
            }
        },
    )
}

/// Matches a sequence with wildcards for any number of items.
///
/// Only the latest wildcard is ever tried again, so this takes at most as many steps as the
/// product of the lengths.
fn matches<P, T>(
    pattern: &[P],
    text: &[T],
    is_wildcard: impl Fn(&P) -> bool,
    is_match: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where the latest wildcard is in the pattern, and where the items that it stands for end.
    let mut latest = None;
    while at < text.len() {
        match pattern.get(of) {
            Some(item) if is_wildcard(item) => {
                latest = Some((of, at));
                of += 1;
            }
            Some(item) if is_match(item, &text[at]) => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((wildcard, end)) = latest else { return false };
                latest = Some((wildcard, end + 1));
                at = end + 1;
                of = wildcard + 1;
            }
        }
    }
    pattern[of..].iter().all(is_wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_paths() {
        for (glob, path, matches) in [
            ("/api/v1/usage", "/api/v1/usage", true),
            ("/api/v1/usage", "/api/v1/usage/", false),
            ("/api/v1/*", "/api/v1/usage", true),
            ("/api/v1/*", "/api/v1/", true),
            ("/api/v1/*", "/api/v1/devices/list", false),
            ("/api/v1/d*s/*_batch", "/api/v1/devices/revoke_batch", true),
            ("/a*b*c", "/axxbyybzc", true),
            ("/a*b*c", "/axxbyyb", false),
            ("/api/**", "/api/v1/devices/list", true),
            ("/api/**", "/api/", true),
            ("/api/**", "/api", false),
            ("/**", "/", true),
            ("**", "/api/v1/usage", true),
            ("**/register", "/api/v1/devices/register", true),
            ("**/register", "register", true),
            ("**/register", "/api/unregister", false),
            ("/api/**/list", "/api/list", true),
            ("/api/**/list", "/api/v1/devices/list", true),
            ("/api/**/v1/**/list", "/api/v1/v1/x/list/list", true),
            ("/{a,b/c,}/d", "/b/c/d", true),
            ("/{a,b/c,}/d", "//d", true),
            ("/{a,b/c,}/d", "/c/d", false),
            ("/é*", "/éè", true),
        ] {
            assert_eq!(Glob::new(glob).unwrap().matches(path), matches, "{glob} on {path}");
        }
    }

    #[test]
    fn unsupported_globs_are_refused() {
        let many = "{a,b}".repeat(7);
        let long = "*".repeat(MAX_GLOB + 1);
        for glob in
            ["/a?", "/[ab]", "/a]", "\\*", "/{a", "/a}", "/{a,{b}}", "/a**", "***", &many, &long]
        {
            let error = Glob::new(glob).unwrap_err().to_string();
            assert!(error.contains("is not a glob over paths: "), "{error}");
        }
    }
}
