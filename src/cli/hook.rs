//! `till hook`: who is told of what by outgoing webhooks, and what became of the messages.

use clap::{Args, Subcommand};

use super::output::{one_line, or_dash, print, print_json, table};
use super::settings::{Books, IfMissing};
use super::{Done, Failure, complain, shapes};
use crate::clock::rfc3339;
use crate::config::Need;
use crate::notification::Topic;
use crate::store::outbox::Delivery;
use crate::store::webhook_endpoints::WebhookEndpoint as Stored;
use crate::usecase::notifications::endpoints;

const TESTED: &str = "Try it: till hook test";

/// Add, list and test outgoing webhooks; see what became of messages
///
/// Messages are signed by the Standard Webhooks specification and delivered by till serve, at least once and in order
/// for each user. What is not taken is sent again for three days, and then parked until it is retried here.
#[derive(Args)]
pub(super) struct Hook {
    #[command(flatten)]
    books: Books,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add an endpoint; its signing secret is shown now and never again
    #[command(
        after_help = "Example:\n  till hook add https://app.example.com/till --events user.topped_up,user.low_balance"
    )]
    Add {
        /// Where messages are sent: https, or http in a network of SPRITE_HOOK_PRIVATE_NETWORKS
        url: String,
        /// What it is told of; everything when left out
        #[arg(long, value_delimiter = ',', value_parser = kind, value_name = "EVENT,…")]
        events: Vec<Topic>,
        /// Print the endpoint with its "secret"
        #[arg(long)]
        json: bool,
    },
    /// List endpoints, oldest first, without their secrets
    List {
        /// Print {"data":[…]}
        #[arg(long)]
        json: bool,
    },
    /// Show an endpoint, without its secret
    Show {
        /// The endpoint's id, hook_…
        id: String,
        /// Print one object
        #[arg(long)]
        json: bool,
    },
    /// Turn an endpoint off: nothing new is written for it, and what is open waits
    Disable {
        /// The endpoint's id, hook_…
        id: String,
    },
    /// Turn an endpoint on again: what was open goes on
    Enable {
        /// The endpoint's id, hook_…
        id: String,
    },
    /// Remove an endpoint, and with it what was still to be delivered to it
    Remove {
        /// The endpoint's id, hook_…
        id: String,
    },
    /// Give an endpoint a new signing secret; for 24 hours the old one signs as well
    Roll {
        /// The endpoint's id, hook_…
        id: String,
        /// Print {"id","secret"}
        #[arg(long)]
        json: bool,
    },
    /// Send a message of type till.test to an endpoint now, and say how it went
    ///
    /// Exits with 1 when the endpoint did not take it.
    Test {
        /// The endpoint's id, hook_…
        id: String,
        /// Print {"id","delivered","status","said"}
        #[arg(long)]
        json: bool,
    },
    /// List messages and where they stand, the newest first
    #[command(after_help = "Example:\n  till hook deliveries --parked")]
    Deliveries {
        /// Only those that were given up
        #[arg(long)]
        parked: bool,
        /// At most so many, up to 1000
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Print {"data":[…]}
        #[arg(long)]
        json: bool,
    },
    /// Send what has not arrived again, for another three days
    #[command(after_help = "Examples:\n  till hook retry msg_…\n  till hook retry --parked")]
    Retry {
        /// The message's id, msg_…
        #[arg(required_unless_present = "parked", conflicts_with = "parked")]
        message: Option<String>,
        /// Everything that was given up
        #[arg(long)]
        parked: bool,
    },
}

impl Hook {
    pub(super) fn run(&self) -> Done {
        let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
        match &self.verb {
            Verb::Add { url, events, json } => added(&endpoints::add(&app, url, events)?, *json),
            Verb::List { json } => listed(&endpoints::list(&app)?, *json),
            Verb::Show { id, json } => shown(&endpoints::show(&app, id)?, *json),
            Verb::Disable { id } => {
                endpoints::disable(&app, id)?;
                print(&format!("{} is off\n", one_line(id)))
            }
            Verb::Enable { id } => {
                endpoints::enable(&app, id)?;
                print(&format!("{} is on\n", one_line(id)))
            }
            Verb::Remove { id } => {
                endpoints::remove(&app, id)?;
                print(&format!("{} is removed\n", one_line(id)))
            }
            Verb::Roll { id, json } => {
                let secret = endpoints::roll(&app, id)?;
                if *json {
                    return print_json(&serde_json::json!({ "id": id, "secret": secret.reveal() }));
                }
                print(&format!("{}\n", secret.reveal()))?;
                complain("note", &["the secret is not shown again; for 24 hours the old one signs as well".to_owned()]);
                Ok(())
            }
            Verb::Test { id, json } => tested(id, &endpoints::test(&app, &endpoints::sender(&app), id)?, *json),
            Verb::Deliveries { parked, limit, json } => {
                let found = endpoints::deliveries(&app, *parked, *limit)?;
                if *json {
                    return print_json(&shapes::Listed::whole(found.iter().map(shapes::Delivery::from).collect()));
                }
                print(&deliveries_as_text(&found))
            }
            Verb::Retry { message, .. } => {
                let count = match message {
                    Some(message) => endpoints::retry(&app, message)?,
                    None => endpoints::retry_parked(&app)?,
                };
                print(&format!("{count} to be sent again by till serve\n"))
            }
        }
    }
}

fn added(hook: &Stored, json: bool) -> Done {
    if json {
        return print_json(&shapes::Hook::with_secret(hook));
    }
    print(&format!("{}\n{}\n", hook.id, hook.secret.reveal()))?;
    complain(
        "note",
        &[format!("the second line is the signing secret, which is not shown again. {TESTED} {}", hook.id)],
    );
    Ok(())
}

fn listed(found: &[Stored], json: bool) -> Done {
    if json {
        return print_json(&shapes::Listed::whole(found.iter().map(shapes::Hook::from).collect()));
    }
    let row = |hook: &Stored| [hook.id.clone(), state(hook), hook.kinds.clone(), hook.url.clone()];
    print(&table(["ID", "STATE", "EVENTS", "URL"], &found.iter().map(row).collect::<Vec<_>>()))
}

fn shown(hook: &Stored, json: bool) -> Done {
    if json {
        return print_json(&shapes::Hook::from(hook));
    }
    let facts = [
        ("id", hook.id.clone()),
        ("url", hook.url.clone()),
        ("events", hook.kinds.clone()),
        ("state", state(hook)),
        ("added", rfc3339(hook.created_at)),
        ("two secrets", or_dash(hook.older_secret.as_ref().map(|(_, until)| format!("until {}", rfc3339(*until))))),
    ];
    print(&facts.iter().map(|(name, value)| format!("{name:<12} {}\n", one_line(value))).collect::<String>())
}

fn state(hook: &Stored) -> String {
    hook.disabled_at.map_or_else(|| "on".to_owned(), |at| format!("off since {}", rfc3339(at)))
}

fn tested(id: &str, answer: &crate::notification::sender::Reply, json: bool) -> Done {
    let (delivered, status, said) = (answer.is_delivered(), answer.status, answer.detail.as_str());
    if json {
        print_json(&shapes::Tested { id, delivered, status, said })?;
    } else {
        let answered = status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
        let word = if delivered { "delivered" } else { "not delivered" };
        let said = if said.is_empty() { String::new() } else { format!(": {}", one_line(said)) };
        print(&format!("{word}, {answered}{said}\n"))?;
    }
    if delivered { Ok(()) } else { Err(Failure::FallsShort) }
}

fn deliveries_as_text(found: &[Delivery]) -> String {
    let row = |row: &Delivery| {
        let (when, status) = (rfc3339(row.created_at), row.status().to_owned());
        let last = match (row.last_status, &row.last_error) {
            (Some(status), Some(error)) if !error.is_empty() => format!("{status}: {error}"),
            (Some(status), _) => status.to_string(),
            (None, error) => or_dash(error.as_ref()),
        };
        let (tried, next) = (row.attempts.to_string(), or_dash(row.next_attempt_at.map(rfc3339)));
        [
            when,
            status,
            row.message.clone(),
            row.kind.clone(),
            row.user_id.clone(),
            row.endpoint.clone(),
            tried,
            next,
            last,
        ]
    };
    let headings = ["WRITTEN", "STATUS", "MESSAGE", "TYPE", "USER", "HOOK", "TRIED", "NEXT", "LAST ANSWER"];
    table(headings, &found.iter().map(row).collect::<Vec<_>>())
}

fn kind(text: &str) -> Result<Topic, String> {
    Topic::parse(text).ok_or_else(|| {
        let words: Vec<&str> = Topic::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("one or more of {} were expected", words.join(", "))
    })
}
