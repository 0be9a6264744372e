//! Decides whose a Stripe object is. The operator's assignment comes first, then the subscription, the customer, and
//! the metadata that till set. For a checkout that began elsewhere, its reference comes last. E-mail addresses decide
//! nothing.

use crate::error::Result;
use crate::id::UserId;
use crate::store::{Tx, customers, subscriptions, users};
use crate::stripe::{CheckoutSession, Invoice};
use crate::usecase::stripe_events::apply::outcome::Assignment;

/// What an object says about its owner.
#[derive(Clone, Copy, Default)]
pub(crate) struct Clues<'a> {
    pub(crate) assigned: Option<&'a Assignment>,
    pub(crate) subscription: Option<&'a str>,
    pub(crate) customer: Option<&'a str>,
    /// The `user_id` of our metadata.
    pub(crate) user_id: Option<&'a str>,
    /// The `client_reference_id` of a checkout.
    pub(crate) reference: Option<&'a str>,
}

impl<'a> Clues<'a> {
    /// What a checkout session says.
    pub(crate) fn of_session(session: &'a CheckoutSession, assigned: Option<&'a Assignment>) -> Clues<'a> {
        Clues {
            assigned,
            subscription: None,
            customer: session.customer.as_deref(),
            user_id: session.metadata.get("user_id").map(String::as_str),
            reference: session.client_reference_id.as_deref(),
        }
    }

    /// What an invoice says.
    pub(super) fn of_invoice(invoice: &'a Invoice, assigned: Option<&'a Assignment>) -> Clues<'a> {
        let user_id = invoice.subscription_metadata.get("user_id").or(invoice.metadata.get("user_id"));
        Clues {
            assigned,
            subscription: invoice.subscription.as_deref(),
            customer: invoice.customer.as_deref(),
            user_id: user_id.map(String::as_str),
            reference: None,
        }
    }
}

/// The account, by the first clue that leads to one.
pub(crate) fn owner_of(tx: &mut dyn Tx, clues: Clues<'_>) -> Result<Option<i64>> {
    if let Some(assigned) = clues.assigned {
        return Ok(Some(assigned.account));
    }
    if let Some(id) = clues.subscription
        && let Some(subscription) = subscriptions::find(tx, id)?
    {
        return Ok(Some(subscription.account));
    }
    if let Some(customer) = clues.customer
        && let Some(account) = customers::account_of(tx, customer)?
    {
        return Ok(Some(account));
    }
    match clues.user_id {
        Some(id) => Ok(users::find(tx, id)?.map(|user| user.account)),
        None => Ok(None),
    }
}

/// The account that a checkout session is for. The metadata is about this very session, so it comes before the
/// customer. If it names an unknown user, nothing overrules it. `Err` says why the account is unknown.
///
/// The reference comes last: in the address of a payment link the buyer can write any user's. That gives units to that
/// user and takes none, because what a reversal of the payment takes is at most what the payment gave.
pub(crate) fn buyer_of(tx: &mut dyn Tx, clues: Clues<'_>) -> Result<std::result::Result<i64, String>> {
    if let Some(assigned) = clues.assigned {
        return Ok(Ok(assigned.account));
    }
    if let Some(id) = clues.user_id {
        let user = users::find(tx, id)?;
        return Ok(user
            .map(|user| user.account)
            .ok_or_else(|| format!("its metadata names the user {id:?}, who is not known here")));
    }
    if let Some(customer) = clues.customer
        && let Some(account) = customers::account_of(tx, customer)?
    {
        return Ok(Ok(account));
    }
    if let Some(account) = user_by_reference(tx, clues.reference)? {
        return Ok(Ok(account));
    }
    Ok(Err(match clues.customer {
        Some(customer) => format!("the customer {customer} is not known here"),
        None => "it names neither a user nor a customer of ours".to_owned(),
    }))
}

/// The account of the user that a `client_reference_id` names.
pub(super) fn user_by_reference(tx: &mut dyn Tx, reference: Option<&str>) -> Result<Option<i64>> {
    match reference.and_then(UserId::of_reference) {
        Some(id) => Ok(users::find(tx, id.as_str())?.map(|user| user.account)),
        None => Ok(None),
    }
}
