//! `account`: the one account that the stand-in is.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{Call, Route};
use crate::sandbox::shape;

pub const ROUTES: &[Route] = &[Route::get("/v1/account", retrieve)];

fn retrieve(_: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(shape::filled(shape::ACCOUNT, Value::Null))
}
