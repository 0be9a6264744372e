//! What Stripe is asked for while a buyer waits: what a checkout sold, and the invoices of the plan that was bought.

use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::stripe::{CheckoutSession, ListedKind};
use crate::usecase::stripe_events::prefetch;
use crate::usecase::stripe_events::reconcile;

/// The session with what it sold, where the books cannot tell that. Without Stripe's answer it stays as it is.
pub(crate) fn session(app: &App, session: CheckoutSession, deadline: Deadline) -> CheckoutSession {
    prefetch::with_line_items(app, session.clone(), deadline).unwrap_or(session)
}

/// Applies the paid invoices of a subscription that the books do not have yet, as events that say the same would be.
pub(crate) fn plan_invoices(app: &App, subscription: &str, deadline: Deadline) -> Result<()> {
    let query = [("subscription", subscription), ("status", "paid"), ("expand[]", "data.payments")];
    let invoices = app.stripe()?.objects_of(ListedKind::Invoices, &query, deadline)?;
    reconcile::apply_final(app, &invoices)
}
