//! Who may open the operator's pages. Only somebody at the machine's command line decides it: no page, header, claim or
//! address makes an operator. A change of role ends all of the person's sessions.

use crate::app::App;
use crate::error::Result;
use crate::store::{access, operators, users};
use crate::usecase::audit;
use crate::usecase::users::sessions;

/// Makes a user an operator; `false` when they were one before.
pub fn add(app: &App, user_id: &str) -> Result<bool> {
    change(app, user_id, true)
}

/// Takes the role back; `false` when the user was no operator.
pub fn remove(app: &App, user_id: &str) -> Result<bool> {
    change(app, user_id, false)
}

/// The ids of all operators.
pub fn list(app: &App) -> Result<Vec<String>> {
    app.store.read(operators::ids)
}

/// Whether the owner of the account is an operator.
pub fn is_one(app: &App, account: i64) -> Result<bool> {
    app.store.read(|tx| operators::is_one(tx, account))
}

fn change(app: &App, user_id: &str, is_to_be: bool) -> Result<bool> {
    let (user_id, now) = (user_id.to_owned(), app.clock.now());
    audit::write(app, move |tx, trail| {
        let user = users::by_id(tx, &user_id)?;
        let (is_changed, action) = match is_to_be {
            true => (operators::add(tx, user.account, now)?, "operator_added"),
            false => (operators::remove(tx, user.account)?, "operator_removed"),
        };
        if is_changed {
            trail.add(tx, action, &user.id, None)?;
            sessions::end_all(tx, user.account, None, now)?;
            // Who could make a link for a buyer may not be one who may make it for an operator.
            access::remove_links_of(tx, user.account)?;
        }
        Ok(is_changed)
    })
}
