//! The labels of the counters. Each has few values: what strangers choose, such as a path, is none of them.

use prometheus_client::encoding::EncodeLabelSet;

/// An event that Stripe sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EventLabels {
    /// Stripe's type; `other` for one that till does nothing with.
    pub kind: String,
    /// The inbox's status.
    pub status: &'static str,
}

/// The labels of a counter by kind of entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// The ledger's kind, the inbox's status, or what is bounded.
    pub kind: &'static str,
}

/// An attempt to deliver an outgoing webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeliveryLabels {
    /// `delivered`, `failed`, or `parked`: failed, and given up.
    pub status: &'static str,
}

/// An attempt to send a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MailLabels {
    /// The kind's word.
    pub kind: &'static str,
    /// `sent`, `delayed`, or `failed`: given up.
    pub status: &'static str,
}

/// A token, a press, a link or a signature that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabels {
    /// `sign_in`, `permission`, `link` or `signature`.
    pub kind: &'static str,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub method: &'static str,
    /// The route's pattern, never the path: paths hold ids.
    pub route: String,
    pub status: u16,
}
