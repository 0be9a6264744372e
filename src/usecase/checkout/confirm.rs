//! The buyer comes back: Stripe is asked at once how the session stands, and its answer is applied like any event.

use std::time::Duration;

use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Refused, Result};
use crate::store::orders::{self, OfferKind, Order};
use crate::store::{payments, users};
use crate::stripe::{CheckoutSession, CheckoutStep};

use crate::usecase::stripe_events::apply::{self, ApplyContext};

/// How long the buyer waits for Stripe's answer. After that the page says that the units will come.
const WAIT: Duration = Duration::from_secs(8);

/// How a purchase stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Paid and in the books.
    Credited {
        added: i64,
        /// The balance now.
        remaining: i64,
    },
    /// The plan's units come with its invoice, or have come.
    Subscribed {
        /// The plan's key.
        plan: String,
        /// The balance now.
        remaining: i64,
    },
    /// A slow payment is on its way.
    Pending {
        /// Units that it will give.
        units: i64,
    },
    /// The slow payment did not arrive.
    Failed,
    /// The session ended without a payment.
    Expired,
    /// The checkout is still open.
    Open,
    /// Stripe says paid, and the books cannot tell what it bought: the operator decides.
    Unmatched,
    /// Stripe could not be asked; the webhook will come.
    StripeUnavailable,
}

/// A purchase as its buyer sees it.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub standing: Standing,
    /// Where the buyer wants to go afterwards.
    pub return_url: Option<String>,
}

/// Confirms a session with Stripe for the user of `account`. Only Stripe's answer counts, and only the session's owner
/// gets it.
pub fn confirm(app: &App, account: i64, session: &str) -> Result<Purchase> {
    let not_found = || Refused::NotFound("There is no such purchase of yours.".to_owned());
    let plausible = session.starts_with("cs_")
        && session.len() <= 255
        && session.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plausible {
        return Err(not_found().into());
    }
    let known = app.store.read(|tx| orders::by_session(tx, session))?;
    if known.as_ref().is_some_and(|order| order.account != account) {
        return Err(not_found().into());
    }
    if known.as_ref().is_some_and(|order| order.paid_at.is_some() || order.failed_at.is_some()) {
        return standing(app, account, session, None);
    }
    match app.stripe()?.checkout_session(session, Deadline::after(WAIT)) {
        Ok(found) => apply_own(app, account, found, known.is_some()),
        Err(error) if error.is_missing() => Err(not_found().into()),
        Err(_) if known.is_some() => {
            let mut purchase = standing(app, account, session, None)?;
            if purchase.standing == Standing::Open {
                purchase.standing = Standing::StripeUnavailable;
            }
            Ok(purchase)
        }
        Err(error) => Err(error.into()),
    }
}

fn apply_own(app: &App, account: i64, found: CheckoutSession, is_ours: bool) -> Result<Purchase> {
    if !is_ours {
        let owner = app.store.read(|tx| users::by_account(tx, account))?;
        if found.metadata.get("user_id") != Some(&owner.id) {
            return Err(Refused::NotFound("There is no such purchase of yours.".to_owned()).into());
        }
    }
    let (catalog, now, session) = (app.catalog.clone(), app.clock.now(), found.clone());
    let outcome = app
        .store
        .write(move |tx| apply::checkout(tx, &ApplyContext::new(&catalog, now), &session, CheckoutStep::AsDescribed))?;
    outcome.log_events.iter().for_each(|event| event.log(app));
    standing(app, account, &found.id, Some(&found))
}

/// How the books see a session by now.
fn standing(app: &App, account: i64, session: &str, seen: Option<&CheckoutSession>) -> Result<Purchase> {
    app.store.read(|tx| {
        let order = orders::by_session(tx, session)?;
        let gave = payments::find(tx, session)?.filter(|payment| payment.account == account);
        let standing = match (gave, &order) {
            (Some(payment), _) => Standing::Credited {
                added: payment.units_granted,
                remaining: users::balance_of(tx, account)?.remaining,
            },
            (None, Some(order)) if order.kind == OfferKind::Plan && order.paid_at.is_some() => {
                let remaining = users::balance_of(tx, account)?.remaining;
                Standing::Subscribed { plan: order.offer.clone(), remaining }
            }
            (None, Some(order)) if seen.is_some_and(CheckoutSession::is_bought) || order.paid_at.is_some() => {
                Standing::Unmatched
            }
            (None, Some(order)) => of_order(order),
            (None, None) if seen.is_some_and(CheckoutSession::is_bought) => Standing::Unmatched,
            (None, None) => Standing::Open,
        };
        Ok(Purchase { standing, return_url: order.and_then(|order| order.return_url) })
    })
}

fn of_order(order: &Order) -> Standing {
    if order.failed_at.is_some() {
        Standing::Failed
    } else if order.pending_at.is_some() {
        Standing::Pending { units: order.units }
    } else if order.expired_at.is_some() {
        Standing::Expired
    } else {
        Standing::Open
    }
}
