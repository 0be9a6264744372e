//! Stripe's customer portal, where a user changes a plan or a card, or ends a subscription.

use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::id;
use crate::language::refusal::PersonRefusal;
use crate::store::customers;
use crate::store::users::User;
use crate::stripe::PortalRequest;
use crate::usecase::checkout::customer::forget_customer;
use crate::usecase::checkout::customer_change;

/// A link to the portal for the user. It opens within minutes and leads back to the dashboard. `till stripe setup` sets
/// what can be done there; without it, the account's own configuration applies.
pub fn open(app: &App, user: &User, deadline: Deadline) -> Result<String> {
    let customer = app.store.read(|tx| customers::linked(tx, user.account))?.ok_or(PersonRefusal::NothingAtStripe)?;
    let stripe = app.stripe()?;
    customer_change::send_all_of(app, user.account, deadline)?;
    // Asked each time and not cached: the configuration may be made or switched off at any time, and the portal is
    // opened rarely.
    let configuration = stripe.portal_configurations(deadline)?.ours.map(|ours| ours.id);
    let request = PortalRequest { customer: customer.clone(), return_url: app.url("/dashboard"), configuration };
    // A key for each visit: what Stripe refused is not sent again.
    let key = id::ordered_id("portal", app.clock.now())?;
    match stripe.create_portal_session(&request.body(), &key, deadline) {
        Ok(url) => Ok(url),
        Err(error) if error.is_missing_param("customer") => {
            forget_customer(app, &customer)?;
            Err(PersonRefusal::NothingAtStripe.into())
        }
        Err(error) => Err(error.into()),
    }
}
