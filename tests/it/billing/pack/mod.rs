//! Packs, which are paid once: the purchase itself, that it is credited once, and what an order is worth.

mod idempotency;
mod order;
mod purchase;
mod terms;

use crate::harness::Shop;

const COMPLETED: &str = "checkout.session.completed";

/// A shop to which Stripe itself sends nothing: the story does.
fn silent_shop() -> Shop {
    let shop = Shop::open();
    shop.stripe_control("webhooks/hold", &[]);
    shop.user("alice");
    shop
}
