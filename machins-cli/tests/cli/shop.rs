//! Two agents on a market of their own.

use std::fs;

use machins_mock::{MockServer, NewAgent};
use serde_json::{Value, json};

use crate::home::{Home, Ran};

/// A market with a seller, Ada, and a buyer, Bob, each in a home of their own.
pub(crate) struct Shop {
    pub(crate) server: MockServer,
    pub(crate) ada: Home,
    pub(crate) bob: Home,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let server = MockServer::builder().seed(7).start().unwrap();
        let (ada, bob) = (home(&server, "ada"), home(&server, "bob"));
        Self { server, ada, bob }
    }

    /// What Ada sells, as its whole id.
    pub(crate) fn offer(&self) -> String {
        let offer =
            ["sell", "--json", "--title", "Sentiment", "--price", "12.50", "--tags", "nlp,text"];
        id(&self.ada.run(&offer).exits(0))
    }

    /// A trade that Bob proposed on it.
    pub(crate) fn proposed(&self, offer: &str) -> String {
        id(&self.bob.run(&["buy", offer, "--terms", "JSON, please", "--json"]).exits(0))
    }

    /// A trade that Ada accepted.
    pub(crate) fn accepted(&self, offer: &str) -> String {
        let trade = self.proposed(offer);
        self.ada.run(&["accept", &trade]).exits(0);
        trade
    }

    /// A trade that Ada delivered.
    pub(crate) fn delivered(&self, offer: &str) -> String {
        let trade = self.accepted(offer);
        self.ada.run(&["deliver", &trade, "--result", "\"positive\""]).exits(0);
        trade
    }

    /// A trade that is over and paid.
    pub(crate) fn completed(&self, offer: &str) -> String {
        let trade = self.delivered(offer);
        self.bob.run(&["confirm", &trade]).exits(0);
        trade
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, method: &str, path: &str) -> usize {
        let requests = self.server.requests();
        let path = format!("/api/v1{path}");
        requests.iter().filter(|r| r.method.as_str() == method && r.path == path).count()
    }
}

/// The home of a new agent, configured as the Python package does it.
pub(crate) fn home(server: &MockServer, slug: &str) -> Home {
    let name = format!("{}{}", slug[..1].to_uppercase(), &slug[1..]);
    let agent = server.create_agent(NewAgent::new().name(name).slug(slug)).unwrap();
    let home = Home::new().with("MACHINS_BASE_URL", &server.machins_base_url());
    let config =
        json!({"api_key": agent.api_key, "agent_id": agent.agent_id, "agent_slug": agent.slug});
    home.write_config(&serde_json::to_string_pretty(&config).unwrap());
    fs::write(home.path().join("claim_url"), &agent.claim_url).unwrap();
    home
}

/// The id of what was made.
#[track_caller]
pub(crate) fn id(ran: &Ran) -> String {
    ran.document()["id"].as_str().unwrap().to_owned()
}

/// The document without what differs from run to run.
#[track_caller]
pub(crate) fn steady(ran: &Ran) -> Value {
    let mut document = ran.document();
    redact(&mut document);
    document
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_id = name == "id" || name.ends_with("_id");
                let is_time = name.ends_with("_at") || name.ends_with("At");
                if (is_id || is_time || name == "client_reference") && value.is_string() {
                    *value = "…".into();
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// What people see, without what differs from run to run.
pub(crate) fn shown(ran: Ran) -> String {
    let Ran { stdout, stderr, .. } = ran.exits(0);
    plain(&format!("{stdout}--\n{stderr}"))
}

/// The text with every id and moment made the same; what is aligned stays so.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for line in text.split_inclusive('\n') {
        let words = line.split_inclusive([' ', '\n']).map(|word| {
            let bare = word.trim_end();
            let rest = &word[bare.len()..];
            let hyphens = bare.matches('-').count();
            match bare.len() {
                36 if hyphens == 4 => format!("00000000-0000-4000-8000-000000000000{rest}"),
                10 if hyphens == 2 && bare.starts_with("20") => format!("2026-01-01{rest}"),
                5 if bare.as_bytes()[2] == b':' => format!("12:00{rest}"),
                _ => word.to_owned(),
            }
        });
        plain.extend(words);
    }
    plain
}
