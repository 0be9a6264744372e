//! `till hook`: the endpoints of outgoing webhooks, and the state of messages to them.

use clap::{Args, Subcommand};

use super::output::{facts, one_line, or_dash, print, print_json, table};
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::{DeliveryShape, EndpointShape, TestShape, WholeList};
use super::{CommandError, CommandResult, eprint_lines};
use crate::clock::rfc3339;
use crate::config::Need;
use crate::notification::Topic;
use crate::notification::sender::Reply;
use crate::store::outbox::Delivery;
use crate::store::webhook_endpoints::WebhookEndpoint;
use crate::usecase::notifications::endpoints;

/// Add, list and test outgoing webhooks; list and retry messages
///
/// till serve signs messages by the Standard Webhooks specification and delivers them, at least once and in order for each
/// user. What an endpoint does not accept is sent again for three days, and then parked until it is retried here.
#[derive(Args)]
pub(super) struct Hook {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: HookCommand,
}

#[derive(Subcommand)]
enum HookCommand {
    /// Add an endpoint; its signing secret is shown now and never again
    #[command(
        after_help = "Example:\n  till hook add https://app.example.com/till --events user.topped_up,user.low_balance"
    )]
    Add {
        /// Where to send messages: https, or http in a network of SPRITE_HOOK_PRIVATE_NETWORKS
        url: String,
        /// The events to send; all if left out
        #[arg(long, value_delimiter = ',', value_parser = topic, value_name = "EVENT,…")]
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
    /// Turn an endpoint off: no new messages are written for it, and open ones wait
    Disable {
        /// The endpoint's id, hook_…
        id: String,
    },
    /// Turn an endpoint on again: open messages are sent
    Enable {
        /// The endpoint's id, hook_…
        id: String,
    },
    /// Remove an endpoint, with all its undelivered messages
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
    /// Send a message of type till.test to an endpoint now, and print the result
    ///
    /// Exits with 1 if the endpoint does not accept it.
    Test {
        /// The endpoint's id, hook_…
        id: String,
        /// Print {"id","delivered","status","said"}
        #[arg(long)]
        json: bool,
    },
    /// List messages with their status, the newest first
    #[command(after_help = "Example:\n  till hook deliveries --parked")]
    Deliveries {
        /// Only those that are parked
        #[arg(long)]
        parked: bool,
        /// At most so many, up to 1000
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Print {"data":[…]}
        #[arg(long)]
        json: bool,
    },
    /// Retry undelivered messages for another three days
    #[command(after_help = "Examples:\n  till hook retry msg_…\n  till hook retry --parked")]
    Retry {
        /// The message's id, msg_…
        #[arg(required_unless_present = "parked", conflicts_with = "parked")]
        message: Option<String>,
        /// All that are parked
        #[arg(long)]
        parked: bool,
    },
}

impl Hook {
    pub(super) fn run(&self) -> CommandResult {
        let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
        match &self.command {
            HookCommand::Add { url, events, json } => print_new(&endpoints::add(&app, url, events)?, *json),
            HookCommand::List { json } => print_list(&endpoints::list(&app)?, *json),
            HookCommand::Show { id, json } => print_one(&endpoints::show(&app, id)?, *json),
            HookCommand::Disable { id } => {
                endpoints::disable(&app, id)?;
                print(&format!("{} is off\n", one_line(id)))
            }
            HookCommand::Enable { id } => {
                endpoints::enable(&app, id)?;
                print(&format!("{} is on\n", one_line(id)))
            }
            HookCommand::Remove { id } => {
                endpoints::remove(&app, id)?;
                print(&format!("{} is removed\n", one_line(id)))
            }
            HookCommand::Roll { id, json } => {
                let secret = endpoints::roll(&app, id)?;
                if *json {
                    return print_json(&serde_json::json!({ "id": id, "secret": secret.reveal() }));
                }
                print(&format!("{}\n", secret.reveal()))?;
                let note = "the secret is not shown again; for 24 hours the old one signs as well";
                eprint_lines("note", &[note.to_owned()]);
                Ok(())
            }
            HookCommand::Test { id, json } => {
                print_reply(id, &endpoints::test(&app, &endpoints::sender(&app), id)?, *json)
            }
            HookCommand::Deliveries { parked, limit, json } => {
                let deliveries = endpoints::deliveries(&app, *parked, None, *limit)?;
                if *json {
                    return print_json(&WholeList::<DeliveryShape>::of(&deliveries));
                }
                print(&deliveries_as_text(&deliveries))
            }
            HookCommand::Retry { message, .. } => {
                let count = match message {
                    Some(message) => endpoints::retry(&app, message)?,
                    None => endpoints::retry_parked(&app)?,
                };
                print(&format!("{count} to be sent again by till serve\n"))
            }
        }
    }
}

fn print_new(hook: &WebhookEndpoint, json: bool) -> CommandResult {
    if json {
        return print_json(&EndpointShape::with_secret(hook));
    }
    print(&format!("{}\n{}\n", hook.id, hook.secret.reveal()))?;
    let note = "the second line is the signing secret, which is not shown again. Try it: till hook test";
    eprint_lines("note", &[format!("{note} {}", hook.id)]);
    Ok(())
}

fn print_list(hooks: &[WebhookEndpoint], json: bool) -> CommandResult {
    if json {
        return print_json(&WholeList::<EndpointShape>::of(hooks));
    }
    let row = |hook: &WebhookEndpoint| [hook.id.clone(), state(hook), hook.kinds.clone(), hook.url.clone()];
    print(&table(["ID", "STATE", "EVENTS", "URL"], &hooks.iter().map(row).collect::<Vec<_>>()))
}

fn print_one(hook: &WebhookEndpoint, json: bool) -> CommandResult {
    if json {
        return print_json(&EndpointShape::from(hook));
    }
    print(&facts(&[
        ("id", hook.id.clone()),
        ("url", hook.url.clone()),
        ("events", hook.kinds.clone()),
        ("state", state(hook)),
        ("added", rfc3339(hook.created_at)),
        ("two secrets", or_dash(hook.older_secret.as_ref().map(|(_, until)| format!("until {}", rfc3339(*until))))),
    ]))
}

fn state(hook: &WebhookEndpoint) -> String {
    hook.disabled_at.map_or_else(|| "on".to_owned(), |at| format!("off since {}", rfc3339(at)))
}

fn print_reply(id: &str, reply: &Reply, json: bool) -> CommandResult {
    let delivered = reply.is_delivered();
    let status = reply.status;
    let said = reply.detail.as_str();
    if json {
        print_json(&TestShape { id, delivered, status, said })?;
    } else {
        let answer = status.map_or_else(|| "no answer".to_owned(), |status| format!("status {status}"));
        let word = if delivered { "delivered" } else { "not delivered" };
        let said = if said.is_empty() { String::new() } else { format!(": {}", one_line(said)) };
        print(&format!("{word}, {answer}{said}\n"))?;
    }
    if delivered { Ok(()) } else { Err(CommandError::Unsatisfied) }
}

fn deliveries_as_text(deliveries: &[Delivery]) -> String {
    let row = |row: &Delivery| {
        let last_answer = match (row.last_status, &row.last_error) {
            (Some(status), Some(error)) if !error.is_empty() => format!("{status}: {error}"),
            (Some(status), _) => status.to_string(),
            (None, error) => or_dash(error.as_ref()),
        };
        [
            rfc3339(row.created_at),
            row.status().to_owned(),
            row.message.clone(),
            row.kind.clone(),
            row.user_id.clone(),
            row.endpoint.clone(),
            row.attempts.to_string(),
            or_dash(row.next_attempt_at.map(rfc3339)),
            last_answer,
        ]
    };
    let headings = ["WRITTEN", "STATUS", "MESSAGE", "TYPE", "USER", "HOOK", "TRIED", "NEXT", "LAST ANSWER"];
    table(headings, &deliveries.iter().map(row).collect::<Vec<_>>())
}

fn topic(text: &str) -> Result<Topic, String> {
    Topic::parse(text).ok_or_else(|| {
        let words: Vec<&str> = Topic::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("one or more of {} were expected", words.join(", "))
    })
}
