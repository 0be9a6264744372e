//! Collecting money, and how it goes back. Source: Stripe, "How PaymentIntents and SetupIntents work".
//!
//! | file | what it decides |
//! | --- | --- |
//! | `payment_method` | what can be charged, and whose it is |
//! | `intent` | the payment intent, and every change of it that has an event |
//! | `charge` | the charge that each attempt records |
//! | `dispute` | a chargeback or an inquiry, from its opening to its end |
//! | `refund` | money back to the payer |
//! | `transaction` | what each of these moves on the account's balance |
//! | `attempt` | one attempt to collect, and what a bank debit ends in |

pub mod attempt;
pub mod charge;
pub mod dispute;
pub mod intent;
pub mod payment_method;
pub mod refund;
pub mod transaction;
