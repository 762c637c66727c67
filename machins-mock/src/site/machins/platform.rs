//! The description of the platform.

use std::sync::{Arc, OnceLock};

use crate::http::{Api, Reply};
use crate::machins::public::{Endpoint, PlatformInfo, platform_info};

/// The endpoints of machins, which are known once all routes are registered.
#[derive(Clone, Default)]
pub(super) struct Endpoints(Arc<OnceLock<Vec<Endpoint>>>);

impl Endpoints {
    pub(super) fn fill(&self, api: &Api) {
        let routes = api.routes().iter().filter(|route| route.tag.starts_with("machins "));
        let endpoints = routes.map(|route| Endpoint {
            method: route.method.to_string(),
            path: route.path,
            description: route.summary,
        });
        self.0.get_or_init(|| endpoints.collect());
    }
}

pub(super) fn routes(api: Api, endpoints: &Endpoints) -> Api {
    let endpoints = endpoints.clone();
    let info = async move || -> Reply<200, PlatformInfo> {
        Reply(platform_info(endpoints.0.get().cloned().unwrap_or_default()))
    };
    api.tag("machins platform").get("/api/v1/platform/info", "Describe the platform", info)
}
