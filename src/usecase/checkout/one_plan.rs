//! One plan for each user. What keeps a user from buying a plan, and what they are told.

use crate::app::App;
use crate::clock::{DAY_SECONDS, Deadline, Timestamp};
use crate::error::{Error, Refused, Result};
use crate::store::Tx;
use crate::store::orders::{self, OfferKind, Order};
use crate::store::subscriptions::{self, Subscription};
use crate::store::users::User;
use crate::usecase::checkout::portal;

/// How long a slow payment may be on its way. Bank debits take up to 14 working days at Stripe; after that, an event was
/// lost.
const SLOWEST_PAYMENT_SECONDS: i64 = 30 * DAY_SECONDS;
/// How long a finished checkout stands for its subscription, until Stripe's description of that arrives.
const SUBSCRIPTION_ARRIVES_SECONDS: i64 = DAY_SECONDS;

/// Why a user cannot buy a plan now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// There is a subscription.
    Subscription,
    /// There is one, and it waits for its payment.
    UnpaidSubscription,
    /// A plan is bought by a slow method, and the money has not arrived.
    PendingPayment(String),
    /// A plan is paid, and Stripe has not described its subscription yet.
    NewSubscription(String),
}

/// Slow payments of this account that are on their way, newest first.
pub(crate) fn pending_payments(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<Vec<Order>> {
    orders::pending(tx, account, now.plus_seconds(-SLOWEST_PAYMENT_SECONDS))
}

/// Whether a slow payment of this account for a plan is on its way.
pub(crate) fn is_payment_pending(app: &App, account: i64) -> Result<bool> {
    let now = app.clock.now();
    app.store.read(|tx| Ok(pending_plan(tx, account, now)?.is_some()))
}

fn pending_plan(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<Option<Order>> {
    Ok(pending_payments(tx, account, now)?.into_iter().find(|order| order.kind == OfferKind::Plan))
}

/// What keeps the user of this account from buying a plan now.
pub(super) fn obstacle(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<Option<Obstacle>> {
    let live = subscriptions::live_of(tx, account)?;
    let is_unpaid = |subscription: &Subscription| matches!(subscription.status.as_str(), "unpaid" | "incomplete");
    if !live.is_empty() {
        let all_unpaid = live.iter().all(is_unpaid);
        return Ok(Some(if all_unpaid { Obstacle::UnpaidSubscription } else { Obstacle::Subscription }));
    }
    if let Some(order) = pending_plan(tx, account, now)? {
        return Ok(Some(Obstacle::PendingPayment(order.offer)));
    }
    Ok(new_plan(tx, account, now)?.map(|order| Obstacle::NewSubscription(order.offer)))
}

/// Whether a plan of this account is paid, and Stripe has not described its subscription yet.
pub(crate) fn is_subscription_due(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<bool> {
    Ok(new_plan(tx, account, now)?.is_some())
}

fn new_plan(tx: &mut dyn Tx, account: i64, now: Timestamp) -> Result<Option<Order>> {
    orders::plan_without_subscription(tx, account, now.plus_seconds(-SUBSCRIPTION_ARRIVES_SECONDS))
}

impl Obstacle {
    /// The refusal, with a link to Stripe's customer portal.
    pub(super) fn refusal(self, app: &App, user: &User, deadline: Deadline) -> Error {
        let name = |key: &str| app.catalog.plan(key).map_or_else(|| key.to_owned(), |plan| plan.name.to_string());
        let detail = match self {
            Obstacle::Subscription => {
                "You already have a subscription. Change or cancel it in the customer portal.".to_owned()
            }
            Obstacle::UnpaidSubscription => {
                "You have a subscription that is not paid. Pay its open invoice in the customer portal.".to_owned()
            }
            Obstacle::PendingPayment(plan) => format!(
                "Your payment for {} is on its way, which can take a few working days. No need to pay again.",
                name(&plan)
            ),
            Obstacle::NewSubscription(plan) => format!(
                "You have just subscribed to {}. Change or cancel the subscription in the customer portal.",
                name(&plan)
            ),
        };
        already_subscribed(app, user, detail, deadline)
    }
}

/// The refusal with these words. If Stripe opens no portal, the dashboard shows the subscription.
pub(super) fn already_subscribed(app: &App, user: &User, detail: String, deadline: Deadline) -> Error {
    let portal_url = portal::open(app, user, deadline).unwrap_or_else(|_| app.url("/dashboard"));
    Refused::AlreadySubscribed { portal_url, detail }.into()
}
