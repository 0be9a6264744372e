//! Packs, which are paid once: the purchase itself, that it is credited once, and what an order is worth.

mod idempotency;
mod order;
mod purchase;
