//! Stripe's objects, read tolerantly: only the fields that till needs, wherever the writing API version put them.
//!
//! The rules, the same for every object:
//! - A field is read from its new place, else from its old one. The version never decides, because mixed shapes exist.
//! - Absent, null and unknown fields are fine. Only the id is always required.
//! - Where Stripe writes an id or the expanded object, the id is read.
//! - Words of a closed list (`status`, `payment_status`) stay text, empty when Stripe did not say, because lists grow.
//!   A predicate names the words that it accepts. An unknown word never counts as paid.
//! - Amounts are whole minor units. Decimals in strings are not read.
//! - A field of an unexpected type is not guessed at: [`Unreadable`] names it.
//! - Characters, numbers and depths that parsers and databases refuse are replaced before anything is read (`json`).
//!
//! Not here: how many units anything is worth, and for whom.

mod balance_transaction;
mod checkout;
mod credit_note;
mod fields;
mod invoice;
mod json;
mod payment;
mod problem;
mod schedule;
mod subscription;

pub use balance_transaction::{BalanceSource, BalanceTransaction};
pub use checkout::{CheckoutSession, Customer, LineItem, Price};
pub use credit_note::CreditNote;
pub use fields::{List, Unreadable};
pub use invoice::{CreditedLines, Invoice, InvoiceLine, InvoicePayment};
pub use json::storable;
pub use payment::{Charge, Dispute, FundsMove, PaymentIntent, PaymentOrigin, Refund};
pub use problem::ErrorBody;
pub use schedule::{NextPhase, Schedule, ScheduleHint};
pub use subscription::{Subscription, SubscriptionItem};

pub(super) use fields::Fields;
pub(super) use json::parse_json;
