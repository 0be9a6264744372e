//! A user's statement: pages of the ledger, and what the dashboard shows, as one snapshot.

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp, day_of, day_start};
use crate::error::{Refused, Result};
use crate::ledger::{Entry, parse_entry_id};
use crate::store::open_invoices::{self, OpenInvoice};
use crate::store::orders::{self, Order};
use crate::store::receipts::{self, PaymentMeans, Receipt};
use crate::store::scheduled_changes::{self, ScheduledChange};
use crate::store::subscriptions::Subscription;
use crate::store::users::User;
use crate::store::{Tx, customers, entries, operators};

use crate::usecase::checkout::one_plan::{pending_payments, pending_until};
use crate::usecase::users::activity::{self, Activity};
use crate::usecase::users::lots_by_origin::{self, LotsByOrigin};
use crate::usecase::users::usage::DailyUse;
use crate::usecase::users::{self, Listing, UserSnapshot, entitlement};

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
    /// Whether the user may open the operator's pages.
    pub is_operator: bool,
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
    /// What these days are read from.
    pub daily_use: DailyUse,
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
    /// When it was read.
    pub at: Timestamp,
    /// Up to this time it changes only by what is written: the first moment at which time alone changes it.
    pub until: Timestamp,
}

/// What the dashboard shows of an account. `known` is what an earlier one knew of its use, and saves reading it again.
pub fn overview(app: &App, account: i64, known: Option<&DailyUse>) -> Result<Overview> {
    let now = app.clock.now();
    let stored = app.store.read(|tx| {
        let (member, live) = entitlement::fetch_account(tx, &app.catalog, account)?;
        if member.is_due(now) {
            return Ok(Err(member));
        }
        read_overview(tx, (member, live), known, now).map(Ok)
    })?;
    match stored {
        Ok(overview) => Ok(overview),
        Err(due) => {
            users::up_to_date(app, due)?;
            app.store.read(|tx| {
                let member = entitlement::fetch_account(tx, &app.catalog, account)?;
                read_overview(tx, member, known, now)
            })
        }
    }
}

/// All of it in one transaction.
fn read_overview(
    tx: &mut dyn Tx,
    (member, subscriptions): (UserSnapshot, Vec<Subscription>),
    known: Option<&DailyUse>,
    now: Timestamp,
) -> Result<Overview> {
    let account = member.user.account;
    let today = day_of(now);
    let first = today - CHART_DAYS + 1;
    let recent = activity::activity(tx, account, i64::MAX, RECENT)?;
    let daily_use = DailyUse::read(tx, account, recent.last_entry(), first, known)?;
    let usage = (first..=today).map(|day| (day_start(day), daily_use.on(day))).collect();
    let pending = pending_payments(tx, account, now)?;
    let failed = orders::failed(tx, account, now.plus_seconds(-FAILURE_DAYS * DAY_SECONDS))?;
    let lots = lots_by_origin::of(tx, &member, now)?;
    let (mut open_invoice, mut change, mut next_payment) = (None, None, None);
    if let Some(subscription) = &member.subscription {
        open_invoice = open_invoices::find(tx, &subscription.id)?;
        change = scheduled_changes::of(tx, &subscription.id)?;
        next_payment = if change.is_none() { receipts::next_payment(tx, &subscription.id)? } else { None };
    }
    let has_customer = customers::linked(tx, account)?.is_some();
    let receipts = receipts::newest(tx, account, RECEIPTS)?;
    let means = if has_customer { receipts::last_means(tx, account)? } else { None };
    let told_until = |order: &Order| order.failed_at.map(|at| at.plus_seconds(FAILURE_DAYS * DAY_SECONDS));
    let ends = pending.iter().filter_map(pending_until).chain(failed.iter().filter_map(told_until));
    let ends = ends.chain(member.balance.next_due).chain(lots_by_origin::changes_at(&member, now));
    let until = ends.fold(day_start(today + 1), Timestamp::min);
    let is_operator = operators::is_one(tx, account)?;
    Ok(Overview {
        member,
        is_operator,
        recent,
        receipts,
        means,
        next_payment,
        usage,
        daily_use,
        pending,
        failed,
        subscriptions,
        lots,
        change,
        open_invoice,
        has_customer,
        at: now,
        until,
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
