//! `invoice`.
use crate::sandbox::state::State;
use serde_json::Value;
/// An invoice.
#[derive(Clone, Debug)]
pub struct Invoice {
    /// The object.
    pub object: Value,
}
/// Wakes.
pub fn wake(_: &mut State, _: &str) {}
/// Paid.
pub fn intent_paid(_: &mut State, _: &str) {}
/// Failed.
pub fn intent_failed(_: &mut State, _: &str) {}
