//! The settings that exist.

use machineid_client::{BaseUrl, DeviceId, OrgKey};
use machins_client::{ApiKey, SpendingPolicy};

use crate::flags::bytes;

/// A setting, and where its value may come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The name, which is also the place in the config file.
    pub(crate) name: &'static str,
    /// What it is, for help.
    pub(crate) about: &'static str,
    /// The environment variable that sets it.
    pub(crate) variable: Option<&'static str>,
    /// The flag that sets it.
    pub(crate) flag: Option<&'static str>,
    /// The value when nothing sets it.
    pub(crate) default: Option<&'static str>,
    /// Whether the value must be masked when it is shown.
    pub(crate) secret: bool,
}

const BARE: Key =
    Key { name: "", about: "", variable: None, flag: None, default: None, secret: false };

/// The agent's API key.
pub(crate) const API_KEY: Key = Key {
    about: "key of the agent",
    name: "api_key",
    variable: Some("MACHINS_API_KEY"),
    secret: true,
    ..BARE
};

/// The id of the agent that the key belongs to.
pub(crate) const AGENT_ID: Key =
    Key { about: "id of the agent that the key belongs to", name: "agent_id", ..BARE };

/// The public name of that agent.
pub(crate) const AGENT_SLUG: Key =
    Key { about: "public name of that agent", name: "agent_slug", ..BARE };

/// The session token of the agent's owner.
pub(crate) const OWNER_TOKEN: Key =
    Key { about: "session token of the owner", name: "owner.token", secret: true, ..BARE };

/// The address of the machins API.
pub(crate) const BASE_URL: Key = Key {
    about: "URL of the machins API",
    name: "base_url",
    variable: Some("MACHINS_BASE_URL"),
    flag: Some("--base-url"),
    default: Some(machins_client::DEFAULT_BASE_URL),
    ..BARE
};

/// The address of NATS that holds intents and what is spent. It may contain a password.
pub(crate) const STORE: Key = Key {
    about: "NATS that keeps intents and budgets, not files",
    name: "store",
    variable: Some("MACHINS_STORE"),
    secret: true,
    ..BARE
};

/// The key that all devices of an org share.
pub(crate) const MACHINEID_ORG_KEY: Key = Key {
    about: "key of the org",
    name: "machineid.org_key",
    variable: Some("MACHINEID_ORG_KEY"),
    secret: true,
    ..BARE
};

/// The device that this machine runs as.
pub(crate) const MACHINEID_DEVICE_ID: Key = Key {
    about: "device that this machine runs as",
    name: "machineid.device_id",
    variable: Some("MACHINEID_DEVICE_ID"),
    ..BARE
};

/// The address of the MachineID API.
pub(crate) const MACHINEID_BASE_URL: Key = Key {
    about: "URL of the MachineID API",
    name: "machineid.base_url",
    variable: Some("MACHINEID_BASE_URL"),
    flag: Some("--machineid-url"),
    default: Some(machineid_client::DEFAULT_BASE_URL),
    ..BARE
};

/// The file to which decisions are written.
pub(crate) const MACHINEID_DECISION_LOG: Key = Key {
    about: "file that decisions are written to",
    name: "machineid.decision_log",
    variable: Some("MACHINEID_DECISION_LOG"),
    ..BARE
};

/// The length in bytes that this file is not to exceed.
pub(crate) const MACHINEID_DECISION_LOG_MAX_BYTES: Key = Key {
    about: "length in bytes at which that file is moved aside",
    name: "machineid.decision_log_max_bytes",
    ..BARE
};

/// Whether an ALLOW that cannot be written to it is a denial.
pub(crate) const MACHINEID_DECISION_LOG_REQUIRED: Key = Key {
    about: "true: an ALLOW that cannot be logged is a denial",
    name: "machineid.decision_log_required",
    ..BARE
};

/// The object in the config file that holds the spending policy.
pub(crate) const POLICY: &str = "policy";

/// A rule of the spending policy.
const fn rule(name: &'static str, about: &'static str) -> Key {
    Key { name, about, ..BARE }
}

/// All settings.
pub(crate) const KEYS: [Key; 25] = [
    API_KEY,
    AGENT_ID,
    AGENT_SLUG,
    BASE_URL,
    STORE,
    MACHINEID_ORG_KEY,
    MACHINEID_DEVICE_ID,
    MACHINEID_BASE_URL,
    MACHINEID_DECISION_LOG,
    MACHINEID_DECISION_LOG_MAX_BYTES,
    MACHINEID_DECISION_LOG_REQUIRED,
    OWNER_TOKEN,
    rule("policy.read_only", "true: nothing may be bought"),
    rule("policy.max_per_trade", "most that one trade may cost"),
    rule("policy.max_per_day", "most that may be spent in one day (UTC)"),
    rule("policy.max_per_month", "most that may be spent in one calendar month (UTC)"),
    rule("policy.max_in_escrow", "most that may be proposed or held in escrow at once"),
    rule("policy.max_per_seller", "most for each single seller in one calendar month (UTC)"),
    rule("policy.allow_sellers", "only sellers to buy from, ids or slugs between commas"),
    rule("policy.deny_sellers", "sellers never to buy from, ids or slugs between commas"),
    rule("policy.allow_tags", "tags of which a listing must have one"),
    rule("policy.deny_tags", "tags of which a listing must have none"),
    rule("policy.min_reputation", "lowest reputation of a seller"),
    rule("policy.require_verified", "true: only verified deliveries may be confirmed"),
    rule("policy.approval_above", "price above which a person must approve"),
];

impl Key {
    /// Finds a setting by its name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The rule of the spending policy that it is.
    pub(crate) fn rule(&self) -> Option<&'static str> {
        self.name.strip_prefix(POLICY)?.strip_prefix('.')
    }

    /// The JSON pointer to it in the config file.
    pub(crate) fn pointer(&self) -> String {
        format!("/{}", self.name.replace('.', "/"))
    }

    /// The variable that permits plain http to other machines for the service of this URL. `None` if
    /// it is no URL.
    pub(crate) fn insecure_http_variable(&self) -> Option<&'static str> {
        match self.name {
            "base_url" => Some("MACHINS_ALLOW_INSECURE_HTTP"),
            "machineid.base_url" => Some("MACHINEID_ALLOW_INSECURE_HTTP"),
            _ => None,
        }
    }

    /// Whether it is the URL of a service.
    pub(crate) fn is_url(&self) -> bool {
        self.insecure_http_variable().is_some()
    }

    /// Checks that a value is valid for this setting, and says why if it is not. Whether a URL of
    /// plain http is allowed depends on where it is used.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        if let Some(rule) = self.rule() {
            let policy = serde_json::json!({rule: value}).to_string();
            return SpendingPolicy::from_json(&policy).map(drop).map_err(|e| e.to_string());
        }
        let checked = match self.name {
            "api_key" => ApiKey::new(value).map(drop),
            "machineid.org_key" => OrgKey::new(value).map(drop),
            "machineid.device_id" => DeviceId::new(value).map(drop),
            "machineid.base_url" | "base_url" => BaseUrl::parse_insecure(value).map(drop),
            "machineid.decision_log_max_bytes" => {
                return bytes(value).map(drop);
            }
            "machineid.decision_log_required" => {
                return value.parse().map(|_: bool| ()).map_err(|_| "must be true or false".into());
            }
            _ => Ok(()),
        };
        checked.map_err(|error| error.to_string())
    }
}
