//! `till event`: the inbox of Stripe's webhooks, and trying one again.

use clap::{Args, Subcommand};

use super::output::{one_line, or_dash, print, print_json, table};
use super::settings::{Books, IfMissing};
use super::{Done, Failure, shapes};
use crate::clock::rfc3339;
use crate::config::Need;
use crate::store::inbox::{InboxRow, Status};
use crate::usecase::stripe_events::apply::EventOutcome;
use crate::usecase::stripe_events::inbox;

/// List and show Stripe's events; apply one again
#[derive(Args)]
pub(super) struct Event {
    #[command(flatten)]
    books: Books,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List events, the newest arrival first
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
    /// Show what became of an event, and what Stripe sent
    #[command(after_help = "Example:\n  till event show evt_1Qabc…")]
    Show {
        /// The event's id, evt_…
        id: String,
        /// Print one object, Stripe's event in its body
        #[arg(long)]
        json: bool,
    },
    /// Apply an event once more; what it has done already is not done twice
    ///
    /// Needs SPRITE_STRIPE_SECRET_KEY, whose mode (live or test) decides which events count. Exits with 1 when the
    /// event still cannot be applied.
    #[command(after_help = "Example:\n  till event replay evt_1Qabc… --dry-run")]
    Replay {
        /// The event's id, evt_…
        id: String,
        /// Say what it would do, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print {"id","dry_run","status","detail","waits_for"}
        #[arg(long)]
        json: bool,
    },
    /// Say whose an unmatched payment is; it is then credited, once
    ///
    /// Needs SPRITE_STRIPE_SECRET_KEY. Exits with 1 when it still cannot be applied: name the pack with --plan when
    /// Stripe does not say which one was bought.
    #[command(after_help = "Example:\n  till event assign evt_1Qabc… alice --plan topup_100")]
    Assign {
        /// The event's id, evt_…
        id: String,
        /// The user who paid
        user: String,
        /// The pack that was bought
        #[arg(long)]
        plan: Option<String>,
        /// Print {"id","dry_run","status","detail","waits_for"}
        #[arg(long)]
        json: bool,
    },
}

impl Event {
    pub(super) fn run(&self) -> Done {
        match &self.verb {
            Verb::List { status, limit, json } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                let found = inbox::list(&app, *status, *limit)?;
                if *json {
                    return print_json(&shapes::Listed::whole(found.iter().map(shapes::Event::from).collect()));
                }
                print(&list_as_text(&found))
            }
            Verb::Show { id, json } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                let row = inbox::show(&app, id)?;
                if *json { print_json(&shapes::Event::with_body(&row)) } else { print(&in_words(&row)) }
            }
            Verb::Replay { id, dry_run, json } => {
                let app = self.books.open(Need::StripeKey, IfMissing::Refuse)?;
                let settled = inbox::replay(&app, id, *dry_run)?;
                told(id, *dry_run, *json, &settled)
            }
            Verb::Assign { id, user, plan, json } => {
                let app = self.books.open(Need::StripeKey, IfMissing::Refuse)?;
                told(id, false, *json, &inbox::assign(&app, id, user, plan.as_deref())?)
            }
        }
    }
}

/// Says what an event came to; it falls short when it is still not settled.
fn told(id: &str, dry_run: bool, json: bool, settled: &EventOutcome) -> Done {
    let (status, detail) = (settled.status.as_str(), settled.detail.as_str());
    if json {
        print_json(&shapes::Replay { id, dry_run, status, detail, waits_for: settled.waits_for.as_deref() })?;
    } else {
        let would = if dry_run { " would be" } else { ":" };
        print(&format!("{id}{would} {status} ({})\n", one_line(detail)))?;
    }
    if is_settled(settled) { Ok(()) } else { Err(Failure::FallsShort) }
}

fn is_settled(settled: &EventOutcome) -> bool {
    matches!(settled.status, Status::Applied | Status::Ignored)
}

fn list_as_text(found: &[InboxRow]) -> String {
    let row = |row: &InboxRow| {
        let (event, decision) = (&row.event, &row.decision);
        let (arrived, status) = (rfc3339(event.received_at), decision.status.as_str().to_owned());
        [arrived, status, event.id.clone(), event.kind.clone(), decision.detail.clone()]
    };
    table(["ARRIVED", "STATUS", "ID", "TYPE", "DETAIL"], &found.iter().map(row).collect::<Vec<_>>())
}

fn in_words(row: &InboxRow) -> String {
    let (event, decision) = (&row.event, &row.decision);
    let facts = [
        ("id", event.id.clone()),
        ("type", event.kind.clone()),
        ("about", or_dash(event.object.as_ref())),
        ("mode", if event.livemode { "live" } else { "test" }.to_owned()),
        ("api version", or_dash(event.api_version.as_ref())),
        ("made", rfc3339(event.created_at)),
        ("arrived", rfc3339(event.received_at)),
        ("status", decision.status.as_str().to_owned()),
        ("detail", decision.detail.clone()),
        ("waits for", or_dash(decision.waits_for.as_ref())),
        ("tried", format!("{} times, the last at {}", row.attempts, rfc3339(row.decided_at))),
        ("tried again", or_dash(decision.next_attempt_at.map(rfc3339))),
    ];
    let mut text: String = facts.iter().map(|(name, value)| format!("{name:<12} {}\n", one_line(value))).collect();
    text.push('\n');
    text.extend(event.body.lines().flat_map(|line| [one_line(line), "\n".to_owned()]));
    text
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| {
        let words: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("one of {} was expected", words.join(", "))
    })
}
