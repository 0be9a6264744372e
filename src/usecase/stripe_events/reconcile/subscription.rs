//! Whether Stripe's description of a subscription says something that the books do not have, and as of when it counts.
//! A list has no time for what it says, unlike an event, and must never win over an event that is newer.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::{Tx, customers, subscriptions, users};
use crate::stripe::Subscription;
use crate::usecase::stripe_events::apply;

/// A new subscription is taken to be described so long ago: what events say of it that are under way is newer then.
const UNDER_WAY_SECONDS: i64 = 300;

/// As of when the description is to be applied; none when the books have it, or it is nobody's here.
///
/// One that differs is given the time of what the books have: then time cannot tell which came later, and the same rule
/// applies as for two events of one second: Stripe is asked (`subscribe::ask_unsure`).
pub(super) fn as_of(app: &App, described: &Subscription) -> Result<Option<Timestamp>> {
    app.store.read(|tx| {
        let Some(known) = subscriptions::find(tx, &described.id)? else {
            let recently = app.clock.now().plus_seconds(-UNDER_WAY_SECONDS);
            return Ok(is_somebodys(tx, described)?.then(|| Timestamp::from_seconds(recently.seconds())));
        };
        let mut new = apply::describe(&app.catalog, described, known.account, known.as_of);
        new.created_at = known.created_at;
        // One that has ended stays ended, whenever that was.
        Ok((known.ended_at.is_none() && new != known).then_some(known.as_of))
    })
}

fn is_somebodys(tx: &mut dyn Tx, described: &Subscription) -> Result<bool> {
    if let Some(customer) = &described.customer
        && customers::account_of(tx, customer)?.is_some()
    {
        return Ok(true);
    }
    match described.metadata.get("user_id") {
        Some(id) => Ok(users::find(tx, id)?.is_some()),
        None => Ok(false),
    }
}
