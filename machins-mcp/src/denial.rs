//! Why a tool call is not passed on.

use std::fmt;

use machineid_client::{Denied, DeviceId};

/// Why a tool may not be called.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallDenied {
    /// The device may not run, or there is no decision. Contains the denial.
    Device(Denied),
    /// The tool is not among those that this gate lets through. Contains its name.
    Tool(String),
}

impl CallDenied {
    /// Returns the code of the denial: the decision code of MachineID, `SYSTEM_UNAVAILABLE` if there
    /// was no decision, or `TOOL_NOT_ALLOWED`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Device(denied) => denied.code().as_str(),
            Self::Tool(_) => "TOOL_NOT_ALLOWED",
        }
    }
}

/// Writes what a model may read: the code and who decides, and nothing that would undo it.
impl fmt::Display for CallDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", clean(self.code()))?;
        let Self::Device(denied) = self else {
            return f.write_str(
                "only the people who set up this gate decide which tools it lets through",
            );
        };
        let device = denied.device().map_or("the device", DeviceId::as_str);
        if denied.is_outage() {
            write!(
                f,
                "there is no decision of MachineID on {device}, and without one nothing may run"
            )
        } else {
            write!(
                f,
                "{device} may not run; only the people who operate it in MachineID decide that"
            )
        }
    }
}

impl std::error::Error for CallDenied {}

/// A code as one word: an unknown one is the service's own text.
fn clean(code: &str) -> String {
    code.chars().filter(char::is_ascii_graphic).take(64).collect()
}
