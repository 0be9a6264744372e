//! `account`: the one account of the stand-in.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::shape;

pub const ROUTES: &[Route] = &[Route::get("/v1/account", retrieve), Route::get("/v1/accounts/{}", by_id)];

fn retrieve(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    Ok(shape::filled(shape::ACCOUNT, json!({ "id": call.state.access.account })))
}

fn by_id(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let account = shape::filled(shape::ACCOUNT, Value::Null);
    match account["id"] == call.id() {
        true => Ok(account),
        false => {
            let message =
                format!("The provided key does not have access to account '{}' (or it does not exist).", call.id());
            Err(ApiError::invalid(message).code("account_invalid").status(403))
        }
    }
}
