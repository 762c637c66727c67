//! What was checked, and what differs.

use machins_mock::{Difference, DifferenceKind, compare_reply};
use serde::Serialize;
use serde_json::{Value, json};

use super::check::{Check, Party, entries};
use super::service::Services;
use crate::context::Context;
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::style::{BAD, FAINT, GOOD};
use crate::table::{Table, cell, styled};

/// The checks so far.
pub(super) struct Report<'a> {
    services: &'a Services,
    progress: Progress,
    rows: Vec<Row>,
    /// Those whose service cannot be reached: no further call waits for it.
    unreachable: Vec<Service>,
}

/// One of the two services.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    MachineId,
    Machins,
}

impl From<Party> for Service {
    fn from(party: Party) -> Self {
        match party {
            Party::Org | Party::AnyoneAtMachineId => Self::MachineId,
            Party::Agent | Party::Owner | Party::Anyone => Self::Machins,
        }
    }
}

/// A check and its result.
#[derive(Serialize)]
struct Row {
    method: String,
    path: String,
    /// The status of the reply; null if there was none.
    status: Option<u16>,
    result: CheckResult,
    differences: Vec<FieldDifference>,
    /// What else is to be said, such as why it was skipped.
    note: Option<String>,
}

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckResult {
    Same,
    Differs,
    Failed,
    Skipped,
}

/// A place in which a reply differs.
#[derive(Clone, Serialize)]
struct FieldDifference {
    field: String,
    kind: DifferenceKind,
    expected: String,
    found: String,
}

impl From<Difference> for FieldDifference {
    fn from(difference: Difference) -> Self {
        let Difference { field, kind, expected, found, .. } = difference;
        Self { field, kind, expected, found }
    }
}

/// A line of the table: a check, or one more of its differences.
struct Line<'a> {
    row: &'a Row,
    is_first: bool,
    difference: Option<&'a FieldDifference>,
}

impl<'a> Report<'a> {
    pub(super) fn new(services: &'a Services, context: &Context) -> Self {
        let progress = Progress::start(context.out, "asking …");
        Self { services, progress, rows: Vec::new(), unreachable: Vec::new() }
    }

    /// Makes a call and notes how its reply differs; returns the reply if it is the one that is
    /// expected.
    pub(super) fn check(&mut self, check: &Check) -> Option<Value> {
        self.progress.say(format!("{} {}", check.method, check.shown()));
        let mut row = Row {
            method: check.method.to_string(),
            path: check.shown(),
            status: None,
            result: CheckResult::Skipped,
            differences: Vec::new(),
            note: None,
        };
        let value = self.fill(&mut row, check);
        self.rows.push(row);
        value
    }

    fn fill(&mut self, row: &mut Row, check: &Check) -> Option<Value> {
        let service = Service::from(check.party);
        if !self.services.is_asked(check.party) {
            row.note = Some(missing_key(check.party).to_owned());
            return None;
        }
        if self.unreachable.contains(&service) {
            row.note = Some("the service could not be reached".to_owned());
            return None;
        }
        let Some(call) = check.call() else {
            row.note = Some("there is none to ask for".to_owned());
            return None;
        };
        let reply = match self.services.send(check.party, call)? {
            Ok(reply) => reply,
            Err(error) => {
                self.unreachable.push(service);
                (row.result, row.note) = (CheckResult::Failed, Some(error.to_string()));
                return None;
            }
        };
        row.status = Some(reply.status());
        if reply.status() != check.status {
            row.result = CheckResult::Differs;
            row.differences = vec![FieldDifference {
                field: String::new(),
                kind: DifferenceKind::Status,
                expected: check.status.to_string(),
                found: reply.status().to_string(),
            }];
            return None;
        }
        let path = check.whole_path();
        let differences = compare_reply(&check.method, &path, reply.status(), reply.body());
        row.differences = differences.into_iter().map(FieldDifference::from).collect();
        row.result =
            if row.differences.is_empty() { CheckResult::Same } else { CheckResult::Differs };
        let value: Value = reply.json().ok()?;
        if entries(&value).is_some_and(Vec::is_empty) {
            row.note = Some("an empty list, so its entries were not compared".to_owned());
        }
        (check.status == 200).then_some(value)
    }

    /// Prints the table, and fails if something differs or could not be checked.
    pub(super) fn print(self, out: Output) -> Result<(), Failure> {
        let Self { rows, progress, .. } = self;
        drop(progress);
        let count = |result| rows.iter().filter(|row| row.result == result).count();
        let [same, differs, failed, skipped] =
            [CheckResult::Same, CheckResult::Differs, CheckResult::Failed, CheckResult::Skipped]
                .map(count);
        let checked = same + differs;
        let document = json!({
            "checked": checked, "differs": differs, "failed": failed, "skipped": skipped,
            "checks": rows,
        });
        out.result(&document, || table(&rows))?;
        if differs == 0 && failed == 0 {
            out.note(&format!("{FAINT}{checked} calls checked; none differs{FAINT:#}"));
            return Ok(());
        }
        let mut message = format!("{differs} of {checked} calls differ from the mock server");
        if failed > 0 {
            message += ", and a service could not be reached";
        }
        Err(Failure::refused(message))
    }
}

fn missing_key(party: Party) -> &'static str {
    match party {
        Party::Org | Party::AnyoneAtMachineId => "no org key",
        Party::Agent | Party::Anyone => "no API key",
        Party::Owner => "no owner token",
    }
}

fn table(rows: &[Row]) -> String {
    let lines: Vec<_> = rows
        .iter()
        .flat_map(|row| {
            (0..row.differences.len().max(1)).map(move |number| Line {
                row,
                is_first: number == 0,
                difference: row.differences.get(number),
            })
        })
        .collect();
    let first = |line: &Line<'_>, text: String| cell(if line.is_first { &text } else { "" });
    let mut table = Table::new()
        .column("CALL", |line: &Line<'_>| {
            first(line, format!("{} {}", line.row.method, line.row.path))
        })
        .column("STATUS", |line| {
            first(line, line.row.status.map_or(String::new(), |status| status.to_string()))
        })
        .column("RESULT", |line| match line.row.result {
            _ if !line.is_first => cell(""),
            CheckResult::Same => styled("same", GOOD),
            CheckResult::Differs => styled("differs", BAD),
            CheckResult::Failed => styled("failed", BAD),
            CheckResult::Skipped => styled("skipped", FAINT),
        });
    if lines.iter().any(|line| line.difference.is_some()) {
        let of = |line: &Line<'_>, text: fn(&FieldDifference) -> &str| {
            cell(line.difference.map_or("", text))
        };
        table = table
            .column("FIELD", move |line| {
                of(line, |difference| match (&*difference.field, difference.kind) {
                    ("", DifferenceKind::Status) => "(status)",
                    ("", _) => "(body)",
                    (field, _) => field,
                })
            })
            .text("EXPECTED", move |line| of(line, |difference| &difference.expected))
            .text("FOUND", move |line| of(line, |difference| &difference.found));
    }
    let table = table.text("NOTE", |line| first(line, line.row.note.clone().unwrap_or_default()));
    table.render(&lines)
}
