//! The gate inside agent runtimes: a hook that a runtime runs before each tool call.
//!
//! A file beside this one describes each runtime (`claude`, `codex`, `gemini`, `cursor`): its event,
//! its forms of yes and no, its settings, and how to run it for a check. `runtimes` lists them.

mod answer;
mod claude;
mod codex;
mod cursor;
mod event;
mod gemini;
#[cfg(feature = "mock")]
mod model;
mod refusal;
mod runtime;
mod runtimes;
mod settings;
#[cfg(feature = "mock")]
mod verify;

pub(crate) use self::answer::{Answer, BLOCK};
pub(crate) use self::event::{drain, read_event};
pub(crate) use self::refusal::Refusal;
pub(crate) use self::runtime::{Runtime, Scope};
pub(crate) use self::runtimes::{RUNTIMES, named};
pub(crate) use self::settings::Change;
#[cfg(feature = "mock")]
pub(crate) use self::verify::{Finding, Outcome, verify};
