//! `machins webhook`: signatures.

use std::path::{Path, PathBuf};

use agent_client_core::variable;
use clap::{Subcommand, ValueHint};
use machins_client::Secret;
use machins_client::webhook::{SIGNATURE_HEADER, Signer, Verifier};
use serde_json::json;

use crate::context::Context;
use crate::error::Failure;
use crate::input;
use crate::style::{BAD, GOOD};

/// The variable that holds the secret.
pub(crate) const VARIABLE: &str = "MACHINS_WEBHOOK_SECRET";

/// Sign webhooks and verify their signatures
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  echo '{}' | MACHINS_WEBHOOK_SECRET=shared machins webhook sign"
)]
pub(crate) enum Webhook {
    /// Print the signature that the platform gives to a body
    ///
    /// The secret is taken from MACHINS_WEBHOOK_SECRET, or asked for.
    #[command(
        after_help = "Example:\n  echo '{}' | MACHINS_WEBHOOK_SECRET=shared machins webhook sign"
    )]
    Sign {
        /// File with the body [default: stdin]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Verify the signature of a body: exit 0 if it is valid, 1 if not
    ///
    /// The body must be exactly the bytes that were received. The secret is taken from
    /// MACHINS_WEBHOOK_SECRET, or asked for.
    #[command(after_help = "Example:\n  \
        echo x | machins webhook verify --signature \"$(echo x | machins webhook sign)\"")]
    Verify {
        /// File with the body [default: stdin]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// Value of the header X-Machins-Signature
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
    context.out.result(&document, || signature.clone())?;
    if secret.expose().ends_with('\n') {
        context.out.warn(&format!(
            "the secret in {VARIABLE} ends with a line break, which is part of it: is it meant to be?"
        ));
    }
    Ok(())
}

fn verify(context: &Context, file: Option<&Path>, signature: &str) -> Result<(), Failure> {
    let secret = shared_secret()?;
    let body = body(file)?;
    let verify = |secret: &Secret| {
        Ok::<_, Failure>(Verifier::new(secret)?.verify(&body, Some(signature.trim())))
    };
    let result = verify(&secret)?;
    let is_valid = result.is_ok();
    context.out.outcome(&json!({"verified": is_valid}), || {
        let (word, style) = if is_valid { ("verified", GOOD) } else { ("refused", BAD) };
        format!("{style}{word}{style:#}")
    })?;
    let Err(rejection) = result else { return Ok(()) };
    let failure = Failure::refused(rejection.to_string());
    let bare = secret.expose().trim_end_matches(['\r', '\n']);
    if bare.len() < secret.expose().len() && verify(&Secret::new(bare))?.is_ok() {
        let what =
            format!("{rejection}, but right for the secret without the line break at its end");
        return Err(Failure::refused(what).hint(format!(
            "{VARIABLE} ends with a line break; \"$(cat FILE)\" in a shell leaves it out"
        )));
    }
    Err(failure.hint("check the secret, and that the body is exactly what was received"))
}

/// The secret from the environment, or asked for at the terminal, since stdin may be the body.
fn shared_secret() -> Result<Secret, Failure> {
    let secret = variable(VARIABLE).map_err(|error| Failure::usage(error.message().to_owned()))?;
    if let Some(secret) = secret {
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
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display()))),
        None => input::stdin_bytes(),
    }
}
