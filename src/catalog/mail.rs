//! Which letters are sent: the table `[mail]` of the catalogue's file, with a line for each kind that the operator turns off.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The kinds of letters. A kind's word is the same in the catalogue, in the database and in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// A link that signs somebody in.
    SignIn,
    /// A link to a new password.
    PasswordReset,
    /// A link that confirms an address.
    AddressChange,
    /// To the old address: it was replaced.
    AddressChanged,
    /// An invitation to make an account.
    Invite,
    /// The account is there.
    Welcome,
    /// A pack was paid and credited.
    Receipt,
    /// A plan's payment was not taken.
    PaymentFailed,
    /// A plan is set to end, or has ended.
    PlanEnds,
    /// Units expire within a week.
    UnitsExpire,
    /// The balance fell below the threshold.
    LowBalance,
    /// From the operator to themselves.
    #[serde(skip_deserializing)]
    Test,
}

impl MailKind {
    /// Those that are sent to people.
    pub const ALL: [MailKind; 11] = [
        MailKind::SignIn,
        MailKind::PasswordReset,
        MailKind::AddressChange,
        MailKind::AddressChanged,
        MailKind::Invite,
        MailKind::Welcome,
        MailKind::Receipt,
        MailKind::PaymentFailed,
        MailKind::PlanEnds,
        MailKind::UnitsExpire,
        MailKind::LowBalance,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            MailKind::SignIn => "sign_in",
            MailKind::PasswordReset => "password_reset",
            MailKind::AddressChange => "address_change",
            MailKind::AddressChanged => "address_changed",
            MailKind::Invite => "invite",
            MailKind::Welcome => "welcome",
            MailKind::Receipt => "receipt",
            MailKind::PaymentFailed => "payment_failed",
            MailKind::PlanEnds => "plan_ends",
            MailKind::UnitsExpire => "units_expire",
            MailKind::LowBalance => "low_balance",
            MailKind::Test => "test",
        }
    }

    /// The kind with this word.
    pub fn parse(word: &str) -> Option<MailKind> {
        MailKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether a person may refuse it. What answers to something that the person did, or that money needs, is always sent.
    pub fn is_optional(self) -> bool {
        matches!(self, MailKind::Welcome | MailKind::PlanEnds | MailKind::UnitsExpire | MailKind::LowBalance)
    }

    /// Whether somebody without an account can cause it: it goes to an address that the asking person typed.
    pub fn is_asked_for(self) -> bool {
        matches!(self, MailKind::SignIn | MailKind::PasswordReset | MailKind::AddressChange | MailKind::Invite)
    }
}

/// Which kinds are sent. Without a mail server none is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<MailKind, bool>")]
pub struct MailSwitches {
    has_server: bool,
    off: BTreeSet<MailKind>,
}

impl MailSwitches {
    /// The same where there is a mail server.
    pub fn with_server(self) -> MailSwitches {
        MailSwitches { has_server: true, ..self }
    }

    /// Whether letters of this kind are sent.
    pub fn sends(&self, kind: MailKind) -> bool {
        self.has_server && !self.off.contains(&kind)
    }
}

impl From<BTreeMap<MailKind, bool>> for MailSwitches {
    fn from(rows: BTreeMap<MailKind, bool>) -> MailSwitches {
        let off = rows.into_iter().filter(|(_, is_on)| !is_on).map(|(kind, _)| kind).collect();
        MailSwitches { has_server: false, off }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_sent_unless_its_line_says_otherwise_and_none_without_a_server() {
        let read = |text: &str| toml::from_str::<MailSwitches>(text);
        let some = read("receipt = false\nlow_balance = true").unwrap();
        for kind in MailKind::ALL {
            assert_eq!(MailKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(some.clone().with_server().sends(kind), kind != MailKind::Receipt, "{kind:?}");
            assert!(!some.sends(kind) && MailSwitches::default().with_server().sends(kind));
            assert!(!(kind.is_optional() && kind.is_asked_for()));
        }
        assert!(read("reciept = false").unwrap_err().message().contains("expected one of"));
        assert!(read("receipt = \"no\"").is_err());
    }
}
