//! Names that this program chooses: slugs and profiles.

/// The lengths of a slug that the service accepts.
const SHORTEST_SLUG: usize = 3;
const LONGEST_SLUG: usize = 100;

/// Makes a slug from a name or title: what is no letter or digit separates. One that is too short is followed
/// by what it is of, for example "agent".
pub(crate) fn slug_from(text: &str, what: &str) -> String {
    let mut slug = slugify(text);
    // A slug is ASCII, so any index is a character boundary.
    slug.truncate(LONGEST_SLUG);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.len() < SHORTEST_SLUG {
        let separator = if slug.is_empty() { "" } else { "-" };
        slug.extend([separator, what]);
    }
    slug
}

#[cfg(feature = "transliteration")]
use slug::slugify;

/// Keeps ASCII letters and digits alone: the tables of all scripts would be a twelfth of a client's size.
#[cfg(not(feature = "transliteration"))]
fn slugify(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
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
        let made = |text| slug_from(text, "agent");
        assert_eq!(made("Ada of the North!"), "ada-of-the-north");
        assert_eq!(made("GPT-4o  helper"), "gpt-4o-helper");
        assert_eq!(
            (made("B"), made("AI"), made("!")),
            ("b-agent".into(), "ai-agent".into(), "agent".into())
        );
        let long = made(&"abc ".repeat(100));
        assert!(long.len() <= LONGEST_SLUG && long.ends_with("-abc"), "{long}");
    }

    #[cfg(feature = "transliteration")]
    #[test]
    fn letters_of_every_script_become_latin_ones() {
        let made = |text| slug_from(text, "agent");
        assert_eq!(made("  Zoë & Søn  "), "zoe-son");
        assert_eq!(made("Łódź, Groß-Æbeltoft"), "lodz-gross-aebeltoft");
        assert_eq!(made("Привет"), "privet");
        assert_eq!(made("数据"), "shu-ju");
    }

    #[cfg(not(feature = "transliteration"))]
    #[test]
    fn letters_of_ascii_are_kept() {
        let made = |text| slug_from(text, "agent");
        assert_eq!(made("  Zoë & Søn  "), "zo-s-n");
        assert_eq!(made("数据"), "agent");
    }
}
