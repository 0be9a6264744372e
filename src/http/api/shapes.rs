//! The JSON of users and entries, as the contract fixes it (section 4).

use serde::Serialize;

use crate::clock::rfc3339;
use crate::ledger::Entry;
use crate::store::holds::{Closed, Hold};
use crate::usecase::users::Member;

/// A user.
#[derive(Debug, Serialize)]
pub(crate) struct UserShape {
    id: String,
    email: Option<String>,
    name: Option<String>,
    plan: String,
    features: Vec<String>,
    units: UnitsShape,
    subscription: Option<SubscriptionShape>,
    created_at: String,
}

/// What a user has.
#[derive(Debug, Serialize)]
pub(crate) struct UnitsShape {
    total: i64,
    remaining: i64,
    held: i64,
    available: i64,
}

/// A subscription.
#[derive(Debug, Serialize)]
pub(crate) struct SubscriptionShape {
    plan: String,
    status: String,
    current_period_end: Option<String>,
    cancel_at_period_end: bool,
}

impl UserShape {
    pub(crate) fn of(member: Member) -> UserShape {
        let balance = member.balance;
        UserShape {
            id: member.user.id,
            email: member.user.email,
            name: member.user.name,
            plan: member.plan,
            features: member.features,
            units: UnitsShape {
                total: balance.total,
                remaining: balance.remaining,
                held: balance.held,
                available: balance.available(),
            },
            subscription: member.subscription.map(|subscription| SubscriptionShape {
                plan: subscription.offer,
                status: subscription.status,
                current_period_end: subscription.period_end.map(rfc3339),
                cancel_at_period_end: subscription.ends_at.is_some(),
            }),
            created_at: rfc3339(member.user.created_at),
        }
    }
}

/// One ledger row.
#[derive(Debug, Serialize)]
pub(crate) struct EntryShape {
    id: String,
    user_id: String,
    kind: &'static str,
    delta: i64,
    balance_after: i64,
    reason: String,
    note: Option<String>,
    created_at: String,
}

impl EntryShape {
    pub(crate) fn of(entry: Entry, user_id: &str) -> EntryShape {
        EntryShape {
            id: entry.id(),
            user_id: user_id.to_owned(),
            kind: entry.kind.as_str(),
            delta: entry.delta,
            balance_after: entry.balance_after,
            reason: entry.reason,
            note: entry.note,
            created_at: rfc3339(entry.created_at),
        }
    }
}

/// Units set aside.
#[derive(Debug, Serialize)]
pub(crate) struct HoldShape {
    id: String,
    user_id: String,
    units: i64,
    captured: i64,
    status: &'static str,
    expires_at: String,
    created_at: String,
}

impl HoldShape {
    pub(crate) fn of(hold: Hold, user_id: String) -> HoldShape {
        let status = match hold.closed {
            None => "open",
            Some(Closed::Captured) => "captured",
            Some(Closed::Released) => "released",
            Some(Closed::Expired) => "expired",
        };
        HoldShape {
            id: hold.id(),
            user_id,
            units: hold.units,
            captured: hold.captured,
            status,
            expires_at: rfc3339(hold.expires_at),
            created_at: rfc3339(hold.created_at),
        }
    }
}

/// A page of rows and where the next one begins.
#[derive(Debug, Serialize)]
pub(crate) struct ListShape<T> {
    pub data: Vec<T>,
    pub next: Option<String>,
}
