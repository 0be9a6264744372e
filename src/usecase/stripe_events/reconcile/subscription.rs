//! Whether Stripe's description of a subscription says something that the books do not have, and as of when it counts.
//! A list, unlike an event, has no time. It must never win over a newer event.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::subscriptions;
use crate::stripe::Subscription;
use crate::usecase::stripe_events::apply::{self, Clues, owner_of};

/// A new subscription counts as described so long ago, so that events about it that are under way are newer.
const UNDER_WAY_SECONDS: i64 = 300;

/// As of when the description applies. `None` when the books have it, or when it belongs to nobody here.
///
/// One that differs gets the time of what the books have. Time then cannot tell which came later, and the same rule
/// applies as for two events of one second: Stripe is asked (`retry::ask_about_ambiguous`).
pub(super) fn as_of(app: &App, described: &Subscription) -> Result<Option<Timestamp>> {
    app.store.read(|tx| {
        let Some(known) = subscriptions::find(tx, &described.id)? else {
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
        // One that has ended stays ended, whenever that was.
        Ok((known.ended_at.is_none() && new != known).then_some(known.as_of))
    })
}
