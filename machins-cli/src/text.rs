//! Text that came from elsewhere, made safe to show.

use std::borrow::Cow;

/// Longer text than this says nothing more to a reader.
const LONGEST: usize = 2000;

/// `text` on one line, with nothing in it that could steer a terminal or reorder what is read:
/// no control characters, no bidirectional overrides, nothing invisible.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && text.chars().all(is_plain) {
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
            c if is_plain(c) => clean.push(c),
            _ => {}
        }
    }
    Cow::Owned(clean)
}

/// Whether a character shows as itself and changes nothing around it.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}'
            | '\u{200B}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
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
}
