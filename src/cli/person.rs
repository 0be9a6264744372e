//! What `till user` does about a person rather than an account's units: a password, and all that is stored about them.

use std::io::{BufRead, IsTerminal, Read};

use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use super::output::{one_line, print, print_json};
use super::settings::{DatabaseArgs, IfMissing};
use super::{CommandError, CommandResult, eprint_lines};
use crate::app::App;
use crate::clock::rfc3339;
use crate::config::Need;
use crate::email::Email;
use crate::usecase::users::{erase, export, oidc, operators, password, proxy, second_factor, sign_in, welcome};

/// The most bytes of standard input that are read for a password.
const PASSWORD_BYTES: u64 = 2048;

/// What `till user` does about a person.
#[derive(Subcommand)]
pub(super) enum PersonCommand {
    /// Set a user's password: the line on standard input, or one that is made and printed
    ///
    /// The user signs in with it and their verified address, or their id. Every browser of theirs is signed out.
    #[command(after_help = "Examples:\n  till user password alice\n  pass show alice | till user password alice")]
    Password {
        /// The user's id
        id: String,
    },
    /// Print a link with which somebody makes an account, once, within two weeks
    ///
    /// It is needed where SPRITE_SIGNUP is invite, and does nothing where it is closed. SPRITE_BASE_URL must be that of the service.
    #[command(after_help = "Examples:\n  till user invite\n  till user invite --address ada@example.org --send")]
    Invite {
        /// Only for this e-mail address
        #[arg(long, value_name = "ADDRESS", value_parser = invited)]
        address: Option<Email>,
        /// Also send it there
        #[arg(long, requires = "address")]
        send: bool,
    },
    /// Print everything that is stored about a user, as JSON
    #[command(after_help = "Example:\n  till user export alice > alice.json")]
    Export {
        /// The user's id
        id: String,
    },
    /// Erase a person for good: name, addresses, notes, sessions, and what Stripe's events say of them
    ///
    /// Refused while a subscription runs or a payment is on its way. The account stays under another id, with its movements and
    /// payments, so that till ledger verify still proves the books. The old id stays in the audit, and as the name of who made
    /// an entry.
    #[command(after_help = "Examples:\n  till user erase alice\n  till user erase alice --at-stripe")]
    Erase {
        /// The user's id, or the one under which an account stayed
        id: String,
        /// Also delete the customer at Stripe, with name, address and cards. Other products of yours may use it
        #[arg(long)]
        at_stripe: bool,
    },
    /// Let a user open the operator's pages, at /admin
    ///
    /// Their browsers are signed out. An operator's session ends after an hour without use, and after twelve hours in any
    /// case. Without an id, lists the operators.
    #[command(after_help = "Examples:\n  till user admin alice\n  till user admin alice --remove")]
    Admin {
        /// The user's id
        #[arg(required_if_eq("remove", "true"))]
        id: Option<String>,
        /// Take the role back
        #[arg(long)]
        remove: bool,
        /// Print {"operators":[…]}
        #[arg(long)]
        json: bool,
    },
    /// Remove a user's second factor, when they have lost their authenticator app or their passkeys
    ///
    /// Their password alone signs them in again. Make sure that it is they who ask: who has their password may ask too.
    #[command(after_help = "Example:\n  till user second-factor alice --remove")]
    SecondFactor {
        /// The user's id
        id: String,
        /// Remove it
        #[arg(long, required = true)]
        remove: bool,
    },
    /// Say that somebody whom the proxy or a provider of OpenID Connect names is this user
    #[command(after_help = "Examples:\n  till user tie alice alice@example.org\n  \
        till user tie alice 248289761001 --issuer https://id.example.com")]
    Tie {
        /// The user's id
        id: String,
        /// What the proxy sends in SPRITE_PROXY_AUTH_HEADER, or the provider's subject (sub)
        name: String,
        /// The provider's issuer; the proxy if left out
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
    },
}

impl PersonCommand {
    pub(super) fn run(&self, database: &DatabaseArgs) -> CommandResult {
        match self {
            PersonCommand::Password { id } => {
                let app = database.open(Need::Nothing, IfMissing::Refuse)?;
                set_password(&app, id)
            }
            PersonCommand::Invite { address, send } => {
                let app = database.open(Need::Nothing, IfMissing::Refuse)?;
                invite(&app, address.as_ref(), *send)
            }
            PersonCommand::Admin { id, remove, json } => {
                let app = database.open(Need::Nothing, IfMissing::Refuse)?;
                set_operator(&app, id.as_deref(), *remove, *json)
            }
            PersonCommand::SecondFactor { id, remove: _ } => {
                let app = database.open(Need::Nothing, IfMissing::Refuse)?;
                let was_set = second_factor::remove_by_operator(&app, id)?;
                let done = if was_set { "has no second factor any more" } else { "had no second factor" };
                print(&format!("{} {done}\n", one_line(id)))
            }
            PersonCommand::Tie { id, name, issuer } => {
                let app = database.open(Need::Nothing, IfMissing::Refuse)?;
                match issuer {
                    Some(issuer) => oidc::tie(&app, id, issuer, name)?,
                    None => proxy::tie(&app, id, name)?,
                }
                print(&format!("{} is {}\n", one_line(name), one_line(id)))
            }
            PersonCommand::Export { id } => {
                let app = database.open(Need::Nothing, IfMissing::Refuse)?;
                print_data(&app, id)
            }
            PersonCommand::Erase { id, at_stripe } => {
                let need = if *at_stripe { Need::StripeKey } else { Need::Nothing };
                let app = database.open(need, IfMissing::Refuse)?;
                let erased = erase::erase(&app, id)?;
                print(&format!("erased {}; the account stays as {erased}\n", one_line(id)))?;
                let deleted = if *at_stripe { erase::erase_at_stripe(&app, &erased)? } else { vec![] };
                deleted.iter().try_for_each(|customer| print(&format!("deleted at Stripe: {}\n", one_line(customer))))
            }
        }
    }
}

/// Gives or takes the role of an operator, and says who has it.
fn set_operator(app: &App, id: Option<&str>, remove: bool, json: bool) -> CommandResult {
    let said = match id {
        Some(id) if remove => match operators::remove(app, id)? {
            true => format!("{} is an operator no longer, and is signed out everywhere\n", one_line(id)),
            false => format!("{} was no operator\n", one_line(id)),
        },
        Some(id) => match operators::add(app, id)? {
            true => format!("{} is an operator now. The pages are at {}\n", one_line(id), app.url("/admin")),
            false => format!("{} is an operator already\n", one_line(id)),
        },
        None => String::new(),
    };
    let ids = operators::list(app)?;
    if json {
        return print_json(&json!({ "operators": ids }));
    }
    match id {
        Some(_) => print(&said),
        None if ids.is_empty() => print("There is no operator yet: till user admin ID makes one.\n"),
        None => print(&ids.iter().map(|id| format!("{id}\n")).collect::<String>()),
    }
}

/// Sets the password on standard input, or one that is made.
fn set_password(app: &App, id: &str) -> CommandResult {
    if let Some(given) = given_password()? {
        password::set(app, id, &given, None)?;
        return print(&format!("the password of {} is set: {}\n", one_line(id), way_in(app, id)?));
    }
    let made = Zeroizing::new(password::made()?);
    password::set(app, id, &made, None)?;
    print(&format!("{}\n", made.as_str()))?;
    // To standard error, so that PASSWORD=$(till user password …) is the password alone.
    let advice = "hand it over now: it is not shown again";
    eprint_lines("note", &[format!("{advice}. {} is signed out everywhere; {}", one_line(id), way_in(app, id)?)]);
    Ok(())
}

/// By which name the password's owner signs in: an address counts only once it is verified.
fn way_in(app: &App, id: &str) -> CommandResult<String> {
    let (page, id) = (app.url("/login"), one_line(id));
    Ok(match password::address_of(app, &id)? {
        Some(address) => format!("its owner signs in at {page} with the id {id}, or with {}", one_line(&address)),
        None => format!("its owner signs in at {page} with the id {id}"),
    })
}

/// The first line of standard input, if something is piped there.
fn given_password() -> CommandResult<Option<Zeroizing<String>>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().take(PASSWORD_BYTES).read_line(&mut line);
    read.map_err(|cause| CommandError::Failed(format!("standard input cannot be read: {cause}")))?;
    let line = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    Ok(if line.is_empty() { None } else { Some(line) })
}

/// Prints an invitation's link.
fn invite(app: &App, address: Option<&Email>, is_sent: bool) -> CommandResult {
    let (url, until) = welcome::invite(app, address, is_sent)?;
    print(&format!("{url}\n"))?;
    // To standard error, so that LINK=$(till user invite) is the link alone.
    eprint_lines("note", &[format!("it makes one account, until {}", rfc3339(until))]);
    Ok(())
}

/// Prints a sign-in link.
pub(super) fn print_sign_in_link(id: &str, link: &sign_in::LoginLink, json: bool) -> CommandResult {
    let expires_at = rfc3339(link.expires_at);
    if json {
        return print_json(&json!({ "url": link.url, "expires_at": expires_at }));
    }
    print(&format!("{}\n", link.url))?;
    // To standard error, so that LINK=$(till user sign-in …) is the link alone.
    eprint_lines("note", &[format!("it signs {} in once, until {expires_at}", one_line(id))]);
    Ok(())
}

/// Prints everything that is stored about the user.
fn print_data(app: &App, id: &str) -> CommandResult {
    let mut text = Vec::new();
    export::write(app, id, None, &mut text)?;
    print(&String::from_utf8_lossy(&text))
}

fn invited(text: &str) -> Result<Email, String> {
    Email::parse(text).ok_or_else(|| "a plain address such as ada@example.org was expected".to_owned())
}
