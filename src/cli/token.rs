//! `till token`: tokens of the service API.

use clap::{Args, Subcommand};

use super::output::{detail_of, or_dash, print, print_json, table};
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::{NewTokenShape, TokenShape, WholeList};
use super::{CommandResult, eprint_lines};
use crate::clock::rfc3339;
use crate::config::Need;
use crate::store::access;
use crate::usecase::users::tokens::{self, EXPECTED_SCOPES, Scope};

/// Create, list and revoke tokens of the service API
#[derive(Args)]
pub(super) struct Token {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Create a token; its secret is shown now and never again
    #[command(after_help = "Examples:\n  till token create pipeline --scopes read,spend\n  \
        till token create my-app --scopes read,sell\n  till token create ada --scopes self --user ada")]
    Create {
        /// What it is for, for people to read
        #[arg(value_parser = name)]
        name: String,
        /// read: users and ledgers; spend: use units; sell: users, sign-in links, checkouts, portal; admin: everything;
        /// self: one user's own balance, history and checkout
        #[arg(long, required = true, value_delimiter = ',', value_parser = scope, value_name = "read,spend,sell,admin")]
        scopes: Vec<Scope>,
        /// With the scope self: whose token it is
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// Print {"id","name","scopes","token"}
        #[arg(long)]
        json: bool,
    },
    /// List tokens, newest first, without their secrets
    List {
        /// Print {"data":[…]}
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: calls with it are refused from then on
    #[command(after_help = "Example:\n  till token revoke tok_…   # the id as in till token list")]
    Revoke {
        /// The token's id, tok_…
        id: String,
    },
}

impl Token {
    pub(super) fn run(&self) -> CommandResult {
        match &self.command {
            TokenCommand::Create { name, scopes, user, json } => {
                // Before a database is made.
                tokens::check_scopes(scopes, user.as_deref())?;
                let if_missing = if user.is_some() { IfMissing::Refuse } else { IfMissing::Create };
                let app = self.database.open(Need::Nothing, if_missing)?;
                let (token, secret) = tokens::create_for(&app, name, scopes, user.as_deref())?;
                if *json {
                    let scopes = token.scopes.split(',').collect();
                    let shape = NewTokenShape { id: &token.id, name: &token.name, scopes, token: &secret };
                    return print_json(&shape);
                }
                print(&format!("{secret}\n"))?;
                // To standard error, so that TOKEN=$(till token create …) is the secret alone.
                let advice = "store it now: it is not shown again";
                eprint_lines("note", &[format!("{advice}. Its id is {}, for till token revoke", token.id)]);
                Ok(())
            }
            TokenCommand::List { json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                let tokens = tokens::list(&app)?;
                if *json {
                    return print_json(&WholeList::<TokenShape>::of(&tokens));
                }
                print(&list_as_text(&tokens))
            }
            TokenCommand::Revoke { id } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                tokens::revoke(&app, id)?;
                print(&format!("revoked {id}\n"))
            }
        }
    }
}

fn list_as_text(tokens: &[access::Token]) -> String {
    let row = |token: &access::Token| {
        [
            token.id.clone(),
            token.scopes.clone(),
            rfc3339(token.created_at),
            or_dash(token.last_used_at.map(rfc3339)),
            or_dash(token.revoked_at.map(rfc3339)),
            or_dash(token.owner.as_ref().map(|(_, user)| user)),
            token.name.clone(),
        ]
    };
    table(["ID", "SCOPES", "MADE", "LAST USED", "REVOKED", "USER", "NAME"], &tokens.iter().map(row).collect::<Vec<_>>())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text.trim()).ok_or_else(|| format!("{EXPECTED_SCOPES} was expected"))
}

fn name(text: &str) -> Result<String, String> {
    tokens::check_name(text).map_err(|error| detail_of(&error))?;
    Ok(text.to_owned())
}
