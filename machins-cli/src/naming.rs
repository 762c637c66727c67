//! Names that this program chooses: slugs and profiles.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::error::Failure;

/// The lengths of a slug that the service accepts.
const SHORTEST_SLUG: usize = 3;
const LONGEST_SLUG: usize = 100;

/// Makes a slug from a name or title: accents are dropped, and what is no letter or digit separates. A
/// letter of another script is not guessed at. `what` says which of them in errors.
pub(crate) fn slug_from(what: &str, text: &str) -> Result<String, Failure> {
    let refused = || {
        Failure::usage(format!("cannot make a slug from the {what} {text:?}"))
            .hint("give one with --slug: 3 to 100 lowercase letters, digits and inner hyphens")
    };
    let mut slug = String::new();
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if let Some(letters) = latin(character) {
            slug.push_str(letters);
        } else if character.is_alphanumeric() {
            return Err(refused());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    // A slug is ASCII, so any index is a character boundary.
    slug.truncate(LONGEST_SLUG);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.len() < SHORTEST_SLUG {
        return Err(refused());
    }
    Ok(slug)
}

/// How a letter of a Latin alphabet is written that is no letter of ASCII with an accent.
fn latin(letter: char) -> Option<&'static str> {
    Some(match letter {
        'Æ' | 'æ' => "ae",
        'Đ' | 'đ' | 'Ð' | 'ð' => "d",
        'ı' => "i",
        'Ł' | 'ł' => "l",
        'Ø' | 'ø' => "o",
        'Œ' | 'œ' => "oe",
        'ß' | 'ẞ' => "ss",
        'Þ' | 'þ' => "th",
        _ => return None,
    })
}

/// Names for the profile that keeps a credential which is replaced, the best first.
pub(crate) fn previous(profile: Option<&str>) -> impl Iterator<Item = String> {
    let base = profile.map_or_else(|| "previous".to_owned(), |name| format!("{name}-previous"));
    std::iter::once(base.clone())
        .chain((2..=u32::MAX).map(move |number| format!("{base}-{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_made_of_names() {
        let made = |text| slug_from("name", text).unwrap();
        assert_eq!(made("Ada of the North!"), "ada-of-the-north");
        assert_eq!(made("  Zoë & Søn  "), "zoe-son");
        assert_eq!(made("Łódź, Groß-Æbeltoft"), "lodz-gross-aebeltoft");
        assert_eq!(made("GPT-4o  helper"), "gpt-4o-helper");
        let long = made(&"abc ".repeat(100));
        assert!(long.len() <= LONGEST_SLUG && long.ends_with("-abc"), "{long}");
        for bad in ["", "!", "ab", "小助手", "агент"] {
            assert!(slug_from("name", bad).is_err(), "{bad}");
        }
    }
}
