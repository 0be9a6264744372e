//! Everything that till knows about Stripe: how webhooks are signed, how objects are read, how the API is called.
//!
//! Not here: till's tables, ledger, catalogue and configuration. The callers decide whether something is credited. This
//! module only reports what Stripe said.
//!
//! Reading order: [`signature`] (pure) proves that a body is Stripe's; [`event`] lists the events that till handles;
//! [`objects`] reads their objects, whichever API version wrote them; [`listing`] reads the same objects from Stripe's
//! lists; [`requests`] writes the exact bodies that are sent; [`client`] sends them, and [`retry`] decides whether again;
//! [`error`] is a failed call; [`calls`] are the calls that till makes; [`setup`] and [`portal`] are what an operator
//! sets up; [`account`] says whose key it is, [`permissions`] what a restricted one must allow; [`probe`] tests the way
//! to our webhook.

pub mod account;
pub mod calls;
pub mod client;
pub mod error;
pub mod event;
pub mod figures;
pub mod listing;
pub mod objects;
pub mod permissions;
pub mod portal;
pub mod probe;
pub mod requests;
pub mod retry;
pub mod setup;
pub mod signature;

pub use account::StripeAccount;
pub use calls::{EventFilter, ListQuery, ListedEvent, UnreadableRow};
pub use client::{Stripe, StripeOptions};
pub use error::{StripeError, StripeErrorKind};
pub use event::{CheckoutStep, DisputeStep, Event, EventEnvelope, SubscriptionStep};
pub use figures::CallFigures;
pub use listing::{Described, ListedKind, ListedObject};
pub use objects::{
    BalanceSource, BalanceTransaction, Charge, CheckoutSession, CreditNote, CreditedLines, Customer, Dispute,
    FundsMove, Invoice, InvoiceLine, InvoicePayment, LineItem, List, NextPhase, PaymentIntent, PaymentOrigin, Price,
    Refund, Schedule, ScheduleHint, Subscription, SubscriptionItem, Unreadable, storable,
};
pub use portal::{PortalConfiguration, PortalPlan};
pub use requests::{CheckoutMode, CheckoutRequest, CheckoutTerms, CustomerRequest, PortalRequest};
pub use signature::{SignatureFault, Verification};

/// The API version that every request names in `Stripe-Version`, and that till sets on a webhook endpoint. What arrives
/// may still have any other version: objects are read in all shapes.
pub const API_VERSION: &str = "2026-05-27.dahlia";
