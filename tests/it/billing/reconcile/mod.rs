//! Comparing the books with Stripe: the command that finds what no webhook reported, and a comparison that was
//! interrupted and resumes where it stopped.

mod command;
mod resumption;
