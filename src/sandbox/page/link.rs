//! The page of a payment link, `/buy/{name}`: each visit makes a checkout session and goes to its page.
//!
//! | query | meaning |
//! | --- | --- |
//! | `client_reference_id` | becomes the session's: letters, digits, `-` and `_`, at most 200. Anything else is dropped without a word, as at Stripe |
//! | `prefilled_email` | the payer's e-mail address |

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;

use super::{error_page, message_page, see_other};
use crate::sandbox::form::RequestForm;
use crate::sandbox::resource::payment_links;
use crate::sandbox::shared::Shared;

/// `GET /buy/{name}`.
pub async fn visit(State(shared): State<Arc<Shared>>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let form = RequestForm::decode(query.as_deref().unwrap_or_default()).unwrap_or_default();
    match shared.with(|state| payment_links::visit(state, &name, &form)) {
        Ok(url) => see_other(&url),
        Err(error) => error_page(&error),
    }
}

/// `GET /buy/{name}/done`.
pub async fn done() -> Response {
    message_page("Thank you for your payment", "You can close this page.")
}
