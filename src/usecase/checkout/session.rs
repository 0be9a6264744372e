//! An order's session at Stripe: created by the order's stored request, handed out again, expired, and applied to the books
//! as Stripe describes it.

use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Error, Fault, Result};
use crate::id;
use crate::store::inbox::Status;
use crate::store::orders::{self, Fact, Order};
use crate::store::users::User;
use crate::stripe::{CheckoutSession, CheckoutStep, StripeError};
use crate::usecase::checkout::customer::to_user_error;
use crate::usecase::stripe_events::apply::{self, ApplyContext};
use crate::usecase::stripe_events::{completion, retry};

/// Where the buyer goes to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    pub checkout_url: String,
    pub session_id: String,
}

impl Checkout {
    pub(super) fn of(session: CheckoutSession) -> Result<Checkout> {
        let url = session.url.ok_or_else(|| Fault::bare(format!("Stripe's session {} has no URL", session.id)))?;
        Ok(Checkout { checkout_url: url, session_id: session.id })
    }
}

/// Sends an order's request and records the session. Sent again, it brings the same session. The inner error is
/// Stripe's; if it is final, the order is over.
pub(super) fn create(
    app: &App,
    user: &User,
    order: &Order,
    deadline: Deadline,
) -> Result<std::result::Result<CheckoutSession, StripeError>> {
    let (id, now) = (order.id.clone(), app.clock.now());
    let session = match app.stripe()?.create_checkout_session(&order.request_body, &order.id, deadline) {
        Ok(session) => session,
        Err(error) => {
            if error.is_final() {
                app.store.write(move |tx| orders::refused(tx, &id, now))?;
            }
            return Ok(Err(error));
        }
    };
    let opened = session.clone();
    app.store
        .write(move |tx| orders::opened(tx, &id, &opened.id, opened.url.as_deref(), opened.amount_subtotal, now))?;
    tracing::info!(
        event = "checkout_created",
        user_id = user.id,
        plan = order.offer,
        session_id = session.id,
        order = order.id
    );
    Ok(Ok(session))
}

/// Settles a plan's checkout that began earlier, before another may begin. If it is still open and `is_wanted`, it is
/// handed out again. Otherwise it is over when this returns: Stripe has expired it, or it was paid meanwhile.
pub(super) fn settle(
    app: &App,
    user: &User,
    order: &Order,
    is_wanted: bool,
    deadline: Deadline,
) -> Result<Option<Checkout>> {
    let Some(session) = find(app, user, order, deadline)? else { return Ok(None) };
    if session.is_open() && is_wanted {
        return Checkout::of(session).map(Some);
    }
    let session = if session.is_open() { expire(app, &session.id, deadline)? } else { session };
    apply(app, session, deadline)?;
    Ok(None)
}

/// The order's session as it is now. `None` if the order is over without one.
fn find(app: &App, user: &User, order: &Order, deadline: Deadline) -> Result<Option<CheckoutSession>> {
    let Some(session) = &order.session else {
        // A crash, or no answer: Stripe may have made the session all the same.
        return match create(app, user, order, deadline)? {
            Ok(session) => Ok(Some(session)),
            Err(error) if error.is_final() => Ok(None),
            Err(error) => Err(to_user_error(error, &order.id)),
        };
    };
    match app.stripe()?.checkout_session(session, deadline) {
        Ok(session) => Ok(Some(session)),
        Err(error) if error.is_missing() => {
            let (id, now) = (order.id.clone(), app.clock.now());
            app.store.write(move |tx| orders::set(tx, &id, Fact::Expired, now).map(drop))?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Expires an open session. A buyer who finishes it at this moment is faster: then Stripe refuses, and the session tells
/// what became of it.
pub(super) fn expire(app: &App, session: &str, deadline: Deadline) -> Result<CheckoutSession> {
    let stripe = app.stripe()?;
    let key = id::ordered_id("expire", app.clock.now())?;
    let error = match stripe.expire_checkout_session(session, &key, deadline) {
        Ok(expired) => return Ok(expired),
        Err(error) => error,
    };
    match stripe.checkout_session(session, deadline) {
        Ok(found) if !found.is_open() => Ok(found),
        _ => Err(Error::from(error)),
    }
}

/// Applies what Stripe says about a session, as an event that says the same would be.
pub(super) fn apply(app: &App, session: CheckoutSession, deadline: Deadline) -> Result<Status> {
    let session = completion::session(app, session, deadline);
    let catalog = app.catalog.clone();
    let now = app.clock.now();
    let (status, log_events) = app.store.write(move |tx| {
        let context = ApplyContext::new(&catalog, now);
        let outcome = apply::checkout(tx, &context, &session, CheckoutStep::AsDescribed)?;
        let released = retry::release(tx, &catalog, &outcome.known_ids, now)?;
        Ok((outcome.status, [outcome.log_events, released].concat()))
    })?;
    log_events.iter().for_each(|event| event.log(app));
    Ok(status)
}
