//! A user's statement: pages of the ledger, and what the dashboard shows, as one snapshot.

use crate::app::App;
use crate::clock::{DAY_MILLIS, DAY_SECONDS, Timestamp};
use crate::error::{Refused, Result};
use crate::ledger::{Entry, parse_entry_id};
use crate::store::customers;
use crate::store::entries;
use crate::store::open_invoices::{self, OpenInvoice};
use crate::store::orders::{self, Order};
use crate::store::receipts::{self, PaymentMeans, Receipt};
use crate::store::scheduled_changes::{self, ScheduledChange};
use crate::store::subscriptions::{self, Subscription};
use crate::store::users::User;

use crate::usecase::checkout::one_plan::pending_payments;
use crate::usecase::users::activity::{self, Activity};
use crate::usecase::users::lots_by_origin::{self, LotsByOrigin};
use crate::usecase::users::{self, Listing, UserSnapshot};

/// Days in the usage chart.
pub const CHART_DAYS: i64 = 30;
/// Entries on the dashboard.
const RECENT: i64 = 10;

/// Payments on the dashboard.
const RECEIPTS: i64 = 5;

/// How long the dashboard tells of a payment that failed, in days.
const FAILURE_DAYS: i64 = 14;

/// What the dashboard shows of a user.
#[derive(Clone, Debug)]
pub struct Overview {
    pub member: UserSnapshot,
    /// The newest of the activity.
    pub recent: Activity,
    /// The newest payments, newest first.
    pub receipts: Vec<Receipt>,
    /// What the user paid with last.
    pub means: Option<PaymentMeans>,
    /// What the subscription's next payment will be, in the currency's minor unit.
    pub next_payment: Option<(i64, String)>,
    /// Units spent on each of the last [`CHART_DAYS`] days (UTC), oldest first; the day's first instant with each.
    pub usage: Vec<(Timestamp, i64)>,
    /// What the subscription changes to at the end of its period.
    pub change: Option<ScheduledChange>,
    /// Purchases that are not paid yet.
    pub pending: Vec<Order>,
    /// Purchases whose slow payment failed in the last [`FAILURE_DAYS`] days, and that were not repeated, newest first.
    pub failed: Vec<Order>,
    /// Subscriptions that have not ended, newest first.
    pub subscriptions: Vec<Subscription>,
    /// Where the units lie.
    pub lots: LotsByOrigin,
    /// The invoice that the user's subscription waits for.
    pub open_invoice: Option<OpenInvoice>,
    /// Whether Stripe has a customer for the user, and so a portal with payments and invoices.
    pub has_customer: bool,
}

/// What the dashboard shows of an account.
pub fn overview(app: &App, account: i64) -> Result<Overview> {
    let member = users::show_account(app, account)?;
    let now = app.clock.now();
    let today = now.millis().div_euclid(DAY_MILLIS);
    let first = today - CHART_DAYS + 1;
    app.store.read(|tx| {
        let recent = activity::activity(tx, account, i64::MAX, RECENT)?;
        let spent = entries::spent_by_day(tx, account, Timestamp::from_millis(first * DAY_MILLIS))?;
        let on = |day: i64| spent.iter().find(|(spent_on, _)| *spent_on == day).map_or(0, |(_, units)| *units);
        let usage = (first..=today).map(|day| (Timestamp::from_millis(day * DAY_MILLIS), on(day))).collect();
        let pending = pending_payments(tx, account, now)?;
        let failed = orders::failed(tx, account, now.plus_seconds(-FAILURE_DAYS * DAY_SECONDS))?;
        let subscriptions = subscriptions::live_of(tx, account)?;
        let lots = lots_by_origin::of(tx, &member, now)?;
        let open_invoice = match &member.subscription {
            Some(subscription) => open_invoices::find(tx, &subscription.id)?,
            None => None,
        };
        let change = match &member.subscription {
            Some(subscription) => scheduled_changes::of(tx, &subscription.id)?,
            None => None,
        };
        let next_payment = match &member.subscription {
            Some(subscription) if change.is_none() => receipts::next_payment(tx, &subscription.id)?,
            _ => None,
        };
        let has_customer = customers::linked(tx, account)?.is_some();
        let receipts = receipts::newest(tx, account, RECEIPTS)?;
        let means = if has_customer { receipts::last_means(tx, account)? } else { None };
        Ok(Overview {
            member,
            recent,
            receipts,
            means,
            next_payment,
            usage,
            pending,
            failed,
            subscriptions,
            lots,
            change,
            open_invoice,
            has_customer,
        })
    })
}

/// One payment of an account.
pub fn receipt(app: &App, account: i64, reference: &str) -> Result<Option<Receipt>> {
    app.store.read(|tx| receipts::find(tx, account, reference))
}

/// A user's entries, newest first, before the one with id `after`.
pub fn ledger_page(app: &App, user_id: &str, after: Option<&str>, limit: i64) -> Result<(User, Listing<Entry>)> {
    let user = users::show(app, user_id)?.user;
    let before = match after.map(|text| (text, parse_entry_id(text))) {
        None => i64::MAX,
        Some((_, Some((account, seq)))) if account == user.account => seq,
        Some((text, _)) => {
            let detail = format!("after={text:?} is not an entry of this user's ledger.");
            return Err(Refused::InvalidRequest(detail).into());
        }
    };
    let found = app.store.read(|tx| entries::newest(tx, user.account, before, limit + 1))?;
    Ok((user, Listing::cut(found, limit, Entry::id)))
}
