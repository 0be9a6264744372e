//! Everything about one user, for the operator.

use crate::app::App;
use crate::error::Result;
use crate::ledger::Entry;
use crate::store::access::{self, Token};
use crate::store::holds::{self, Hold};
use crate::store::lots::{self, LotOrigin};
use crate::store::orders::OfferKind;
use crate::store::payments::{self, Payment};
use crate::store::sessions::Session;
use crate::store::subscriptions::{self, Subscription};
use crate::usecase::users::{UserSnapshot, sessions, show, statement};

/// Rows of a kind that are shown: the newest.
const ROWS: i64 = 20;

/// Everything about one user: of each kind the newest.
#[derive(Clone, Debug)]
pub struct UserRecord {
    pub member: UserSnapshot,
    /// Lots with units.
    pub lots: Vec<LotOrigin>,
    pub entries: Vec<Entry>,
    /// Whether there are older entries.
    pub has_older_entries: bool,
    /// Each with what of it can still be refunded at Stripe, in minor units.
    pub payments: Vec<(Payment, i64)>,
    /// Those that have ended among them.
    pub subscriptions: Vec<Subscription>,
    /// Open ones.
    pub holds: Vec<Hold>,
    /// The user's own.
    pub tokens: Vec<Token>,
    /// Open ones.
    pub sessions: Vec<Session>,
}

impl UserRecord {
    /// Units that are left of what plans brought, of packs, and of gifts.
    pub fn left_by_origin(&self) -> [(&'static str, i64); 3] {
        let left = |kind: Option<OfferKind>| {
            let lots = self.lots.iter().filter(|lot| lot.kind == kind);
            lots.fold(0i64, |sum, lot| sum.saturating_add(lot.lot.remaining))
        };
        [("subscriptions", left(Some(OfferKind::Plan))), ("topups", left(Some(OfferKind::Pack))), ("gifts", left(None))]
    }
}

/// All of a user, or `unknown_user`. `entries` says how many of the last.
pub fn of(app: &App, id: &str, entries: i64) -> Result<UserRecord> {
    let member = show(app, id)?;
    let account = member.user.account;
    let (_, recent) = statement::ledger_page(app, id, None, entries)?;
    let sessions = sessions::list(app, account)?;
    app.store.read(|tx| {
        let mut paid = vec![];
        for payment in payments::of_account(tx, account, ROWS)? {
            let refundable = payments::refundable(tx, &payment)?;
            paid.push((payment, refundable));
        }
        Ok(UserRecord {
            lots: lots::open(tx, account)?,
            entries: recent.rows.clone(),
            has_older_entries: recent.next.is_some(),
            payments: paid,
            subscriptions: subscriptions::of_account(tx, account, ROWS)?,
            holds: holds::open_of(tx, account, ROWS)?,
            tokens: access::tokens_of(tx, account)?,
            sessions: sessions.clone(),
            member: member.clone(),
        })
    })
}
