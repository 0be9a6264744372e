//! What time does to subscriptions: Stripe is asked where events could not tell which came later, and the months of
//! yearly plans are allotted when they are due.

use std::time::Duration;

use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::store::{payments, subscriptions};

use crate::usecase::notifications::enqueue;
use crate::usecase::stripe_events::apply::{self, Context, Facts};

/// Subscriptions asked about, and months allotted, in one round.
const BATCH: i64 = 50;
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks Stripe about subscriptions of which two descriptions are of the same second. Answers how many.
pub fn ask_unsure(app: &App) -> Result<usize> {
    let unsure = app.store.read(|tx| subscriptions::unsure(tx, BATCH))?;
    for id in &unsure {
        let described = app.stripe()?.subscription(id, Deadline::after(PATIENCE))?;
        let (catalog, now) = (app.catalog.clone(), app.clock.now());
        app.store.write(move |tx| {
            let Some(known) = subscriptions::find(tx, &described.id)? else { return Ok(()) };
            // Stripe's answer has no time of Stripe's: it keeps the one that could not decide.
            let new = apply::describe(&catalog, &described, known.account, known.as_of);
            let account = known.account;
            enqueue::plan_of(tx, &catalog, account, now, |tx| subscriptions::put(tx, &new, true, now)).map(|_| ())
        })?;
    }
    Ok(unsure.len())
}

/// Allots the months of yearly plans that are due. Answers how many were looked at.
pub fn allot_due(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.store.read(|tx| payments::due_allotments(tx, now, BATCH))?;
    let count = due.len();
    for part in due {
        let catalog = app.catalog.clone();
        let told = app.store.write(move |tx| {
            let facts = Facts::default();
            let context = Context { catalog: &catalog, facts: &facts, assigned: None, now };
            apply::post_due(tx, &context, &part.reference, part.month, part.units)
        })?;
        told.iter().for_each(|event| event.log(app));
    }
    Ok(count)
}
