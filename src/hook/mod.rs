//! Outgoing webhooks, as they are on the wire: what a message says (`body`), how it is signed (`signature`), where it may
//! go (`network`), how it is sent (`sender`), and when again (`backoff`). The form is that of the Standard Webhooks
//! specification, so that its libraries verify what we send. Nothing here knows our tables, our books or our rules.

pub mod backoff;
pub mod body;
pub mod network;
pub mod sender;
pub mod signature;

/// What a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pack was credited.
    ToppedUp,
    /// A plan's invoice was allotted, or a downgrade took units back.
    Allotted,
    /// What is left fell below the threshold.
    LowBalance,
    /// The user's plan is another one.
    PlanChanged,
    /// A refund or a dispute took units, or gave them back.
    Reversed,
}

impl Kind {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Kind; 5] = [Kind::ToppedUp, Kind::Allotted, Kind::LowBalance, Kind::PlanChanged, Kind::Reversed];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::ToppedUp => "user.topped_up",
            Kind::Allotted => "user.allotted",
            Kind::LowBalance => "user.low_balance",
            Kind::PlanChanged => "user.plan_changed",
            Kind::Reversed => "user.reversed",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
