//! `till user show`: everything about one user.

use serde_json::{Value, json};

use super::output::{one_line, or_dash, print, print_json, table};
use super::{CommandError, CommandResult};
use crate::app::App;
use crate::clock::{Timestamp, rfc3339};
use crate::http::api::shapes::{EntryShape, UserShape};
use crate::id::UserId;
use crate::ledger::{Cost, Lot, entry_id};
use crate::money::plain_amount;
use crate::store::access::Token;
use crate::store::holds::Hold;
use crate::store::lots::LotOrigin;
use crate::store::orders::OfferKind;
use crate::store::payment_records::DisputeStanding;
use crate::store::sessions::Session;
use crate::store::subscriptions::Subscription;
use crate::usecase::operator::people::{self, PaymentView, PersonRecord};

/// Entries that are listed.
const RECENT: usize = 10;

/// Prints a user. `head` is the line that says who it is, `low` when the balance is low.
pub(super) fn print_user(app: &App, id: &str, json: bool, head: &str, low: &str) -> CommandResult {
    let record = people::record(app, id)?;
    if json { print_json(&as_json(&record)?) } else { print(&as_text(app, &record, head, low)) }
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}

fn origin(kind: Option<OfferKind>) -> &'static str {
    kind.map_or("gift", OfferKind::as_str)
}

fn as_text(app: &App, record: &PersonRecord, head: &str, low: &str) -> String {
    let (member, balance) = (&record.balance.member, &record.balance.member.balance);
    let words = &app.catalog.unit;
    let mut text = format!("{head}, since {}\n", rfc3339(member.user.created_at));
    text.push_str(&format!("plan {}\n", member.plan));
    text.push_str(&format!(
        "{} {} available, {} held, {} ever credited\n",
        balance.available(),
        if balance.available() == 1 { &words.singular } else { &words.plural },
        balance.held,
        balance.total
    ));
    let left = record.left_by_origin().map(|(origin, units)| format!("{units} from {origin}"));
    text.push_str(&format!("left: {}\n{low}\n", left.join(", ")));
    if let Some(id) = UserId::new(&member.user.id) {
        text.push_str(&format!("in a payment link: client_reference_id={}\n", id.reference()));
    }
    for (title, rows) in [
        ("lots", lots(record)),
        ("holds", holds(record)),
        ("subscriptions", subscriptions(record)),
        ("payments", payments(record)),
        ("tokens", tokens(record)),
        ("sessions", sessions(record)),
        ("entries", entries(record)),
    ] {
        if let Some(rows) = rows {
            text.push_str(&format!("\n{title}\n{rows}"));
        }
    }
    if record.has_older_entries || record.entries.len() > RECENT {
        text.push_str(&format!("There are older ones: till ledger export --user {}\n", one_line(&member.user.id)));
    }
    text
}

/// A table, where it has rows.
fn rows<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> Option<String> {
    (!rows.is_empty()).then(|| table(headings, &rows))
}

fn lots(record: &PersonRecord) -> Option<String> {
    let row = |lot: &LotOrigin| {
        let Lot { seq, units, remaining, held, cost, .. } = lot.lot;
        let paid = cost.map(|Cost { amount: paid, currency }| {
            format!("{} {}", plain_amount(paid, currency.as_str()), currency.as_str())
        });
        [
            entry_id(record.balance.member.user.account, seq),
            origin(lot.kind).to_owned(),
            remaining.to_string(),
            units.to_string(),
            held.to_string(),
            or_dash(paid),
            or_dash(time(lot.lot.ends_at())),
        ]
    };
    rows(["LOT", "ORIGIN", "LEFT", "OF", "HELD", "PAID", "EXPIRES"], record.lots.iter().map(row).collect())
}

fn holds(record: &PersonRecord) -> Option<String> {
    let holds = record.holds.iter();
    let holds =
        holds.map(|hold| [hold.id(), hold.units.to_string(), rfc3339(hold.expires_at), or_dash(hold.note.as_ref())]);
    rows(["HOLD", "UNITS", "UNTIL", "NOTE"], holds.collect())
}

fn subscriptions(record: &PersonRecord) -> Option<String> {
    let subscriptions = record.subscriptions.iter().map(|subscription| {
        let billed = subscription.billed.as_ref();
        let billed = billed.map(|(billed, currency)| format!("{} {currency}", plain_amount(*billed, currency)));
        let ends = subscription.ended_at.or(subscription.ends_at);
        [
            subscription.id.clone(),
            subscription.offer.clone(),
            match subscription.pause {
                Some(_) => format!("{}, payments paused", subscription.status),
                None => subscription.status.clone(),
            },
            or_dash(billed),
            or_dash(time(subscription.period_end)),
            or_dash(time(ends)),
        ]
    });
    rows(["SUBSCRIPTION", "PLAN", "STATUS", "COSTS", "PERIOD END", "ENDS"], subscriptions.collect())
}

fn payments(record: &PersonRecord) -> Option<String> {
    let payments = record.payments.iter().map(|view| {
        let payment = &view.record.payment;
        [
            rfc3339(payment.paid_at),
            payment.reference.clone(),
            payment.offer.clone(),
            plain_amount(payment.amount, &payment.currency),
            or_dash(view.refundable().map(|amount| plain_amount(amount, &payment.currency))),
            payment.currency.clone(),
            (payment.units_granted - payment.units_reversed).to_string(),
        ]
    });
    rows(["TIME", "PAYMENT", "OFFER", "PAID", "REFUNDABLE", "CURRENCY", "UNITS"], payments.collect())
}

fn tokens(record: &PersonRecord) -> Option<String> {
    let tokens = record.tokens.iter().map(|token| {
        [token.id.clone(), token.name.clone(), or_dash(time(token.last_used_at)), or_dash(time(token.revoked_at))]
    });
    rows(["TOKEN", "NAME", "USED", "REVOKED"], tokens.collect())
}

fn sessions(record: &PersonRecord) -> Option<String> {
    let sessions = record.sessions.iter().map(|session| {
        [
            rfc3339(session.created_at),
            session.method.as_str().to_owned(),
            rfc3339(session.last_used_at),
            or_dash(session.address.as_ref()),
            or_dash(session.agent.as_ref()),
        ]
    });
    rows(["SINCE", "BY", "USED", "ADDRESS", "BROWSER"], sessions.collect())
}

fn entries(record: &PersonRecord) -> Option<String> {
    let entries = record.entries.iter().take(RECENT).map(|signed| {
        let entry = &signed.entry;
        [
            rfc3339(entry.created_at),
            entry.kind.as_str().to_owned(),
            format!("{:+}", entry.delta),
            entry.balance_after.to_string(),
            entry.reason.clone(),
            or_dash(entry.note_text()),
        ]
    });
    rows(["TIME", "KIND", "DELTA", "BALANCE", "REASON", "NOTE"], entries.collect())
}

/// The user as in the API, with everything else beside it.
fn as_json(record: &PersonRecord) -> CommandResult<Value> {
    let (user, account) = (&record.balance.member.user.id, record.balance.member.user.account);
    let failed = |cause| CommandError::Failed(format!("the user cannot be written as JSON: {cause}"));
    let mut whole = serde_json::to_value(UserShape::of(record.balance.member.clone())).map_err(failed)?;
    let entries = record.entries.iter().take(RECENT);
    let entries: Vec<_> = entries.map(|signed| EntryShape::of(signed.entry.clone(), user)).collect();
    let left = record.left_by_origin().into_iter().map(|(origin, units)| (origin.to_owned(), units.into()));
    let more: [(&str, Value); 8] = [
        ("left_by_origin", Value::Object(left.collect())),
        ("lots", record.lots.iter().map(|lot| lot_as_json(account, lot)).collect()),
        ("entries", serde_json::to_value(entries).map_err(failed)?),
        ("payments", record.payments.iter().map(payment_as_json).collect()),
        ("subscriptions", record.subscriptions.iter().map(subscription_as_json).collect()),
        ("holds", record.holds.iter().map(hold_as_json).collect()),
        ("tokens", record.tokens.iter().map(token_as_json).collect()),
        ("sessions", record.sessions.iter().map(session_as_json).collect()),
    ];
    if let Some(fields) = whole.as_object_mut() {
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(whole)
}

fn payment_as_json(view: &PaymentView) -> Value {
    let payment = &view.record.payment;
    json!({
        "payment": payment.reference,
        "offer": payment.offer,
        "amount": payment.amount,
        "currency": payment.currency,
        "refundable": view.refundable().unwrap_or(0),
        "dispute": view.dispute.map(DisputeStanding::as_str),
        "out_of_band": payment.out_of_band,
        "units": payment.units_granted,
        "units_taken_back": payment.units_reversed,
        "paid_at": rfc3339(payment.paid_at),
    })
}

fn subscription_as_json(subscription: &Subscription) -> Value {
    let (amount, currency) = subscription.billed.clone().unzip();
    json!({
        "id": subscription.id,
        "plan": subscription.offer,
        "status": subscription.status,
        "amount": amount,
        "currency": currency,
        "current_period_end": time(subscription.period_end),
        "ends_at": time(subscription.ends_at),
        "ended_at": time(subscription.ended_at),
        "payments_paused": subscription.pause.is_some(),
        "payments_resume_at": time(subscription.pause.and_then(|pause| pause.until)),
    })
}

fn hold_as_json(hold: &Hold) -> Value {
    json!({
        "id": hold.id(),
        "units": hold.units,
        "note": hold.note,
        "created_at": rfc3339(hold.created_at),
        "expires_at": rfc3339(hold.expires_at),
    })
}

fn token_as_json(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "created_at": rfc3339(token.created_at),
        "last_used_at": time(token.last_used_at),
        "revoked_at": time(token.revoked_at),
    })
}

fn session_as_json(session: &Session) -> Value {
    json!({
        "method": session.method.as_str(),
        "address": session.address,
        "agent": session.agent,
        "created_at": rfc3339(session.created_at),
        "last_used_at": rfc3339(session.last_used_at),
    })
}

fn lot_as_json(account: i64, lot: &LotOrigin) -> Value {
    let cost = lot.lot.cost;
    json!({
        "id": entry_id(account, lot.lot.seq),
        "origin": origin(lot.kind),
        "units": lot.lot.units,
        "left": lot.lot.remaining,
        "held": lot.lot.held,
        "paid": cost.map(|cost| cost.amount),
        "currency": cost.as_ref().map(|cost| cost.currency.as_str()),
        "value": lot.lot.value(),
        "opened_at": rfc3339(lot.opened_at),
        "expires_at": time(lot.lot.ends_at()),
    })
}
