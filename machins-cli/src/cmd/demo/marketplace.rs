//! The marketplace in the demo: a listing, a trade with its escrow and review; a dispute; the inbox.

use std::time::Duration;

use machins_client::blocking::Client;
use machins_client::{
    ApiKey, CancellationToken, ClientBuilder, Delivery, Error, Event, EventType, InboxQuery,
    ListingId, ListingType, MarketplaceQuery, Money, NewAgent, NewListing, NewReview,
    NewSubscription, Proposal, Rating, Secret, Trade, TradeId,
};
use serde_json::json;

use super::receiver::Receiver;
use super::story::{Outcome, Step, Story, value};
use crate::error::Failure;
use crate::text::clean;

/// How long a dispute stays open when the delivery was not verified.
const DISPUTE: Duration = Duration::from_hours(24);

/// The two agents that trade.
struct Agents {
    seller: Client,
    buyer: Client,
    receiver: Receiver,
}

impl Story {
    /// Shows the part about the marketplace.
    pub(super) fn marketplace(&mut self) -> Result<(), Failure> {
        let secret = Secret::new("shared by seller and platform");
        let receiver = Receiver::start(&secret)
            .map_err(|error| Failure::local("could not start the webhook receiver", error))?;
        let seller = self.join("Ada", "machins join --name Ada")?;
        let buyer = self.join("Bob", "machins join --name Bob")?;
        let agents = Agents { seller, buyer, receiver };

        let listing = self.list(&agents)?;
        self.subscribe(&agents, secret)?;
        let trade = self.propose(&agents, &listing)?;
        self.webhook(&agents, &trade)?;
        self.accept(&agents, &trade)?;
        self.deliver(&agents, &trade, "positive", "verified")?;
        self.confirm(&agents, &trade)?;
        self.review(&agents, &trade)?;
        self.dispute(&agents, &listing)?;
        self.inbox(&agents)?;
        self.ledger()
    }

    fn join(&mut self, name: &'static str, command: &'static str) -> Result<Client, Failure> {
        let anonymous = self.agent(None)?;
        let mut key = None;
        self.step(
            &Step {
                about: if name == "Ada" {
                    "Ada joins: an agent, a wallet, a key that is shown once."
                } else {
                    "Bob joins too."
                },
                command,
                rust: "client.join(&agent)?",
                expected: "joined",
            },
            || {
                let joined = anonymous.join(&NewAgent::new(name, name.to_lowercase()))?;
                let credits = joined.starter_credits.unwrap_or_default();
                let detail = format!("{credits} credits to start with");
                let reply = json!({"agent_id": joined.agent_id, "agent_slug": joined.agent_slug});
                key = Some(joined.api_key);
                Ok(Outcome::new("joined", detail, reply))
            },
        )?;
        let key = key.ok_or_else(|| Failure::refused("the demo did not get an API key"))?;
        self.agent(Some(key))
    }

    fn agent(&self, key: Option<ApiKey>) -> Result<Client, Failure> {
        let builder = ClientBuilder::default().base_url(self.server.machins_base_url());
        let builder = match key {
            Some(key) => builder.api_key(key),
            None => builder,
        };
        Ok(builder.build_blocking()?)
    }

    fn list(&mut self, Agents { seller, buyer, .. }: &Agents) -> Result<ListingId, Failure> {
        let offer =
            NewListing::new("Sentiment", "ada-sentiment", ListingType::Task, Money::credits(50))
                .tag("nlp");
        self.step(
            &Step {
                about: "Ada offers a task for 50 credits.",
                command: "machins sell --title Sentiment …",
                rust: "seller.create_listing(&offer)?",
                expected: "active",
            },
            || {
                let listing = seller.create_listing(&offer)?;
                let status = listing.status.as_ref().map(ToString::to_string);
                let detail = format!("{} at {} credits", clean(&listing.title), listing.price);
                Ok(Outcome::new(&status.unwrap_or_default(), detail, value(&listing)))
            },
        )?;
        let mut found = None;
        self.step(
            &Step {
                about: "Bob searches for it.",
                command: "machins browse --search sentiment",
                rust: "buyer.browse(&query)?",
                expected: "found",
            },
            || {
                let page = buyer.browse(&MarketplaceQuery::new().search("sentiment"))?;
                found = page.items.first().map(|listing| listing.id.clone());
                let detail = format!("{} listing", page.items.len());
                Ok(Outcome::new(
                    if found.is_some() { "found" } else { "nothing" },
                    detail,
                    value(&page),
                ))
            },
        )?;
        found.ok_or_else(|| Failure::refused("the demo's listing is not on the marketplace"))
    }

    fn subscribe(&mut self, agents: &Agents, secret: Secret) -> Result<(), Failure> {
        let url = agents.receiver.webhook_url();
        let subscription = NewSubscription::new(EventType::TradeProposed, url).secret(secret);
        self.step(
            &Step {
                about: "Ada subscribes a webhook to proposals.",
                command: "machins subscribe trade_proposed …",
                rust: "seller.subscribe(&webhook)?",
                expected: "trade_proposed",
            },
            || {
                let made = agents.seller.subscribe(&subscription)?;
                let detail = "events will be signed".to_owned();
                let event = made.event_type.as_ref().map_or("", EventType::as_str);
                Ok(Outcome::new(event, detail, value(&made)))
            },
        )
    }

    fn propose(&mut self, agents: &Agents, listing: &ListingId) -> Result<TradeId, Failure> {
        let mut proposed = None;
        self.step(
            &Step {
                about: "Bob proposes a trade. Nothing is held yet.",
                command: "machins buy LISTING",
                rust: "buyer.propose_trade(&proposal)?",
                expected: "proposed",
            },
            || {
                let trade = agents.propose(listing)?;
                proposed = Some(trade.id.clone());
                Ok(status(&trade, String::new()))
            },
        )?;
        proposed.ok_or_else(|| Failure::refused("the demo's trade was not proposed"))
    }

    fn webhook(&mut self, agents: &Agents, trade: &TradeId) -> Result<(), Failure> {
        self.step(
            &Step {
                about: "The webhook reaches Ada, and its signature is valid.",
                command: "machins webhook verify",
                rust: "verifier.read(body, signature)?",
                expected: "verified",
            },
            || {
                let Ok(webhook) = agents.receiver.next() else {
                    return Ok(Outcome::new("no webhook", String::new(), json!(null)));
                };
                let same = matches!(webhook.event(), Event::TradeProposed(data) if data.trade_id == *trade);
                let detail = webhook.event_type.to_string();
                let outcome = if same { "verified" } else { "another event" };
                Ok(Outcome::new(outcome, detail, value(&webhook)))
            },
        )
    }

    fn accept(&mut self, agents: &Agents, trade: &TradeId) -> Result<(), Failure> {
        self.step(
            &Step {
                about: "Ada accepts. Bob's credits are now held in escrow.",
                command: "machins accept TRADE",
                rust: "seller.accept_trade(&id)?",
                expected: "escrow_held",
            },
            || {
                let trade = agents.seller.accept_trade(trade)?;
                let wallet = agents.buyer.get_wallet()?;
                let detail = format!(
                    "Bob: {} in escrow, {} available",
                    wallet.held_balance, wallet.available_balance
                );
                Ok(status(&trade, detail))
            },
        )
    }

    fn deliver(
        &mut self,
        agents: &Agents,
        trade: &TradeId,
        result: &str,
        expected: &'static str,
    ) -> Result<(), Failure> {
        let about = if result.is_empty() {
            "A second trade: Ada delivers an empty result. Bob's server rejects it."
        } else {
            "Ada delivers. The platform asks Bob's server to verify it."
        };
        self.step(
            &Step {
                about,
                command: "machins deliver TRADE --result …",
                rust: "seller.deliver_trade(&id, &task)?",
                expected,
            },
            || {
                let trade = agents.seller.deliver_trade(trade, &Delivery::task(result))?;
                let outcome = match trade.delivery_verified {
                    Some(true) => "verified",
                    Some(false) => "not verified",
                    None => "not checked",
                };
                Ok(Outcome::new(outcome, format!("the trade is {}", trade.status), value(&trade)))
            },
        )
    }

    fn confirm(&mut self, agents: &Agents, trade: &TradeId) -> Result<(), Failure> {
        self.step(
            &Step {
                about: "Bob confirms. Ada gets the credits, less a fee of 5 %.",
                command: "machins confirm TRADE",
                rust: "buyer.confirm_trade(&id)?",
                expected: "completed",
            },
            || {
                let before = agents.seller.get_wallet()?.balance;
                let trade = agents.buyer.confirm_trade(trade)?;
                let after = agents.seller.get_wallet()?.balance;
                let price = trade.price.unwrap_or_default();
                let fee = price - (after - before);
                let detail = format!("price {price}, fee {fee}, Ada has {after}");
                Ok(status(&trade, detail))
            },
        )
    }

    fn review(&mut self, agents: &Agents, trade: &TradeId) -> Result<(), Failure> {
        self.step(
            &Step {
                about: "Bob reviews the trade.",
                command: "machins review TRADE --rating 5",
                rust: "buyer.create_review(&id, &review)?",
                expected: "reviewed",
            },
            || {
                let review = NewReview::new(Rating::new(5)?).body("Fast, clean.");
                let written = agents.buyer.create_review(trade, &review)?;
                let detail = format!("{} of 5", written.rating.unwrap_or_default());
                Ok(Outcome::new("reviewed", detail, value(&written)))
            },
        )
    }

    fn dispute(&mut self, agents: &Agents, listing: &ListingId) -> Result<(), Failure> {
        let trade = agents.propose(listing)?.id;
        agents.seller.accept_trade(&trade)?;
        self.deliver(agents, &trade, "", "not verified")?;
        self.step(
            &Step {
                about: "Bob disputes the delivery. The credits stay in escrow.",
                command: "machins dispute TRADE",
                rust: "buyer.dispute_trade(&id, reason)?",
                expected: "disputed",
            },
            || {
                let trade = agents.buyer.dispute_trade(&trade, Some("there is nothing in it"))?;
                let held = agents.buyer.get_wallet()?.held_balance;
                Ok(status(&trade, format!("Bob: {held} in escrow")))
            },
        )?;
        self.server
            .clock()
            .advance(DISPUTE)
            .map_err(|error| Failure::local("could not advance the mock's clock", error))?;
        self.step(
            &Step {
                about: "A day later, on the mock's clock, Bob gets his credits back.",
                command: "machins trade TRADE",
                rust: "buyer.get_trade(&id)?",
                expected: "resolved",
            },
            || {
                let trade = agents.buyer.get_trade(&trade)?;
                let wallet = agents.buyer.get_wallet()?;
                Ok(status(&trade, format!("Bob: {} available", wallet.available_balance)))
            },
        )
    }

    fn inbox(&mut self, agents: &Agents) -> Result<(), Failure> {
        self.step(
            &Step {
                about: "Without webhooks, Bob reads his inbox, one event at a time. None is lost.",
                command: "machins inbox --watch",
                rust: "buyer.inbox_watch().run(handle)?",
                expected: "empty",
            },
            || {
                let waiting = agents.buyer.list_inbox(&InboxQuery::new().unread())?;
                let count = usize::try_from(waiting.unread_count.unwrap_or_default());
                let stop = CancellationToken::new();
                let mut seen: Vec<String> = Vec::new();
                if let Ok(count @ 1..) = count {
                    agents.buyer.inbox_watch().stop(stop.clone()).run(|notification| {
                        seen.push(notification.event_type.to_string());
                        if seen.len() == count {
                            stop.cancel();
                        }
                        Ok::<(), Error>(())
                    })?;
                }
                let left = agents.buyer.list_inbox(&InboxQuery::new().unread())?;
                let outcome = if left.items.is_empty() { "empty" } else { "not empty" };
                Ok(Outcome::new(outcome, format!("{} read", seen.len()), json!({"read": seen})))
            },
        )
    }

    fn ledger(&mut self) -> Result<(), Failure> {
        let ledger = self.server.ledger();
        self.step(
            &Step {
                about: "The ledger: all credits are accounted for.",
                command: "curl URL/_mock/machins/ledger",
                rust: "server.ledger()",
                expected: "balanced",
            },
            || {
                let ledger = value(&ledger);
                let balanced = ledger["balanced"] == true;
                let total = ledger["total"].as_str().unwrap_or_default();
                let detail = format!("total of all accounts: {total}");
                Ok(Outcome::new(if balanced { "balanced" } else { "off" }, detail, ledger))
            },
        )
    }
}

impl Agents {
    /// Proposes a trade as Bob, whose server is asked about the delivery.
    fn propose(&self, listing: &ListingId) -> Result<Trade, machins_client::Error> {
        let proposal = Proposal::new(listing).verification_url(self.receiver.verification_url());
        self.buyer.propose_trade(&proposal)
    }
}

fn status(trade: &Trade, detail: String) -> Outcome {
    Outcome::new(trade.status.as_str(), detail, value(trade))
}
