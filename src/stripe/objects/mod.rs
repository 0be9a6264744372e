//! Stripe's objects, read tolerantly: only the fields that till needs, wherever the writing API version put them.
//!
//! The rules, the same for every object:
//! - A field is read from its new place, else from its old one; never by asking for the version (mixed shapes are real).
//! - Absent, null and further fields are fine. What cannot be missing is the id.
//! - Where Stripe puts an id or, expanded, the object, the id is read.
//! - Words of a closed list (`status`, `payment_status`) stay text, empty when Stripe did not say: lists grow. What a
//!   word means is a predicate that names the words it accepts; an unknown one never counts as paid.
//! - Amounts are whole minor units. Decimals in strings are not read.
//! - A field of another type than expected is not guessed at: [`Unreadable`] names it.
//!
//! Not here: what any of it is worth in units, or to whom.

mod checkout;
mod credit_note;
mod fields;
mod invoice;
mod payment;
mod problem;
mod subscription;

pub use checkout::{CheckoutSession, Customer, LineItem, Price};
pub use credit_note::CreditNote;
pub use fields::{List, Unreadable};
pub use invoice::{Invoice, InvoiceLine, InvoicePayment};
pub use payment::{Charge, Dispute, FundsMove, Refund};
pub use problem::ErrorBody;
pub use subscription::{Subscription, SubscriptionItem};

pub(super) use fields::{Fields, parse_json};
