//! What a mistyped word may have meant.

use strsim::normalized_damerau_levenshtein;

/// How alike two words must be, of 1, for one to be suggested for the other.
const ALIKE: f64 = 0.5;

/// The known word that is nearest to a mistyped one. `None` if none is near.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |other: &str| normalized_damerau_levenshtein(word, other);
    let best = known.iter().copied().max_by(|one, two| likeness(one).total_cmp(&likeness(two)))?;
    (likeness(best) >= ALIKE).then_some(best)
}

/// Says that a word is unknown, which the known ones are, and which was probably meant.
pub(crate) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let meant = nearest(word, known)
        .map_or_else(String::new, |nearest| format!(" Did you mean {nearest:?}?"));
    format!("unknown {what} {word:?}; known: {}.{meant}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested() {
        let known = ["task", "data", "api", "model", "asset"];
        assert_eq!(nearest("taks", &known), Some("task"));
        assert_eq!(nearest("modle", &known), Some("model"));
        assert_eq!(nearest("xyz", &known), None);
        assert_eq!(nearest("task", &[]), None);
    }

    #[test]
    fn a_message_lists_the_known_words() {
        assert_eq!(
            unknown("type", "taks", &["task", "data"]),
            "unknown type \"taks\"; known: task, data. Did you mean \"task\"?"
        );
        assert_eq!(unknown("type", "x", &["task"]), "unknown type \"x\"; known: task.");
    }
}
