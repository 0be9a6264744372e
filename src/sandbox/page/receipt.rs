//! Where a receipt (`/receipts/{charge}`) and an invoice (`/i/{invoice}`) can be read, in place of Stripe's hosted pages.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;

use super::{error_page, message_page};
use crate::money::{Currency, Money};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::shape::{integer, text};
use crate::sandbox::shared::Shared;

/// `GET /receipts/{charge}`.
pub async fn charge(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let found =
        shared.with(|state| state.charges.get(&id).cloned().ok_or_else(|| ApiError::not_found("charge", &id, "id")));
    match found {
        Ok(charge) => message_page("Receipt", &paid(&charge, "amount")),
        Err(error) => error_page(&error),
    }
}

/// `GET /i/{invoice}`.
pub async fn invoice(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let found = shared.with(|state| {
        state
            .invoices
            .get(&id)
            .map(|invoice| invoice.object.clone())
            .ok_or_else(|| ApiError::not_found("invoice", &id, "id"))
    });
    match found {
        Ok(invoice) => message_page("Invoice", &paid(&invoice, "amount_paid")),
        Err(error) => error_page(&error),
    }
}

fn paid(object: &Value, field: &str) -> String {
    let amount = integer(object, field);
    let amount = Currency::new(text(object, "currency")).map(|currency| Money::new(amount, currency).to_string());
    format!("{} was paid: {}.", amount.unwrap_or_default(), text(object, "id"))
}
