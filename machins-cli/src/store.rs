//! The store that several machines share, if one is set: `MACHINS_STORE`.

use machins_client::{ClientBuilder, SpendingClient, Transport};

use crate::error::Failure;

/// A store in NATS, for what the keys of `--once` were used for and for what is spent.
#[cfg(feature = "relay")]
#[derive(Clone)]
pub(crate) struct SharedStore(machins_relay::NatsStore);

#[cfg(feature = "relay")]
impl SharedStore {
    pub(crate) fn new(address: &str) -> Result<Self, Failure> {
        let connection = machins_relay::NatsConnection::new(address)
            .map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Self(machins_relay::NatsStore::new(&connection)))
    }

    pub(crate) fn hold_intents(self, builder: ClientBuilder) -> ClientBuilder {
        builder.intent_store(self.0)
    }

    pub(crate) fn hold_spending<T: Transport>(
        self,
        client: SpendingClient<T>,
    ) -> SpendingClient<T> {
        client.store(self.0)
    }
}

/// There is none in this build. Files would not be shared, so that nothing is done instead.
#[cfg(not(feature = "relay"))]
#[derive(Clone)]
pub(crate) struct SharedStore(std::convert::Infallible);

#[cfg(not(feature = "relay"))]
impl SharedStore {
    pub(crate) fn new(_: &str) -> Result<Self, Failure> {
        let what =
            "this build of machins has no store in NATS: it was built without the feature relay";
        Err(Failure::usage(what).hint("build it with --features relay, or unset MACHINS_STORE"))
    }

    pub(crate) fn hold_intents(self, _: ClientBuilder) -> ClientBuilder {
        match self.0 {}
    }

    pub(crate) fn hold_spending<T: Transport>(self, _: SpendingClient<T>) -> SpendingClient<T> {
        match self.0 {}
    }
}
