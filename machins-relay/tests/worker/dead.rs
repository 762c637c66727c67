//! Events that cannot be handled.

use async_nats::jetstream::Message;
use machins_relay::{Handled, WorkerNotice};
use test_support::NatsServer;

use crate::{
    Running, all_acknowledged, done, events, partition, publish, publish_raw, read, worker,
};

fn header(message: &Message, name: &str) -> String {
    message.headers.as_ref().unwrap().get(name).unwrap().to_string()
}

#[tokio::test]
async fn an_event_that_always_fails_becomes_a_dead_letter() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    publish(&context, "n2", "trade_cancelled", "t1").await;
    let running = Running::start(worker().max_attempts(3), &context, |received| {
        if received.event.id == "n1" { Err("it is\r\npoison") } else { Ok(Handled::Done) }
    });
    all_acknowledged(&context).await;
    let dead = read(&context, "EVENTS-dead", 1).await.remove(0);
    let original = read(&context, "EVENTS", 2).await.remove(0);
    assert_eq!(dead.payload, original.payload);
    assert_eq!(
        dead.subject.as_str(),
        format!("machins-dead.ada.trade_proposed.{}", partition("t1"))
    );
    assert_eq!(header(&dead, "Machins-Dead-Reason"), "it is poison");
    assert_eq!(header(&dead, "Machins-Dead-Consumer"), format!("group-{}", partition("t1")));
    assert_eq!(header(&dead, "Machins-Original-Msg-Id"), "ada.n1");
    let notice =
        WorkerNotice::Dead { id: "ada.n1".to_owned(), reason: "it is\r\npoison".to_owned() };
    assert_eq!(running.notices().last(), Some(&notice));
    assert_eq!(running.stop().await, ["n1 1", "n1 2", "n1 3", "n2 1"]);
}

#[tokio::test]
async fn a_worker_can_give_an_event_up_at_once() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish(&context, "n1", "trade_proposed", "t1").await;
    let running = Running::start(worker(), &context, |_| {
        Ok::<_, String>(Handled::Dead("the listing is gone".to_owned()))
    });
    all_acknowledged(&context).await;
    let dead = read(&context, "EVENTS-dead", 1).await.remove(0);
    assert_eq!(header(&dead, "Machins-Dead-Reason"), "the listing is gone");
    assert_eq!(running.stop().await, ["n1 1"]);
}

#[tokio::test]
async fn what_is_no_event_becomes_a_dead_letter() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    publish_raw(&context, "n1", "trade_proposed", "t1", "?").await;
    publish(&context, "n2", "trade_cancelled", "t1").await;
    let running = Running::start(worker(), &context, done);
    all_acknowledged(&context).await;
    let dead = read(&context, "EVENTS-dead", 1).await.remove(0);
    assert_eq!(&*dead.payload, b"?");
    assert!(header(&dead, "Machins-Dead-Reason").contains("not a CloudEvent"));
    assert_eq!(running.stop().await, ["n2 1"]);
}

/// One that is stored again, under another message id, dies on its own account.
#[tokio::test]
async fn a_dead_letter_that_is_tried_again_can_die_again() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = events(&nats).await;
    let running = Running::start(worker().max_attempts(1), &context, |received| {
        Err::<Handled, _>(received.id())
    });
    publish(&context, "n1", "trade_proposed", "t1").await;
    let dead = read(&context, "EVENTS-dead", 1).await.remove(0);
    let payload = std::str::from_utf8(&dead.payload).unwrap();
    publish_raw(&context, "n1.retry", "trade_proposed", "t1", payload).await;
    let dead = read(&context, "EVENTS-dead", 2).await.remove(1);
    assert_eq!(header(&dead, "Machins-Original-Msg-Id"), "ada.n1.retry");
    // It is still the same event.
    assert_eq!(header(&dead, "Machins-Dead-Reason"), "ada.n1");
    assert_eq!(running.stop().await, ["n1 1", "n1 1"]);
}
