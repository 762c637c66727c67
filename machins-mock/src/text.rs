//! Parts of text.

/// Returns the beginning of a text: at most so many bytes, and no half of a character.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    let mut ends = (0..=most.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// Returns the beginning of bytes that may be text: at most so many, and no half of a character.
pub(crate) fn beginning_of_bytes(bytes: &[u8], most: usize) -> &[u8] {
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    let most = most.min(bytes.len());
    // A character has at most four bytes.
    let start = (most.saturating_sub(3)..=most).rev().find(|at| !is_inside(*at));
    &bytes[..start.unwrap_or(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_whole_or_not_there() {
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("aé", 3), "aé");
        assert_eq!(beginning("é", 1), "");
        assert_eq!(beginning("", 9), "");
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_anywhere() {
        assert_eq!(beginning_of_bytes("aé€".as_bytes(), 2), b"a");
        assert_eq!(beginning_of_bytes("aé€".as_bytes(), 5), "aé".as_bytes());
        assert_eq!(beginning_of_bytes("aé€".as_bytes(), 6), "aé€".as_bytes());
        assert_eq!(beginning_of_bytes(&[0x80; 9], 8), [0x80; 8]);
        assert_eq!(beginning_of_bytes(b"", 9), b"");
    }
}
