//! No message repeats the message of its source, and `{:#}` writes all of them once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error as _;
use std::io;
use std::time::Duration;

use agent_client_core::{ClientOptions, Error, ErrorKind};
use rstest::rstest;
use support::{Act, closed_url, get, post, scripted, send, transport, transport_with};

/// Fails if a message contains that of a source, or if the whole line lacks one or repeats it.
fn assert_nothing_is_repeated(error: &Error) {
    let line = format!("{error:#}");
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        assert!(!message.contains(&text), "{message:?} repeats {text:?}");
        assert_eq!(line.matches(&text).count(), 1, "{line}");
        (message, next) = (text, source.source());
    }
}

#[rstest]
fn every_kind_keeps_its_source_out_of_its_message(
    #[values(
        ErrorKind::InvalidInput,
        ErrorKind::MissingCredential,
        ErrorKind::IdempotencyConflict,
        ErrorKind::StaleIntent,
        ErrorKind::Policy,
        ErrorKind::ApprovalNeeded,
        ErrorKind::Storage,
        ErrorKind::Forked,
        ErrorKind::NotSent,
        ErrorKind::UntrustedCertificate,
        ErrorKind::TimedOut,
        ErrorKind::Interrupted,
        ErrorKind::OutcomeUnknown,
        ErrorKind::Redirect,
        ErrorKind::ReplyTooLarge,
        ErrorKind::UnreadableReply,
        ErrorKind::BadRequest,
        ErrorKind::InsufficientFunds,
        ErrorKind::Unauthorized,
        ErrorKind::Forbidden,
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::InvalidTransition,
        ErrorKind::RateLimited,
        ErrorKind::Unavailable,
        ErrorKind::UnexpectedStatus
    )]
    kind: ErrorKind,
) {
    let error = Error::new(kind, "it failed").with_source(io::Error::other("the disk is full"));
    assert_nothing_is_repeated(&error);
    assert!(format!("{error:#}").starts_with("it failed: the disk is full"), "{error:#}");
    assert!(!error.to_string().contains("the disk"), "{error}");
}

#[tokio::test]
async fn a_refused_connection_has_the_root_cause_as_its_source() {
    let (client, _) = transport(&closed_url(), ClientOptions::new().max_attempts(1));
    let error = send(&client, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert_nothing_is_repeated(&error);
    let cause = error.source().unwrap();
    assert!(cause.source().is_none(), "it is the innermost one");
    assert!(format!("{error:#}").contains("refused"), "{error:#}");
    let cause = cause.downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
}

#[rstest]
#[case::interrupted(Act::Drop, false, ErrorKind::Interrupted)]
#[case::timed_out(Act::Hang, false, ErrorKind::TimedOut)]
#[case::unreadable(Act::reply(200, "no JSON"), false, ErrorKind::UnreadableReply)]
#[case::refused(Act::reply(400, "{}"), false, ErrorKind::BadRequest)]
#[case::unknown_after_an_interruption(Act::Drop, true, ErrorKind::OutcomeUnknown)]
#[case::unknown_after_a_time_out(Act::Hang, true, ErrorKind::OutcomeUnknown)]
#[case::unknown_after_a_failure(Act::reply(500, "{}"), true, ErrorKind::OutcomeUnknown)]
#[tokio::test]
async fn real_failures_say_nothing_twice(
    #[case] act: Act,
    #[case] changes: bool,
    #[case] kind: ErrorKind,
) {
    let (url, _) = scripted(vec![act]).await;
    let limit = Duration::from_millis(100);
    let options = ClientOptions::new().max_attempts(1).attempt_timeout(limit);
    let client = transport_with(&url, options);
    let error = send(&client, if changes { post() } else { get() }).await.unwrap_err();
    assert_eq!(error.kind(), kind);
    assert_nothing_is_repeated(&error);
    if kind == ErrorKind::OutcomeUnknown {
        let cause = error.source().unwrap();
        assert!(!cause.to_string().contains("try again"), "it would be wrong: {cause}");
        assert!(format!("{error:#}").contains(&cause.to_string()), "{error:#}");
    }
}
