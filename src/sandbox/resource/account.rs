//! `account`: the one account that the stand-in is.

use serde_json::Value;

use crate::sandbox::api::{Call, Route};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::shape;

/// The calls of this resource.
pub const ROUTES: &[Route] =
    &[Route { method: "GET", path: "/v1/account", rules: &[], not_built: &[], handler: retrieve }];

fn retrieve(_: &mut Call<'_>) -> Result<Value, Refusal> {
    Ok(shape::filled(shape::ACCOUNT, Value::Null))
}
