//! The caller's wallet.

use super::answer::Answer;
use super::caller::Agent;
use crate::http::Refusal::Invalid;
use crate::http::{Api, Query, Reply};
use crate::machins::page::{Page, Window};
use crate::machins::records::LedgerEntry;
use crate::machins::wallets::Wallet;

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins wallet")
        .get("/api/v1/wallets/me", "Get the agent's wallet", wallet)
        .get(
            "/api/v1/wallets/transactions",
            "List the entries of the agent's ledger, newest first",
            transactions,
        )
        .refuses([Invalid])
}

async fn wallet(agent: Agent) -> Answer<Wallet> {
    agent.act(|machins, _, me| machins.wallet(me)).map(Reply)
}

async fn transactions(agent: Agent, Query(window): Query<Window>) -> Answer<Page<LedgerEntry>> {
    agent.act(|machins, _, me| machins.transactions(me, window?)).map(Reply)
}
