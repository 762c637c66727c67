//! Answers to calls from a script instead of a server, for unit tests.

use std::fmt;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::reply::Reply;
use crate::request::Request;

/// Answers the calls of a client without a socket, and records them, for unit tests. Give it to
/// [`ClientOptions::scripted`](crate::ClientOptions::scripted).
///
/// A call is answered by the first [rule](Self::on) that matches it. Everything else is as with a
/// server: the client decodes replies, tries again, and asks about calls whose outcome is unknown.
/// A clone is the same script.
///
/// ```
/// use agent_client_core::{
///     Async, BaseUrl, Call, ClientOptions, Method, Reply, Script, Transport,
/// };
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), agent_client_core::Error> {
/// let script = Script::new();
/// script
///     .on(Method::GET, "/things/42")
///     .reply(Reply::new(503, &json!({}))) // the client tries again
///     .reply(Reply::new(200, &json!({"name": "lamp"})));
///
/// let base_url = BaseUrl::parse("https://api.example.com/v1")?;
/// let transport = Async::new(base_url, Vec::new(), ClientOptions::scripted(&script))?;
/// let call = Call::get("/things/{id}").segment("id", "42").json::<Value>();
/// assert_eq!(transport.send(call).await?["name"], "lamp");
/// assert_eq!(script.requests().len(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    rules: Vec<Line>,
    requests: Vec<ScriptedRequest>,
}

struct Line {
    method: Method,
    path: String,
    condition: Option<Condition>,
    answers: Vec<Answer>,
    /// How many requests the rule has answered.
    count: usize,
}

type Condition = Arc<dyn Fn(&ScriptedRequest) -> bool + Send + Sync>;

#[derive(Clone)]
enum Answer {
    Reply(Reply),
    Failure(ErrorKind),
    Function(Arc<dyn Fn(&ScriptedRequest) -> Reply + Send + Sync>),
}

/// A request that a [`Script`] was asked to answer.
#[derive(Clone)]
#[non_exhaustive]
pub struct ScriptedRequest {
    /// The HTTP method of the request, for example `POST`.
    pub method: Method,
    /// The path as it is sent, without the base URL's own path.
    pub path: String,
    /// The form-encoded query without the question mark; empty if there is none.
    pub query: String,
    /// The body; JSON null if there is none.
    pub body: Value,
    /// The headers that the call was given by [`CallOptions`](crate::CallOptions).
    pub headers: HeaderMap,
}

/// The rule of a [`Script`] for some requests: which they are, and how they are answered.
///
/// Each answer is for one request, in the order in which they were added. The last one is given
/// again and again.
pub struct Rule {
    script: Script,
    index: usize,
}

impl Script {
    /// Creates a script without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule for requests of this method and path. The path is that of the request, without
    /// the base URL's own: `/trades/t1/accept`.
    pub fn on(&self, method: Method, path: impl Into<String>) -> Rule {
        let rules = &mut lock(&self.0).rules;
        rules.push(Line {
            method,
            path: path.into(),
            condition: None,
            answers: Vec::new(),
            count: 0,
        });
        Rule { script: self.clone(), index: rules.len() - 1 }
    }

    /// Returns the requests so far, in order: retries too, and those that no rule matched.
    #[must_use]
    pub fn requests(&self) -> Vec<ScriptedRequest> {
        lock(&self.0).requests.clone()
    }

    /// Answers a request.
    pub(crate) fn answer(&self, request: &Request) -> Result<Reply, Error> {
        let request = ScriptedRequest::new(request);
        let answer = lock(&self.0).answer(&request);
        match answer {
            // Without the lock: the function may use the script.
            Some(Answer::Function(function)) => Ok(function(&request)),
            Some(Answer::Reply(reply)) => Ok(reply),
            Some(Answer::Failure(kind)) => Err(Error::new(kind, "the script says so")),
            None => {
                let ScriptedRequest { method, path, .. } = request;
                let message = format!("the script has no answer to {method} {path}");
                Err(Error::new(ErrorKind::InvalidInput, message))
            }
        }
    }
}

impl Lines {
    fn answer(&mut self, request: &ScriptedRequest) -> Option<Answer> {
        self.requests.push(request.clone());
        let rule = self.rules.iter_mut().find(|rule| rule.matches(request))?;
        let answer = rule.answers.get(rule.count).or(rule.answers.last()).cloned();
        rule.count += 1;
        answer
    }
}

impl Line {
    fn matches(&self, request: &ScriptedRequest) -> bool {
        self.method == request.method
            && self.path == request.path
            && self.condition.as_ref().is_none_or(|condition| condition(request))
    }
}

impl ScriptedRequest {
    fn new(request: &Request) -> Self {
        let body = request.body.as_ref().and_then(|body| serde_json::from_slice(body).ok());
        Self {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            body: body.unwrap_or_default(),
            headers: request.options.as_ref().map(|own| own.headers.clone()).unwrap_or_default(),
        }
    }
}

#[allow(
    clippy::return_self_not_must_use,
    clippy::must_use_candidate,
    reason = "the last answer ends a statement"
)]
impl Rule {
    /// Restricts the rule to requests with this JSON body.
    pub fn body(self, body: Value) -> Self {
        self.matching(move |request| request.body == body)
    }

    /// Restricts the rule to requests for which this function returns `true`. It must not use the
    /// script.
    pub fn matching(
        self,
        condition: impl Fn(&ScriptedRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.change(|line| {
            let earlier = line.condition.take();
            line.condition = Some(Arc::new(move |request| {
                earlier.as_ref().is_none_or(|earlier| earlier(request)) && condition(request)
            }));
        })
    }

    /// Adds this reply as the next answer.
    pub fn reply(self, reply: Reply) -> Self {
        self.answer(Answer::Reply(reply))
    }

    /// Adds a reply that this function makes of the request as the next answer.
    pub fn reply_with(
        self,
        reply: impl Fn(&ScriptedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.answer(Answer::Function(Arc::new(reply)))
    }

    /// Adds a failure to reply as the next answer: [`ErrorKind::NotSent`] if the request does not
    /// arrive, [`ErrorKind::Interrupted`] or [`ErrorKind::TimedOut`] if it may have.
    pub fn fail(self, kind: ErrorKind) -> Self {
        self.answer(Answer::Failure(kind))
    }

    fn answer(self, answer: Answer) -> Self {
        self.change(|line| line.answers.push(answer))
    }

    fn change(self, change: impl FnOnce(&mut Line)) -> Self {
        if let Some(line) = lock(&self.script.0).rules.get_mut(self.index) {
            change(line);
        }
        self
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl fmt::Debug for ScriptedRequest {
    /// Shows neither the query nor the body nor the headers, which may contain a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule")
    }
}
