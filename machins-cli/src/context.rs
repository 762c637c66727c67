//! The context of a command: flags, settings, output, and a client if it needs one.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use agent_client_core::{BaseUrl, TotalTimeout, variable, variable_is_true};
use machineid_client::{CallOptions, ClientBuilder, ClientOptions, DeviceId, OrgKey, blocking};
use machins_client::{ApiKey, Secret, SpendingClient, SpendingPolicy, Transport};

use crate::config::document::Document;
use crate::config::file::ConfigFile;
use crate::config::key::{
    API_KEY, BASE_URL, Key, MACHINEID_BASE_URL, MACHINEID_DEVICE_ID, MACHINEID_ORG_KEY,
    OWNER_TOKEN, STORE,
};
use crate::config::settings::{self, Setting};
use crate::error::Failure;
use crate::flags::Global;
use crate::output::Output;
use crate::store::SharedStore;
use crate::verbose;

/// What to do about an address of plain http.
const INSECURE_HTTP_HINT: &str =
    "use https, or add --allow-insecure-http in a network that you trust";

/// The HTTP status of the last reply to a client. A registration does not hold its own.
#[derive(Clone, Default)]
pub(crate) struct LastStatus(Arc<AtomicU16>);

impl LastStatus {
    /// The options that have a client tell its replies.
    pub(crate) fn watch(&self) -> CallOptions {
        let last = Arc::clone(&self.0);
        CallOptions::new().on_reply(move |reply| last.store(reply.status(), Ordering::Relaxed))
    }

    /// The status. 0 if there was no reply.
    pub(crate) fn get(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The context of one command. The config file is read only when something from it is needed.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) out: Output,
    document: OnceCell<Document>,
    store: OnceCell<SharedStore>,
    may_create_profile: Cell<bool>,
    default_time_limit: Cell<Option<Duration>>,
    /// What `--timeout` gives for the whole command.
    total_timeout: Option<TotalTimeout>,
    limits_each_call: Cell<bool>,
}

impl Context {
    pub(crate) fn new(global: Global, out: Output) -> Self {
        Self {
            total_timeout: global.timeout.map(TotalTimeout::new),
            limits_each_call: Cell::new(false),
            global,
            out,
            document: OnceCell::new(),
            store: OnceCell::new(),
            may_create_profile: Cell::new(false),
            default_time_limit: Cell::new(None),
        }
    }

    /// Accepts a profile that does not exist yet. For commands that save something in it.
    pub(crate) fn allow_new_profile(&self) {
        self.may_create_profile.set(true);
    }

    /// Makes `--timeout` limit each call instead of the whole command. For commands that run until they
    /// are stopped, or that check several things.
    pub(crate) fn limit_each_call(&self) {
        self.limits_each_call.set(true);
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

    /// Creates a MachineID client with the org's key.
    pub(crate) fn machineid(&self) -> Result<blocking::Client, Failure> {
        Ok(self.machineid_with_key()?.build_blocking()?)
    }

    /// Prepares a MachineID client with the org's key.
    pub(crate) fn machineid_with_key(&self) -> Result<ClientBuilder, Failure> {
        let key = self.org_key()?.ok_or_else(|| {
            Failure::credentials("no org key").hint(
                "set MACHINEID_ORG_KEY, save the key, or create an org:\n\
                 `machins config set machineid.org_key -`\n`machins org create --save`",
            )
        })?;
        Ok(self.machineid_without_key()?.org_key(key))
    }

    /// Prepares a MachineID client without a key.
    pub(crate) fn machineid_without_key(&self) -> Result<ClientBuilder, Failure> {
        let builder = ClientBuilder::default().options(self.options());
        let url = self.base_url(&MACHINEID_BASE_URL)?.to_string();
        verbose::uses(&url);
        let is_allowed = self.allows_insecure_http(&MACHINEID_BASE_URL)?;
        Ok(builder.base_url(url).allow_insecure_http(is_allowed))
    }

    /// The address of a service.
    pub(crate) fn base_url(&self, key: &Key) -> Result<BaseUrl, Failure> {
        let setting = self.setting(key)?;
        let value = setting.as_ref().map_or("", |setting| setting.value.as_str());
        self.parse_base_url(key, value).map_err(|failure| match setting {
            Some(Setting { origin, .. }) => failure.about(&origin.to_string()),
            None => failure,
        })
    }

    /// Parses an address of a service, and checks that keys may be sent there.
    pub(crate) fn parse_base_url(&self, key: &Key, text: &str) -> Result<BaseUrl, Failure> {
        // The error of what is invalid in any case is the better one.
        let url = BaseUrl::parse_insecure(text)?;
        match BaseUrl::parse(text) {
            Ok(url) => Ok(url),
            Err(_) if self.allows_insecure_http(key)? => Ok(url),
            Err(_) => Err(Failure::usage(format!(
                "plain http to another machine, {url}, would expose the key"
            ))
            .hint(INSECURE_HTTP_HINT)),
        }
    }

    /// Whether plain http to other machines is permitted for the service of this URL.
    pub(crate) fn allows_insecure_http(&self, key: &Key) -> Result<bool, Failure> {
        if self.global.allow_insecure_http {
            return Ok(true);
        }
        let is_allowed = key.insecure_http_variable().map(variable_is_true).transpose();
        let is_allowed = is_allowed.map_err(|error| Failure::usage(error.message().to_owned()))?;
        Ok(is_allowed.unwrap_or(false))
    }

    /// The org's key. `None` if none is configured.
    pub(crate) fn org_key(&self) -> Result<Option<OrgKey>, Failure> {
        self.credential(&MACHINEID_ORG_KEY, OrgKey::new)
    }

    /// Creates a machins client with the agent's key.
    pub(crate) fn machins(&self) -> Result<machins_client::blocking::Client, Failure> {
        Ok(self.machins_with_key()?.build_blocking()?)
    }

    /// The spending policies, all of which hold: that of the config file, and that of the profile in
    /// use.
    pub(crate) fn policies(&self) -> Result<Vec<SpendingPolicy>, Failure> {
        self.check_profile()?;
        let document = self.document()?;
        let places = [None, self.profile()?];
        let policies =
            places.into_iter().enumerate().filter(|(at, place)| *at == 0 || place.is_some());
        policies
            .map(|(_, place)| {
                let name = place.map(|name| format!(" in profile {name}")).unwrap_or_default();
                document
                    .policy(place)
                    .map_err(|why| Failure::config(format!("the config file{name}: {why}")))
            })
            .filter(|policy| policy.as_ref().map_or(true, |policy| !policy.is_empty()))
            .collect()
    }

    /// Creates a machins client with the agent's key, which spends only what the policies allow.
    pub(crate) fn spending(
        &self,
    ) -> Result<SpendingClient<machins_client::blocking::Blocking>, Failure> {
        self.spending_by(&self.machins_with_intents()?.build_blocking()?)
    }

    /// Creates a client which spends only what the policies allow.
    pub(crate) fn spending_by<T: Transport>(
        &self,
        client: &machins_client::Api<T>,
    ) -> Result<SpendingClient<T>, Failure> {
        let mut client = SpendingClient::new(client, SpendingPolicy::new());
        if let Some(store) = self.store()? {
            client = store.hold_spending(client);
        }
        Ok(self.policies()?.into_iter().fold(client, SpendingClient::and))
    }

    /// Creates a machins client without a key, for public endpoints.
    pub(crate) fn machins_public(&self) -> Result<machins_client::blocking::Client, Failure> {
        Ok(self.machins_without_key()?.build_blocking()?)
    }

    /// Prepares a machins client with the agent's key.
    pub(crate) fn machins_with_key(&self) -> Result<machins_client::ClientBuilder, Failure> {
        let key = self.api_key()?.ok_or_else(|| {
            Failure::credentials("no API key").hint(
                "set MACHINS_API_KEY, save the key, or join the marketplace:\n\
                 `machins config set api_key -`\n`machins join --help`",
            )
        })?;
        Ok(self.machins_without_key()?.api_key(key))
    }

    /// Prepares a machins client with the agent's key and the store of intents, for commands that do
    /// something once.
    pub(crate) fn machins_with_intents(&self) -> Result<machins_client::ClientBuilder, Failure> {
        self.with_store(self.machins_with_key()?)
    }

    /// Creates a machins client without a key, for the records of intents.
    pub(crate) fn intents(&self) -> Result<machins_client::blocking::Client, Failure> {
        Ok(self.with_store(self.machins_without_key()?)?.build_blocking()?)
    }

    fn with_store(
        &self,
        builder: machins_client::ClientBuilder,
    ) -> Result<machins_client::ClientBuilder, Failure> {
        Ok(match self.store()? {
            Some(store) => store.hold_intents(builder),
            None => builder,
        })
    }

    /// The store that several machines share. `None` if none is set: then files are used.
    fn store(&self) -> Result<Option<SharedStore>, Failure> {
        if let Some(store) = self.store.get() {
            return Ok(Some(store.clone()));
        }
        let Some(Setting { value, origin }) = self.setting(&STORE)? else { return Ok(None) };
        let store = SharedStore::new(&value).map_err(|error| error.about(&origin.to_string()))?;
        Ok(Some(self.store.get_or_init(|| store).clone()))
    }

    /// Prepares a machins client without a key.
    pub(crate) fn machins_without_key(&self) -> Result<machins_client::ClientBuilder, Failure> {
        let builder = machins_client::ClientBuilder::default().options(self.options());
        let url = self.base_url(&BASE_URL)?.to_string();
        verbose::uses(&url);
        let is_allowed = self.allows_insecure_http(&BASE_URL)?;
        Ok(builder.base_url(url).allow_insecure_http(is_allowed))
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

    /// The options of every client.
    pub(crate) fn options(&self) -> ClientOptions {
        let options =
            ClientOptions::new().user_agent(concat!("machins-cli/", env!("CARGO_PKG_VERSION")));
        let options = verbose::show_messages(options, self.global.verbosity.verbose);
        let options = match self.global.timeout.or(self.default_time_limit.get()) {
            Some(timeout) => options.timeout(timeout),
            None => options,
        };
        match &self.total_timeout {
            Some(total) if !self.limits_each_call.get() => options.total_timeout(total),
            _ => options,
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
        let hint = "join, config set, org create --save and owner login create one; to see those \
                    there are: `machins profile list`";
        Err(Failure::config(format!("there is no profile {profile:?}; {known}")).hint(hint))
    }
}
