//! What a letter says: one variant for each kind, with what differs from letter to letter. It is stored as JSON until the
//! letter is sent. A link in it may let somebody in, so a letter is never logged: its `Debug` shows the kind alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalog::MailKind;

/// Something to tell a person. Times are milliseconds, amounts in the currency's minor unit.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// A link that signs somebody in, for so many minutes.
    SignIn { url: String, minutes: i64 },
    /// A link that makes an account and signs its owner in, for so many minutes.
    SignUp { url: String, minutes: i64 },
    /// A link to a new password, for so many minutes.
    PasswordReset { url: String, minutes: i64 },
    /// To the new address: a link that confirms it, for so many minutes.
    AddressChange { url: String, minutes: i64 },
    /// To the old address: it was replaced.
    AddressChanged { new_address: String },
    /// An invitation to make an account.
    Invite { url: String },
    /// The account is there.
    Welcome {},
    /// A payment was credited.
    Receipt(PackReceipt),
    /// The payment for a plan was not taken.
    PaymentFailed(PaymentFailure),
    /// A plan, by its key, is set to end then, or has ended.
    PlanEnds { plan: String, at: i64, has_ended: bool },
    /// Units expire then.
    UnitsExpire { units: i64, at: i64 },
    /// The balance fell below the threshold.
    LowBalance { remaining: i64, threshold: i64 },
    /// From the operator to themselves: mail works.
    Test {},
}

/// Packs that were paid and credited together.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackReceipt {
    /// The packs' keys.
    pub offers: Vec<String>,
    pub units: i64,
    pub amount: i64,
    pub currency: String,
    pub paid_at: i64,
    /// After it.
    pub balance: i64,
}

/// A plan's payment that was not taken.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentFailure {
    /// The plan's key.
    pub plan: String,
    pub amount: i64,
    pub currency: String,
    /// When Stripe tries again by itself; absent: it does not.
    pub next_attempt_at: Option<i64>,
}

impl Letter {
    pub fn kind(&self) -> MailKind {
        match self {
            Letter::SignIn { .. } | Letter::SignUp { .. } => MailKind::SignIn,
            Letter::PasswordReset { .. } => MailKind::PasswordReset,
            Letter::AddressChange { .. } => MailKind::AddressChange,
            Letter::AddressChanged { .. } => MailKind::AddressChanged,
            Letter::Invite { .. } => MailKind::Invite,
            Letter::Welcome {} => MailKind::Welcome,
            Letter::Receipt(_) => MailKind::Receipt,
            Letter::PaymentFailed(_) => MailKind::PaymentFailed,
            Letter::PlanEnds { .. } => MailKind::PlanEnds,
            Letter::UnitsExpire { .. } => MailKind::UnitsExpire,
            Letter::LowBalance { .. } => MailKind::LowBalance,
            Letter::Test {} => MailKind::Test,
        }
    }

    /// For how long its link works; `None` where it has none, or one that does not end soon.
    pub fn lifetime_minutes(&self) -> Option<i64> {
        match self {
            Letter::SignIn { minutes, .. }
            | Letter::SignUp { minutes, .. }
            | Letter::PasswordReset { minutes, .. }
            | Letter::AddressChange { minutes, .. } => Some(*minutes),
            _ => None,
        }
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({})", self.kind().as_str())
    }
}
