//! What Stripe bills for: subscriptions, their invoices, and the calendar that they follow. Prices are licensed and per
//! unit, all items of a subscription have one rhythm, and prorations are to the second.
//!
//! | file | what it decides |
//! | --- | --- |
//! | `calendar` | when a period ends, and what a part of one costs |
//! | `line` | what an invoice's lines look like, and what waits for the next invoice |
//! | `invoice` | drafting, finalizing, voiding |
//! | `collection` | paying an invoice, and failing to |
//! | `balance` | a customer's credit |
//! | `credit` | credit notes: lowering a final invoice |
//! | `subscription` | the object, and every change of it that is told |
//! | `lifecycle` | starting and renewing |
//! | `outcome` | ending, and what a payment or its failure means |
//! | `modify` | other prices and quantities, with prorations |

pub mod balance;
pub mod calendar;
pub mod collection;
pub mod credit;
pub mod invoice;
pub mod lifecycle;
pub mod line;
pub mod modify;
pub mod outcome;
pub mod subscription;
