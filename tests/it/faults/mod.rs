//! What goes wrong around an appliance at work: its disk, its database, its stop, and Stripe.

mod bounds;
mod clock;
mod crowds;
mod database;
mod opening;
mod postgres;
mod rates;
mod stopping;
mod stripe_away;
mod watchdog;
mod wrong_clock;
