//! Decides whose a Stripe object is. The operator's assignment comes first, then the subscription, the customer, and
//! the metadata that till set. E-mail addresses decide nothing.

use crate::error::Result;
use crate::store::{Tx, customers, subscriptions, users};
use crate::usecase::stripe_events::apply::outcome::Assignment;

/// What an object says about its owner.
#[derive(Clone, Copy, Default)]
pub(crate) struct Clues<'a> {
    pub(crate) assigned: Option<&'a Assignment>,
    pub(crate) subscription: Option<&'a str>,
    pub(crate) customer: Option<&'a str>,
    /// The `user_id` of our metadata.
    pub(crate) user_id: Option<&'a str>,
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
/// customer. If it names an unknown user, the customer does not overrule it. `Err` says why the account is unknown.
pub(super) fn buyer_of(tx: &mut dyn Tx, clues: Clues<'_>) -> Result<std::result::Result<i64, String>> {
    if let Some(assigned) = clues.assigned {
        return Ok(Ok(assigned.account));
    }
    Ok(match (clues.user_id, clues.customer) {
        (Some(id), _) => users::find(tx, id)?
            .map(|user| user.account)
            .ok_or_else(|| format!("its metadata names the user {id:?}, who is not known here")),
        (None, Some(customer)) => {
            customers::account_of(tx, customer)?.ok_or_else(|| format!("the customer {customer} is not known here"))
        }
        (None, None) => Err("it names neither a user nor a customer of ours".to_owned()),
    })
}
