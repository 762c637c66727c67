//! An inbox whose entries, order and failures a test chooses.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::reply;

/// An inbox. Clones share it.
#[derive(Clone, Default)]
pub struct Inbox(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The entries in the order of the list, and whether each is read.
    entries: Vec<(Value, bool)>,
    acknowledgements: Vec<Vec<String>>,
    lists: usize,
    /// By how many the number of unread notifications is too large.
    miscounted: usize,
    list_failures: VecDeque<ResponseTemplate>,
    acknowledgement_failures: VecDeque<(Effect, ResponseTemplate)>,
    refused_id: Option<String>,
}

/// Whether an acknowledgement whose reply fails takes effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    None,
    Done,
}

/// A notification about a trade of this minute of the month.
pub fn notification(id: &str, trade: &str, minute: usize) -> Value {
    let (day, hour, minute) = (1 + minute / (24 * 60), minute / 60 % 24, minute % 60);
    json!({
        "id": id, "event_type": "trade_proposed", "payload": {"trade_id": trade},
        "is_read": false, "created_at": format!("2026-03-{day:02}T{hour:02}:{minute:02}:00Z"),
    })
}

/// The ids `n0`, `n1` and so on.
pub fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("n{number}")).collect()
}

impl Inbox {
    /// Starts a server with these entries, in the order of its list.
    pub async fn start(entries: Vec<Value>) -> (MockServer, Self) {
        let server = MockServer::start().await;
        let inbox = Self::default();
        inbox.0.lock().unwrap().entries = entries.into_iter().map(|entry| (entry, false)).collect();
        let (lists, acknowledges) = (inbox.clone(), inbox.clone());
        Mock::given(method("GET"))
            .and(path("/api/v1/inbox"))
            .respond_with(move |request: &Request| lists.list(request))
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .and(path("/api/v1/inbox/ack"))
            .respond_with(move |request: &Request| acknowledges.acknowledge(request))
            .mount(&server)
            .await;
        (server, inbox)
    }

    /// Starts a server with this many notifications about different trades, the newest first.
    pub async fn with(count: usize) -> (MockServer, Self) {
        let ids = ids(count);
        let newest_first = ids.iter().enumerate().rev();
        Self::start(newest_first.map(|(minute, id)| notification(id, id, minute)).collect()).await
    }

    /// Adds an entry at the beginning of the list.
    pub fn add(&self, entry: Value) {
        self.0.lock().unwrap().entries.insert(0, (entry, false));
    }

    /// Answers one request for the list with this.
    pub fn fail_list(&self, reply: ResponseTemplate) {
        self.0.lock().unwrap().list_failures.push_back(reply);
    }

    /// Answers one acknowledgement with this.
    pub fn fail_acknowledgement(&self, effect: Effect, reply: ResponseTemplate) {
        self.0.lock().unwrap().acknowledgement_failures.push_back((effect, reply));
    }

    /// Ends all failures.
    pub fn recover(&self) {
        let mut state = self.0.lock().unwrap();
        state.list_failures.clear();
        state.acknowledgement_failures.clear();
    }

    /// Answers 422 to every acknowledgement that contains this id.
    pub fn refuse(&self, id: &str) {
        self.0.lock().unwrap().refused_id = Some(id.to_owned());
    }

    /// From now on, states a number of unread notifications that is too large by so many and no total,
    /// and answers 404 if what is behind the end is requested.
    pub fn miscount(&self, more: usize) {
        self.0.lock().unwrap().miscounted = more;
    }

    /// Marks an entry as read, as another program would.
    pub fn read(&self, id: &str) {
        self.0.lock().unwrap().mark(&[id.to_owned()]);
    }

    /// The ids of the unread entries, sorted.
    pub fn unread(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let unread = state.entries.iter().filter(|(_, is_read)| !is_read);
        let mut ids: Vec<String> =
            unread.map(|(entry, _)| entry["id"].as_str().unwrap_or("none").to_owned()).collect();
        ids.sort();
        ids
    }

    /// The ids of each acknowledgement that took effect.
    pub fn acknowledged(&self) -> Vec<Vec<String>> {
        self.0.lock().unwrap().acknowledgements.clone()
    }

    /// The number of requests for the list.
    pub fn lists(&self) -> usize {
        self.0.lock().unwrap().lists
    }

    fn list(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        state.lists += 1;
        if let Some(failure) = state.list_failures.pop_front() {
            return failure;
        }
        let number = |name: &str| {
            let pair = request.url.query_pairs().find(|(key, _)| key == name);
            pair.map_or(0, |(_, value)| value.parse::<usize>().unwrap())
        };
        let unread: Vec<&Value> =
            state.entries.iter().filter(|(_, is_read)| !is_read).map(|(entry, _)| entry).collect();
        let (offset, limit) = (number("offset"), number("limit"));
        assert!((1..=200).contains(&limit), "limit {limit}");
        let items: Vec<&&Value> = unread.iter().skip(offset).take(limit).collect();
        if state.miscounted > 0 && offset > 0 && items.is_empty() {
            return ResponseTemplate::new(404).set_body_json(json!({"detail": "Invalid page"}));
        }
        // As in the reference, the total is that of the whole inbox.
        reply(&json!({
            "items": items, "unread_count": unread.len() + state.miscounted,
            "total": (state.miscounted == 0).then_some(state.entries.len()),
            "has_more": offset + items.len() < unread.len(),
        }))
    }

    fn acknowledge(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let body: Value = request.body_json().unwrap();
        let ids: Vec<String> = serde_json::from_value(body["notification_ids"].clone()).unwrap();
        assert!(!ids.is_empty(), "an empty acknowledgement");
        if state.refused_id.as_ref().is_some_and(|refused| ids.contains(refused)) {
            let detail = json!({"detail": [{"msg": "not a UUID"}]});
            return ResponseTemplate::new(422).set_body_json(detail);
        }
        let failure = state.acknowledgement_failures.pop_front();
        if failure.as_ref().is_none_or(|(effect, _)| *effect == Effect::Done) {
            state.mark(&ids);
            state.acknowledgements.push(ids);
        }
        failure.map_or_else(|| reply(&json!({"acknowledged": 1})), |(_, reply)| reply)
    }
}

impl State {
    fn mark(&mut self, ids: &[String]) {
        for (entry, is_read) in self.entries.iter_mut().filter(|(_, is_read)| !is_read) {
            *is_read = entry["id"].as_str().is_some_and(|id| ids.iter().any(|read| read == id));
        }
    }
}
