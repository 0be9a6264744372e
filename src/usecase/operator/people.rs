//! People as the operator sees them: found by what somebody says of them, and shown with all that the books know.

use crate::app::App;
use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::Result;
use crate::ledger::Entry;
use crate::store::access::{self, Token};
use crate::store::directory::{self, SentRecord};
use crate::store::holds::{self, Hold};
use crate::store::identities::{self, Identity, VerifiedAddress};
use crate::store::lots::{self, LotOrigin};
use crate::store::orders::OfferKind;
use crate::store::payment_records::{self, BoughtLot, DisputeStanding, PaymentRecord};
use crate::store::sessions::Session;
use crate::store::subscriptions::{self, Subscription};
use crate::store::{Tx, customers, entries, operators, payments};
use crate::usecase::users::balance::{self, Explanation};
use crate::usecase::users::{self, UserSnapshot, entitlement, sessions};

/// People that a search finds of each kind.
const FOUND: i64 = 50;
/// Rows of each list on the page of one person.
const ROWS: i64 = 20;

/// People whom a search found.
#[derive(Clone, Debug)]
pub struct FoundPeople {
    pub people: Vec<UserSnapshot>,
    /// There are more than are listed: more of the text is wanted.
    pub is_cut: bool,
}

/// People by their id, e-mail address or name, of which the beginning is enough, or by any id of Stripe's about them.
pub fn search(app: &App, text: &str) -> Result<FoundPeople> {
    let text = text.trim();
    app.store.read(|tx| {
        let canonical = Email::parse(text).map(|email| email.canonical().to_owned());
        let by_address = canonical.map(|canonical| identities::by_address(tx, &canonical)).transpose()?.flatten();
        let by_address = by_address.map(|address| address.account);
        let mut accounts: Vec<i64> = directory::of_stripe_id(tx, text)?.into_iter().chain(by_address).collect();
        let begun = directory::beginning_with(tx, text, FOUND)?;
        let is_cut = begun.len() >= usize::try_from(FOUND).unwrap_or(usize::MAX);
        for account in begun {
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        Ok(FoundPeople { people: snapshots(tx, app, &accounts)?, is_cut })
    })
}

/// The people who became known before the one with this account's number, the newest first.
pub fn newest(app: &App, before: i64, limit: i64) -> Result<Vec<UserSnapshot>> {
    app.store.read(|tx| {
        let accounts = directory::newest(tx, before, limit)?;
        snapshots(tx, app, &accounts)
    })
}

fn snapshots(tx: &mut dyn Tx, app: &App, accounts: &[i64]) -> Result<Vec<UserSnapshot>> {
    let mut people = Vec::with_capacity(accounts.len());
    for account in accounts {
        let user = crate::store::users::by_account(tx, *account)?;
        people.push(entitlement::of_user(tx, &app.catalog, user)?);
    }
    Ok(people)
}

/// A payment with what of its units and its money is left.
#[derive(Clone, Debug)]
pub struct PaymentView {
    pub record: PaymentRecord,
    pub lots: Vec<BoughtLot>,
    /// Minor units that were not refunded yet.
    unrefunded: i64,
    /// Of those that are open or took the money.
    pub dispute: Option<DisputeStanding>,
}

impl PaymentView {
    /// Minor units that could still be refunded. `None`: Stripe refunds nothing of a payment whose money a dispute withholds.
    pub fn refundable(&self) -> Option<i64> {
        match self.dispute {
            Some(DisputeStanding::Open | DisputeStanding::Lost) => None,
            Some(DisputeStanding::Inquiry) | None => Some(self.unrefunded),
        }
    }

    /// Units of it that are left.
    pub fn units_left(&self) -> i64 {
        self.lots.iter().fold(0_i64, |sum, lot| sum.saturating_add(lot.left))
    }
}

/// An entry, and who made it.
#[derive(Clone, Debug)]
pub struct SignedEntry {
    pub entry: Entry,
    pub actor: Option<String>,
}

/// All that the books know of one person: of each kind the newest.
#[derive(Clone, Debug)]
pub struct PersonRecord {
    pub balance: Explanation,
    /// Lots with units.
    pub lots: Vec<LotOrigin>,
    /// Open ones.
    pub holds: Vec<Hold>,
    pub is_operator: bool,
    pub address: Option<VerifiedAddress>,
    pub has_password: bool,
    pub identities: Vec<Identity>,
    /// At Stripe.
    pub customers: Vec<String>,
    /// The last ones, newest first.
    pub payments: Vec<PaymentView>,
    /// Those that have ended among them.
    pub subscriptions: Vec<Subscription>,
    pub entries: Vec<SignedEntry>,
    /// Whether there are older entries.
    pub has_older_entries: bool,
    /// Open ones.
    pub sessions: Vec<Session>,
    /// The person's own.
    pub tokens: Vec<Token>,
    pub mails: Vec<SentRecord>,
    pub notifications: Vec<SentRecord>,
}

impl PersonRecord {
    /// Units that are left of what plans brought, of packs, and of gifts.
    pub fn left_by_origin(&self) -> [(&'static str, i64); 3] {
        let left = |kind: Option<OfferKind>| {
            let lots = self.lots.iter().filter(|lot| lot.kind == kind);
            lots.fold(0i64, |sum, lot| sum.saturating_add(lot.lot.remaining))
        };
        [("subscriptions", left(Some(OfferKind::Plan))), ("topups", left(Some(OfferKind::Pack))), ("gifts", left(None))]
    }
}

/// Reads all of it, of the user with this id.
pub fn record(app: &App, id: &str) -> Result<PersonRecord> {
    let account = users::show(app, id)?.user.account;
    let balance = balance::explain(app, account, i64::MAX)?;
    let sessions = sessions::list(app, account)?;
    let (payments, entries) = (payments_of(app, account, END, ROWS)?, entries_of(app, account, i64::MAX, ROWS)?);
    let has_older_entries = entries.last().is_some_and(|oldest| oldest.entry.seq > 1);
    app.store.read(|tx| {
        Ok(PersonRecord {
            balance: balance.clone(),
            lots: lots::open(tx, account)?,
            holds: holds::open_of(tx, account, ROWS)?,
            is_operator: operators::is_one(tx, account)?,
            address: identities::address_of(tx, account)?,
            has_password: identities::password_of(tx, account)?.is_some(),
            identities: identities::identities_of(tx, account)?,
            customers: customers::of_account(tx, account)?,
            payments: payments.clone(),
            subscriptions: subscriptions::of_account(tx, account, ROWS)?,
            entries: entries.clone(),
            has_older_entries,
            sessions: sessions.clone(),
            tokens: access::tokens_of(tx, account)?,
            mails: directory::mails_of(tx, account, ROWS)?,
            notifications: directory::notifications_of(tx, account, ROWS)?,
        })
    })
}

/// After every payment.
const END: (Timestamp, &str) = (Timestamp::from_millis(i64::MAX), "");

/// The account's payments before the one with this time and reference, newest first.
pub fn payments_of(app: &App, account: i64, before: (Timestamp, &str), limit: i64) -> Result<Vec<PaymentView>> {
    app.store.read(|tx| {
        let records = payment_records::of_account(tx, account, before, limit)?;
        records.into_iter().map(|record| view(tx, record)).collect()
    })
}

/// A payment with its lots.
pub(super) fn view(tx: &mut dyn Tx, record: PaymentRecord) -> Result<PaymentView> {
    let reference = &record.payment.reference;
    let (lots, dispute) = (payment_records::lots_of(tx, reference)?, payment_records::dispute_of(tx, reference)?);
    Ok(PaymentView { lots, unrefunded: payments::refundable(tx, &record.payment)?, dispute, record })
}

/// The account's entries before the one with this number, newest first, with who made each.
pub fn entries_of(app: &App, account: i64, before: i64, limit: i64) -> Result<Vec<SignedEntry>> {
    app.store.read(|tx| {
        let entries = entries::newest(tx, account, before, limit)?;
        let actors = directory::actors_of(tx, account, before, limit)?;
        let signed = entries.into_iter().zip(actors).map(|(entry, (_, actor))| SignedEntry { entry, actor });
        Ok(signed.collect())
    })
}
