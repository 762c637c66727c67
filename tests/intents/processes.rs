//! Processes that propose with the same key.

use std::fs;

use machins_mock::Fault;
use rstest::rstest;

use crate::process::{Process, UNWRITABLE};
use crate::{DELAY, Market};

fn on_proposals(fault: Fault) -> Fault {
    fault.method("POST").path("/api/v1/trades")
}

#[rstest]
#[case::undisturbed(None)]
#[case::with_two_lost_replies(Some(Fault::drop_after().times(2)))]
#[case::with_a_lost_request(Some(Fault::drop_before().times(1)))]
fn sixteen_processes_at_once_make_one_trade(#[case] fault: Option<Fault>) {
    let market = Market::new();
    if let Some(fault) = fault {
        market.server.add_fault(on_proposals(fault)).unwrap();
    }
    let processes: Vec<_> =
        (0..16).map(|number| Process::start(&market, &format!("out{number}"))).collect();
    let ended: Vec<_> = processes.into_iter().map(|process| process.end().unwrap()).collect();
    let trades = market.trades();
    assert_eq!(trades.len(), 1, "{ended:?}");
    for trade in ended {
        assert_eq!(trade.as_ref(), Ok(&trades[0]));
    }
}

/// The moments at which a process is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    Started,
    Locked,
    Searched,
    Recorded,
    Proposed,
    Done,
}

impl Step {
    fn is_taken(self, market: &Market) -> bool {
        let files = || fs::read_dir(market.intents()).into_iter().flatten().flatten();
        let has_file = |extension: &str| {
            files().any(|file| file.path().extension().is_some_and(|found| found == extension))
        };
        let has_request = |method: &str| {
            let requests = market.server.requests();
            requests
                .iter()
                .any(|request| request.method == method && request.path == "/api/v1/trades")
        };
        match self {
            Self::Started => true,
            Self::Locked => has_file("lock"),
            Self::Searched => has_request("GET"),
            Self::Recorded => has_file("json"),
            Self::Proposed => has_request("POST"),
            Self::Done => files().any(|file| {
                fs::read_to_string(file.path()).is_ok_and(|text| text.contains("\"done\""))
            }),
        }
    }
}

#[rstest]
fn killed_at_any_step_it_is_one_trade(
    #[values(
        Step::Started,
        Step::Locked,
        Step::Searched,
        Step::Recorded,
        Step::Proposed,
        Step::Done
    )]
    step: Step,
    #[values(Fault::delay(DELAY), Fault::drop_after(), Fault::drop_before())] fault: Fault,
) {
    let market = Market::new();
    market.server.add_fault(on_proposals(fault.times(1))).unwrap();
    // Two are killed, one after the other, while others work on the key too.
    for round in 0..2 {
        let others: Vec<_> =
            (0..2).map(|other| Process::start(&market, &format!("other{round}{other}"))).collect();
        Process::start(&market, "killed").kill_when(|| step.is_taken(&market));
        for other in others {
            other.end().unwrap().unwrap();
        }
    }
    let trade = Process::start(&market, "last").end().unwrap();
    assert_eq!(market.trades(), [trade.unwrap()]);
}

#[rstest]
fn killed_alone_at_any_step_it_is_one_trade(
    #[values(Step::Locked, Step::Searched, Step::Recorded, Step::Proposed)] step: Step,
    #[values(None, Some(Fault::delay(DELAY)))] fault: Option<Fault>,
) {
    let market = Market::new();
    if let Some(fault) = fault {
        market.server.add_fault(on_proposals(fault)).unwrap();
    }
    Process::start(&market, "killed").kill_when(|| step.is_taken(&market));
    let trade = Process::start(&market, "last").end().unwrap();
    assert_eq!(market.trades(), [trade.unwrap()]);
}

#[test]
fn a_proposal_that_arrives_after_its_sender_is_gone_is_found() {
    let (market, late) = Market::new().with_late_proposal();
    Process::start(&market, "killed").kill_when(|| late.holds_a_proposal());
    let trade = Process::start(&market, "last").end().unwrap();
    late.let_arrive();
    assert_eq!(market.trades(), [trade.unwrap()]);
}

#[test]
fn when_nothing_can_be_written_nothing_is_sent() {
    let market = Market::new();
    // Writing to any file fails, as on a full disk.
    let process = Process::start_after("trap '' XFSZ; ulimit -f 0", &market, "full");
    assert_eq!(process.status(), Some(UNWRITABLE));
    assert!(
        market
            .server
            .requests()
            .iter()
            .all(|request| request.method != "POST" || request.path != "/api/v1/trades")
    );
    let trade = Process::start(&market, "last").end().unwrap();
    assert_eq!(market.trades(), [trade.unwrap()]);
}
