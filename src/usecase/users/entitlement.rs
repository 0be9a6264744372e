//! What a user has: the balance as stored, the plan, and the features that the plan switches on. Reads only, so that
//! whatever posts units may use it.

use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::Tx;
use crate::store::lots::{self, ExpiringUnits};
use crate::store::subscriptions::{self, Subscription};
use crate::store::users::{self, Balance, User};

/// A user with balance, plan and features, as one read sees them.
#[derive(Clone, Debug)]
pub struct UserSnapshot {
    pub user: User,
    pub balance: Balance,
    /// The plan's key; `none` where the catalogue has no free plan.
    pub plan: String,
    pub features: Vec<String>,
    /// The subscription that decides the plan, or, where none does, the newest that has not ended.
    pub subscription: Option<Subscription>,
    /// What of the balance expires, the soonest first.
    pub expiring: Vec<ExpiringUnits>,
}

impl UserSnapshot {
    /// Whether a lot or a hold of the user's has expired and is not closed yet: the balance still counts it.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.balance.next_due.is_some_and(|due| due <= now)
    }
}

/// The user with this id as stored, in one indexed read, and two more where units expire. See [`UserSnapshot::is_due`].
pub fn fetch(tx: &mut dyn Tx, catalog: &Catalog, id: &str) -> Result<UserSnapshot> {
    let (user, balance, subscriptions) = users::with_all(tx, id)?;
    let expiring = expiring(tx, &user, balance)?;
    Ok(combine(catalog, user, balance, &subscriptions, expiring))
}

/// The same of the user of an account, with all their subscriptions that have not ended, newest first.
pub(super) fn fetch_account(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    account: i64,
) -> Result<(UserSnapshot, Vec<Subscription>)> {
    let (user, balance, subscriptions) = users::with_all_by_account(tx, account)?;
    let expiring = expiring(tx, &user, balance)?;
    Ok((combine(catalog, user, balance, &subscriptions, expiring), subscriptions))
}

/// What a user has, as stored.
pub(crate) fn of_user(tx: &mut dyn Tx, catalog: &Catalog, user: User) -> Result<UserSnapshot> {
    let balance = users::balance_of(tx, user.account)?;
    with_balance(tx, catalog, user, balance)
}

/// As [`of_user`], where the balance is read already.
pub(super) fn with_balance(tx: &mut dyn Tx, catalog: &Catalog, user: User, balance: Balance) -> Result<UserSnapshot> {
    let subscriptions = subscriptions::live_of(tx, user.account)?;
    let expiring = expiring(tx, &user, balance)?;
    Ok(combine(catalog, user, balance, &subscriptions, expiring))
}

/// Where nothing is due ever, nothing expires.
fn expiring(tx: &mut dyn Tx, user: &User, balance: Balance) -> Result<Vec<ExpiringUnits>> {
    match balance.next_due {
        Some(_) => lots::expiring(tx, user.account),
        None => Ok(vec![]),
    }
}

/// Which of Stripe's subscription states keep a plan's features. A late payment is retried, and the features stay
/// meanwhile; a payment that was never made or was given up ends them.
///
/// | state | keeps the plan |
/// | --- | --- |
/// | `trialing`, `active`, `past_due` | yes |
/// | `incomplete`, `incomplete_expired`, `unpaid`, `paused`, `canceled`, and any state not known here | no |
pub fn keeps_plan(status: &str) -> bool {
    matches!(status, "trialing" | "active" | "past_due")
}

/// The plan is the dearest one that a live subscription keeps, else the free one.
fn combine(
    catalog: &Catalog,
    user: User,
    balance: Balance,
    subscriptions: &[Subscription],
    expiring: Vec<ExpiringUnits>,
) -> UserSnapshot {
    let keeping = subscriptions.iter().filter(|subscription| keeps_plan(&subscription.status));
    let keeping = keeping.filter_map(|subscription| Some((catalog.plan(&subscription.offer)?, subscription)));
    let best = keeping.max_by_key(|(plan, _)| plan.amount);
    let plan = best.map(|(plan, _)| plan).or(catalog.free_plan());
    UserSnapshot {
        plan: plan.map_or_else(|| "none".to_owned(), |plan| plan.key.clone()),
        features: plan.map(|plan| plan.features.clone()).unwrap_or_default(),
        subscription: best.map(|(_, subscription)| subscription.clone()).or(subscriptions.first().cloned()),
        user,
        balance,
        expiring,
    }
}
