//! Subscriptions as Stripe last said they are. Nothing goes back in time: an older description changes nothing, one that
//! has ended stays ended. Where two descriptions are of the same second and neither says that it replaced the other, it is
//! marked that Stripe must be asked.

use std::cmp::Ordering;

use super::db::{DbResult, Param, Row, Tx};
use crate::clock::Timestamp;
use crate::error::Result;

/// The columns of a subscription.
macro_rules! columns {
    () => {
        "id, account, customer, status, offer, period_end, ends_at, ended_at, as_of, created_at, amount, currency, paused, resumes_at"
    };
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    pub account: i64,
    /// Stripe's id of who pays.
    pub customer: Option<String>,
    /// Stripe's word for its state.
    pub status: String,
    /// The plan's key; `-` when its price is not in the catalogue.
    pub offer: String,
    /// When the running period ends.
    pub period_end: Option<Timestamp>,
    /// It is set to end then.
    pub ends_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Stripe's time of this description.
    pub as_of: Timestamp,
    pub created_at: Timestamp,
    /// What a period costs before discounts and taxes, in the currency's minor unit, if Stripe said so.
    pub billed: Option<(i64, String)>,
    /// It is kept, and its payments are paused.
    pub pause: Option<PaymentPause>,
}

/// A pause of a subscription's payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentPause {
    /// When they go on; `None` until somebody ends it.
    pub until: Option<Timestamp>,
}

/// What a description is, compared with what was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsert {
    Newer,
    /// Older, or the same: nothing was changed.
    Older,
    /// Time cannot tell: Stripe must be asked.
    Unsure,
}

impl Subscription {
    /// Under which word it is counted: its status, or `ended` once it has.
    fn counted_as(&self) -> &str {
        if self.ended_at.is_some() { "ended" } else { &self.status }
    }

    /// The description in one line, without its time. Two of them are compared by it.
    fn words(&self) -> String {
        let Subscription { status, offer, period_end, ends_at, ended_at, pause, .. } = self;
        let millis = |at: &Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.millis().to_string());
        let pause = pause.map_or_else(String::new, |pause| millis(&pause.until));
        [status.clone(), offer.clone(), millis(period_end), millis(ends_at), millis(ended_at), pause].join(" ")
    }
}

/// Where a description comes from, and so what it tells of the order besides its time.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The subscription's creation: it had no description before.
    Creation,
    /// A later change. `before` is the description that it replaced, if the event says so.
    Change { before: Option<&'a Subscription> },
    /// Stripe's answer to our question, which settles what time cannot.
    Answer,
}

impl Source<'_> {
    /// For the column `before`.
    fn before(self) -> Option<String> {
        match self {
            Source::Creation => Some(String::new()),
            Source::Change { before } => before.map(Subscription::words),
            Source::Answer => None,
        }
    }
}

/// Stores a description unless what is known is newer. Of two of the same second, the one that replaced the other is newer.
pub fn put(tx: &mut dyn Tx, new: &Subscription, source: Source<'_>, now: Timestamp) -> Result<Upsert> {
    let before = find(tx, &new.id)?;
    let upsert = put_description(tx, new, source, now)?;
    let after = find(tx, &new.id)?;
    let counted = |subscription: &Option<Subscription>| {
        let subscription = subscription.clone()?;
        Some((subscription.counted_as().to_owned(), subscription.offer, subscription.billed))
    };
    if counted(&before) != counted(&after) {
        before.iter().try_for_each(|before| count(tx, before, -1))?;
        after.iter().try_for_each(|after| count(tx, after, 1))?;
    }
    Ok(upsert)
}

/// Counts a subscription, or counts it no longer.
fn count(tx: &mut dyn Tx, subscription: &Subscription, count: i64) -> Result<()> {
    const COUNT: &str =
        "INSERT INTO subscription_counts (status, offer, currency, count, amount) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (status, offer, currency) DO UPDATE SET count = subscription_counts.count + $4,
            amount = subscription_counts.amount + $5";
    let (amount, currency) = subscription.billed.clone().unwrap_or_default();
    let amount = amount.saturating_mul(count);
    tx.execute(COUNT, &[&subscription.counted_as(), &subscription.offer, &currency, &count, &amount])?;
    Ok(())
}

fn put_description(tx: &mut dyn Tx, new: &Subscription, source: Source<'_>, now: Timestamp) -> Result<Upsert> {
    const ADD: &str = "INSERT INTO subscriptions
        (id, status, offer, period_end, ends_at, ended_at, as_of, before, customer, amount, currency, paused, resumes_at,
        account, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING";
    // What a row begins with is also what changes in it.
    const CHANGE: &str =
        "UPDATE subscriptions SET status = $2, offer = $3, period_end = $4, ends_at = $5, ended_at = $6,
        as_of = $7, before = $8, customer = COALESCE($9, customer), unsure_at = NULL, amount = $10, currency = $11,
        paused = $12, resumes_at = $13
        WHERE id = $1";
    const CHANGED: usize = 13;
    const REPEAT: &str = "UPDATE subscriptions SET as_of = $2, before = $3, customer = COALESCE($4, customer),
        amount = $5, currency = $6 WHERE id = $1 AND as_of < $2";
    let Subscription { id, account, customer, status, offer, period_end, ends_at, ended_at, as_of, .. } = new;
    let before = source.before();
    let (amount, currency) = new.billed.clone().unzip();
    let (paused, resumes_at) = (new.pause.is_some(), new.pause.and_then(|pause| pause.until));
    let row: [&dyn Param; 15] = [
        id,
        status,
        offer,
        period_end,
        ends_at,
        ended_at,
        as_of,
        &before,
        customer,
        &amount,
        &currency,
        &paused,
        &resumes_at,
        account,
        &new.created_at,
    ];
    let added = tx.execute(ADD, &row)?;
    let Some(known) = find(tx, id)?.filter(|_| added == 0) else { return Ok(Upsert::Newer) };
    let is_answer = matches!(source, Source::Answer);
    if known.ended_at.is_some() || (new.ended_at.is_none() && new.as_of < known.as_of) {
        return Ok(Upsert::Older);
    }
    if new.words() == known.words() && !is_answer {
        // The same again, at a later time: a description of a time between the two is older than this one.
        tx.execute(REPEAT, &[id, as_of, &before, customer, &amount, &currency])?;
        return Ok(Upsert::Older);
    }
    if new.ended_at.is_none() && new.as_of == known.as_of && !is_answer {
        match order(tx, &known, new, source)? {
            Some(Ordering::Greater) => {}
            Some(_) => return Ok(Upsert::Older),
            None => {
                mark_unsure(tx, id, now)?;
                return Ok(Upsert::Unsure);
            }
        }
    }
    tx.execute(CHANGE, &row[..CHANGED])?;
    Ok(Upsert::Newer)
}

/// Whether `new` came after what is known, of the same second: it replaced it, or was replaced by it. `None` if neither is
/// known, or both are, as with a change and its undoing.
fn order(tx: &mut dyn Tx, known: &Subscription, new: &Subscription, source: Source<'_>) -> Result<Option<Ordering>> {
    const BEFORE: &str = "SELECT before, unsure_at FROM subscriptions WHERE id = $1";
    let columns = |row: &Row<'_>| Ok((row.text_or_null("before")?, row.time_or_null("unsure_at")?));
    let Some((before_known, unsure_at)) = tx.one(BEFORE, &[&known.id], columns)? else { return Ok(None) };
    if unsure_at.is_some() {
        return Ok(None);
    }
    let is_first = |before: &Option<String>| before.as_deref() == Some("");
    let before_new = source.before();
    let replaced_known = is_first(&before_known) || before_new == Some(known.words());
    let was_replaced = is_first(&before_new) || before_known == Some(new.words());
    Ok(match (replaced_known, was_replaced) {
        (true, false) => Some(Ordering::Greater),
        (false, true) => Some(Ordering::Less),
        _ => None,
    })
}

/// When it was marked that Stripe must be asked about this subscription; `None` if it is not.
pub fn unsure_at(tx: &mut dyn Tx, id: &str) -> Result<Option<Timestamp>> {
    const UNSURE: &str = "SELECT unsure_at FROM subscriptions WHERE id = $1";
    Ok(tx.one(UNSURE, &[&id], |row| row.time_or_null("unsure_at"))?.flatten())
}

/// Marks that Stripe must be asked about a subscription. One that has ended stays as it is.
pub fn mark_unsure(tx: &mut dyn Tx, id: &str, now: Timestamp) -> Result<()> {
    // Each mark differs from the one before, so that an answer to the question about that one is not taken for this one's.
    const UNSURE: &str = "UPDATE subscriptions SET unsure_at =
        CASE WHEN unsure_at >= $2 THEN unsure_at + 1 ELSE $2 END WHERE id = $1 AND ended_at IS NULL";
    tx.execute(UNSURE, &[&id, &now])?;
    Ok(())
}

/// Stripe has no answer to the question that was marked at this time, and never will.
pub fn ask_no_more(tx: &mut dyn Tx, id: &str, asked: Timestamp) -> Result<()> {
    const CLEAR: &str = "UPDATE subscriptions SET unsure_at = NULL WHERE id = $1 AND unsure_at = $2";
    tx.execute(CLEAR, &[&id, &asked])?;
    Ok(())
}

/// The subscription with this id.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<Subscription>> {
    const FIND: &str = concat!("SELECT ", columns!(), " FROM subscriptions WHERE id = $1");
    tx.one(FIND, &[&id], subscription)
}

/// The account of the subscriptions of a customer, whether or not the customer is linked.
pub fn account_of_customer(tx: &mut dyn Tx, customer: &str) -> Result<Option<i64>> {
    const FIND: &str = "SELECT account FROM subscriptions WHERE customer = $1 ORDER BY created_at DESC, id LIMIT 1";
    tx.one(FIND, &[&customer], |row| row.int("account"))
}

/// A user's subscriptions that have not ended, newest first.
pub fn live_of(tx: &mut dyn Tx, account: i64) -> Result<Vec<Subscription>> {
    const LIVE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM subscriptions
        WHERE account = $1 AND ended_at IS NULL ORDER BY created_at DESC, id LIMIT 20"
    );
    tx.all(LIVE, &[&account], subscription)
}

/// A user's subscriptions, newest first, those that have ended among them.
pub fn of_account(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<Subscription>> {
    const ALL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM subscriptions
        WHERE account = $1 ORDER BY created_at DESC, id LIMIT $2"
    );
    tx.all(ALL, &[&account, &limit], subscription)
}

/// Whether Stripe has described any subscription of the user's, ended or not.
pub fn has_any(tx: &mut dyn Tx, account: i64) -> Result<bool> {
    const ANY: &str = "SELECT id FROM subscriptions WHERE account = $1 ORDER BY created_at, id LIMIT 1";
    Ok(tx.one(ANY, &[&account], |row| row.text("id"))?.is_some())
}

/// Subscriptions about which Stripe must be asked.
pub fn unsure(tx: &mut dyn Tx, limit: i64) -> Result<Vec<String>> {
    const UNSURE: &str = "SELECT id FROM subscriptions WHERE unsure_at IS NOT NULL ORDER BY unsure_at, id LIMIT $1";
    tx.all(UNSURE, &[&limit], |row| row.text("id"))
}

fn subscription(row: &Row<'_>) -> DbResult<Subscription> {
    described(row, row.text("id")?, row.int("account")?, "created_at")
}

/// Reads the rest of a subscription from a row, also from one that has another column `created_at`.
pub(super) fn described(row: &Row<'_>, id: String, account: i64, created_at: &str) -> DbResult<Subscription> {
    Ok(Subscription {
        id,
        account,
        customer: row.text_or_null("customer")?,
        status: row.text("status")?,
        offer: row.text("offer")?,
        period_end: row.time_or_null("period_end")?,
        ends_at: row.time_or_null("ends_at")?,
        ended_at: row.time_or_null("ended_at")?,
        as_of: row.time("as_of")?,
        created_at: row.time(created_at)?,
        billed: row.int_or_null("amount")?.zip(row.text_or_null("currency")?),
        pause: row.flag("paused")?.then_some(PaymentPause { until: row.time_or_null("resumes_at")? }),
    })
}
