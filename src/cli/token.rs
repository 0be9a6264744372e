//! `till token`: what lets another program call the service API.

use clap::{Args, Subcommand};

use super::output::{or_dash, print, print_json, table};
use super::settings::{Books, IfMissing};
use super::{Done, complain, shapes};
use crate::clock::rfc3339;
use crate::config::Need;
use crate::usecase::users::tokens::{self, Scope};

/// Make, list and revoke tokens of the service API
#[derive(Args)]
pub(super) struct Token {
    #[command(flatten)]
    books: Books,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a token; its secret is shown now and never again
    #[command(after_help = "Example:\n  till token create pipeline --scopes read,spend")]
    Create {
        /// What it is for, for people to read
        name: String,
        /// read: users and ledgers; spend: use units; admin: everything
        #[arg(long, required = true, value_delimiter = ',', value_parser = scope, value_name = "read,spend,admin")]
        scopes: Vec<Scope>,
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
    /// Revoke a token: from then on it opens nothing
    #[command(after_help = "Example:\n  till token revoke tok_…   (the id as in till token list)")]
    Revoke {
        /// The token's id, tok_…
        id: String,
    },
}

impl Token {
    pub(super) fn run(&self) -> Done {
        match &self.verb {
            Verb::Create { name, scopes, json } => {
                let app = self.books.open(Need::Nothing, IfMissing::Make)?;
                let (token, secret) = tokens::create(&app, name, scopes)?;
                if *json {
                    let scopes = token.scopes.split(',').collect();
                    let made = shapes::NewToken { id: &token.id, name: &token.name, scopes, token: &secret };
                    return print_json(&made);
                }
                print(&format!("{secret}\n"))?;
                // Beside the secret, not under it: TOKEN=$(till token create …) holds the secret alone.
                let advice = "keep it now: it is not shown again";
                complain("note", &[format!("{advice}. Its id is {}, for till token revoke", token.id)]);
                Ok(())
            }
            Verb::List { json } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                let found = tokens::list(&app)?;
                if *json {
                    return print_json(&shapes::Listed::whole(found.iter().map(shapes::Token::from).collect()));
                }
                let row = |token: &crate::store::access::Token| {
                    let (used, revoked) = (token.last_used_at.map(rfc3339), token.revoked_at.map(rfc3339));
                    let (id, made) = (token.id.clone(), rfc3339(token.created_at));
                    [id, token.scopes.clone(), made, or_dash(used), or_dash(revoked), token.name.clone()]
                };
                let rows: Vec<_> = found.iter().map(row).collect();
                print(&table(["ID", "SCOPES", "MADE", "LAST USED", "REVOKED", "NAME"], &rows))
            }
            Verb::Revoke { id } => {
                let app = self.books.open(Need::Nothing, IfMissing::Refuse)?;
                tokens::revoke(&app, id)?;
                print(&format!("revoked {id}\n"))
            }
        }
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text.trim()).ok_or_else(|| "some of read, spend, admin were expected, separated by commas".to_owned())
}
