//! Names that this program chooses: slugs and profiles.

/// The lengths of a slug that the service accepts.
const SHORTEST_SLUG: usize = 3;
const LONGEST_SLUG: usize = 100;

/// Makes a slug from a name or title: letters of all scripts become Latin ones, and what is no letter or
/// digit separates. One that is too short is followed by what it is of, for example "agent".
pub(crate) fn slug_from(text: &str, what: &str) -> String {
    let mut slug = slug::slugify(text);
    // A slug is ASCII, so any index is a character boundary.
    slug.truncate(LONGEST_SLUG);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.len() < SHORTEST_SLUG {
        let separator = if slug.is_empty() { "" } else { "-" };
        slug.extend([separator, what]);
    }
    slug
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
        assert_eq!(made("  Zoë & Søn  "), "zoe-son");
        assert_eq!(made("Łódź, Groß-Æbeltoft"), "lodz-gross-aebeltoft");
        assert_eq!(made("GPT-4o  helper"), "gpt-4o-helper");
        assert_eq!(made("Привет"), "privet");
        assert_eq!(made("数据"), "shu-ju");
        assert_eq!(
            (made("B"), made("AI"), made("!")),
            ("b-agent".into(), "ai-agent".into(), "agent".into())
        );
        let long = made(&"abc ".repeat(100));
        assert!(long.len() <= LONGEST_SLUG && long.ends_with("-abc"), "{long}");
    }
}
