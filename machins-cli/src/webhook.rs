//! `machins webhook`: signatures.

use std::io::{self, Read};
use std::path::Path;

use machins_client::Secret;
use machins_client::webhook::{SIGNATURE_HEADER, Signer, Verifier};
use serde_json::json;

use crate::args::market::Webhook;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{BAD, GOOD};
use crate::secret;

const VARIABLE: &str = "MACHINS_WEBHOOK_SECRET";

/// `machins webhook`.
pub(crate) fn run(context: &Context, command: &Webhook) -> Result<(), Failure> {
    match command {
        Webhook::Sign { file } => sign(context, file.as_deref()),
        Webhook::Verify { file, signature } => verify(context, file.as_deref(), signature),
    }
}

fn sign(context: &Context, file: Option<&Path>) -> Result<(), Failure> {
    let secret = shared_secret()?;
    let signature = Signer::new(&secret)?.sign(&body(file)?);
    let document = json!({"header": SIGNATURE_HEADER, "signature": signature});
    context.out.result(&document, || signature.clone())
}

fn verify(context: &Context, file: Option<&Path>, signature: &str) -> Result<(), Failure> {
    let verifier = Verifier::new(&shared_secret()?)?;
    let verdict = verifier.verify(&body(file)?, Some(signature.trim()));
    let is_right = verdict.is_ok();
    context.out.result(&json!({"verified": is_right}), || {
        let (word, style) = if is_right { ("verified", GOOD) } else { ("refused", BAD) };
        format!("{style}{word}{style:#}")
    })?;
    verdict.map_err(|rejection| {
        Failure::refused(rejection.to_string())
            .hint("is it the same secret, and the body byte by byte as it came?")
    })
}

/// The secret: from the environment, or from a person. Stdin may be the body.
fn shared_secret() -> Result<Secret, Failure> {
    if let Some(secret) = std::env::var(VARIABLE).ok().filter(|secret| !secret.is_empty()) {
        return Ok(Secret::new(secret));
    }
    let secret = secret::ask("Webhook secret: ").map_err(|failure| {
        Failure::credentials(format!("no webhook secret: {}", failure.message()))
            .hint(format!("set {VARIABLE}"))
    })?;
    Ok(Secret::new(secret))
}

fn body(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match file {
        Some(path) => std::fs::read(path)
            .map_err(|error| Failure::usage(format!("{} can't be read: {error}", path.display()))),
        None => io::stdin()
            .read_to_end(&mut bytes)
            .map(|_| bytes)
            .map_err(|error| Failure::local("could not read stdin", error)),
    }
}
