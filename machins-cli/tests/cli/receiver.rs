//! A receiver of webhooks on this machine, which verifies what it is sent.

use std::sync::{Arc, Mutex};

use machins_client::Secret;
use machins_client::webhook::{Verifier, Webhook};
use serde_json::json;

use crate::stub::{self, Reply, Request};

/// The secret that a receiver expects.
pub(crate) const SECRET: &str = "whsec-9b74c9897bac770f";

/// What a receiver was sent.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) path: String,
    /// The headers, in lower case.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Post {
    pub(crate) fn new(request: &Request) -> Self {
        let (first, headers) = request.head.split_once("\r\n").unwrap();
        let path = first.split(' ').nth(1).unwrap().to_owned();
        Self { path, headers: headers.to_lowercase(), body: request.body.clone() }
    }

    /// The webhook, if this secret has signed it.
    #[track_caller]
    pub(crate) fn webhook(&self, secret: &str) -> Webhook {
        let verifier = Verifier::new(&Secret::new(secret)).unwrap();
        let mut signatures =
            self.headers.lines().filter_map(|line| line.strip_prefix("x-machins-signature: "));
        let webhook = verifier.read(&self.body, signatures.next()).unwrap();
        assert_eq!(signatures.next(), None);
        webhook
    }
}

/// A receiver with the paths that were posted to, oldest first.
pub(crate) struct Receiver {
    pub(crate) url: String,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Receiver {
    /// A receiver that answers each event, and how often that event has come before, with a status.
    pub(crate) fn answering(status: impl Fn(&str, usize) -> u16 + Send + Sync + 'static) -> Self {
        let posts: Arc<Mutex<Vec<Post>>> = Arc::default();
        let received = Arc::clone(&posts);
        let url = stub::serve(move |request| {
            let post = Post::new(&request);
            let body: serde_json::Value = serde_json::from_slice(&post.body).unwrap();
            let event = body["event"].as_str().unwrap().to_owned();
            let mut received = received.lock().unwrap();
            let before = received.iter().filter(|earlier| earlier.body == post.body).count();
            received.push(post);
            drop(received);
            Reply::json(status(&event, before), &json!({}))
        });
        Self { url, posts }
    }

    /// A receiver that takes everything.
    pub(crate) fn new() -> Self {
        Self::answering(|_, _| 200)
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// The events that came, in order. Each must be signed.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<String> {
        let posts = self.posts();
        posts.iter().map(|post| post.webhook(SECRET).event_type.to_string()).collect()
    }
}
