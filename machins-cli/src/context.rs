//! What a command works with: flags, settings, and a client when it is needed.

use std::cell::OnceCell;

use machineid_client::{ClientBuilder, ClientOptions, DeviceId, OrgKey, blocking};
use machins_client::{ApiKey, Secret};

use crate::args::Global;
use crate::config::document::Document;
use crate::config::file::ConfigFile;
use crate::config::settings::{
    self, API_KEY, BASE_URL, Key, MACHINEID_BASE_URL, MACHINEID_DEVICE_ID, MACHINEID_ORG_KEY,
    OWNER_TOKEN, Setting,
};
use crate::error::Failure;
use crate::output::Output;

/// The surroundings of one command. Nothing is read before it is asked for.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) out: Output,
    /// Whether the command saves something: then the profile need not be there before.
    saves: bool,
    document: OnceCell<Document>,
}

impl Context {
    pub(crate) fn new(global: Global, out: Output, saves: bool) -> Self {
        Self { global, out, saves, document: OnceCell::new() }
    }

    /// What the config file holds.
    pub(crate) fn document(&self) -> Result<&Document, Failure> {
        if let Some(document) = self.document.get() {
            return Ok(document);
        }
        let file = ConfigFile::locate()?;
        let document = file.read()?;
        if let Some(warning) = file.looseness() {
            self.out.warn(&warning);
        }
        Ok(self.document.get_or_init(|| document))
    }

    /// The value in force of a setting.
    pub(crate) fn setting(&self, key: &Key) -> Result<Option<Setting>, Failure> {
        let document = self.document()?;
        self.check_profile(document)?;
        let environment = |name: &str| std::env::var(name).ok();
        Ok(settings::resolve(key, &self.global, environment, document))
    }

    /// The device that the user means.
    pub(crate) fn device(&self, given: Option<&str>) -> Result<DeviceId, Failure> {
        let (text, origin) = match given {
            Some(text) => (text.to_owned(), None),
            None => match self.setting(&MACHINEID_DEVICE_ID)? {
                Some(Setting { value, origin }) => (value, Some(origin)),
                None => {
                    return Err(Failure::usage("which device?").hint(
                        "name it, set MACHINEID_DEVICE_ID, or save it: \
                         machins config set machineid.device_id agent-01",
                    ));
                }
            },
        };
        DeviceId::new(&text).map_err(|error| match origin {
            None => Failure::usage(error.to_string()),
            Some(origin) => Failure::usage(format!("{error} (from {origin})")),
        })
    }

    /// A MachineID client with the org's key.
    pub(crate) fn machineid(&self) -> Result<blocking::Client, Failure> {
        Ok(self.machineid_with_key()?.build_blocking()?)
    }

    /// A MachineID client to be, with the org's key.
    pub(crate) fn machineid_with_key(&self) -> Result<ClientBuilder, Failure> {
        let key = self.org_key()?.ok_or_else(|| {
            Failure::credentials("no org key").hint(
                "set MACHINEID_ORG_KEY, save the key with: machins config set machineid.org_key -, \
                 or make an organisation: machins org create --save",
            )
        })?;
        Ok(self.machineid_without_key()?.org_key(key))
    }

    /// A MachineID client to be, with no key.
    pub(crate) fn machineid_without_key(&self) -> Result<ClientBuilder, Failure> {
        let builder = ClientBuilder::default().options(self.options());
        Ok(match self.setting(&MACHINEID_BASE_URL)? {
            Some(Setting { value, .. }) => builder.base_url(value),
            None => builder,
        })
    }

    /// The org's key, when there is one.
    pub(crate) fn org_key(&self) -> Result<Option<OrgKey>, Failure> {
        let Some(Setting { value, origin }) = self.setting(&MACHINEID_ORG_KEY)? else {
            return Ok(None);
        };
        OrgKey::new(&value)
            .map(Some)
            .map_err(|error| Failure::credentials(format!("{error} (from {origin})")))
    }

    /// A machins client with the agent's key.
    pub(crate) fn machins(&self) -> Result<machins_client::blocking::Client, Failure> {
        Ok(self.machins_with_key()?.build_blocking()?)
    }

    /// A machins client to be, with the agent's key.
    pub(crate) fn machins_with_key(&self) -> Result<machins_client::ClientBuilder, Failure> {
        let key = self.api_key()?.ok_or_else(|| {
            Failure::credentials("no API key").hint(
                "join the marketplace: machins join --name NAME; or set MACHINS_API_KEY, or save a \
                 key with: machins config set api_key -",
            )
        })?;
        Ok(self.machins_without_key()?.api_key(key))
    }

    /// A machins client to be, with no key: what everybody may see.
    pub(crate) fn machins_without_key(&self) -> Result<machins_client::ClientBuilder, Failure> {
        let builder = machins_client::ClientBuilder::default().options(self.options());
        Ok(match self.setting(&BASE_URL)? {
            Some(Setting { value, .. }) => builder.base_url(value),
            None => builder,
        })
    }

    /// The agent's key, when there is one.
    pub(crate) fn api_key(&self) -> Result<Option<ApiKey>, Failure> {
        let Some(Setting { value, origin }) = self.setting(&API_KEY)? else {
            return Ok(None);
        };
        ApiKey::new(&value)
            .map(Some)
            .map_err(|error| Failure::credentials(format!("{error} (from {origin})")))
    }

    /// The owner's token, when there is one.
    pub(crate) fn owner_token(&self) -> Result<Option<Secret>, Failure> {
        Ok(self.setting(&OWNER_TOKEN)?.map(|setting| Secret::new(setting.value)))
    }

    fn options(&self) -> ClientOptions {
        let options =
            ClientOptions::new().user_agent(concat!("machins-cli/", env!("CARGO_PKG_VERSION")));
        match self.global.timeout {
            Some(timeout) => options.timeout(timeout),
            None => options,
        }
    }

    fn check_profile(&self, document: &Document) -> Result<(), Failure> {
        let Some(profile) = self.global.profile.as_deref() else {
            return Ok(());
        };
        let known = document.profiles();
        if self.saves || known.contains(&profile) {
            return Ok(());
        }
        let known = match known.as_slice() {
            [] => "the config file has no profiles".to_owned(),
            names => format!("known profiles: {}", names.join(", ")),
        };
        Err(Failure::config(format!("there is no profile {profile:?}; {known}")).hint(format!(
            "machins --profile {profile} join --name NAME makes it, or any config set"
        )))
    }
}
