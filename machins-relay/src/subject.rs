//! Subjects, partitions and message ids: what NATS is told about an event, as plain functions.

use std::num::NonZeroU16;

use machins_client::AgentId;
use sha2::{Digest, Sha256};

/// The longest text that a token shows. The server closes connections whose subjects are too long.
const MAX_TOKEN: usize = 128;

/// Returns the subject of an event: `machins.AGENT.EVENT.PARTITION`.
pub(crate) fn subject(agent: &AgentId, event_type: &str, partition: u16) -> String {
    format!("machins.{}.{}.{partition}", token(agent.as_str()), token(event_type))
}

/// Returns the subjects of all events of an agent.
pub(crate) fn subjects_of(agent: &AgentId) -> String {
    format!("machins.{}.>", token(agent.as_str()))
}

/// Returns the subject on which replicas tell each other that there is something new in an agent's
/// inbox. No stream has it.
pub(crate) fn wake_subject(agent: &AgentId) -> String {
    format!("machins-relay.wake.{}", token(agent.as_str()))
}

/// Returns the id by which JetStream recognizes an event that it has already stored.
pub(crate) fn message_id(agent: &AgentId, id: &str) -> String {
    format!("{}.{}", token(agent.as_str()), token(id))
}

/// Returns the partition of everything that has this key, which is a trade's id.
pub(crate) fn partition(key: &str, partitions: NonZeroU16) -> u16 {
    let partition = crc32fast::hash(key.as_bytes()) % u32::from(partitions.get());
    // It is less than a `u16`.
    u16::try_from(partition).unwrap_or_default()
}

/// Writes a text as one token of a subject. Different texts give different tokens.
///
/// ASCII letters, digits, `-` and `_` stay, every other byte becomes `%` and two hexadecimal digits.
/// A text for which that would be longer than 128 characters, or empty, becomes `~` and its SHA-256.
pub(crate) fn token(text: &str) -> String {
    let mut token = String::with_capacity(text.len().min(MAX_TOKEN));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(char::from(byte));
        } else {
            token.push('%');
            token.push_str(&base16ct::upper::encode_string(&[byte]));
        }
        if token.len() > MAX_TOKEN {
            break;
        }
    }
    if token.is_empty() || token.len() > MAX_TOKEN {
        return format!("~{}", base16ct::lower::encode_string(&Sha256::digest(text)));
    }
    token
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn partitions(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    #[rstest]
    #[case::uuid("3eb37a3c-0000-4000-8000-000000000000", "3eb37a3c-0000-4000-8000-000000000000")]
    #[case::event("trade_proposed", "trade_proposed")]
    #[case::separator("a.b", "a%2Eb")]
    #[case::wildcards("*>", "%2A%3E")]
    #[case::white_space("a b\r\n", "a%20b%0D%0A")]
    #[case::not_ascii("é", "%C3%A9")]
    #[case::escape("%2E", "%252E")]
    #[case::empty("", "~e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    fn a_token_is_written_like_this(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(token(text), expected);
    }

    #[test]
    fn a_long_token_is_a_hash() {
        assert_eq!(token(&"a".repeat(128)), "a".repeat(128));
        let long = token(&"a".repeat(129));
        assert_eq!((long.len(), &long[..1]), (65, "~"));
        assert_ne!(long, token(&"a".repeat(130)));
    }

    // The reference value of this checksum (CRC-32/ISO-HDLC), as in zlib's `crc32`.
    #[test]
    fn a_partition_is_the_crc_32_of_the_trade() {
        assert_eq!(partition("123456789", partitions(u16::MAX)), (0xCBF4_3926_u32 % 65_535) as u16);
        assert_eq!(partition("123456789", partitions(1)), 0);
    }

    #[test]
    fn a_subject_is_written_like_this() {
        let agent = AgentId::new("3eb37a3c").unwrap();
        let partition = partition("123456789", partitions(8));
        assert_eq!(partition, 6);
        let written = subject(&agent, "trade_proposed", partition);
        assert_eq!(written, "machins.3eb37a3c.trade_proposed.6");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_subject(agent in ".{0,200}", event in ".{0,200}") {
            let agent: AgentId = serde_json::from_value(agent.into()).unwrap();
            let subject = subject(&agent, &event, 7);
            let tokens: Vec<&str> = subject.split('.').collect();
            prop_assert_eq!(tokens.len(), 4);
            prop_assert_eq!((tokens[0], tokens[3]), ("machins", "7"));
            prop_assert!(tokens.iter().all(|token| (1..=MAX_TOKEN).contains(&token.len())));
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_%~.".contains(c);
            prop_assert!(subject.chars().all(is_plain), "{}", subject);
            prop_assert!(message_id(&agent, &event).chars().all(is_plain));
        }

        #[test]
        fn different_texts_give_different_tokens(one in "[a.%~*é]{0,60}", other in "[a.%~*é]{0,60}") {
            prop_assert_eq!(token(&one) == token(&other), one == other);
        }

        #[test]
        fn a_trade_has_one_partition(trade in ".{0,40}", number in 1_u16..) {
            let found = partition(&trade, partitions(number));
            prop_assert!(found < number);
            prop_assert_eq!(found, partition(&trade, partitions(number)));
        }
    }
}
