//! Comparing the books with Stripe: the command that finds what no webhook reported, payments that Stripe does not confirm,
//! lists that cannot be compared whole, and a comparison that was interrupted and resumes where it stopped.

mod command;
mod confirmation;
mod lists;
mod report;
mod resumption;
