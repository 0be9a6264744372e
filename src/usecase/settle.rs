//! What Stripe says, decided: the one door through which webhook, return page, timer and replay enter. Runs inside the
//! caller's transaction and talks to nobody.

use crate::catalog::{Catalog, Expiry, Offer};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::{self, Credit, Kind, Refusal, Units};
use crate::store::inbox::Status;
use crate::store::orders::{self, Fact, Order};
use crate::store::payments::{self, NewPayment};
use crate::store::{Tx, customers, users};
use crate::stripe::{CheckoutSession, Customer, Event};

use super::books;
use super::told::Told;

/// What an event came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What became of it.
    pub status: Status,
    /// In words, for the operator.
    pub detail: String,
    /// The id that it waits for.
    pub waits_for: Option<String>,
    /// Ids that are known from now on: what waits for one of them is tried again at once.
    pub known: Vec<String>,
    /// What is told once it is durable.
    pub told: Vec<Told>,
}

impl Settled {
    /// All that it means is in the books.
    pub fn applied(detail: impl Into<String>) -> Settled {
        Settled::of(Status::Applied, detail)
    }

    /// It changes nothing here.
    pub fn ignored(detail: impl Into<String>) -> Settled {
        Settled::of(Status::Ignored, detail)
    }

    fn of(status: Status, detail: impl Into<String>) -> Settled {
        Settled { status, detail: detail.into(), waits_for: None, known: vec![], told: vec![] }
    }

    fn unmatched(object: &str, why: impl Into<String>) -> Settled {
        let why = why.into();
        let told = vec![Told::Unmatched { object: object.to_owned(), why: why.clone() }];
        Settled { told, ..Settled::of(Status::Unmatched, why) }
    }
}

/// Why a session is looked at: its own fields do not tell a slow payment that failed from one that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The buyer finished the checkout, or Stripe was asked how it stands.
    Seen,
    /// The slow payment did not arrive.
    AsyncFailed,
}

/// The types of event that change something here.
pub const HANDLED: [&str; 5] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.deleted",
];

/// Applies one event. An object that cannot be read is a fault: the event is kept with it and tried again.
pub fn event(tx: &mut dyn Tx, catalog: &Catalog, event: &Event, now: Timestamp) -> Result<Settled> {
    let unreadable = |cause| Fault::new(format!("the object of {} cannot be read", event.kind), cause);
    match event.kind.as_str() {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" | "checkout.session.expired" => {
            session(tx, catalog, &CheckoutSession::read(&event.object).map_err(unreadable)?, Moment::Seen, now)
        }
        "checkout.session.async_payment_failed" => {
            session(tx, catalog, &CheckoutSession::read(&event.object).map_err(unreadable)?, Moment::AsyncFailed, now)
        }
        "customer.deleted" => {
            let gone = Customer::read(&event.object).map_err(unreadable)?;
            let ours = customers::gone(tx, &gone.id, now)?;
            Ok(if ours {
                Settled::applied("the user's next purchase makes a new customer")
            } else {
                Settled::ignored("not a customer of ours")
            })
        }
        other => Ok(Settled::ignored(format!("{other} changes nothing here"))),
    }
}

/// Applies what a checkout session says, whoever brings it. A paid one is credited once, under the payment intent's id
/// or, where Stripe has none, under the session's ("Fulfill orders", contract section 5, rule 5).
pub fn session(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    session: &CheckoutSession,
    moment: Moment,
    now: Timestamp,
) -> Result<Settled> {
    if !session.is_payment() {
        return Ok(Settled::ignored(format!("a checkout in {} mode sells no pack", session.mode)));
    }
    let order = order_of(tx, session, now)?;
    if is_bought(session) {
        return paid(tx, catalog, session, order, now);
    }
    let Some(order) = order else {
        return Ok(Settled::ignored("an unpaid checkout that did not begin here"));
    };
    let (fact, detail) = match moment {
        Moment::AsyncFailed => (Fact::Failed, "the payment did not arrive"),
        Moment::Seen if session.is_expired() => (Fact::Expired, "the checkout ended without a payment"),
        Moment::Seen if session.is_open() => return Ok(Settled::ignored("the checkout is still open")),
        Moment::Seen => (Fact::Pending, "a slow payment is on its way"),
    };
    orders::set(tx, &order.id, fact, now)?;
    Ok(Settled::applied(detail))
}

/// Whether the money is there, or none was owed. Money counts however the session ended; owing nothing counts only once
/// the buyer has finished it, for an open or abandoned session may owe nothing too.
pub(super) fn is_bought(session: &CheckoutSession) -> bool {
    let is_finished = !session.is_open() && !session.is_expired();
    session.is_payment() && (session.payment_status == "paid" || (session.is_paid() && is_finished))
}

/// The order that a session belongs to: by the session's id, or, when the event overtakes Stripe's answer to our own
/// request, by the order's id in its metadata.
fn order_of(tx: &mut dyn Tx, session: &CheckoutSession, now: Timestamp) -> Result<Option<Order>> {
    if let Some(order) = orders::by_session(tx, &session.id)? {
        return Ok(Some(order));
    }
    let Some(id) = session.metadata.get("order_id") else { return Ok(None) };
    let Some(order) = orders::by_id(tx, id)?.filter(|order| order.session.is_none()) else { return Ok(None) };
    orders::opened(tx, &order.id, &session.id, session.url.as_deref(), None, now)?;
    Ok(Some(Order { session: Some(session.id.clone()), ..order }))
}

/// What a paid session bought, for whom.
struct Bought {
    account: i64,
    offer: String,
    units: i64,
    expires_in_days: Option<i64>,
}

fn paid(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    session: &CheckoutSession,
    order: Option<Order>,
    now: Timestamp,
) -> Result<Settled> {
    let (bought, order_id) = match &order {
        Some(order) => {
            let units = order.units.saturating_mul(quantity(session, order));
            let (account, offer) = (order.account, order.offer.clone());
            (Ok(Bought { account, offer, units, expires_in_days: order.expires_in_days }), Some(order.id.clone()))
        }
        None => (bought_elsewhere(tx, catalog, session)?, None),
    };
    let bought = match bought {
        Ok(bought) => bought,
        Err(why) => return Ok(Settled::unmatched(&session.id, why)),
    };
    let Some(units) = Units::new(bought.units) else {
        return Ok(Settled::unmatched(&session.id, format!("{} units cannot be credited at once", bought.units)));
    };
    if let Some(id) = &order_id {
        orders::set(tx, id, Fact::Paid, now)?;
    }
    credit(tx, session, &bought, units, now)
}

fn credit(
    tx: &mut dyn Tx,
    session: &CheckoutSession,
    bought: &Bought,
    units: Units,
    now: Timestamp,
) -> Result<Settled> {
    let reference = session.payment_intent.as_deref().unwrap_or(&session.id);
    let account = books::open(tx, bought.account, None, now)?;
    let reason = format!("topup_{reference}");
    let expires_at = super::users::days_after(now, bought.expires_in_days);
    let credit = Credit { kind: Kind::Topup, units, reason: reason.clone(), note: None, expires_at };
    let posting = match ledger::credit(&account, credit, now) {
        Ok(posting) => posting,
        Err(Refusal::BalanceLimit) => {
            return Ok(Settled::unmatched(&session.id, "the balance would pass the most that an account may hold"));
        }
        Err(other) => return Err(books::impossible(other).into()),
    };
    let is_new = payments::add(
        tx,
        &NewPayment {
            reference,
            account: bought.account,
            lot: posting.entry.seq,
            gave: units.count(),
            amount: session.amount_total.unwrap_or(0).max(0),
            currency: session.currency.as_deref().unwrap_or("-"),
            offer: &bought.offer,
            session: Some(&session.id),
            payment_intent: session.payment_intent.as_deref(),
            invoice: session.invoice.as_deref(),
            paid_at: now,
        },
    )?;
    let known = [Some(&session.id), session.payment_intent.as_ref(), session.invoice.as_ref()];
    let known: Vec<String> = known.into_iter().flatten().cloned().collect();
    if !is_new {
        return Ok(Settled { known, ..Settled::applied("credited before") });
    }
    let entry = books::post(tx, &account, &posting)?;
    let entry = entry.ok_or_else(|| Fault::bare(format!("{reason} is in the ledger without its payment")))?;
    let user = users::by_account(tx, bought.account)?;
    let told = Told::ToppedUp {
        user_id: user.id.clone(),
        plan: bought.offer.clone(),
        units: units.count(),
        payment_intent: session.payment_intent.clone(),
        reason,
        balance: entry.balance_after,
    };
    let detail = format!("{} units for {}", units.count(), user.id);
    Ok(Settled { known, told: vec![told], ..Settled::applied(detail) })
}

/// How many of it were bought: the buyer may have changed the quantity in the checkout. Stripe said what one costs when
/// the session was made, and says now what all cost, both before discounts and taxes. Amounts of two currencies say
/// nothing of a quantity: 150 yen to the dollar are not 150 packs.
fn quantity(session: &CheckoutSession, order: &Order) -> i64 {
    match (session.subtotal_in(&order.currency), order.subtotal) {
        (Some(all), Some(one)) if one > 0 && all > 0 && all % one == 0 => all / one,
        _ => 1,
    }
}

/// A paid session that did not begin with an order of ours (or whose order is lost): told by our metadata, else by the
/// customer and the price. Whatever cannot be told is kept for the operator. E-mail addresses decide nothing.
fn bought_elsewhere(
    tx: &mut dyn Tx,
    catalog: &Catalog,
    session: &CheckoutSession,
) -> Result<std::result::Result<Bought, String>> {
    let account = match (session.metadata.get("user_id"), &session.customer) {
        (Some(id), _) => match users::find(tx, id)? {
            Some(user) => user.account,
            None => return Ok(Err(format!("its metadata names the user {id:?}, who is not known here"))),
        },
        (None, Some(customer)) => match customers::account_of(tx, customer)? {
            Some(account) => account,
            None => return Ok(Err(format!("the customer {customer} is not known here"))),
        },
        (None, None) => return Ok(Err("it names neither a user nor a customer of ours".to_owned())),
    };
    let items = session.line_items.as_ref().map(|list| list.rows.as_slice()).unwrap_or_default();
    let (offer, count) = match (session.metadata.get("plan"), items) {
        (Some(key), [item]) => (catalog.offer(key), item.quantity.unwrap_or(1)),
        (Some(key), _) => (catalog.offer(key), 1),
        (None, [item]) => (item.price.as_deref().and_then(|price| catalog.by_price(price)), item.quantity.unwrap_or(1)),
        (None, _) => (None, 1),
    };
    Ok(match offer {
        Some(Offer::Pack(pack)) => Ok(Bought {
            account,
            offer: pack.key.clone(),
            units: pack.units.saturating_mul(count.max(1)),
            expires_in_days: life_in_days(pack.expiry),
        }),
        _ => Err("it names no pack of the catalogue".to_owned()),
    })
}

/// How long a pack's lot lives: packs have no period to end with.
pub(super) fn life_in_days(expiry: Expiry) -> Option<i64> {
    match expiry {
        Expiry::Days(days) => Some(i64::from(days)),
        Expiry::Never | Expiry::PeriodEnd => None,
    }
}
