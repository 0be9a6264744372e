//! What Stripe bills for: subscriptions, their invoices, and the calendar that they follow. Prices are licensed and per
//! unit, all items of a subscription renew together, and prorations are exact to the second.
//!
//! Each file uses only those above it.
//!
//! | file | what it decides |
//! | --- | --- |
//! | `calendar` | when a period ends, and what a part of one costs |
//! | `price` | what a price costs in a currency, and which currency a customer is bound to |
//! | `balance` | a customer's credit |
//! | `line` | what an invoice's lines look like, and what waits for the next invoice |
//! | `schedule` | a change that waits for the end of a period |
//! | `subscription` | every change of a subscription that has an event, up to its cancellation |
//! | `customer` | a customer, whose deletion cancels subscriptions |
//! | `discount` | what a coupon gives to a subscription |
//! | `invoice_payment` | which payment intent pays an invoice |
//! | `invoice` | every change of an invoice that has an event, from its draft to its end |
//! | `cycle` | renewing, collecting, and what a payment or its failure means |
//! | `start` | starting a subscription, ending its trial, resuming it |
//! | `change` | other prices and quantities, with prorations |
//! | `prepaid` | the invoice of a checkout that has been paid |
//! | `credit_note` | lowering a final invoice |

pub mod balance;
pub mod calendar;
pub mod change;
pub mod credit_note;
pub mod customer;
pub mod cycle;
pub mod discount;
pub mod invoice;
pub mod invoice_payment;
pub mod line;
pub mod prepaid;
pub mod price;
pub mod schedule;
pub mod start;
pub mod subscription;
