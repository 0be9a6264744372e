//! Whether Stripe's description of a subscription differs from the books, and as of when it counts. Unlike an event, a
//! list has no time, so it must never win over a newer event.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::{Tx, subscriptions};
use crate::stripe::Subscription;
use crate::usecase::stripe_events::apply::{self, Clues, owner_of};

/// A new subscription is dated back by this, so that events about it that are still on their way are newer.
const UNDER_WAY_SECONDS: i64 = 300;

/// As of when the description applies. `None` if the books have it already, or if it belongs to nobody here.
///
/// A description that differs gets the time of the one in the books. Time then cannot decide which came later, and the
/// rule for two events of one second applies: Stripe is asked (`retry::ask_about_ambiguous`).
pub(super) fn as_of(tx: &mut dyn Tx, app: &App, described: &Subscription) -> Result<Option<Timestamp>> {
    let Some(known) = subscriptions::find(tx, &described.id)? else {
        if !apply::is_our_subscription(&app.catalog, described) {
            return Ok(None);
        }
        let recently = app.clock.now().plus_seconds(-UNDER_WAY_SECONDS);
        let clues = Clues {
            customer: described.customer.as_deref(),
            user_id: described.metadata.get("user_id").map(String::as_str),
            ..Clues::default()
        };
        return Ok(owner_of(tx, clues)?.map(|_| Timestamp::from_seconds(recently.seconds())));
    };
    let mut new = apply::describe(&app.catalog, described, known.account, known.as_of);
    new.created_at = known.created_at;
    // An ended subscription stays ended, whenever that was.
    Ok((known.ended_at.is_none() && new != known).then_some(known.as_of))
}
