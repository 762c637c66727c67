//! Failures of a command, and the exit codes they end in.

use machineid_client::{Denied, Error, ErrorKind, Reason};
use serde_json::{Value, json};

/// The exit codes of this program. `guard` and `mock exec` also exit with their child's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The API refused or could not be reached, or something on this machine failed.
    Refused = 1,
    /// Invalid flags, arguments or values.
    Usage = 2,
    /// `validate` and `guard`: the device may not run.
    Denied = 3,
    /// Credentials are missing, or the config file cannot be read.
    Setup = 4,
    /// `guard` and `mock exec`: the command cannot be executed, as in a shell.
    NotExecutable = 126,
    /// `guard` and `mock exec`: there is no such command, as in a shell.
    CommandNotFound = 127,
}

impl Exit {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Refused,
        Self::Usage,
        Self::Denied,
        Self::Setup,
        Self::NotExecutable,
        Self::CommandNotFound,
    ];

    /// What it means, for help.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Refused => "the API refused or could not be reached",
            Self::Usage => "wrong usage: flags, arguments or values that are not valid",
            Self::Denied => "denied: validate and guard, also when no decision could be had",
            Self::Setup => "no credentials, no such profile, or the config cannot be read",
            Self::NotExecutable => "guard, mock exec: the command cannot be executed",
            Self::CommandNotFound => "guard, mock exec: there is no such command",
        }
    }
}

/// The exit code of this process. That of the standard library has 8 bits; on Windows there are 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCode(i32);

impl ExitCode {
    /// Done.
    pub(crate) const SUCCESS: Self = Self(0);

    /// Ends this process.
    pub(crate) fn exit(self) -> ! {
        std::process::exit(self.0)
    }
}

impl From<i32> for ExitCode {
    fn from(code: i32) -> Self {
        Self(code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self(exit as i32)
    }
}

/// Who can change a denial. How is not for the party that is denied.
pub(crate) const OPERATOR_DECIDES: &str = "the operator of this org decides; ask them";

/// The code of a denial for which the service gave none.
pub(crate) const SYSTEM_UNAVAILABLE: &str = "SYSTEM_UNAVAILABLE";

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    kind: &'static str,
    message: String,
    excerpt: Option<Box<str>>,
    hint: Option<Box<str>>,
    status: Option<u16>,
    code: Option<Box<str>>,
    request_id: Option<Box<str>>,
}

impl Failure {
    fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            kind,
            message: message.into(),
            excerpt: None,
            hint: None,
            status: None,
            code: None,
            request_id: None,
        }
    }

    /// Invalid flags, arguments or values.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// The config file cannot be read or written.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::Setup, "config", message)
    }

    /// A key is missing or invalid.
    pub(crate) fn credentials(message: impl Into<String>) -> Self {
        Self::new(Exit::Setup, "credentials", message)
    }

    /// `validate`: the service denied.
    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(Exit::Denied, "denied", message)
    }

    /// Turns a failed call into a denial, for commands whose exit code says whether a device may
    /// run. Failures before the call (usage, credentials) keep their own exit code.
    pub(crate) fn denying(self) -> Self {
        match self.exit {
            Exit::Refused => Self {
                exit: Exit::Denied,
                code: Some(SYSTEM_UNAVAILABLE.into()),
                // It names commands, and is for those who may run them.
                hint: None,
                ..self
            },
            _ => self,
        }
    }

    /// Nothing was found by that id.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "not_found", message)
    }

    /// The user interrupted the command.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "interrupted", message)
    }

    /// What was waited for has not happened in time.
    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "timed_out", message)
    }

    /// The API refused, or the outcome is not what was asked for.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "refused", message)
    }

    /// A spending policy refuses what was asked.
    pub(crate) fn policy(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "policy", message)
    }

    /// The call was made, but failed for some of its items.
    pub(crate) fn partial(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "partial", message)
    }

    /// A setting has no value.
    pub(crate) fn unset(name: &str) -> Self {
        Self::new(Exit::Refused, "unset", format!("{name} is not set"))
    }

    /// A command cannot be held, so it was not started or has been ended.
    pub(crate) fn containment(exit: Exit, message: impl Into<String>) -> Self {
        Self::new(exit, "containment", message)
    }

    /// A decision log is not as it was written.
    pub(crate) fn broken_log(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, "broken_log", message)
    }

    /// A child command could not be started.
    pub(crate) fn command(exit: Exit, message: impl Into<String>) -> Self {
        Self::new(exit, "command", message)
    }

    /// Something on this machine failed.
    pub(crate) fn local(what: impl Into<String>, error: impl std::fmt::Display) -> Self {
        Self::new(Exit::Refused, "io", format!("{}: {error}", what.into()))
    }

    /// Adds what the user can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the lines of input that are wrong, already safe to show.
    pub(crate) fn excerpt(mut self, lines: impl Into<Box<str>>) -> Self {
        self.excerpt = Some(lines.into());
        self
    }

    /// Puts before the message what it is about.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Adds the HTTP status.
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds the API's error code.
    pub(crate) fn code(mut self, code: impl Into<Box<str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds the request id, by which the vendor finds the call.
    pub(crate) fn request_id(mut self, id: Option<&str>) -> Self {
        self.request_id = id.map(Into::into);
        self
    }

    /// The kind of failure.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The HTTP status, if the service replied.
    pub(crate) fn http_status(&self) -> Option<u16> {
        self.status
    }

    /// What happened.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The lines of input that are wrong.
    pub(crate) fn lines(&self) -> Option<&str> {
        self.excerpt.as_deref()
    }

    /// What the user can do about it.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The document that `--json` prints.
    pub(crate) fn document(&self) -> Value {
        json!({"error": {
            "kind": self.kind,
            "message": self.message,
            "status": self.status,
            "code": self.code,
            "request_id": self.request_id,
        }})
    }
}

impl Failure {
    /// Creates a failure from a client's error, with this hint if the error is of this kind.
    pub(crate) fn with_hint_for(error: Error, kind: ErrorKind, hint: &str) -> Self {
        let applies = error.kind() == kind;
        let failure = Self::from(error);
        if applies { failure.hint(hint) } else { failure }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::IdempotencyConflict => Exit::Usage,
            ErrorKind::MissingCredential => Exit::Setup,
            _ => Exit::Refused,
        };
        let hint = match error.kind() {
            ErrorKind::InsufficientFunds => Some("to see your balance: `machins wallet`"),
            ErrorKind::ApprovalNeeded => {
                Some("the owner of this machine decides; ask them: `machins approvals`")
            }
            ErrorKind::Unauthorized => {
                Some("to see where the key comes from: `machins config explain`")
            }
            _ => None,
        };
        Self {
            status: error.status(),
            code: error.code().map(Into::into),
            hint: hint.map(Into::into),
            ..Self::new(exit, error.kind().as_str(), format!("{error:#}"))
        }
        .request_id(error.request_id())
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let failure = match denied.reason() {
            Reason::NoDecision(error) => Self {
                status: error.status(),
                ..Self::new(Exit::Denied, error.kind().as_str(), format!("{denied:#}"))
            },
            Reason::Refused(decision) => {
                Self { status: Some(decision.http_status()), ..Self::denied(format!("{denied:#}")) }
            }
            Reason::NotLogged { decision, .. } => {
                Self { status: Some(decision.http_status()), ..Self::denied(format!("{denied:#}")) }
            }
            _ => Self::denied(format!("{denied:#}")),
        };
        failure.code(denied.code().as_str()).request_id(denied.request_id())
    }
}
