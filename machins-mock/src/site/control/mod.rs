//! The control API under `/_mock`: what the typed controls do, for tests in any language.

mod clock;
mod devices;
mod done;
pub(super) mod events;
mod faults;
mod inspection;
mod machineid;
mod machins;
mod overview;
mod requests;
mod wait;
mod webhooks;
mod world;
mod worlds;

use crate::http::Api;

pub(super) fn routes(api: Api) -> Api {
    let api = world::routes(api.tag("Mock control"));
    let api = clock::routes(api);
    let api = machineid::routes(api);
    let api = devices::routes(api);
    let api = machins::routes(api);
    let api = inspection::routes(api);
    let api = overview::routes(api);
    let api = requests::routes(api);
    let api = webhooks::routes(api);
    let api = faults::routes(api);
    worlds::routes(api)
}
