//! All that till knows of Stripe: how its webhooks are signed, how its objects are read, how it is called.
//!
//! Not here: till's tables, its ledger, its catalogue, its configuration. Whether something is credited is decided
//! by the callers. This says only what Stripe said.
//!
//! Reading order: [`signature`] (pure) proves that a body is Stripe's; [`event`] says which events till handles;
//! [`objects`] reads their objects, whichever API version wrote them; [`listing`] reads the same objects from Stripe's
//! lists; [`requests`] writes the exact bodies that are sent; [`client`] sends them, and [`retry`] says whether again;
//! [`error`] is a call's failure; [`calls`] are the calls that till makes; [`setup`] and [`portal`] are what an operator
//! sets up.

pub mod calls;
pub mod client;
pub mod error;
pub mod event;
pub mod listing;
pub mod objects;
pub mod portal;
pub mod probe;
pub mod requests;
pub mod retry;
pub mod setup;
pub mod signature;

pub use calls::{EventFilter, ListQuery, ListedEvent};
pub use client::{Stripe, StripeOptions};
pub use error::{StripeError, StripeErrorKind};
pub use event::{CheckoutStep, DisputeStep, Event, EventEnvelope, SubscriptionStep};
pub use listing::{ListedKind, ListedObject};
pub use objects::{
    Charge, CheckoutSession, CreditNote, Customer, Dispute, FundsMove, Invoice, InvoiceLine, InvoicePayment, LineItem,
    List, Price, Refund, Subscription, SubscriptionItem, Unreadable,
};
pub use portal::{PortalConfiguration, PortalPlan};
pub use requests::{CheckoutMode, CheckoutRequest, CustomerRequest, PortalRequest};
pub use signature::{SignatureFault, Verified};

/// The API version that every request names in `Stripe-Version`, and that a webhook endpoint made by till is given.
/// What arrives may still be in any other: objects are read in the shapes of all.
pub const API_VERSION: &str = "2026-05-27.dahlia";
