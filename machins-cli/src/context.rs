//! What a command works with: flags, settings, and a client when it is needed.

use std::cell::OnceCell;

use crate::args::Global;
use crate::config::document::Document;
use crate::config::file::ConfigFile;
use crate::config::settings::{self, Key, Setting};
use crate::error::Failure;
use crate::output::Output;

/// The surroundings of one command. Nothing is read before it is asked for.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) out: Output,
    document: OnceCell<Document>,
}

impl Context {
    pub(crate) fn new(global: Global, out: Output) -> Self {
        Self {
            global,
            out,
            document: OnceCell::new(),
        }
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

    fn check_profile(&self, document: &Document) -> Result<(), Failure> {
        let Some(profile) = self.global.profile.as_deref() else {
            return Ok(());
        };
        let known = document.profiles();
        if known.contains(&profile) {
            return Ok(());
        }
        let known = match known.as_slice() {
            [] => "the config file has no profiles".to_owned(),
            names => format!("known profiles: {}", names.join(", ")),
        };
        Err(
            Failure::config(format!("there is no profile {profile:?}; {known}")).hint(format!(
                "machins --profile {profile} config set machineid.device_id agent-01 makes it"
            )),
        )
    }
}
