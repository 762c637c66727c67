//! The context of a command: flags, settings, output, and a client if it needs one.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use agent_client_core::variable;
use machineid_client::{ClientBuilder, ClientOptions, DeviceId, OrgKey, blocking};
use machins_client::{ApiKey, Secret};

use crate::config::document::Document;
use crate::config::file::ConfigFile;
use crate::config::key::{
    API_KEY, BASE_URL, Key, MACHINEID_BASE_URL, MACHINEID_DEVICE_ID, MACHINEID_ORG_KEY, OWNER_TOKEN,
};
use crate::config::settings::{self, Setting};
use crate::error::Failure;
use crate::flags::Global;
use crate::output::Output;
use crate::verbose;

/// The context of one command. The config file is read only when something from it is needed.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) out: Output,
    document: OnceCell<Document>,
    may_create_profile: Cell<bool>,
    default_time_limit: Cell<Option<Duration>>,
}

impl Context {
    pub(crate) fn new(global: Global, out: Output) -> Self {
        Self {
            global,
            out,
            document: OnceCell::new(),
            may_create_profile: Cell::new(false),
            default_time_limit: Cell::new(None),
        }
    }

    /// Accepts a profile that does not exist yet. For commands that save something in it.
    pub(crate) fn allow_new_profile(&self) {
        self.may_create_profile.set(true);
    }

    /// Sets the time limit of each call if `--timeout` gives none, and returns the one that holds.
    pub(crate) fn time_limit_or(&self, default: Duration) -> Duration {
        self.default_time_limit.set(Some(default));
        self.global.timeout.unwrap_or(default)
    }

    /// The time limit that `--timeout` gives.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.global.timeout
    }

    /// The name of the profile in use: the one that `--profile` or the environment gives, or else the
    /// config file's default. `None` for the top level of the file.
    pub(crate) fn profile(&self) -> Result<Option<&str>, Failure> {
        match self.global.profile.as_deref() {
            Some(given) => Ok(Some(given)),
            None => Ok(self.document()?.default_profile()),
        }
    }

    /// The name of the profile to change in a config file that is being written.
    pub(crate) fn profile_in(&self, document: &Document) -> Option<String> {
        let given = self.global.profile.as_deref();
        given.or_else(|| document.default_profile()).map(Into::into)
    }

    /// The content of the config file, which is empty for a user without a home directory.
    pub(crate) fn document(&self) -> Result<&Document, Failure> {
        if let Some(document) = self.document.get() {
            return Ok(document);
        }
        let Some(file) = ConfigFile::find()? else {
            return Ok(self.document.get_or_init(Document::default));
        };
        let document = file.read()?;
        if let Some(warning) = file.permission_warning() {
            self.out.warn(&warning);
        }
        Ok(self.document.get_or_init(|| document))
    }

    /// The effective value of a setting, and where it comes from.
    pub(crate) fn setting(&self, key: &Key) -> Result<Option<Setting>, Failure> {
        if self.global.profile.is_some() {
            self.check_profile()?;
        }
        let environment =
            |name: &str| variable(name).map_err(|error| Failure::usage(error.message().to_owned()));
        settings::resolve(key, &self.global, environment, || {
            self.check_profile()?;
            self.document()
        })
    }

    /// The effective value of a setting.
    pub(crate) fn value(&self, key: &Key) -> Result<Option<String>, Failure> {
        Ok(self.setting(key)?.map(|setting| setting.value))
    }

    /// The device that is given as an argument, or else the configured one.
    pub(crate) fn device(&self, given: Option<&str>) -> Result<DeviceId, Failure> {
        if let Some(id) = given {
            return DeviceId::new(id).map_err(|error| Failure::usage(error.to_string()));
        }
        let Some(Setting { value, origin }) = self.setting(&MACHINEID_DEVICE_ID)? else {
            return Err(Failure::usage("no device given").hint(
                "give its id, set MACHINEID_DEVICE_ID, or save it: \
                 `machins config set machineid.device_id agent-01`",
            ));
        };
        DeviceId::new(&value).map_err(|error| Failure::usage(format!("{error} (from {origin})")))
    }

    /// Creates a MachineID client with the organisation's key.
    pub(crate) fn machineid(&self) -> Result<blocking::Client, Failure> {
        Ok(self.machineid_with_key()?.build_blocking()?)
    }

    /// Prepares a MachineID client with the organisation's key.
    pub(crate) fn machineid_with_key(&self) -> Result<ClientBuilder, Failure> {
        let key = self.org_key()?.ok_or_else(|| {
            Failure::credentials("no org key").hint(
                "set MACHINEID_ORG_KEY, save the key with `machins config set machineid.org_key -`, \
                 or create an organisation: `machins org create --save`",
            )
        })?;
        Ok(self.machineid_without_key()?.org_key(key))
    }

    /// Prepares a MachineID client without a key.
    pub(crate) fn machineid_without_key(&self) -> Result<ClientBuilder, Failure> {
        let builder = ClientBuilder::default().options(self.options());
        let builder = if self.global.allow_insecure_http {
            builder.allow_insecure_http(true)
        } else {
            builder
        };
        Ok(match self.value(&MACHINEID_BASE_URL)? {
            Some(url) => {
                verbose::uses(&url);
                builder.base_url(url)
            }
            None => builder,
        })
    }

    /// The organisation's key. `None` if none is configured.
    pub(crate) fn org_key(&self) -> Result<Option<OrgKey>, Failure> {
        self.credential(&MACHINEID_ORG_KEY, OrgKey::new)
    }

    /// Creates a machins client with the agent's key.
    pub(crate) fn machins(&self) -> Result<machins_client::blocking::Client, Failure> {
        Ok(self.machins_with_key()?.build_blocking()?)
    }

    /// Creates a machins client without a key, for public endpoints.
    pub(crate) fn machins_public(&self) -> Result<machins_client::blocking::Client, Failure> {
        Ok(self.machins_without_key()?.build_blocking()?)
    }

    /// Prepares a machins client with the agent's key.
    pub(crate) fn machins_with_key(&self) -> Result<machins_client::ClientBuilder, Failure> {
        let key = self.api_key()?.ok_or_else(|| {
            Failure::credentials("no API key").hint(
                "join the marketplace: `machins join --name NAME`; or set MACHINS_API_KEY, or save a \
                 key with: `machins config set api_key -`",
            )
        })?;
        Ok(self.machins_without_key()?.api_key(key))
    }

    /// Prepares a machins client without a key.
    pub(crate) fn machins_without_key(&self) -> Result<machins_client::ClientBuilder, Failure> {
        let builder = machins_client::ClientBuilder::default().options(self.options());
        let builder = if self.global.allow_insecure_http {
            builder.allow_insecure_http(true)
        } else {
            builder
        };
        Ok(match self.value(&BASE_URL)? {
            Some(url) => {
                verbose::uses(&url);
                builder.base_url(url)
            }
            None => builder,
        })
    }

    /// The agent's key. `None` if none is configured.
    pub(crate) fn api_key(&self) -> Result<Option<ApiKey>, Failure> {
        self.credential(&API_KEY, ApiKey::new)
    }

    /// The owner's session token. `None` if none is configured.
    pub(crate) fn owner_token(&self) -> Result<Option<Secret>, Failure> {
        Ok(self.value(&OWNER_TOKEN)?.map(Secret::new))
    }

    fn credential<T>(
        &self,
        key: &Key,
        parse: impl FnOnce(&str) -> Result<T, machins_client::Error>,
    ) -> Result<Option<T>, Failure> {
        let Some(Setting { value, origin }) = self.setting(key)? else {
            return Ok(None);
        };
        parse(&value)
            .map(Some)
            .map_err(|error| Failure::credentials(format!("{error} (from {origin})")))
    }

    fn options(&self) -> ClientOptions {
        let options =
            ClientOptions::new().user_agent(concat!("machins-cli/", env!("CARGO_PKG_VERSION")));
        match self.global.timeout.or(self.default_time_limit.get()) {
            Some(timeout) => options.timeout(timeout),
            None => options,
        }
    }

    /// Fails if the profile in use does not exist and the command does not create it.
    pub(crate) fn check_profile(&self) -> Result<(), Failure> {
        let Some(profile) = self.profile()? else {
            return Ok(());
        };
        let known = self.document()?.profiles();
        if self.may_create_profile.get() || known.contains(&profile) {
            return Ok(());
        }
        let known = match known.as_slice() {
            [] => "the config file has no profiles".to_owned(),
            names => format!("known profiles: {}", names.join(", ")),
        };
        let hint = "`machins profile list` shows them; join, config set, org create --save and \
                    owner login create one";
        Err(Failure::config(format!("there is no profile {profile:?}; {known}")).hint(hint))
    }
}
