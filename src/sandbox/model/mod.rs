//! The rows of `State` that are more than one of Stripe's objects: the object, and what Stripe knows about it without
//! showing it. Rows know what they hold; they change no other row and emit no events.

pub mod coupon;
pub mod invoice;
pub mod session;
pub mod subscription;
pub mod webhook_endpoint;
