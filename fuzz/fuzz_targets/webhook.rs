//! Any body with any signature is accepted only if the signature is the one that the secret gives
//! it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use machins_client::Secret;
use machins_client::webhook::{Signer, Verifier};

fuzz_target!(|input: (&str, &[u8], Option<&str>, Option<(u8, char)>)| {
    let (secret, body, header, change) = input;
    let secret = Secret::new(secret);
    let Ok(verifier) = Verifier::new(&secret) else {
        assert!(secret.expose().is_empty());
        return;
    };
    let right = Signer::new(&secret).unwrap().sign(body);
    assert_eq!(verifier.verify(body, Some(&right)), Ok(()));
    // Any text, or the right one with one character changed.
    let header = header.map(|header| match change {
        None => header.to_owned(),
        Some((place, character)) => {
            let place = usize::from(place) % right.len();
            format!("{}{character}{}", &right[..place], &right[place + 1..])
        }
    });
    let read = verifier.read(body, header.as_deref());
    let verified = verifier.verify(body, header.as_deref());
    assert_eq!(verified.is_ok(), header.as_ref() == Some(&right), "{header:?}");
    assert!(read.is_err() || verified.is_ok());
    if let Ok(webhook) = read {
        let _ = webhook.event();
    }
});
