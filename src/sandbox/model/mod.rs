//! Rows of `State` that are more than one of Stripe's objects: the object, and what Stripe knows about it without
//! showing it. A row changes no other row and emits no events.

pub mod coupon;
pub mod invoice;
pub mod link;
pub mod session;
pub mod settlement;
pub mod subscription;
pub mod tax;
pub mod webhook_endpoint;
