//! Service tokens: shown once, stored hashed, with scopes.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Refused, Result};
use crate::id;
use crate::store::Tx;
use crate::store::access::{self, Token};

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read users and ledgers.
    Read,
    /// Spend and hold units.
    Spend,
    /// Grants, users, links; both others with it.
    Admin,
}

impl Scope {
    /// The word that people write.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Spend => "spend",
            Scope::Admin => "admin",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Scope> {
        [Scope::Read, Scope::Spend, Scope::Admin].into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Who calls the service API.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token's id.
    pub token: String,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Whether the token reaches this far. `admin` includes both others.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

/// Makes a token. The second value is its secret: it is shown now and never again.
pub fn create(app: &App, name: &str, scopes: &[Scope]) -> Result<(Token, String)> {
    let length = name.chars().count();
    if !(1..=100).contains(&length) || name.chars().any(char::is_control) {
        let detail = format!("The name has {length} characters: 1 to 100 without control characters were expected.");
        return Err(Refused::InvalidRequest(detail).into());
    }
    let mut words: Vec<Scope> = scopes.to_vec();
    words.sort();
    words.dedup();
    if words.is_empty() {
        return Err(
            Refused::InvalidRequest("No scope was given: some of read, spend, admin were expected.".into()).into()
        );
    }
    let now = app.clock.now();
    let token = Token {
        id: id::ordered_id("tok", now)?,
        name: name.to_owned(),
        scopes: words.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(","),
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    };
    let secret = id::secret("till_")?;
    let (stored, hash) = (token.clone(), id::secret_hash(&secret));
    app.store.write(move |tx| access::add_token(tx, &stored, &hash))?;
    tracing::info!(event = "token_created", token = token.id, name = token.name, scopes = token.scopes);
    Ok((token, secret))
}

/// All tokens, newest first.
pub fn list(app: &App) -> Result<Vec<Token>> {
    app.store.read(access::tokens)
}

/// Revokes a token: from now on it opens nothing.
pub fn revoke(app: &App, token: &str) -> Result<()> {
    let (id, now) = (token.to_owned(), app.clock.now());
    if !app.store.write(move |tx| access::revoke_token(tx, &id, now))? {
        return Err(Refused::NotFound(format!("There is no token {token:?}. See till token list.")).into());
    }
    tracing::info!(event = "token_revoked", token);
    Ok(())
}

/// A token that was found.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Who calls with it.
    pub caller: Caller,
    last_used_at: Option<Timestamp>,
}

impl Authentication {
    /// Whether its use now is to be remembered: it is, to the minute ([`remember_use`]).
    pub fn is_to_be_remembered(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| last.plus_seconds(60) <= now)
    }
}

/// Who a bearer token is.
pub fn authenticate(tx: &mut dyn Tx, secret: &str) -> Result<Authentication> {
    let unknown = || Refused::Unauthenticated("This token is unknown or revoked. Make one: till token create.".into());
    if !secret.starts_with("till_") {
        return Err(unknown().into());
    }
    let hash = id::secret_hash(secret);
    let token = access::token_by_hash(tx, &hash)?;
    let token = token.filter(|token| token.revoked_at.is_none()).ok_or_else(unknown)?;
    let scopes = token.scopes.split(',').filter_map(Scope::parse).collect();
    Ok(Authentication { caller: Caller { scopes, token: token.id }, last_used_at: token.last_used_at })
}

/// Remembers to the minute when a token was last used. Not worth refusing a call for: a read-only or busy database still
/// answers reads.
pub fn remember_use(app: &App, caller: &Caller) {
    let (id, now) = (caller.token.clone(), app.clock.now());
    app.store.write_then(
        move |tx| access::token_used(tx, &id, now),
        |remembered| {
            if let Err(error) = remembered {
                tracing::debug!(event = "token_use_not_recorded", error = %error);
            }
        },
    );
}
