//! The reply to a call that returns nothing else.

use schemars::JsonSchema;
use serde::Serialize;

use crate::http::Reply;

/// The reply to a call that returns nothing else.
#[derive(Serialize, JsonSchema)]
pub(super) struct Done {
    /// Always `"ok"`.
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
}

pub(super) const DONE: Reply<200, Done> = Reply(Done { status: "ok" });
