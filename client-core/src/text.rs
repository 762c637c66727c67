//! Text from the network, made safe to show.

/// The longest text that [`printable`] returns, in characters.
pub(crate) const MAX_PRINTABLE_CHARS: usize = 200;

/// Returns whether a character may be shown: it is visible or a plain space, and it neither
/// controls a terminal nor changes how the surrounding text is displayed.
///
/// Control characters, bidirectional controls, line and paragraph separators and invisible format
/// characters are not printable. The zero-width joiner is, because it is part of many emoji.
///
/// ```
/// use agent_client_core::is_printable;
///
/// assert!(is_printable('é') && is_printable(' '));
/// assert!(!is_printable('\u{1b}')); // starts a terminal's escape sequence
/// assert!(!is_printable('\u{202e}')); // reverses the text after it
/// ```
#[must_use]
pub fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator, byte order mark.
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}'
            // Zero-width space; left-to-right and right-to-left marks.
            | '\u{200B}' | '\u{200E}' | '\u{200F}'
            // Line and paragraph separators, bidirectional embeddings and overrides.
            | '\u{2028}'..='\u{202E}'
            // Word joiner, invisible operators, bidirectional isolates, deprecated controls.
            | '\u{2060}'..='\u{206F}'
            // Interlinear annotations.
            | '\u{FFF9}'..='\u{FFFB}'
            // Tags and variation selectors of the supplementary plane.
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Returns a text from the network as one line of at most 200 characters, with a space in place of
/// each character that is not [printable](is_printable).
///
/// ```
/// use agent_client_core::printable;
///
/// assert_eq!(printable("not\u{1b}[31m red\n"), "not [31m red ");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { ' ' }).take(MAX_PRINTABLE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ascii("agent-01")]
    #[case::other_scripts("Zoë – 東京 ✓")]
    #[case::joined_emoji("👩\u{200D}💻")]
    #[case::empty("")]
    fn ordinary_text_is_unchanged(#[case] text: &str) {
        assert_eq!(printable(text), text);
    }

    #[rstest]
    fn an_unsafe_character_becomes_a_space(
        #[values(
            '\0',
            '\n',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e0041}'
        )]
        c: char,
    ) {
        assert_eq!(printable(&format!("a{c}b")), "a b");
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(printable(&"é".repeat(1_000)).chars().count(), MAX_PRINTABLE_CHARS);
    }
}
