//! The toolkit for routes.
//!
//! A route is registered with [`Api`], which accepts only handlers whose arguments are [`Input`]s
//! and whose result is an [`Output`]. The OpenAPI document is generated from those types, so that
//! every route is documented, with the types that it really uses.

mod api;
mod body;
mod operation;
mod output;
mod path;
mod problem;
mod query;
mod received;

pub(crate) use self::api::{Api, Input, Route};
pub(crate) use self::body::{BodyError, JsonBody, OptionalBody, StoredBody, WorldBody};
pub(crate) use self::operation::{Components, Operation, Proof, Security};
pub(crate) use self::output::{Output, Refusal, Reply, Responses, json};
pub(crate) use self::path::PathText;
pub(crate) use self::problem::Problem;
pub(crate) use self::query::{Query, TwoQueries, refuse_unknown};
pub(crate) use self::received::{AllWorlds, BaseUrl, CurrentApp, ReadError, Received};
