//! Everything that a server answers: the routes of both APIs and of the control API, their OpenAPI
//! document, and the replies to unknown routes.

mod access;
mod control;
mod document;
mod examples;
mod fallback;
mod machineid;
mod machins;
mod own_routes;
mod route_inputs;
mod router;
mod swagger;
mod world_path;

pub(crate) use self::access::{Admission, admit};
pub(crate) use self::machins::{fault_reply, is_machins};
pub(crate) use self::own_routes::{is_own_route, is_page};
pub(crate) use self::router::{path_template, refuse_extras, reply_document, router};
pub(crate) use self::world_path::enter_world;
