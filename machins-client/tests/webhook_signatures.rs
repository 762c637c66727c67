//! A webhook is accepted with its own signature only.
#![allow(clippy::unwrap_used, reason = "tests")]

use machins_client::webhook::{Rejection, Signer, Verifier, Webhook};
use machins_client::{ErrorKind, Secret};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

fn verifier(secret: &str) -> Verifier {
    Verifier::new(&Secret::new(secret)).unwrap()
}

fn signature(secret: &str, body: &[u8]) -> String {
    Signer::new(&Secret::new(secret)).unwrap().sign(body)
}

/// The bytes with each bit flipped in turn.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    })
}

proptest! {
    // Each case tries every bit and every length.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_body_that_differs_in_one_bit_or_in_length_is_rejected(
        body in prop::collection::vec(any::<u8>(), 0..100),
        more in prop::collection::vec(any::<u8>(), 1..10),
        secret in "\\PC{1,100}",
    ) {
        let (verifier, header) = (verifier(&secret), signature(&secret, &body));
        prop_assert_eq!(verifier.verify(&body, Some(&header)), Ok(()));
        let cut = (0..body.len()).map(|length| body[..length].to_vec());
        let longer = [[&body[..], &more].concat(), [&more[..], &body].concat()];
        for forged in flipped(&body).chain(cut).chain(longer) {
            prop_assert_eq!(verifier.verify(&forged, Some(&header)), Err(Rejection::Wrong));
        }
    }

    #[test]
    fn any_text_but_the_signature_is_rejected(
        body in prop::collection::vec(any::<u8>(), 0..100),
        secret in "\\PC{1,100}",
        more in "\\PC{1,10}",
        any in "\\PC{0,80}",
    ) {
        let (verifier, header) = (verifier(&secret), signature(&secret, &body));
        let flipped = flipped(header.as_bytes()).filter_map(|text| String::from_utf8(text).ok());
        let cut = (0..header.len()).map(|length| header[..length].to_owned());
        let changed = [
            header.to_uppercase(),
            format!("{header}{more}"),
            format!("{more}{header}"),
            format!("{header}{header}"),
            format!("{header},{header}"),
            format!("{header}, {header}"),
            format!("sha256={header}"),
            any,
        ];
        for forged in flipped.chain(cut).chain(changed).filter(|forged| *forged != header) {
            prop_assert!(verifier.verify(&body, Some(&forged)).is_err(), "{}", forged);
        }
        for (place, digit) in header.char_indices().filter(|(_, digit)| digit.is_alphabetic()) {
            let mut forged = header.clone();
            forged.replace_range(place..=place, &digit.to_uppercase().to_string());
            prop_assert_eq!(verifier.verify(&body, Some(&forged)), Err(Rejection::Malformed));
        }
        prop_assert_eq!(verifier.verify(&body, None), Err(Rejection::Missing));
    }

    #[test]
    fn a_signature_with_another_secret_is_rejected(
        body in prop::collection::vec(any::<u8>(), 0..100),
        secret in "[ -~]{1,200}",
        other in "[ -~]{1,200}",
    ) {
        let verifier = verifier(&secret);
        let flipped = flipped(secret.as_bytes()).filter_map(|text| String::from_utf8(text).ok());
        // HMAC pads a secret with zeros, so zeros at its end make no difference.
        let others = flipped.filter(|other| !other.ends_with('\0')).chain([other]);
        for other in others.filter(|other| *other != secret) {
            let forged = signature(&other, &body);
            prop_assert_eq!(verifier.verify(&body, Some(&forged)), Err(Rejection::Wrong));
        }
    }

    #[test]
    fn a_body_is_read_only_after_it_was_verified(body in prop::collection::vec(any::<u8>(), 0..100)) {
        let (verifier, header) = (verifier("shared"), signature("shared", &body));
        let other = signature("other", &body);
        prop_assert_eq!(verifier.read(&body, Some(&other)).unwrap_err(), Rejection::Wrong);
        // These bytes are no event.
        prop_assert_eq!(verifier.read(&body, Some(&header)).unwrap_err(), Rejection::Unreadable);
    }
}

#[test]
fn an_empty_secret_is_an_error() {
    let empty = Secret::new("");
    assert_eq!(Verifier::new(&empty).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(Signer::new(&empty).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[rstest]
#[case::event(json!({"event": "trade_proposed"}))]
#[case::type_as_in_the_guides(json!({"type": "trade_proposed"}))]
#[case::null_and_type(json!({"event": null, "type": "trade_proposed"}))]
#[case::event_and_another_type(json!({"event": "trade_proposed", "type": "notification"}))]
fn a_webhook_names_its_event_in_either_field(#[case] mut body: Value) {
    body["data"] = json!({"trade_id": "t1", "price": 1.50});
    body["new"] = json!(1);
    let text = body.to_string();
    let header = signature("shared", text.as_bytes());
    let webhook = verifier("shared").read(text.as_bytes(), Some(&header)).unwrap();
    assert_eq!(webhook.event_type.as_str(), "trade_proposed");
    assert_eq!(webhook.data["trade_id"], "t1");
    assert_eq!(webhook.extra["new"], json!(1));
    let written = serde_json::to_value(&webhook).unwrap();
    assert_eq!(written["event"], "trade_proposed");
    assert_eq!(serde_json::from_value::<Webhook>(written).unwrap(), webhook);
}
