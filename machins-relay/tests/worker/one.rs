//! What one worker does with its events.

use std::future::ready;
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use futures_util::StreamExt;
use machins_client::{CancellationToken, Event, Money};
use machins_relay::{EventStream, Handled, RelayError, Worker, WorkerNotice};
use test_support::NatsServer;
use tokio::sync::Notify;

use crate::{LIMIT, Running, all_acknowledged, done, events, publish, worker};

#[tokio::test]
async fn an_event_is_read_by_its_type_and_acknowledged() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    let running = Running::start(worker(), &context, |received| {
        let Event::TradeProposed(trade) = received.typed() else { return Err("another event") };
        assert_eq!((trade.trade_id.as_str(), trade.price), ("t1", Some(Money::credits(50))));
        assert_eq!((received.id().as_str(), received.attempt), ("ada.n1", 1));
        assert!(received.message.subject.starts_with("machins.ada.trade_proposed."));
        Ok(Handled::Done)
    });
    all_acknowledged(&context).await;
    assert_eq!(running.stop().await, ["n1 1"]);
    // It is not given to the group again.
    publish(&context, "n2", "trade_proposed", "t1").await;
    let running = Running::start(worker(), &context, done);
    all_acknowledged(&context).await;
    assert_eq!(running.stop().await, ["n2 1"]);
}

#[tokio::test]
async fn another_group_gets_the_events_too() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    let other = Worker::new("other", &crate::stream()).unwrap();
    let running = [Running::start(worker(), &context, done), Running::start(other, &context, done)];
    for running in running {
        while running.received().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(running.stop().await, ["n1 1"]);
    }
}

#[tokio::test]
async fn a_deferred_event_holds_up_its_trade_and_does_not_fail() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    publish(&context, "n2", "trade_cancelled", "t1").await;
    let running = Running::start(worker().max_attempts(1), &context, |received| {
        let is_early = received.event.id == "n1" && received.attempt < 4;
        Ok::<_, String>(if is_early {
            Handled::Defer(Duration::from_millis(30))
        } else {
            Handled::Done
        })
    });
    all_acknowledged(&context).await;
    assert_eq!(running.notices(), []);
    assert_eq!(running.stop().await, ["n1 1", "n1 2", "n1 3", "n1 4", "n2 1"]);
}

#[tokio::test]
async fn a_failed_event_is_tried_again_before_later_ones() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    publish(&context, "n2", "trade_cancelled", "t1").await;
    let running = Running::start(worker(), &context, |received| {
        if received.event.id == "n1" && received.attempt < 3 {
            return Err("the disk is full");
        }
        Ok(Handled::Done)
    });
    all_acknowledged(&context).await;
    let failed = |wait| WorkerNotice::Failed {
        id: "ada.n1".to_owned(),
        reason: "the disk is full".to_owned(),
        wait: Duration::from_millis(wait),
    };
    assert_eq!(running.notices(), [failed(10), failed(20)]);
    assert_eq!(running.stop().await, ["n1 1", "n1 2", "n1 3", "n2 1"]);
}

#[tokio::test]
async fn an_event_that_takes_long_is_given_to_nobody_else() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    let acknowledgements = context.client().subscribe("$JS.ACK.>").await.unwrap();
    let (stop, is_long_enough) = (CancellationToken::new(), Notify::new());
    let slow = async |_| {
        is_long_enough.notified().await;
        Ok::<_, String>(Handled::Done)
    };
    // Two of the group: either of them is given the event.
    let workers = [(); 2].map(|()| worker().stop(stop.clone()));
    let [one, other] = &workers;
    let watching = async {
        // It asks for more time three times in that of the consumer.
        let asked = acknowledgements.filter(|message| ready(&*message.payload == b"+WPI"));
        assert_eq!(asked.take(6).count().await, 6);
        is_long_enough.notify_one();
        all_acknowledged(&context).await;
        stop.cancel();
    };
    let ended = tokio::join!(one.run(&context, slow), other.run(&context, slow), watching);
    ended.0.unwrap();
    ended.1.unwrap();
    let stream = context.get_stream("EVENTS").await.unwrap();
    let name = format!("group-{}", crate::partition("t1"));
    let info = stream.consumer_info(name).await.unwrap();
    assert_eq!(info.delivered.consumer_sequence, 1, "given once");
}

#[tokio::test]
async fn a_server_that_is_killed_is_waited_for() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    let running = Running::start(worker(), &context, done);
    all_acknowledged(&context).await;
    nats.kill();
    nats.restart();
    let again = crate::connect(&nats.url()).await;
    publish(&again, "n2", "trade_cancelled", "t1").await;
    all_acknowledged(&again).await;
    let mut received = running.stop().await;
    received.dedup_by_key(|received| received[..2].to_owned());
    assert_eq!(received, ["n1 1", "n2 1"]);
}

#[tokio::test]
async fn a_stream_that_does_not_exist_yet_is_waited_for() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = crate::connect(&nats.url()).await;
    let running = Running::start(worker(), &context, done);
    while running.notices().is_empty() {
        tokio::task::yield_now().await;
    }
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    while running.received().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.stop().await, ["n1 1"]);
}

#[tokio::test]
async fn a_consumer_that_does_not_keep_the_order_is_refused() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    let config = pull::Config {
        durable_name: Some("group-2".to_owned()),
        filter_subject: "machins.*.*.2".to_owned(),
        ..pull::Config::default()
    };
    context.create_consumer_on_stream(config, "EVENTS").await.unwrap();
    let error = worker().run(&context, async |event| done(&event)).await.unwrap_err();
    assert!(matches!(error, RelayError::Stream { .. }), "{error}");
    assert!(error.to_string().contains("group-2"), "{error}");
}

#[test]
fn a_group_has_a_name() {
    let stream = EventStream::new("EVENTS").unwrap();
    assert!(matches!(Worker::new("a b", &stream), Err(RelayError::Stream { .. })));
}

#[tokio::test]
async fn an_event_is_kept_by_the_ack_wait_of_its_consumer() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    let partition = crate::partition("t1");
    let name = format!("group-{partition}");
    let config = pull::Config {
        durable_name: Some(name.clone()),
        filter_subject: format!("machins.*.*.{partition}"),
        ack_wait: Duration::from_millis(600),
        max_ack_pending: 1,
        ..pull::Config::default()
    };
    context.create_consumer_on_stream(config, "EVENTS").await.unwrap();
    let acknowledgements = context.client().subscribe("$JS.ACK.>").await.unwrap();
    let (stop, is_long_enough) = (CancellationToken::new(), Notify::new());
    let slow = async |_| {
        is_long_enough.notified().await;
        Ok::<_, String>(Handled::Done)
    };
    let workers = [(); 2].map(|()| worker().ack_wait(LIMIT).stop(stop.clone()));
    let [one, other] = &workers;
    let watching = async {
        let asked = acknowledgements.filter(|message| ready(&*message.payload == b"+WPI"));
        let asked = tokio::time::timeout(LIMIT / 4, asked.take(6).count()).await;
        assert_eq!(asked, Ok(6));
        is_long_enough.notify_one();
        all_acknowledged(&context).await;
        stop.cancel();
    };
    let ended = tokio::join!(one.run(&context, slow), other.run(&context, slow), watching);
    ended.0.unwrap();
    ended.1.unwrap();
    let stream = context.get_stream("EVENTS").await.unwrap();
    let info = stream.consumer_info(name).await.unwrap();
    assert_eq!(info.delivered.consumer_sequence, 1, "given once");
}
