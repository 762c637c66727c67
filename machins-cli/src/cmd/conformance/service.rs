//! The two services, and the keys that their calls carry.

use machineid_client::{Call, Error};
use machins_client::Reply;

use super::check::Party;
use crate::context::Context;
use crate::error::Failure;

/// The clients of those who have a key, and of those without one.
pub(super) struct Services {
    org: Option<machineid_client::blocking::Client>,
    anyone_at_machineid: machineid_client::blocking::Client,
    agent: Option<machins_client::blocking::Client>,
    owner: Option<machins_client::blocking::Client>,
    anyone: machins_client::blocking::Client,
}

impl Services {
    pub(super) fn new(context: &Context) -> Result<Self, Failure> {
        let machineid = || context.machineid_without_key();
        let machins = || context.machins_without_key();
        let org = match context.org_key()? {
            Some(key) => Some(machineid()?.org_key(key).build_blocking()?),
            None => None,
        };
        let agent = match context.api_key()? {
            Some(key) => Some(machins()?.api_key(key).build_blocking()?),
            None => None,
        };
        let owner = match context.owner_token()? {
            Some(token) => Some(machins()?.owner_token(token).build_blocking()?),
            None => None,
        };
        Ok(Self {
            org,
            anyone_at_machineid: machineid()?.build_blocking()?,
            agent,
            owner,
            anyone: machins()?.build_blocking()?,
        })
    }

    pub(super) fn has_key(&self) -> bool {
        self.org.is_some() || self.agent.is_some()
    }

    /// Whether a service is asked at all: only if one of its keys is there.
    pub(super) fn is_asked(&self, party: Party) -> bool {
        match party {
            Party::Org | Party::AnyoneAtMachineId => self.org.is_some(),
            Party::Agent | Party::Anyone => self.agent.is_some(),
            Party::Owner => self.owner.is_some(),
        }
    }

    /// Makes a call; `None` if its party has no key.
    pub(super) fn send(&self, party: Party, call: Call<Reply>) -> Option<Result<Reply, Error>> {
        Some(match party {
            Party::Org => {
                let client = self.org.as_ref()?;
                client.send(client.authenticate(call))
            }
            Party::AnyoneAtMachineId => self.anyone_at_machineid.send(call),
            Party::Agent => {
                let client = self.agent.as_ref()?;
                client.send(client.authenticate(call))
            }
            Party::Owner => {
                let client = self.owner.as_ref()?;
                client.send(client.authenticate_as_owner(call))
            }
            Party::Anyone => self.anyone.send(call),
        })
    }
}
