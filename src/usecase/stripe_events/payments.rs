//! The operator's view of payments that Stripe does not confirm, and taking one back (`docs/rules.md`, rule 13).

use crate::app::App;
use crate::error::{Fault, Refused, Result};
use crate::store::confirmations::{self, BookedPayment};
use crate::store::users;
use crate::usecase::audit;
use crate::usecase::stripe_events::apply::{self, ApplyContext};
use crate::usecase::stripe_events::reconcile::{ComparisonError, UnconfirmedPayment, confirm};
use crate::usecase::units::request::Note;

/// What became of the wish to take a payment back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentReversal {
    pub reference: String,
    pub user_id: String,
    /// Units that were taken now; zero if refunds, disputes or an earlier call had taken all.
    pub units: i64,
    pub balance: i64,
    /// It was taken back before, and nothing was changed now.
    pub is_repeated: bool,
}

/// Payments that the last comparisons could not confirm, by reference.
pub fn in_doubt(app: &App, limit: i64) -> Result<Vec<UnconfirmedPayment>> {
    let payments = app.store.read(|tx| confirmations::in_doubt(tx, "", limit))?;
    payments.iter().map(|payment| confirm::unconfirmed(app, payment, payment.doubt.as_deref().unwrap_or("-"))).collect()
}

/// How many there are.
pub fn count_in_doubt(app: &App) -> Result<i64> {
    app.store.read(confirmations::count_in_doubt)
}

/// Takes back all units that a payment gave, once and for good, with a reason for the ledger. Stripe is asked first: a
/// payment that it confirms is refused, because its money has to be returned at Stripe.
pub fn reverse(app: &App, id: &str, reason: &str) -> Result<PaymentReversal> {
    let note = Note::parse(reason.to_owned())?.to_entry_note()?;
    let payment = app.store.read(|tx| confirmations::find(tx, id))?;
    let payment = payment.ok_or_else(|| Refused::NotFound(format!("There is no payment {id:?} in the books.")))?;
    let doubt = match payment.reversed_at {
        Some(_) => None,
        None => Some(doubt_about(app, &payment)?),
    };
    let now = app.clock.now();
    let (catalog, actor) = (app.catalog.clone(), app.actor().clone());
    let BookedPayment { reference, account, units, .. } = payment.clone();
    let (is_new, log_events, user_id, balance) = audit::write(app, move |tx, trail| {
        let is_new = confirmations::mark_reversed(tx, &reference, now)?;
        let mut log_events = vec![];
        if is_new {
            if let Some(doubt) = &doubt {
                confirmations::put_in_doubt(tx, &reference, doubt)?;
            }
            trail.add(tx, "payment_reversed", &reference, None)?;
            let context = ApplyContext { actor: actor.clone(), ..ApplyContext::new(&catalog, now) };
            log_events = apply::reverse(tx, &context, &reference, note.clone())?;
        }
        let user_id = users::by_account(tx, account)?.id;
        Ok((is_new, log_events, user_id, users::balance_of(tx, account)?.remaining))
    })?;
    log_events.iter().for_each(|event| event.log(app));
    let reference = payment.reference;
    if is_new {
        tracing::warn!(event = "payment_reversed", user_id, payment = reference, units, reason, balance);
    }
    Ok(PaymentReversal { reference, user_id, units: if is_new { units } else { 0 }, balance, is_repeated: !is_new })
}

/// What Stripe says instead of what the books say; a refusal if it says the same.
fn doubt_about(app: &App, payment: &BookedPayment) -> Result<String> {
    let reference = &payment.reference;
    match (confirm::doubt_about(app, payment), &payment.doubt) {
        (Ok(Some(doubt)), _) => Ok(doubt),
        (Ok(None), _) => Err(Refused::WrongState(format!(
            "Stripe confirms the payment {reference}: refund it at Stripe, and its units are taken back with the money."
        ))
        .into()),
        // The last comparison had an answer.
        (Err(_), Some(doubt)) => Ok(doubt.clone()),
        (Err(ComparisonError::Stripe(error)), None) => {
            Err(Fault::new(format!("cannot ask Stripe about the payment {reference}"), error).into())
        }
        (Err(error), None) => Err(error.into()),
    }
}
