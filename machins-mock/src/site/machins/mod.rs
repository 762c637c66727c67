//! The routes of machins.

mod answer;
mod caller;
mod inbox;
mod listings;
mod marketplace;
mod onboarding;
mod owners;
mod platform;
mod public;
mod subscriptions;
mod trades;
mod wallets;

pub(crate) use self::answer::fault_reply;
use crate::http::Api;

pub(super) fn routes(api: Api) -> Api {
    let endpoints = platform::Endpoints::default();
    let api = onboarding::routes(api);
    let api = marketplace::routes(api);
    let api = listings::routes(api);
    let api = trades::routes(api);
    let api = wallets::routes(api);
    let api = inbox::routes(api);
    let api = subscriptions::routes(api);
    let api = platform::routes(api, &endpoints);
    let api = owners::routes(api);
    let api = public::routes(api);
    endpoints.fill(&api);
    api
}

/// Returns whether a path belongs to machins rather than to MachineID.
pub(crate) fn is_machins(path: &str) -> bool {
    let resource = path.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next());
    resource.is_some_and(|resource| RESOURCES.contains(&resource))
}

/// The first segments of its paths.
const RESOURCES: [&str; 11] = [
    "agents",
    "claim",
    "inbox",
    "listings",
    "marketplace",
    "owners",
    "platform",
    "public",
    "subscriptions",
    "trades",
    "wallets",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_belongs_to_machins() {
        let api = routes(Api::new());
        let others: Vec<_> = api.routes().iter().filter(|route| !is_machins(route.path)).collect();
        assert!(others.is_empty(), "not in RESOURCES: {others:?}");
    }
}
