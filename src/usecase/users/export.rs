//! Everything that is stored about a person, as JSON, for the person.

use std::io::Write;

use serde_json::{Value, json};

use crate::app::App;
use crate::clock::{Timestamp, rfc3339};
use crate::error::{Fault, Result};
use crate::language::Language;
use crate::ledger::Entry;
use crate::store::payments::Payment;
use crate::store::{access, entries, identities, passkeys, payments, second_factors, users};
use crate::usecase::audit;
use crate::usecase::users::{records, sessions};

/// Entries that a page of the account's own data has at most.
pub const PAGE_ENTRIES: i64 = 10_000;
const BATCH: i64 = 1000;
const PAYMENTS: i64 = 10_000;

/// Adds to the audit that an operator takes somebody's data.
pub fn record(app: &App, user_id: &str) -> Result<()> {
    let user_id = user_id.to_owned();
    audit::write(app, move |tx, trail| {
        let user = users::by_id(tx, &user_id)?;
        trail.add(tx, "user_exported", &user.id, None)
    })
}

/// Writes the user's data. With `entries`, only so many of the newest entries, and `ledger_is_complete` says whether there
/// are more.
pub fn write(app: &App, user_id: &str, entries: Option<i64>, to: &mut dyn Write) -> Result<()> {
    let user = app.store.read(|tx| users::by_id(tx, user_id))?;
    let account = user.account;
    let open = sessions::list(app, account)?;
    let head = app.store.read(|tx| {
        let balance = users::balance_of(tx, account)?;
        let address = identities::address_of(tx, account)?;
        let password = identities::password_of(tx, account)?;
        let identities = identities::identities_of(tx, account)?;
        let passkeys = passkeys::of_account(tx, account)?;
        let second_factor = second_factors::find(tx, account)?;
        let tokens = access::tokens_of(tx, account)?;
        let payments = payments::of_account(tx, account, PAYMENTS)?;
        Ok(json!({
            "id": user.id,
            "account": account,
            "name": user.name,
            "email": user.email,
            "language": user.locale.map(Language::tag),
            "created_at": rfc3339(user.created_at),
            "units": {"total": balance.total, "remaining": balance.remaining, "held": balance.held},
            "address": address.map(|address| json!({
                "address": address.written, "verified_at": rfc3339(address.verified_at)})),
            "password_set_at": password.map(|password| rfc3339(password.set_at)),
            "identities": identities.iter().map(|identity| json!({
                "issuer": identity.issuer, "subject": identity.subject, "created_at": rfc3339(identity.created_at),
            })).collect::<Vec<_>>(),
            "passkeys": passkeys.iter().map(|passkey| json!({
                "name": passkey.name, "created_at": rfc3339(passkey.created_at),
                "last_used_at": time(passkey.last_used_at),
            })).collect::<Vec<_>>(),
            "second_factor_set_at": second_factor.map(|factor| rfc3339(factor.confirmed_at)),
            "sessions": open.iter().map(|session| json!({
                "method": session.method.as_str(), "address": session.address, "agent": session.agent,
                "created_at": rfc3339(session.created_at), "last_used_at": rfc3339(session.last_used_at), "second_factor_at": time(session.second_factor_at),
            })).collect::<Vec<_>>(),
            "tokens": tokens.iter().map(|token| json!({
                "id": token.id, "name": token.name, "created_at": rfc3339(token.created_at),
                "last_used_at": time(token.last_used_at), "revoked_at": time(token.revoked_at),
            })).collect::<Vec<_>>(),
            "payments": payments.iter().map(payment).collect::<Vec<_>>(),
        }))
    })?;
    let records = app.store.read(|tx| records::of_user(tx, &user))?.to_string();
    let text = head.to_string();
    let head = text.strip_suffix('}').unwrap_or(&text);
    put(to, head)?;
    let records = records.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    put(to, &format!(",{records}"))?;
    let made = app.store.read(|tx| entries::find(tx, account))?.map_or(0, |row| row.account.entries);
    let first = entries.map_or(0, |limit| (made - limit).max(0));
    put(to, &format!(",\"ledger_is_complete\":{},\"ledger\":[", first == 0))?;
    let (mut seq, mut separator) = (first, "");
    loop {
        let page = app.store.read(|tx| entries::of_account_after(tx, account, seq, BATCH))?;
        let Some(last) = page.last() else { break };
        seq = last.seq;
        for entry in &page {
            put(to, &format!("{separator}{}", line(entry)))?;
            separator = ",";
        }
    }
    put(to, "]}\n")
}

fn line(entry: &Entry) -> Value {
    json!({
        "id": entry.id(),
        "kind": entry.kind.as_str(),
        "delta": entry.delta,
        "balance_after": entry.balance_after,
        "reason": entry.reason,
        "note": entry.note_text(),
        "created_at": rfc3339(entry.created_at),
    })
}

fn payment(payment: &Payment) -> Value {
    json!({
        "reference": payment.reference,
        "offer": payment.offer,
        "units": payment.units_granted,
        "amount": payment.amount,
        "currency": payment.currency,
        "refunded": payment.refunded_total,
        "invoice": payment.invoice,
        "paid_at": rfc3339(payment.paid_at),
    })
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}

fn put(to: &mut dyn Write, text: &str) -> Result<()> {
    to.write_all(text.as_bytes()).map_err(|cause| Fault::new("cannot write the export", cause).into())
}
