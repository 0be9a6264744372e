//! What somebody sees and does about their own account.

use crate::app::App;
use crate::error::Result;
use crate::language::refusal::PersonRefusal;
use crate::store::access::{self, Token};
use crate::store::identities::{self, VerifiedAddress};
use crate::store::sessions::Session;
use crate::store::subscriptions;
use crate::store::users::User;
use crate::usecase::audit;
use crate::usecase::users::sessions;
use crate::usecase::users::tokens::{self, Scope};

/// Tokens of one user's own that work at once.
const TOKENS_LIMIT: usize = 20;

/// An account as its owner sees it.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub address: Option<VerifiedAddress>,
    pub has_password: bool,
    /// Open ones, those that were used last first.
    pub sessions: Vec<Session>,
    /// The user's own, without those that were revoked, newest first.
    pub tokens: Vec<Token>,
    /// Whether a subscription keeps the account from being erased.
    pub has_subscription: bool,
}

/// The account as of now.
pub fn view(app: &App, account: i64) -> Result<AccountView> {
    let sessions = sessions::list(app, account)?;
    app.store.read(|tx| {
        let tokens = access::tokens_of(tx, account)?;
        Ok(AccountView {
            address: identities::address_of(tx, account)?,
            has_password: identities::password_of(tx, account)?.is_some(),
            sessions,
            tokens: tokens.into_iter().filter(|token| token.revoked_at.is_none()).collect(),
            has_subscription: !subscriptions::live_of(tx, account)?.is_empty(),
        })
    })
}

/// A token of the user's own, for their programs. Returns its secret, which is shown once.
pub fn make_token(app: &App, user: &User, name: &str) -> Result<String> {
    let working = view(app, user.account)?.tokens.len();
    if working >= TOKENS_LIMIT {
        return Err(PersonRefusal::TooMany(TOKENS_LIMIT).into());
    }
    Ok(tokens::create_for(app, name, &[Scope::Own], Some(&user.id))?.1)
}

/// Revokes one of the user's own tokens.
pub fn revoke_token(app: &App, user: &User, token: &str) -> Result<()> {
    let (user, token, now) = (user.clone(), token.to_owned(), app.clock.now());
    audit::write(app, move |tx, trail| {
        let own = access::tokens_of(tx, user.account)?;
        if !own.iter().any(|own| own.id == token && own.revoked_at.is_none()) {
            return Err(PersonRefusal::Gone.into());
        }
        access::revoke_token(tx, &token, now)?;
        trail.add(tx, "token_revoked", &token, None)
    })
}
