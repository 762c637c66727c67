//! The routes of MachineID.

mod batches;
mod caller;
mod decision;
mod devices;
mod org;
mod reply;

use crate::http::Api;

pub(super) fn routes(api: Api) -> Api {
    let api = devices::routes(api);
    let api = batches::routes(api);
    org::routes(api)
}
