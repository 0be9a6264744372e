//! `subscription`.
use serde_json::Value;
/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The object.
    pub object: Value,
}
