//! `machins webhook`: signatures.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueHint};
use machins_client::Secret;
use machins_client::webhook::{SIGNATURE_HEADER, Signer, Verifier};
use serde_json::json;

use crate::context::Context;
use crate::error::Failure;
use crate::input;
use crate::style::{BAD, GOOD};

/// The variable that holds the secret.
const VARIABLE: &str = "MACHINS_WEBHOOK_SECRET";

/// Sign webhooks, or tell them from forgeries
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  echo '{}' | MACHINS_WEBHOOK_SECRET=shared machins webhook sign"
)]
pub(crate) enum Webhook {
    /// Print the signature of a body, as the platform makes it
    ///
    /// The secret comes from MACHINS_WEBHOOK_SECRET, or is asked for.
    #[command(
        after_help = "Example:\n  echo '{}' | MACHINS_WEBHOOK_SECRET=shared machins webhook sign"
    )]
    Sign {
        /// The file that holds the body; stdin if not given
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Check that a body carries the right signature: exit 0 if it does, 1 if not
    ///
    /// The body must be the bytes as they came. The secret comes from MACHINS_WEBHOOK_SECRET, or
    /// is asked for.
    #[command(after_help = "Example:\n  \
        echo x | machins webhook verify --signature \"$(echo x | machins webhook sign)\"")]
    Verify {
        /// The file that holds the body; stdin if not given
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// What the header X-Machins-Signature says
        #[arg(long, value_name = "HEX")]
        signature: String,
    },
}

impl Webhook {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Sign { file } => sign(context, file.as_deref()),
            Self::Verify { file, signature } => verify(context, file.as_deref(), &signature),
        }
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
    let result = verifier.verify(&body(file)?, Some(signature.trim()));
    let is_valid = result.is_ok();
    context.out.result(&json!({"verified": is_valid}), || {
        let (word, style) = if is_valid { ("verified", GOOD) } else { ("refused", BAD) };
        format!("{style}{word}{style:#}")
    })?;
    result.map_err(|rejection| {
        Failure::refused(rejection.to_string())
            .hint("is it the same secret, and the body byte by byte as it came?")
    })
}

/// The secret from the environment, or asked for at the terminal, since stdin may be the body.
fn shared_secret() -> Result<Secret, Failure> {
    if let Some(secret) = std::env::var(VARIABLE).ok().filter(|secret| !secret.is_empty()) {
        return Ok(Secret::new(secret));
    }
    let secret = input::ask("Webhook secret: ").map_err(|failure| {
        Failure::credentials(format!("no webhook secret: {}", failure.message()))
            .hint(format!("set {VARIABLE}"))
    })?;
    Ok(Secret::new(secret))
}

fn body(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    match file {
        Some(path) => std::fs::read(path)
            .map_err(|error| Failure::usage(format!("{} can't be read: {error}", path.display()))),
        None => input::stdin_bytes(),
    }
}
