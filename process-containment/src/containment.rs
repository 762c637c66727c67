//! How strongly a job is held.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How strongly a job is held, from the weakest to the strongest.
///
/// As a demand ([`Command::containment`](crate::Command::containment)) it is a minimum: what is in force may
/// be stronger, and a job that cannot be held that strongly is not started. [`Job::containment`](crate::Job::containment)
/// reports what is in force.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
)]
#[non_exhaustive]
pub enum Containment {
    /// Demands nothing: the strongest that can be had without side effects on the command, which is
    /// [`Cgroup`](Self::Cgroup) or [`Tree`](Self::Tree) on Linux. Never reported as being in force.
    #[default]
    Auto,
    /// The process group of the command. A process that makes a group or session of its own escapes.
    /// This is all that Unix systems other than Linux offer.
    Group,
    /// The whole tree of processes that descend from the command, whatever groups or sessions they make,
    /// held by a subreaper (Linux) or by a job object (Windows).
    Tree,
    /// The tree and a cgroup (version 2) of its own, which the kernel ends atomically, whoever owns the
    /// processes in it.
    Cgroup,
    /// The tree in a PID namespace of its own. The kernel ends all of it when the keeper ends, even when
    /// caller and keeper are killed in the same instant. The command sees its own process numbers and a
    /// `/proc` of its own. Without privileges it also runs in a user namespace, where programs with the
    /// set-user-ID bit (such as `sudo`) do not work.
    PidNamespace,
}

impl Containment {
    const NAMES: [(Self, &str); 5] = [
        (Self::Auto, "auto"),
        (Self::Group, "group"),
        (Self::Tree, "tree"),
        (Self::Cgroup, "cgroup"),
        (Self::PidNamespace, "pidns"),
    ];
}

/// Writes `auto`, `group`, `tree`, `cgroup` or `pidns`.
impl Display for Containment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(value, _)| value == self);
        f.pad(name.map_or("", |(_, name)| name))
    }
}

/// Reads the names that `Display` writes.
impl FromStr for Containment {
    type Err = UnknownContainment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(value, _)| *value).ok_or_else(|| UnknownContainment(text.to_owned()))
    }
}

/// The text is not the name of a [`Containment`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown containment {0:?}: expected auto, group, tree, cgroup or pidns")]
pub struct UnknownContainment(String);
