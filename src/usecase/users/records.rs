//! What is stored about a person beside their account, ways to sign in and ledger, as JSON for the export: holds, what they
//! bought by and with, letters, and what the audit says of them.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::clock::{Timestamp, rfc3339};
use crate::email::Email;
use crate::error::Result;
use crate::store::audit::{self, AuditFilter, AuditRow};
use crate::store::codes::Invite;
use crate::store::directory::{self, SentRecord};
use crate::store::holds::{self, Hold};
use crate::store::orders::{self, Order};
use crate::store::subscriptions::{self, Subscription};
use crate::store::users::User;
use crate::store::{Tx, codes, customers, identities, mails};

/// Rows of each kind, the newest.
const ROWS: i64 = 10_000;

/// All of it.
pub(super) fn of_user(tx: &mut dyn Tx, user: &User) -> Result<Value> {
    let account = user.account;
    let actor = Actor::user(&user.id);
    let mut rows = audit::newest(tx, &AuditFilter::Target(user.id.clone()), i64::MAX, ROWS)?;
    rows.extend(audit::newest(tx, &AuditFilter::Actor(actor.name().to_owned()), i64::MAX, ROWS)?);
    rows.sort_by_key(|row| row.number);
    rows.dedup_by_key(|row| row.number);
    let address = identities::address_of(tx, account)?.and_then(|address| Email::parse(&address.written));
    let invites = match &address {
        Some(address) => codes::invites_to(tx, address.canonical())?,
        None => vec![],
    };
    Ok(json!({
        "holds": list(&holds::of_account(tx, account, ROWS)?, hold),
        "subscriptions": list(&subscriptions::of_account(tx, account, ROWS)?, subscription),
        "customers": customers::of_account(tx, account)?,
        "orders": list(&orders::of_account(tx, account, ROWS)?, order),
        "letters": list(&directory::mails_of(tx, account, ROWS)?, letter),
        "letters_refused": mails::refused_kinds(tx, account)?,
        "invitations": list(&invites, invitation),
        "audit": list(&rows, |row| audit_row(row, actor.name())),
    }))
}

fn list<T>(rows: &[T], row: impl Fn(&T) -> Value) -> Vec<Value> {
    rows.iter().map(row).collect()
}

fn hold(hold: &Hold) -> Value {
    json!({
        "id": hold.id(), "units": hold.units, "captured": hold.captured, "note": hold.note,
        "is_open": hold.closed.is_none(), "created_at": rfc3339(hold.created_at), "expires_at": rfc3339(hold.expires_at),
    })
}

fn subscription(plan: &Subscription) -> Value {
    json!({
        "id": plan.id, "plan": plan.offer, "status": plan.status, "period_end": time(plan.period_end),
        "ends_at": time(plan.ends_at), "ended_at": time(plan.ended_at), "created_at": rfc3339(plan.created_at),
        "payments_paused": plan.pause.is_some(), "payments_resume_at": time(plan.pause.and_then(|pause| pause.until)),
    })
}

fn order(order: &Order) -> Value {
    json!({
        "id": order.id, "offer": order.offer, "amount": order.amount, "currency": order.currency,
        "return_url": order.return_url, "asked_of_stripe": order.request_body, "session": order.session,
        "created_at": rfc3339(order.created_at), "paid_at": time(order.paid_at), "failed_at": time(order.failed_at),
    })
}

fn letter(letter: &SentRecord) -> Value {
    json!({
        "kind": letter.kind, "created_at": rfc3339(letter.created_at), "sent_at": time(letter.sent_at),
        "failed_at": time(letter.failed_at),
    })
}

fn invitation(invite: &Invite) -> Value {
    json!({"address": invite.address, "expires_at": rfc3339(invite.expires_at)})
}

/// Who else acted, and from where, is theirs: an operator is none by name.
fn audit_row(row: &AuditRow, own: &str) -> Value {
    let is_own = row.actor == own;
    let actor = if row.actor.starts_with("user:") && !is_own { "operator" } else { row.actor.as_str() };
    json!({
        "at": rfc3339(row.at), "actor": actor, "action": row.action, "target": row.target,
        "address": row.address.as_ref().filter(|_| is_own), "detail": row.detail, "reason": row.reason,
    })
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}
