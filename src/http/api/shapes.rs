//! The JSON of users, entries and holds: what the API answers, what `--json` prints, and what the description describes.
//! The doc comments of the types are published in that description.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::clock::rfc3339;
use crate::ledger::{Entry, Kind};
use crate::store::holds::{Hold, HoldEnd};
use crate::usecase::users::UserSnapshot;

/// The example of a user in the description.
pub(super) const USER: &str = r#"{"id":"alice","email":"alice@example.org","name":"Alice Example","plan":"starter",
    "features":[],"units":{"total":200,"remaining":97,"held":1,"available":96,
    "expiring":[{"units":40,"at":"2027-02-14T08:00:00.000Z"}]},"subscription":{"plan":"starter",
    "status":"active","current_period_end":"2027-02-14T08:00:00.000Z","cancel_at_period_end":false},
    "created_at":"2026-11-14T08:00:00.000Z"}"#;
/// The example of an entry in the description.
pub(super) const ENTRY: &str = r#"{"id":"ent_1_5","user_id":"alice","kind":"spend","delta":-1,"balance_after":97,
    "reason":"spend_job-7f3a","note":"a fox in the snow","created_at":"2027-01-31T09:30:00.000Z"}"#;

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(crate) struct UserShape {
    /// Your own id for the user.
    id: String,
    /// For people to read.
    email: Option<String>,
    /// For people to read.
    name: Option<String>,
    /// The key of the plan whose features the user has; `none` where the catalogue has no free plan.
    plan: String,
    /// What the plan switches on.
    features: Vec<String>,
    /// What is left.
    units: UnitsShape,
    /// The subscription that decides the plan, or, where none does, the newest that has not ended.
    subscription: Option<SubscriptionShape>,
    /// When the user became known.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
}

/// What a user has.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Units")]
pub(crate) struct UnitsShape {
    /// All units ever credited.
    total: i64,
    /// The sum of the ledger; negative after a refund of units that are spent.
    remaining: i64,
    /// Set aside by open holds.
    held: i64,
    /// What a spend or a hold may take: `remaining` less `held`.
    available: i64,
    /// What of it expires and when, the soonest first; at most a hundred times.
    #[schemars(length(max = EXPIRING_LIMIT))]
    expiring: Vec<ExpiringShape>,
}

/// The most times that `expiring` lists.
const EXPIRING_LIMIT: usize = 100;

/// Units that expire at the same time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExpiringUnits")]
pub(crate) struct ExpiringShape {
    /// How many are left of them, without those that are held.
    units: i64,
    /// When they expire, if nothing else happens. A plan's units may get a grace then.
    #[schemars(extend("format" = "date-time"))]
    at: String,
}

/// A subscription.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Subscription")]
pub(crate) struct SubscriptionShape {
    /// The plan's key.
    plan: String,
    /// Stripe's word: `active`, `trialing`, `past_due` and so on.
    status: String,
    /// When it renews or ends.
    #[schemars(extend("format" = "date-time"))]
    current_period_end: Option<String>,
    /// Whether it ends then.
    cancel_at_period_end: bool,
}

impl UserShape {
    pub(crate) fn of(member: UserSnapshot) -> UserShape {
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
                expiring: member
                    .expiring
                    .iter()
                    .take(EXPIRING_LIMIT)
                    .map(|part| ExpiringShape { units: part.units, at: rfc3339(part.at) })
                    .collect(),
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
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Entry")]
pub(crate) struct EntryShape {
    /// Such as `ent_1_5`.
    id: String,
    /// Whose ledger.
    user_id: String,
    /// Why units moved.
    #[schemars(schema_with = "kinds")]
    kind: &'static str,
    /// How many came (positive) or went (negative).
    delta: i64,
    /// `remaining` after it.
    balance_after: i64,
    /// What makes it happen once: `spend_` and the key, `hold_` and the hold's id, and so on. No two entries of a user have
    /// the same.
    reason: String,
    /// For people to read.
    note: Option<String>,
    /// When it was written.
    #[schemars(extend("format" = "date-time"))]
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
            note: entry.note_text().map(str::to_owned),
            reason: entry.reason,
            created_at: rfc3339(entry.created_at),
        }
    }
}

/// Units set aside.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
pub(crate) struct HoldShape {
    /// Such as `hld_1_5`.
    id: String,
    /// Whose units.
    user_id: String,
    /// How many were set aside.
    units: i64,
    /// How many of them were used.
    captured: i64,
    /// `open`, or how it was closed: once, and for ever.
    #[schemars(extend("enum" = ["open", "captured", "released", "expired"]))]
    status: &'static str,
    /// When what is still held goes back by itself.
    #[schemars(extend("format" = "date-time"))]
    expires_at: String,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
}

impl HoldShape {
    pub(crate) fn of(hold: Hold, user_id: String) -> HoldShape {
        let status = match hold.closed {
            None => "open",
            Some(HoldEnd::Captured) => "captured",
            Some(HoldEnd::Released) => "released",
            Some(HoldEnd::Expired) => "expired",
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
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(crate) struct ListShape<T> {
    /// The rows of this page.
    pub data: Vec<T>,
    /// What to give as `after` for the next page; null on the last one.
    pub next: Option<String>,
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Kind::ALL.map(Kind::as_str) })
}
