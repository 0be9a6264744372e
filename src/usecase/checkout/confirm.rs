//! The buyer comes back from Stripe: Stripe is asked at once for the state of the session, and its answer is applied
//! like any event.

use std::time::Duration;

use crate::app::App;
use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::language::refusal::PersonRefusal;
use crate::store::inbox::Status;
use crate::store::orders::{self, OfferKind, Order};
use crate::store::receipts::{self, Receipt};
use crate::store::{Tx, payments, users};
use crate::stripe::CheckoutSession;
use crate::usecase::checkout::session;
use crate::usecase::stripe_events::apply;
use crate::usecase::stripe_events::completion;
use crate::usecase::stripe_events::reconcile::poll;

/// How long the buyer waits for Stripe's answer. After that the page says that the units will come later.
const WAIT: Duration = Duration::from_secs(8);

/// How long after its checkout a plan's invoice is asked for. Then none is awaited any more: a trial has none to be paid.
const INVOICE_SECONDS: i64 = 600;

/// The state of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurchaseState {
    /// Paid and in the books.
    Credited { added: i64, remaining: i64 },
    /// The plan's units come with its invoice, or have already come.
    Subscribed { plan: String, remaining: i64 },
    /// A slow payment is in progress. It will give `units`.
    Pending { units: i64 },
    /// The slow payment failed.
    Failed,
    /// The session ended without a payment.
    Expired,
    /// The checkout is still open.
    Open,
    /// Stripe says paid, but the books cannot tell what was bought. The operator decides.
    Unmatched,
    /// Stripe did not answer. The webhook will come.
    StripeUnavailable,
}

/// A purchase as its buyer sees it.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub state: PurchaseState,
    /// What was paid, where the books know it.
    pub receipt: Option<Receipt>,
    /// Where the buyer wants to go afterwards.
    pub return_url: Option<String>,
}

impl Purchase {
    /// Whether it is a plan whose invoice the books do not have.
    fn lacks_invoice(&self) -> bool {
        matches!(self.state, PurchaseState::Subscribed { .. }) && self.receipt.is_none()
    }
}

/// The account that a checkout session was made for here; `None` for a session that is not one of ours.
pub fn buyer(app: &App, session: &str) -> Result<Option<i64>> {
    Ok(app.store.read(|tx| orders::by_session(tx, session))?.map(|order| order.account))
}

/// What the books alone say about a session, for the user of `account`.
#[derive(Clone, Debug)]
pub enum PurchaseLookup {
    /// It is paid for, or its payment failed: Stripe has nothing to add.
    Decided(Box<Purchase>),
    /// Stripe may know more.
    Undecided {
        /// Whether it is a checkout that the user began here.
        is_known: bool,
    },
}

/// Looks a session up in the books. Refuses another user's, and what is no session of Stripe's.
pub fn look_up(app: &App, account: i64, session: &str) -> Result<PurchaseLookup> {
    let plausible = session.starts_with("cs_")
        && session.len() <= 255
        && session.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plausible {
        return Err(not_found());
    }
    let order = app.store.read(|tx| orders::by_session(tx, session))?;
    match order {
        Some(order) if order.account != account => Err(not_found()),
        Some(order) if order.paid_at.is_some() || order.failed_at.is_some() => {
            let purchase = purchase_of(app, account, session, None)?;
            // A plan's invoice may be on its way.
            let is_awaited = purchase.lacks_invoice()
                && order.paid_at.is_some_and(|paid_at| paid_at.plus_seconds(INVOICE_SECONDS) > app.clock.now());
            Ok(match is_awaited {
                true => PurchaseLookup::Undecided { is_known: true },
                false => PurchaseLookup::Decided(Box::new(purchase)),
            })
        }
        order => Ok(PurchaseLookup::Undecided { is_known: order.is_some() }),
    }
}

/// Confirms a session with Stripe for the user of `account`. Only Stripe's answer counts, and only the session's owner
/// receives it. What the books have decided by now is not asked about.
pub fn confirm(app: &App, account: i64, session: &str, deadline: Deadline) -> Result<Purchase> {
    let is_known = match look_up(app, account, session)? {
        PurchaseLookup::Decided(purchase) => return Ok(*purchase),
        PurchaseLookup::Undecided { is_known } => is_known,
    };
    match app.stripe()?.checkout_session(session, Deadline::after(WAIT.min(deadline.left()))) {
        Ok(found) => {
            let subscription = found.subscription.clone();
            let purchase = apply_own(app, account, found, is_known, deadline)?;
            with_invoice(app, account, session, purchase, subscription, deadline)
        }
        Err(error) if error.is_missing() => match purchase_of(app, account, session, None)? {
            // What is paid by the books stays paid, whatever Stripe has forgotten.
            paid if matches!(paid.state, PurchaseState::Subscribed { .. }) => Ok(paid),
            _ => Err(not_found()),
        },
        Err(_) if is_known => unconfirmed(app, account, session),
        Err(error) => Err(error.into()),
    }
}

/// A plan's units come with its invoice, which Stripe is asked for now: the buyer may be faster than the webhook, or than the next
/// round where no webhook comes. If it does not answer, they come later.
fn with_invoice(
    app: &App,
    account: i64,
    session: &str,
    purchase: Purchase,
    subscription: Option<String>,
    deadline: Deadline,
) -> Result<Purchase> {
    if !purchase.lacks_invoice() {
        return Ok(purchase);
    }
    let patience = WAIT.min(deadline.left());
    let asked = match (app.config.stripe.is_polled(), subscription) {
        (true, _) => poll::poll(app, patience, || !deadline.left().is_zero()).map(drop),
        (false, Some(subscription)) => completion::plan_invoices(app, &subscription, Deadline::after(patience)),
        (false, None) => Ok(()),
    };
    if let Err(error) = asked {
        tracing::debug!(event = "invoice_unasked", error = %error);
    }
    let known = purchase_of(app, account, session, None)?;
    Ok(if matches!(known.state, PurchaseState::Subscribed { .. }) { known } else { purchase })
}

fn not_found() -> Error {
    PersonRefusal::NoSuchPurchase.into()
}

/// A purchase of which only the books can be asked.
pub fn unconfirmed(app: &App, account: i64, session: &str) -> Result<Purchase> {
    let mut purchase = purchase_of(app, account, session, None)?;
    if purchase.state == PurchaseState::Open {
        purchase.state = PurchaseState::StripeUnavailable;
    }
    Ok(purchase)
}

fn apply_own(app: &App, account: i64, found: CheckoutSession, is_ours: bool, deadline: Deadline) -> Result<Purchase> {
    if !is_ours {
        let buyer = app.store.read(|tx| apply::buyer_of(tx, apply::Clues::of_session(&found, None)))?;
        if buyer != Ok(account) {
            return Err(not_found());
        }
    }
    let status = session::apply(app, found.clone(), deadline)?;
    let mut purchase = purchase_of(app, account, &found.id, Some(&found))?;
    // A plan that was bought by a payment link has no order here. Its customer is the user's now.
    if purchase.state == PurchaseState::Unmatched
        && status == Status::Applied
        && let Some(plan) = apply::plan_of(&app.catalog, &found)
    {
        let remaining = app.store.read(|tx| users::balance_of(tx, account))?.remaining;
        purchase.state = PurchaseState::Subscribed { plan: plan.key.clone(), remaining };
    }
    Ok(purchase)
}

/// The purchase as the books have it now, where `described` is Stripe's session if Stripe was asked.
fn purchase_of(app: &App, account: i64, session: &str, described: Option<&CheckoutSession>) -> Result<Purchase> {
    app.store.read(|tx| {
        let order = orders::by_session(tx, session)?;
        let payment = payments::find(tx, session)?.filter(|payment| payment.account == account);
        let state = match (payment, &order) {
            (Some(payment), _) => PurchaseState::Credited {
                added: payment.units_granted,
                remaining: users::balance_of(tx, account)?.remaining,
            },
            (None, Some(order)) if order.kind == OfferKind::Plan && order.paid_at.is_some() => {
                let remaining = users::balance_of(tx, account)?.remaining;
                PurchaseState::Subscribed { plan: order.offer.clone(), remaining }
            }
            (None, Some(order)) if described.is_some_and(CheckoutSession::is_bought) || order.paid_at.is_some() => {
                PurchaseState::Unmatched
            }
            (None, Some(order)) => state_of(order),
            (None, None) if described.is_some_and(CheckoutSession::is_bought) => PurchaseState::Unmatched,
            (None, None) => PurchaseState::Open,
        };
        let receipt = receipt_of(tx, account, &state, session, order.as_ref())?;
        Ok(Purchase { state, receipt, return_url: order.and_then(|order| order.return_url) })
    })
}

/// The receipt of a purchase that is paid. A plan is paid by its invoice, which names no session.
fn receipt_of(
    tx: &mut dyn Tx,
    account: i64,
    state: &PurchaseState,
    session: &str,
    order: Option<&Order>,
) -> Result<Option<Receipt>> {
    match (state, order) {
        (PurchaseState::Credited { .. }, _) => match payments::find(tx, session)? {
            Some(payment) => receipts::find(tx, account, &payment.reference),
            None => Ok(None),
        },
        (PurchaseState::Subscribed { plan, .. }, Some(order)) => {
            let newest = receipts::newest(tx, account, 1)?.pop();
            Ok(newest.filter(|receipt| receipt.offer == *plan && receipt.paid_at >= order.created_at))
        }
        _ => Ok(None),
    }
}

fn state_of(order: &Order) -> PurchaseState {
    if order.failed_at.is_some() {
        PurchaseState::Failed
    } else if order.pending_at.is_some() {
        PurchaseState::Pending { units: order.units }
    } else if order.expired_at.is_some() {
        PurchaseState::Expired
    } else {
        PurchaseState::Open
    }
}
