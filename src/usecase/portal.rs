//! Stripe's customer portal: where a user changes a plan, a card, or ends a subscription.

use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Refused, Result};
use crate::id;
use crate::store::customers;
use crate::store::users::User;
use crate::stripe::PortalRequest;
use crate::stripe::client::LONGEST_WAIT;

/// A link to the portal for the user; it opens within minutes, and leads back to the dashboard.
pub fn open(app: &App, user: &User) -> Result<String> {
    let customer = app.store.read(|tx| customers::linked(tx, user.account))?.ok_or_else(|| {
        Refused::NotFound("There is nothing to manage at Stripe yet: buy a plan or a pack first.".to_owned())
    })?;
    let request = PortalRequest { customer, return_url: app.url("/dashboard") };
    let key = id::ordered_id("portal", app.clock.now())?;
    Ok(app.stripe()?.create_portal_session(&request.body(), &key, Deadline::after(LONGEST_WAIT))?)
}
