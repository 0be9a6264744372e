//! What waits for a hand, from the books alone: events, comparisons, messages, letters and backups; and a quick proof of some
//! accounts. The whole proof is `till ledger verify`.

use std::collections::BTreeSet;

use super::finding::{Finding, bad, good, open, warning};
use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp, rfc3339};
use crate::config::Mode;
use crate::error::Result;
use crate::store::inbox::{self, Status};
use crate::store::{Engine, backups, proof, users};
use crate::usecase::mail::deliver;
use crate::usecase::operator::{attention, verify};
use crate::usecase::stripe_events::reconcile::record;

/// An event that waits for longer has nothing that will come by itself.
const WAITING_SECONDS: i64 = 3600;
/// A backup of this age is a warning, and one of that age falls short.
const BACKUP_DAYS: i64 = 7;
const NO_BACKUP_DAYS: i64 = 30;
/// The worker compares every quarter of an hour, unless it is set otherwise: after this long nobody does.
const COMPARISON_SECONDS: i64 = DAY_SECONDS;
/// Accounts of the last payments that are proved, and as many by chance.
const PROVED: i64 = 50;

/// Events that were not applied.
pub(super) fn events(app: &App) -> Finding {
    let what = "events";
    let before = app.clock.now().plus_seconds(-WAITING_SECONDS);
    let counted: Result<[i64; 4]> = app.store.read(|tx| {
        let [unmatched, failed, waiting] =
            [Status::Unmatched, Status::Failed, Status::Waiting].map(|status| inbox::count_of(tx, status));
        Ok([unmatched?, failed?, waiting?, inbox::count_waiting_since(tx, before)?])
    });
    let [unmatched, failed, waiting, for_long] = match counted {
        Ok(counted) => counted,
        Err(error) => return bad(what, error.to_string()),
    };
    let said = format!("{unmatched} unmatched, {failed} failed, {waiting} waiting");
    if unmatched > 0 || failed > 0 {
        return bad(
            what,
            format!("{said}: till event list --status unmatched, then failed; somebody may have paid and have nothing"),
        );
    }
    if for_long > 0 {
        return warning(
            what,
            format!("{said}, {for_long} of them for more than an hour: till event list --status waiting"),
        );
    }
    good(what, said)
}

/// Whether the books agreed with Stripe when they were last compared, and when that was.
pub(super) fn comparison(app: &App) -> Finding {
    let what = "comparison";
    let (last, _) = match record::standing(app) {
        Ok(standing) => standing,
        Err(error) => return bad(what, error.to_string()),
    };
    let ended = last.as_ref().and_then(|last| last.ended_at);
    let (Some(last), Some(ended)) = (&last, ended) else {
        return match app.config.reconcile_interval {
            Some(_) => open(what, "none has ended yet: till serve makes them, or till reconcile".to_owned()),
            None => warning(
                what,
                "none was made, and SPRITE_RECONCILE_INTERVAL is off: what webhooks miss stays missing".to_owned(),
            ),
        };
    };
    let at = rfc3339(ended);
    if !last.agrees {
        let detail = format!("the last one, at {at}, found books and Stripe to differ: till reconcile says what");
        return warning(what, detail);
    }
    let interval = app.config.reconcile_interval.map_or(0, |interval| i64::try_from(interval.as_secs()).unwrap_or(0));
    let limit = COMPARISON_SECONDS.max(interval.saturating_mul(4));
    if app.clock.now().plus_seconds(-limit) > ended {
        return warning(what, format!("the last one was at {at}: is till serve running, and does Stripe answer?"));
    }
    good(what, format!("books and Stripe agreed at {at}"))
}

/// The age of the last backup; without one, that of the books.
pub(super) fn backup(app: &App) -> Finding {
    let what = "backup";
    let looked = app.store.read(|tx| Ok((backups::last(tx)?, users::first_created(tx)?)));
    let (last, first) = match looked {
        Ok(looked) => looked,
        Err(error) => return bad(what, error.to_string()),
    };
    let now = app.clock.now();
    let days = |since: Timestamp| now.millis().saturating_sub(since.millis()) / (1000 * DAY_SECONDS);
    if app.store.engine() == Engine::Postgres {
        let said =
            "pg_dump or the server's own archive makes it, and till does not see it; till ledger verify proves a copy";
        return open(what, said.to_owned());
    }
    let (days, said) = match (&last, app.config.stripe.mode()) {
        (Some(last), _) => {
            (days(last.made_at), format!("the last one was made at {}, to {}", rfc3339(last.made_at), last.place))
        }
        (None, Some(Mode::Live)) => {
            // Books that are young may have none yet, and should not for long.
            (first.map_or(0, days).max(BACKUP_DAYS), "there is none, and the books hold real money".to_owned())
        }
        (None, _) => return open(what, "there is none, and books without real money need none".to_owned()),
    };
    match days {
        NO_BACKUP_DAYS.. => {
            bad(what, format!("{said}, and that is {days} days: till backup PATH, each night by a timer"))
        }
        BACKUP_DAYS.. => warning(what, format!("{said}: till backup PATH, each night by a timer")),
        _ => good(what, said),
    }
}

/// Units of some accounts, added up again: those of the last payments, and some by chance.
pub(super) fn units(app: &App) -> Finding {
    let what = "units";
    let proved = app.store.read(|tx| proof::accounts_of_newest_payments(tx, PROVED)).and_then(|newest| {
        let accounts: BTreeSet<i64> = newest.into_iter().chain(verify::by_chance(app, PROVED)?).collect();
        verify::verify_some(app, &accounts)
    });
    let proof = match proved {
        Ok(proof) => proof,
        Err(error) => return bad(what, error.to_string()),
    };
    match proof.breaks.as_slice() {
        [] if proof.accounts == 0 => good(what, "the schema is ours, and there is no account yet".to_owned()),
        [] => good(
            what,
            format!(
                "the schema is ours, and the entries of {} accounts lead to what is stored; till ledger verify proves all",
                proof.accounts
            ),
        ),
        [first, more @ ..] => {
            let and = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
            bad(
                what,
                format!(
                    "account {}: {}{and}. Keep a copy of the file, and run till ledger verify",
                    first.account, first.what
                ),
            )
        }
    }
}

/// Notifications, letters and secrets that wait for the operator; nothing is said of what does not.
pub(super) fn for_a_hand(app: &App) -> Vec<Finding> {
    let waiting = match attention::look(app) {
        Ok(waiting) => waiting,
        Err(error) => return vec![bad("to do", error.to_string())],
    };
    waiting.into_iter().filter_map(in_words).collect()
}

/// What no other line says.
fn in_words(waiting: attention::Attention) -> Option<Finding> {
    use attention::Attention;
    match waiting {
        Attention::Disputes(count) => Some(warning(
            "disputes",
            format!(
                "{count} not closed: answer each at Stripe before its deadline, if that is not done; /admin/payments?disputed \
                 lists them"
            ),
        )),
        Attention::Parked(count) => {
            Some(warning("notifications", format!("{count} were given up: till hook deliveries --parked")))
        }
        Attention::FailedLetters(count) => Some(warning(
            "letters",
            format!("{count} were given up in the last {} days: the log says why", deliver::FAILED_SHOWN_DAYS),
        )),
        Attention::EndingSecret(url) => Some(warning(
            "hook secret",
            format!("an older one of {url} ends soon: give the receiver the new one before"),
        )),
        _ => None,
    }
}
