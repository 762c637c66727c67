//! How the commands reach NATS.

use std::fs;
use std::path::{Path, PathBuf};

use agent_client_core::variable;
use clap::{Args, ValueHint};
use machins_client::Secret;
use machins_relay::{EventStream, NatsConnection, RelayError};

use crate::error::Failure;

/// The variable with the address of NATS, which keeps a password off the command line.
const URL: &str = "NATS_URL";
/// The variables with the names of files, and the one with a token.
const CREDENTIALS: &str = "NATS_CREDS";
const NKEY: &str = "NATS_NKEY";
const TOKEN: &str = "NATS_TOKEN";

// What proves to NATS who connects. A password or token in the address needs none of it.
#[derive(Clone, Debug, Args)]
pub(super) struct CredentialFlags {
    /// File with the credentials of a NATS user (.creds) [default: NATS_CREDS]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    nats_creds: Option<PathBuf>,
    /// File with the seed of an NKey [default: NATS_NKEY]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "nats_creds")]
    nats_nkey: Option<PathBuf>,
}

impl CredentialFlags {
    /// Prepares a connection to this address, with the credentials of the flags or the environment.
    pub(super) fn connection(&self, address: &str) -> Result<NatsConnection, Failure> {
        let mut connection = NatsConnection::new(address).map_err(refused)?;
        let from_flag = self.nats_creds.is_some() || self.nats_nkey.is_some();
        let path = |given: &Option<PathBuf>, name| match given {
            None if !from_flag => Ok(text(name)?.map(PathBuf::from)),
            given => Ok::<_, Failure>(given.clone()),
        };
        if let Some(file) = path(&self.nats_creds, CREDENTIALS)? {
            connection = connection.credentials(&secret(&file)?).map_err(|error| {
                Failure::credentials(error.to_string()).about(&file.display().to_string())
            })?;
        } else if let Some(file) = path(&self.nats_nkey, NKEY)? {
            connection = connection.nkey(&secret(&file)?);
        } else if let Some(token) = text(TOKEN)?
            && !from_flag
        {
            connection = connection.token(&Secret::new(token));
        }
        Ok(connection)
    }
}

/// The content of a file, without the line break at its end.
pub(super) fn secret(file: &Path) -> Result<Secret, Failure> {
    let content = fs::read_to_string(file).map_err(|error| {
        Failure::credentials(format!("cannot read {}: {error}", file.display()))
    })?;
    Ok(Secret::new(content.trim_end()))
}

/// The address of NATS in the environment.
pub(super) fn address_in_environment() -> Result<Option<String>, Failure> {
    let value = text(URL)?;
    let checked = value.map(|value| address(&value)).transpose();
    checked.map_err(|error| Failure::usage(format!("{URL} {error}")))
}

/// Parses an address of NATS.
pub(super) fn address(text: &str) -> Result<String, String> {
    if text.starts_with("nats://") || text.starts_with("tls://") {
        Ok(text.to_owned())
    } else {
        Err("must begin with nats:// or tls://".into())
    }
}

/// Parses the name of a stream.
pub(super) fn stream_name(text: &str) -> Result<String, String> {
    EventStream::new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// The text of a variable.
pub(super) fn text(name: &str) -> Result<Option<String>, Failure> {
    variable(name).map_err(|error| Failure::usage(error.message().to_owned()))
}

/// An error of the relay, as a failure of the command.
pub(super) fn refused(error: RelayError) -> Failure {
    match error {
        RelayError::Inbox(error) => error.into(),
        RelayError::Writer(error) => Failure::local("could not write to stdout", error),
        error => Failure::refused(error.to_string()),
    }
}
