//! A relay that writes lines: each is acknowledged after it was flushed, and not before.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use machins_client::CancellationToken;
use machins_relay::{CloudEvent, RelayError};
use support::World;
use tokio::io::{AsyncBufReadExt, AsyncWrite, BufReader, duplex};

#[tokio::test]
async fn each_event_is_a_line_in_order() {
    let world = World::start().await;
    let mut expected = Vec::new();
    for _ in 0..30 {
        let trade = world.propose_and_cancel().await;
        let event = |kind: &str| (trade.to_string(), kind.to_owned());
        expected.extend([event("trade_proposed"), event("trade_cancelled")]);
    }
    // The reader is slower than the inbox.
    let (reader, writer) = duplex(100);
    let stop = CancellationToken::new();
    let relay = world.relay().stop(stop.clone());
    let mut lines = BufReader::new(reader).lines();
    let read = async {
        let mut read = Vec::new();
        while read.len() < expected.len() {
            let line = lines.next_line().await.unwrap().unwrap();
            let event: CloudEvent = serde_json::from_str(&line).unwrap();
            read.push((event.subject.clone().unwrap(), event.event_type().to_owned()));
        }
        stop.cancel();
        read
    };
    let (ended, mut read) = tokio::join!(relay.to_writer(writer), read);
    ended.unwrap();
    for (trade, _) in &expected {
        let of_trade = |events: &[(String, String)]| {
            events.iter().filter(|(id, _)| id == trade).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of_trade(&read), of_trade(&expected));
    }
    read.sort();
    expected.sort();
    assert_eq!(read, expected);
    assert!(world.unread().await.is_empty());
}

/// A writer that takes everything and fails when it is flushed.
struct Unflushed;

impl AsyncWrite for Unflushed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::StorageFull.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn what_is_not_flushed_is_not_acknowledged() {
    let world = World::start().await;
    world.propose_and_cancel().await;
    let error = world.relay().to_writer(Unflushed).await.unwrap_err();
    let RelayError::Writer(cause) = error else { unreachable!("{error:?}") };
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
    assert_eq!(world.unread().await.len(), 2);
}
