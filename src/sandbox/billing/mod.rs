//! What Stripe bills for: subscriptions, their invoices, and the calendar they follow.

pub mod invoice;
pub mod lifecycle;
pub mod subscription;
