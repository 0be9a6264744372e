//! Plans, which are paid again each period: the subscription, its states, the shapes of its invoices, changes between
//! plans, yearly plans and failed renewals.

mod allotment;
mod changes;
mod grace;
mod late_payment;
mod one_plan;
mod same_second;
mod scheduled;
mod shapes;
mod slow_payment;
mod states;
mod subscriber;
mod subscription;
mod time_shares;
mod year;
