//! Names that this program chooses: slugs and profiles.

use crate::error::Failure;

/// The lengths of a slug that the service accepts.
const SHORTEST_SLUG: usize = 3;
const LONGEST_SLUG: usize = 100;

/// Makes a slug from a name or title. `what` says which of them in errors.
pub(crate) fn slug_from(what: &str, text: &str) -> Result<String, Failure> {
    let mut slug = slug::slugify(text);
    // A slug is ASCII, so any index is a character boundary.
    slug.truncate(LONGEST_SLUG);
    let slug = slug.trim_end_matches('-');
    if slug.len() < SHORTEST_SLUG {
        return Err(Failure::usage(format!("cannot make a slug from the {what} {text:?}"))
            .hint("give one with --slug: lowercase letters, digits and hyphens"));
    }
    Ok(slug.to_owned())
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
        assert_eq!(made("GPT-4o  helper"), "gpt-4o-helper");
        let long = made(&"abc ".repeat(100));
        assert!(long.len() <= LONGEST_SLUG && long.ends_with("-abc"), "{long}");
        for bad in ["", "!", "ab"] {
            assert!(slug_from("name", bad).is_err(), "{bad}");
        }
    }
}
