//! How a NATS server is reached.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{ConnectErrorKind, ConnectOptions, ServerAddr};
use machins_client::Secret;

use crate::error::{RelayError, Unusable, chain};

/// How long the server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The address of a NATS server, and the credentials that are shown to it.
///
/// ```
/// use machins_client::Secret;
/// use machins_relay::NatsConnection;
///
/// let local = NatsConnection::new("nats://127.0.0.1:4222")?;
/// let with_token = NatsConnection::new("tls://nats.example")?.token(&Secret::new("s3cr3t"));
/// # Ok::<(), machins_relay::RelayError>(())
/// ```
#[derive(Clone)]
pub struct NatsConnection {
    address: ServerAddr,
    options: ConnectOptions,
}

impl NatsConnection {
    /// Describes the server at an address such as `nats://127.0.0.1:4222` or `tls://nats.example`. The
    /// address may contain a user and a password, or a token: `nats://TOKEN@nats.example`.
    ///
    /// # Errors
    /// Returns [`RelayError::Nats`] if the address is invalid.
    pub fn new(address: &str) -> Result<Self, RelayError> {
        let address: ServerAddr =
            address.parse().map_err(|error| RelayError::Nats(format!("{error}")))?;
        if address.host().is_empty() || address.is_websocket() {
            let reason = "write its address like nats://127.0.0.1:4222".to_owned();
            return Err(RelayError::Nats(reason));
        }
        let mut options =
            ConnectOptions::new().name("machins relay").connection_timeout(ANSWER_LIMIT);
        options = match (address.username(), address.password()) {
            (Some(user), Some(password)) => {
                options.user_and_password(user.to_owned(), password.to_owned())
            }
            (Some(token), None) => options.token(token.to_owned()),
            (None, _) => options,
        };
        Ok(Self { address, options })
    }

    /// Sets the token that is shown to the server.
    #[must_use]
    pub fn token(mut self, token: &Secret) -> Self {
        self.options = self.options.token(token.expose().to_owned());
        self
    }

    /// Sets the seed of the `NKey` that answers the server's challenge. It begins with `SU`.
    #[must_use]
    pub fn nkey(mut self, seed: &Secret) -> Self {
        self.options = self.options.nkey(seed.expose().to_owned());
        self
    }

    /// Sets the credentials of a user: the content of a `.creds` file, with a JWT and the seed of its
    /// key.
    ///
    /// # Errors
    /// Returns [`RelayError::Nats`] if that is not the content of such a file.
    pub fn credentials(mut self, content: &Secret) -> Result<Self, RelayError> {
        let invalid = |_| RelayError::Nats("the credentials are not those of a user".to_owned());
        self.options = self.options.credentials(content.expose()).map_err(invalid)?;
        Ok(self)
    }

    /// Connects once.
    pub(crate) async fn connect(&self) -> Result<Context, Unusable> {
        let address = &self.address;
        let connected = self.options.clone().connect(address.clone()).await;
        let client = connected.map_err(|error| {
            let reason = chain(&error);
            match error.kind() {
                ConnectErrorKind::ServerParse
                | ConnectErrorKind::Authentication
                | ConnectErrorKind::AuthorizationViolation => {
                    Unusable::Ever(RelayError::Nats(reason))
                }
                _ => {
                    let (host, port) = (address.host(), address.port());
                    Unusable::Now(format!("cannot connect to NATS at {host}:{port}: {reason}"))
                }
            }
        })?;
        let mut context = jetstream::new(client);
        context.set_timeout(ANSWER_LIMIT);
        Ok(context)
    }
}

impl fmt::Debug for NatsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.address.host(), self.address.port());
        f.debug_struct("NatsConnection")
            .field("host", &host)
            .field("port", &port)
            .finish_non_exhaustive()
    }
}
