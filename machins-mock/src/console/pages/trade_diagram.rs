//! The states of a trade as a drawing, with the way that one trade took.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::parts::text;
use crate::console::words::readable;

/// The width of a state in the drawing.
const WIDTH: u32 = 112;

/// The height of a state in the drawing.
const HEIGHT: u32 = 36;

/// The distance from one column to the next.
const COLUMN: u32 = 204;

/// The distance from one row to the next.
const ROW: u32 = 78;

struct State {
    name: &'static str,
    /// The field with the time at which a trade came to the state.
    at: &'static str,
    column: u32,
    row: u32,
}

const STATES: [State; 8] = [
    State { name: "proposed", at: "proposed_at", column: 0, row: 0 },
    State { name: "rejected", at: "rejected_at", column: 1, row: 0 },
    State { name: "escrow_held", at: "escrow_held_at", column: 0, row: 1 },
    State { name: "cancelled", at: "cancelled_at", column: 1, row: 1 },
    State { name: "delivered", at: "delivered_at", column: 0, row: 2 },
    State { name: "disputed", at: "disputed_at", column: 1, row: 2 },
    State { name: "completed", at: "completed_at", column: 0, row: 3 },
    State { name: "resolved", at: "resolved_at", column: 1, row: 3 },
];

/// What leads from one state to another.
const STEPS: [(&str, &str, &str); 7] = [
    ("proposed", "escrow_held", "accept"),
    ("proposed", "rejected", "reject"),
    ("escrow_held", "delivered", "deliver"),
    ("escrow_held", "cancelled", "cancel"),
    ("delivered", "completed", "confirm"),
    ("delivered", "disputed", "dispute"),
    ("disputed", "resolved", "resolve"),
];

impl State {
    fn x(&self) -> u32 {
        2 + self.column * COLUMN
    }

    fn y(&self) -> u32 {
        2 + self.row * ROW
    }
}

fn state(name: &str) -> &'static State {
    STATES.iter().find(|state| state.name == name).unwrap_or(&STATES[0])
}

/// Draws the states of trades, with the way of this one.
pub(super) fn diagram(trade: &Value) -> Markup {
    let status = text(trade, "status");
    let is_passed = |name: &str| trade[state(name).at].is_string();
    let way: Vec<_> = STATES
        .iter()
        .filter(|state| is_passed(state.name))
        .map(|state| readable(state.name))
        .collect();
    let label = format!("The trade is {}. Its way: {}", readable(status), way.join(", "));
    let (width, height) = (COLUMN + WIDTH + 4, 3 * ROW + HEIGHT + 4);
    html! {
        svg.states viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(label) {
            @for (from, to, step) in STEPS {
                @let class = if is_passed(from) && is_passed(to) { "step passed" } else { "step" };
                g class=(class) { (arrow(state(from), state(to), step)) }
            }
            @for state in &STATES {
                @let class = if state.name == status {
                    "state current"
                } else if is_passed(state.name) {
                    "state passed"
                } else {
                    "state"
                };
                g class=(class) {
                    rect x=(state.x()) y=(state.y()) width=(WIDTH) height=(HEIGHT) rx="6" {}
                    text x=(state.x() + WIDTH / 2) y=(state.y() + HEIGHT / 2 + 5) text-anchor="middle" {
                        (readable(state.name))
                    }
                }
            }
        }
    }
}

fn arrow(from: &State, to: &State, step: &str) -> Markup {
    if from.column == to.column {
        let x = from.x() + WIDTH / 2;
        let (start, end) = (from.y() + HEIGHT, to.y());
        html! {
            path d={ "M" (x) " " (start) "V" (end - 1) "m-5 -6l5 6l5 -6" } {}
            text x=(x + 10) y=(start + (end - start) / 2 + 4) { (step) }
        }
    } else {
        let y = from.y() + HEIGHT / 2;
        let (start, end) = (from.x() + WIDTH, to.x());
        html! {
            path d={ "M" (start) " " (y) "H" (end - 1) "m-6 -5l6 5l-6 5" } {}
            text x=(start + (end - start) / 2) y=(y - 7) text-anchor="middle" { (step) }
        }
    }
}
