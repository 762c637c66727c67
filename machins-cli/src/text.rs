//! Text from the network or the user, made safe for a terminal.

use std::borrow::Cow;

use agent_client_core::BaseUrl;
pub(crate) use agent_client_core::is_printable;

/// Longer text than this is cut off, in characters.
const LONGEST: usize = 2000;

/// Puts a text on one line, without characters that could control a terminal, change the order of
/// what is read, or are invisible.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            clean.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => clean.push(' '),
            c if is_printable(c) => clean.push(c),
            _ => {}
        }
    }
    Cow::Owned(clean)
}

/// Masks the user name and the password in the address of a service. No client accepts such an
/// address, but it is shown to find out why.
pub(crate) fn without_password(url: &str) -> Cow<'_, str> {
    match url.rsplit_once('@') {
        // In the path of a valid address the sign means nothing.
        Some((before, host)) if BaseUrl::parse_insecure(url).is_err() => {
            let scheme = before.find("://").map_or("", |end| &before[..end + "://".len()]);
            Cow::Owned(format!("{scheme}…@{host}"))
        }
        _ => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn plain_text_is_untouched() {
        for text in ["agent-01", "Zoë – 東京 ✓", "👩\u{200D}💻", ""] {
            assert!(matches!(clean(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m"), "[31mred[0m");
        assert_eq!(clean("\u{1b}]52;c;aGk=\u{7}x"), "]52;c;aGk=x");
        assert_eq!(clean("\u{9b}31mx\u{90}y"), "31mxy");
        assert_eq!(clean("user\u{202e}gnp.exe"), "usergnp.exe");
        assert_eq!(clean("a\u{2066}b\u{200b}c\u{e0041}d"), "abcd");
        assert_eq!(clean("two\r\nlines\tand\0nul"), "two  lines andnul");
    }

    #[test]
    fn length_is_bounded() {
        let long = "é".repeat(1_000_000);
        assert_eq!(clean(&long).chars().count(), LONGEST + 1);
    }

    #[rstest]
    #[case::password("https://ann:pa/s@s@host.example/x", "https://…@host.example/x")]
    #[case::token("http://token@127.0.0.1:1", "http://…@127.0.0.1:1")]
    #[case::no_scheme("ann:pass@host.example", "…@host.example")]
    #[case::in_the_path("https://host.example/@ann", "https://host.example/@ann")]
    #[case::none("https://host.example", "https://host.example")]
    fn a_password_is_masked(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(without_password(url), shown);
    }
}
