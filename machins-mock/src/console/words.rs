//! What states are called, how they look, and what a page says after an action.

/// The tone of a state.
pub(super) fn tone(state: &str) -> &'static str {
    match state {
        "active" | "completed" | "ALLOW" | "allowed" | "paid" | "verified" | "enabled" => "ok",
        "proposed" | "escrow_held" | "delivered" | "open" | "release" => "info",
        "disputed" | "frozen" | "starter" | "expired" | "failing" => "warn",
        "revoked" | "cancelled" | "rejected" | "denied" | "failed" | "ended" | "disabled"
        | "unavailable" => "bad",
        _ => "mute",
    }
}

/// The tone of an HTTP status.
pub(super) fn status_tone(status: Option<u64>) -> &'static str {
    match status {
        Some(200..=299) => "ok",
        Some(300..=399) => "info",
        Some(400..=499) => "warn",
        _ => "bad",
    }
}

/// Returns what a page says after an action.
pub(super) fn notice(done: &str) -> Option<&'static str> {
    Some(match done {
        "revoked" => "Revoked. The next validation denies.",
        "restored" => "Restored. The next validation allows, if the org may run.",
        "removed" => "Removed.",
        "registered" => "Registered.",
        "unchanged" => "Nothing changed: the device is in that state already, or the plan is full.",
        "some" => {
            "Done for some of the devices; the others were in that state, or the plan is full."
        }
        "none-chosen" => "No device was selected.",
        "org-created" => "Org created.",
        "org-changed" => "Org changed.",
        "agent-created" => "Agent created.",
        "refunded" => "Dispute resolved: the buyer has the credits back.",
        "released" => "Dispute resolved: the seller has the credits, less the fee.",
        "resent" => "Posted once more: the new attempt is the first in the list.",
        "requests-cleared" => "The recorded requests are cleared.",
        "webhooks-cleared" => "The recorded attempts are cleared.",
        "advanced" => "The clock has moved. Whatever fell due on the way has happened.",
        "clock-set" => "The clock is set.",
        "clock-frozen" => "The clock stands still.",
        "clock-running" => "The clock goes on.",
        "fault-added" => "Fault added.",
        "fault-removed" => "Fault removed.",
        "faults-cleared" => "All faults removed.",
        "world-created" => "World created.",
        "world-removed" => "World removed.",
        "reset" => "The world is empty again.",
        "example" => "The example is loaded: two agents, two listings, two trades, three devices.",
        _ => return None,
    })
}

/// Returns a state as people read it.
pub(super) fn readable(state: &str) -> String {
    state.replace('_', " ")
}
