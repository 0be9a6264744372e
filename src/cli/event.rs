//! `till event`: Stripe's events in the inbox; one is applied again, assigned, or closed.

use clap::{Args, Subcommand};

use super::output::{facts, one_line, or_dash, print, print_json, table, times};
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::{ChangeShape, DismissShape, EventShape, ReplayShape, WholeList};
use super::{CommandError, CommandResult};
use crate::clock::rfc3339;
use crate::config::Need;
use crate::store::inbox::{IgnoreReason, InboxRow, Status};
use crate::usecase::operator::stripe_account::mode_word;
use crate::usecase::stripe_events::apply::EventOutcome;
use crate::usecase::stripe_events::changes::Change;
use crate::usecase::stripe_events::inbox;

/// List and show Stripe's events; apply one again, assign it or close it
#[derive(Args)]
pub(super) struct Event {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: EventCommand,
}

#[derive(Subcommand)]
enum EventCommand {
    /// List events, the latest arrival first
    #[command(after_help = "Example:\n  till event list --status unmatched")]
    List {
        /// Only those that are applied, ignored, waiting, unmatched or failed
        #[arg(long, value_parser = status)]
        status: Option<Status>,
        /// At most so many, up to 1000
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Print {"data":[…]}
        #[arg(long)]
        json: bool,
    },
    /// Show an event: its status, and what Stripe sent
    #[command(after_help = "Example:\n  till event show evt_1Qabc…")]
    Show {
        /// The event's id, evt_…
        id: String,
        /// Print one object, with Stripe's event as its body
        #[arg(long)]
        json: bool,
    },
    /// Apply an event again; what it did before is not done twice
    ///
    /// Requires SPRITE_STRIPE_SECRET_KEY, whose mode (live or test) decides which events count. Exits with 1 if the event
    /// still cannot be applied.
    #[command(after_help = "Example:\n  till event replay evt_1Qabc… --dry-run")]
    Replay {
        /// The event's id, evt_…
        id: String,
        /// Print what would happen, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print {"id","dry_run","status","detail","waits_for","changes"}
        #[arg(long)]
        json: bool,
    },
    /// Assign an unmatched payment to a user; it is then credited, once
    ///
    /// Its customer at Stripe becomes the user's too, with its subscriptions, so that renewals need no operator; a customer
    /// that is another user's stays there. An event of a subscription can be assigned as well. Requires
    /// SPRITE_STRIPE_SECRET_KEY. Exits with 1 if it still cannot be applied: name the pack with --plan if Stripe does not
    /// say which one was bought.
    #[command(after_help = "Example:\n  till event assign evt_1Qabc… alice --plan topup_100")]
    Assign {
        /// The event's id, evt_…
        id: String,
        /// The user who paid
        user: String,
        /// The pack that was bought
        #[arg(long)]
        plan: Option<String>,
        /// Print {"id","dry_run","status","detail","waits_for","changes"}
        #[arg(long)]
        json: bool,
    },
    /// Close what could not be applied and is nobody's here; it stays ignored
    ///
    /// Closes every event that tells of the same payment. till event assign opens it again.
    #[command(after_help = "Example:\n  till event dismiss evt_1Qabc… --reason 'the book shop'")]
    Dismiss {
        /// The event's id, evt_…
        id: String,
        /// Why, for people to read
        #[arg(long)]
        reason: Option<String>,
        /// Print what would be closed, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print {"id","dry_run","status","detail","closed"}
        #[arg(long)]
        json: bool,
    },
}

impl Event {
    pub(super) fn run(&self) -> CommandResult {
        match &self.command {
            EventCommand::List { status, limit, json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                let rows = inbox::list(&app, *status, *limit)?;
                if *json {
                    return print_json(&WholeList::<EventShape>::of(&rows));
                }
                print(&list_as_text(&rows))
            }
            EventCommand::Show { id, json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                let row = inbox::show(&app, id)?;
                if *json { print_json(&EventShape::with_body(&row)) } else { print(&as_text(&row)) }
            }
            EventCommand::Replay { id, dry_run, json } => {
                let app = self.database.open(Need::StripeKey, IfMissing::Refuse)?;
                print_outcome(id, *dry_run, *json, &inbox::replay(&app, id, *dry_run)?)
            }
            EventCommand::Assign { id, user, plan, json } => {
                let app = self.database.open(Need::StripeKey, IfMissing::Refuse)?;
                print_outcome(id, false, *json, &inbox::assign(&app, id, user, plan.as_deref())?)
            }
            EventCommand::Dismiss { id, reason, dry_run, json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                let (closed, detail) = inbox::dismiss(&app, id, reason.as_deref(), *dry_run)?;
                print_dismissal(id, *dry_run, *json, &closed, &detail)
            }
        }
    }
}

/// Prints what an event did. The command fails if the event is still not applied.
fn print_outcome(id: &str, dry_run: bool, json: bool, outcome: &EventOutcome) -> CommandResult {
    let status = outcome.status.as_str();
    let detail = outcome.detail.as_str();
    if json {
        let (waits_for, changes) = (outcome.waits_for.as_deref(), ChangeShape::of(outcome));
        print_json(&ReplayShape { id, dry_run, status, detail, waits_for, changes })?;
    } else {
        let would = if dry_run { " would be" } else { ":" };
        let mut text = format!("{id}{would} {status} ({})\n", one_line(detail));
        outcome.changes().iter().for_each(|change| text.push_str(&change_line(change)));
        print(&text)?;
    }
    let is_done = matches!(outcome.status, Status::Applied | Status::Ignored);
    if is_done { Ok(()) } else { Err(CommandError::Unsatisfied) }
}

/// One change, such as `  topup: alice +100, balance 100 (topup_pi_1)`.
fn change_line(change: &Change<'_>) -> String {
    let Change { what, user_id, units, balance, detail } = change;
    match (units, balance) {
        (Some(units), Some(balance)) => {
            format!("  {what}: {user_id} {units:+}, balance {balance} ({})\n", one_line(detail))
        }
        _ => format!("  {what}: {user_id}, {}\n", one_line(detail)),
    }
}

fn print_dismissal(id: &str, dry_run: bool, json: bool, closed: &[String], detail: &str) -> CommandResult {
    if json {
        let status = Status::Ignored.as_str();
        return print_json(&DismissShape { id, dry_run, status, detail, closed });
    }
    let mut text = match closed {
        [] => format!("{id}: closed before ({})\n", one_line(detail)),
        _ if dry_run => format!("{id} would be ignored ({})\n", one_line(detail)),
        _ => format!("{id}: ignored ({})\n", one_line(detail)),
    };
    for other in closed.iter().filter(|other| *other != id) {
        text.push_str(&format!("  and {other}, which tells of the same payment\n"));
    }
    print(&text)
}

fn list_as_text(rows: &[InboxRow]) -> String {
    let row = |InboxRow { event, decision, .. }: &InboxRow| {
        [
            rfc3339(event.received_at),
            decision.status.as_str().to_owned(),
            event.id.clone(),
            event.kind.clone(),
            decision.detail.clone(),
        ]
    };
    table(["ARRIVED", "STATUS", "ID", "TYPE", "DETAIL"], &rows.iter().map(row).collect::<Vec<_>>())
}

fn as_text(row: &InboxRow) -> String {
    let InboxRow { event, decision, .. } = row;
    let mut text = facts(&[
        ("id", event.id.clone()),
        ("type", event.kind.clone()),
        ("about", or_dash(event.object.as_ref())),
        ("mode", mode_word(event.livemode).to_owned()),
        ("api version", or_dash(event.api_version.as_ref())),
        ("made", rfc3339(event.created_at)),
        ("arrived", rfc3339(event.received_at)),
        ("status", decision.status.as_str().to_owned()),
        ("ignored as", or_dash(decision.ignore_reason.map(IgnoreReason::as_str))),
        ("detail", decision.detail.clone()),
        ("waits for", or_dash(decision.waits_for.as_ref())),
        ("tried", format!("{}, the last at {}", times(row.attempts), rfc3339(row.decided_at))),
        ("tried again", or_dash(decision.next_attempt_at.map(rfc3339))),
    ]);
    text.push('\n');
    let body = inbox::body_text(row).unwrap_or_else(|| REMOVED.to_owned());
    text.extend(body.lines().flat_map(|line| [one_line(line), "\n".to_owned()]));
    text
}

/// What stands for the body of an event that is no longer kept.
const REMOVED: &str = "(what Stripe sent is no longer kept)";

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| {
        let words: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("one of {} was expected", words.join(", "))
    })
}
