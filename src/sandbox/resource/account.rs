//! `account`: the one account of the stand-in.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::shape;

pub const ROUTES: &[Route] = &[Route::get("/v1/account", retrieve)];

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    Ok(shape::filled(shape::ACCOUNT, json!({ "id": call.state.access.account })))
}
