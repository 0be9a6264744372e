//! A payment link, `/b/{price}`: each visit opens a new checkout session for one of that price, which till did not
//! make. `client_reference_id` in the query is kept if it has only letters, digits, `-` and `_`, and at most 200 of them,
//! and is dropped otherwise, as at Stripe ("Track a payment link"). A pricing table makes the same sessions.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use form_urlencoded::Serializer;
use serde_json::json;

use super::{error_page, see_other};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::ApiCall;
use crate::sandbox::form::RequestForm;
use crate::sandbox::resource::checkout_create;
use crate::sandbox::shape::text;
use crate::sandbox::shared::Shared;
use crate::sandbox::state;

/// The longest reference that is kept.
const REFERENCE_LIMIT: usize = 200;

/// `GET /b/{price}`: `303` to the checkout page.
pub async fn open(State(shared): State<Arc<Shared>>, Path(price): Path<String>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let reference = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "client_reference_id");
    let reference = reference.map(|(_, value)| value.into_owned()).filter(|value| is_kept(value));
    match shared.with(|state| session(state, &price, reference.as_deref())) {
        Ok(url) => see_other(&url),
        Err(error) => error_page(&error),
    }
}

fn is_kept(reference: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=REFERENCE_LIMIT).contains(&reference.len()) && reference.bytes().all(allowed)
}

/// Makes the session. Returns the address of its page.
fn session(state: &mut state::State, price: &str, reference: Option<&str>) -> Result<String, ApiError> {
    let Some(found) = state.prices.get(price) else {
        return Err(ApiError::invalid("There is no such payment link.").status(404));
    };
    let mode = if found["recurring"].is_null() { "payment" } else { "subscription" };
    let success_url = format!("{}/", state.base_url);
    let mut form = Serializer::new(String::new());
    form.extend_pairs([
        ("mode", mode),
        ("line_items[0][price]", price),
        ("line_items[0][quantity]", "1"),
        ("success_url", &success_url),
    ]);
    form.extend_pairs(reference.map(|reference| ("client_reference_id", reference)));
    let form = RequestForm::decode(&form.finish())?;
    let at = state.now();
    let made = checkout_create::create(&mut ApiCall { state: &mut *state, names: vec![], form, at })?;
    if let Some(session) = state.sessions.get_mut(text(&made, "id")) {
        session.object["payment_link"] = json!(format!("plink_{price}"));
    }
    Ok(text(&made, "url").to_owned())
}
