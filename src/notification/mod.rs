//! Outgoing webhooks as they are on the wire: what a notification says (`body`), how it is signed (`signature`), which
//! addresses it may go to (`network`), and how it is sent (`sender`). The form is that of the Standard Webhooks
//! specification, so that its libraries verify what we send. Nothing here knows our tables or our rules.

pub mod body;
pub mod network;
pub mod sender;
pub mod signature;

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A pack was credited.
    ToppedUp,
    /// A plan's invoice was allotted, or a downgrade took units back.
    Allotted,
    /// The balance fell below the user's threshold.
    LowBalance,
    /// Units expire within a week.
    UnitsExpiring,
    /// The user has another plan than before.
    PlanChanged,
    /// A refund or a dispute took units, or gave them back.
    Reversed,
}

impl Topic {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Topic; 6] = [
        Topic::ToppedUp,
        Topic::Allotted,
        Topic::LowBalance,
        Topic::UnitsExpiring,
        Topic::PlanChanged,
        Topic::Reversed,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::ToppedUp => "user.topped_up",
            Topic::Allotted => "user.allotted",
            Topic::LowBalance => "user.low_balance",
            Topic::UnitsExpiring => "user.units_expiring",
            Topic::PlanChanged => "user.plan_changed",
            Topic::Reversed => "user.reversed",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| topic.as_str() == text)
    }
}
