//! Plans, which are paid again each period: the subscription, its states, the shapes of its invoices, changes between
//! plans, yearly plans and failed renewals.

mod allotment;
mod changes;
mod grace;
mod late_payment;
mod scheduled;
mod shapes;
mod states;
mod subscriber;
mod subscription;
mod time_shares;
mod year;
