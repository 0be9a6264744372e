//! Service tokens: shown once, stored hashed, with scopes.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Refused, Result};
use crate::id;
use crate::plain_text::is_hidden;
use crate::store::access::{self, Token};
use crate::store::{Tx, users};
use crate::usecase::audit;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read users and ledgers.
    Read,
    /// Spend and hold units.
    Spend,
    /// Make users, sign-in links, checkouts and the customer portal; no grants.
    Sell,
    /// Everything, grants too.
    Admin,
    /// One user's own balance, history and checkout.
    Own,
}

/// What a person writes for scopes.
pub const EXPECTED_SCOPES: &str = "some of read, spend, sell, admin, separated by commas, or self alone";

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Spend => "spend",
            Scope::Sell => "sell",
            Scope::Admin => "admin",
            Scope::Own => "self",
        }
    }

    pub fn parse(text: &str) -> Option<Scope> {
        let all = [Scope::Read, Scope::Spend, Scope::Sell, Scope::Admin, Scope::Own];
        all.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Who calls the service API.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token's id.
    pub token: String,
    scopes: Vec<Scope>,
    /// The user whose token it is, by the scope `self`.
    user: Option<String>,
}

impl Caller {
    /// Whether the token has this scope, or `admin`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// The one user whose token it is, by the scope `self`.
    pub fn owner(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// Refuses the name of a token that is none.
pub fn check_name(name: &str) -> Result<()> {
    let length = name.chars().count();
    if (1..=100).contains(&length) && !name.chars().any(is_hidden) {
        return Ok(());
    }
    let counted = if length == 1 { "1 character".to_owned() } else { format!("{length} characters") };
    let detail =
        format!("The name has {counted}: 1 to 100 without control characters or invisible ones were expected.");
    Err(Refused::InvalidRequest(detail).into())
}

/// Refuses scopes that do not go together. `self` stands alone, and names the user whose token it is.
pub fn check_scopes(scopes: &[Scope], user: Option<&str>) -> Result<()> {
    let is_own = scopes.contains(&Scope::Own);
    let problem = match (scopes.len(), user) {
        (0, _) => format!("No scope was given: {EXPECTED_SCOPES} was expected."),
        (2.., _) if is_own && scopes.iter().any(|scope| *scope != Scope::Own) => {
            "The scope self stands alone: make a token of its own for the others.".to_owned()
        }
        (_, None) if is_own => "The scope self is for one user: name the user.".to_owned(),
        (_, Some(user)) if !is_own => {
            format!("A token of the user {user:?} has the scope self alone; other scopes are for all users.")
        }
        _ => return Ok(()),
    };
    Err(Refused::InvalidRequest(problem).into())
}

/// Creates a token. The second value is its secret, which is not stored: show it now.
pub fn create(app: &App, name: &str, scopes: &[Scope]) -> Result<(Token, String)> {
    create_for(app, name, scopes, None)
}

/// The same; with `user`, a token of that user's own, whose scope is `self`.
pub fn create_for(app: &App, name: &str, scopes: &[Scope], user: Option<&str>) -> Result<(Token, String)> {
    check_name(name)?;
    check_scopes(scopes, user)?;
    let mut words: Vec<Scope> = scopes.to_vec();
    words.sort();
    words.dedup();
    let owner = user.map(|id| app.store.read(|tx| users::by_id(tx, id))).transpose()?;
    let now = app.clock.now();
    let token = Token {
        id: id::ordered_id("tok", now)?,
        name: name.to_owned(),
        scopes: words.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(","),
        owner: owner.map(|user| (user.account, user.id)),
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    };
    let secret = id::secret("till_")?;
    let stored = token.clone();
    let hash = id::secret_hash(&secret);
    audit::write(app, move |tx, trail| {
        let whose = stored.owner.as_ref().map(|(_, user)| format!(" of {user}")).unwrap_or_default();
        trail.add(tx, "token_created", &stored.id, format!("{}: {}{whose}", stored.name, stored.scopes))?;
        access::add_token(tx, &stored, &hash)
    })?;
    tracing::info!(event = "token_created", token = token.id, name = token.name, scopes = token.scopes);
    Ok((token, secret))
}

/// All tokens, newest first.
pub fn list(app: &App) -> Result<Vec<Token>> {
    app.store.read(access::tokens)
}

/// Tokens that were made before the one with this id, or the newest.
pub fn page(app: &App, before: Option<&str>, limit: i64) -> Result<Vec<Token>> {
    // After every id.
    let before = before.map_or_else(|| char::MAX.to_string(), str::to_owned);
    app.store.read(|tx| access::tokens_before(tx, &before, limit))
}

/// The token with this id.
pub fn show(app: &App, id: &str) -> Result<Token> {
    let found = app.store.read(|tx| access::token_by_id(tx, id))?;
    found.ok_or_else(|| Refused::NotFound(format!("There is no token {id:?}.")).into())
}

/// Revokes a token: from now on it opens nothing.
pub fn revoke(app: &App, token: &str) -> Result<()> {
    let id = token.to_owned();
    let now = app.clock.now();
    let is_known = audit::write(app, move |tx, trail| {
        let is_known = access::revoke_token(tx, &id, now)?;
        if is_known {
            trail.add(tx, "token_revoked", &id, None)?;
        }
        Ok(is_known)
    })?;
    if !is_known {
        return Err(Refused::NotFound(format!("There is no token {token:?}. See till token list.")).into());
    }
    tracing::info!(event = "token_revoked", token);
    Ok(())
}

/// What a bearer token proves.
#[derive(Clone, Debug)]
pub struct Authentication {
    pub caller: Caller,
    last_used_at: Option<Timestamp>,
}

impl Authentication {
    /// Whether to call [`remember_use`]: once a minute is enough.
    pub fn is_to_be_remembered(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| last.plus_seconds(60) <= now)
    }
}

/// Looks up a bearer token by its secret.
pub fn authenticate(tx: &mut dyn Tx, secret: &str) -> Result<Authentication> {
    let unknown = || Refused::Unauthenticated("This token is unknown or revoked. Make one: till token create.".into());
    if !secret.starts_with("till_") {
        return Err(unknown().into());
    }
    let hash = id::secret_hash(secret);
    let token = access::token_by_hash(tx, &hash)?;
    let token = token.filter(|token| token.revoked_at.is_none()).ok_or_else(unknown)?;
    let scopes = token.scopes.split(',').filter_map(Scope::parse).collect();
    let user = token.owner.map(|(_, user)| user);
    Ok(Authentication { caller: Caller { scopes, user, token: token.id }, last_used_at: token.last_used_at })
}

/// Stores when a token was last used. A failure does not refuse the call: a read-only or busy database still answers
/// reads.
pub fn remember_use(app: &App, caller: &Caller) {
    let id = caller.token.clone();
    let now = app.clock.now();
    app.store.write_then(
        move |tx| access::token_used(tx, &id, now),
        |result| {
            if let Err(error) = result {
                tracing::debug!(event = "token_use_not_recorded", error = %error);
            }
        },
    );
}
