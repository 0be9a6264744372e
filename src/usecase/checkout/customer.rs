//! The user's customer at Stripe: made before the first purchase, and again when Stripe no longer has it. Its request is
//! stored before it is sent. What Stripe refused for good is never sent again.

use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::id;
use crate::store::customers::{self, Customer};
use crate::store::users::{self, User};
use crate::stripe::{CustomerRequest, StripeError};
use crate::usecase::checkout::customer_change;

/// The user's customer at Stripe, created if there is none yet. Two clicks at once send the same key and body, so
/// Stripe creates one customer.
pub(super) fn customer_of(app: &App, user: &User, deadline: Deadline) -> Result<String> {
    let request = CustomerRequest {
        email: customer_change::single_address(user.email.as_deref()),
        name: user.name.clone(),
        metadata: vec![("user_id".to_owned(), user.id.clone())],
    };
    loop {
        let (account, now) = (user.account, app.clock.now());
        let (own_key, body) = (id::ordered_id("cust", now)?, request.body());
        let key = own_key.clone();
        let customer = app.store.write(move |tx| customers::current(tx, account, &key, &body, now))?;
        if let Some(id) = customer.stripe_id {
            customer_change::send_all_of(app, account, deadline)?;
            return Ok(id);
        }
        let error = match app.stripe()?.create_customer(&customer.request_body, &customer.request_key, deadline) {
            Ok(created) => {
                let id = link(app, customer, created.id)?;
                customer_change::send_all_of(app, account, deadline)?;
                return Ok(id);
            }
            Err(error) => error,
        };
        let is_own = customer.request_key == own_key;
        if error.is_final() {
            let refused = customer.clone();
            app.store.write(move |tx| customers::refused(tx, &refused, now))?;
        }
        // An earlier press stored what was refused. What it asked for may have been corrected since.
        if is_own || !error.is_final() {
            return Err(to_user_error(error, &customer.request_key));
        }
    }
}

/// Records the customer that Stripe made. The request may be older than the user's e-mail address and name.
fn link(app: &App, customer: Customer, stripe_id: String) -> Result<String> {
    let (id, now) = (stripe_id.clone(), app.clock.now());
    app.store.write(move |tx| {
        if customers::link(tx, &customer, &id, now)? {
            let user = users::by_account(tx, customer.account)?;
            let said = |name: &str| {
                let mut fields = form_urlencoded::parse(customer.request_body.as_bytes());
                fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
            };
            let at_stripe = User { email: said("email"), name: said("name"), ..user.clone() };
            customer_change::note(tx, &at_stripe, &user, now)?;
        }
        Ok(())
    })?;
    Ok(stripe_id)
}

/// The user's next purchase makes another customer. What this one paid, or still pays, remains the user's. Returns whether
/// that is news.
pub(super) fn forget_customer(app: &App, customer: &str) -> Result<bool> {
    let (customer, now) = (customer.to_owned(), app.clock.now());
    app.store.write(move |tx| customers::gone(tx, &customer, now))
}

/// Stripe's refusal, as the user sees it. A reused key is a bug in till, so it is logged as an error.
pub(super) fn to_user_error(error: StripeError, key: &str) -> Error {
    if error.is_key_reused() {
        let meaning = "the same key was sent with another body: a bug in till";
        tracing::error!(event = "idempotency_key_misused", key, meaning);
    }
    error.into()
}
