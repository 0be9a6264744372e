//! What Stripe was paid and what it bought, found again by any of Stripe's ids; and what refunds, credit notes and disputes
//! have said about it. Facts about reversals only go forward, so that the order in which they arrive decides nothing.

use super::db::{DbResult, Param, Row, Tx};
use super::money_moves;
use super::orders::OfferKind;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ledger::{Cost, Currency, DisputedFunds};

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// What makes the credit happen once: the payment intent, the session if there is none, or the invoice.
    pub reference: String,
    pub account: i64,
    pub kind: OfferKind,
    /// Units credited so far.
    pub units_granted: i64,
    /// Units that reversals have taken of them.
    pub units_reversed: i64,
    /// As charged, in the currency's minor unit.
    pub amount: i64,
    /// What was bought cost so much: what was charged, and what a credit balance paid. Credit notes give back a part of
    /// this, refunds a part of `amount`.
    pub cost: i64,
    /// ISO code in lower case.
    pub currency: String,
    /// The plan's or pack's key when it was sold.
    pub offer: String,
    /// Whether it was marked as paid and Stripe took no money.
    pub out_of_band: bool,
    pub session: Option<String>,
    pub payment_intent: Option<String>,
    pub charge: Option<String>,
    pub invoice: Option<String>,
    /// The most that Stripe ever reported as refunded in all.
    pub refunded_total: i64,
    /// Entries that reversed it so far.
    pub reversals: i64,
    /// When till learned of it.
    pub paid_at: Timestamp,
}

impl Payment {
    /// The ids by which Stripe's events may name it.
    pub fn ids(&self) -> Vec<String> {
        let others = [&self.session, &self.payment_intent, &self.charge, &self.invoice].into_iter().flatten();
        let others = others.filter(|id| **id != self.reference);
        std::iter::once(&self.reference).chain(others).cloned().collect()
    }

    /// A part of what it cost, for a lot that it bought.
    pub fn part(&self, amount: i64) -> Option<Cost> {
        Currency::new(&self.currency).map(|currency| Cost { amount, currency })
    }
}

/// Ids of one payment, as far as one of Stripe's objects names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StripeIds<'a> {
    /// Of a pack's checkout.
    pub session: Option<&'a str>,
    pub payment_intent: Option<&'a str>,
    pub charge: Option<&'a str>,
    pub invoice: Option<&'a str>,
}

/// Records the payment before its entry is made; `false` when it, or another under one of its ids, was recorded before.
pub fn add(tx: &mut dyn Tx, new: &Payment) -> Result<bool> {
    const ADD: &str = "INSERT INTO payments
        (reference, account, kind, units_granted, units_reversed, amount, cost, currency, offer, out_of_band, session,
        payment_intent, charge, invoice, refunded_total, reversals, paid_at)
        VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0, $14) ON CONFLICT DO NOTHING";
    let row: [&dyn Param; 14] = [
        &new.reference,
        &new.account,
        &new.kind.as_str(),
        &new.units_granted,
        &new.amount,
        &new.cost,
        &new.currency,
        &new.offer,
        &new.out_of_band,
        &new.session,
        &new.payment_intent,
        &new.charge,
        &new.invoice,
        &new.paid_at,
    ];
    let added = money_moves::keep(tx, &new.reference, |tx| Ok(tx.execute(ADD, &row)?))?;
    if added == 1 {
        add_linked_ids(tx, &new.reference)?;
    }
    Ok(added == 1)
}

/// The payment that any of these ids names: its own reference, a payment intent, a charge, an invoice, a session.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<Payment>> {
    const FIND: &str = "SELECT reference, account, kind, units_granted, units_reversed, amount, cost, currency, offer,
        out_of_band, session, payment_intent, charge, invoice, refunded_total, reversals, paid_at FROM payments
        WHERE reference = $1 OR payment_intent = $1 OR charge = $1 OR invoice = $1 OR session = $1
        ORDER BY reference LIMIT 1";
    tx.one(FIND, &[&id], payment)
}

/// The account's payments, newest first.
pub fn of_account(tx: &mut dyn Tx, account: i64, limit: i64) -> Result<Vec<Payment>> {
    const LIST: &str = "SELECT reference, account, kind, units_granted, units_reversed, amount, cost, currency, offer,
        out_of_band, session, payment_intent, charge, invoice, refunded_total, reversals, paid_at FROM payments
        WHERE account = $1 ORDER BY paid_at DESC, reference LIMIT $2";
    tx.all(LIST, &[&account, &limit], payment)
}

/// Adds further ids of a payment. Those that are known stay, and an id that another payment has stays with that one.
pub fn add_stripe_ids(tx: &mut dyn Tx, reference: &str, ids: StripeIds<'_>) -> Result<()> {
    const ADD: &str = "UPDATE payments SET
        session = CASE WHEN session IS NOT NULL OR EXISTS (SELECT 1 FROM payments p WHERE p.session = $2)
            THEN session ELSE $2 END,
        payment_intent = CASE WHEN payment_intent IS NOT NULL
            OR EXISTS (SELECT 1 FROM payments p WHERE p.payment_intent = $3) THEN payment_intent ELSE $3 END,
        charge = CASE WHEN charge IS NOT NULL OR EXISTS (SELECT 1 FROM payments p WHERE p.charge = $4)
            THEN charge ELSE $4 END,
        invoice = CASE WHEN invoice IS NOT NULL OR EXISTS (SELECT 1 FROM payments p WHERE p.invoice = $5)
            THEN invoice ELSE $5 END
        WHERE reference = $1
        AND (session IS NULL OR payment_intent IS NULL OR charge IS NULL OR invoice IS NULL)";
    let StripeIds { session, payment_intent, charge, invoice } = ids;
    tx.execute(ADD, &[&reference, &session, &payment_intent, &charge, &invoice])?;
    Ok(())
}

/// Adds the invoice or the payment intent of a payment, if `invoice_payments` ties it to the one that is known.
pub fn add_linked_ids(tx: &mut dyn Tx, reference: &str) -> Result<()> {
    const LINKED: &str = "SELECT l.payment_intent, l.invoice FROM invoice_payments l, payments p
        WHERE p.reference = $1 AND (l.payment_intent = p.payment_intent OR l.invoice = p.invoice)
        ORDER BY l.payment_intent LIMIT 1";
    let linked = tx.one(LINKED, &[&reference], |row| Ok((row.text("payment_intent")?, row.text("invoice")?)))?;
    let Some((payment_intent, invoice)) = linked else { return Ok(()) };
    let ids = StripeIds { payment_intent: Some(&payment_intent), invoice: Some(&invoice), ..StripeIds::default() };
    add_stripe_ids(tx, reference, ids)
}

/// Sets the units that were granted and reversed so far, and the number of reversing entries.
pub fn set_totals(tx: &mut dyn Tx, reference: &str, granted: i64, reversed: i64, reversals: i64) -> Result<()> {
    const SET: &str =
        "UPDATE payments SET units_granted = $2, units_reversed = $3, reversals = $4 WHERE reference = $1";
    tx.execute(SET, &[&reference, &granted, &reversed, &reversals])?;
    Ok(())
}

/// The lots that a payment bought, oldest first.
pub fn lots_of(tx: &mut dyn Tx, reference: &str) -> Result<Vec<i64>> {
    const LOTS: &str = "SELECT seq FROM lots WHERE payment = $1 ORDER BY seq LIMIT 1000";
    tx.all(LOTS, &[&reference], |row| row.int("seq"))
}

/// The key of the plan whose payment bought a lot. `None` where something else opened it.
pub fn plan_of_lot(tx: &mut dyn Tx, account: i64, seq: i64) -> Result<Option<String>> {
    const PLAN: &str = "SELECT p.offer FROM lots l JOIN payments p ON p.reference = l.payment
        WHERE l.account = $1 AND l.seq = $2 AND p.kind = 'plan'";
    tx.one(PLAN, &[&account, &seq], |row| row.text("offer"))
}

/// Whether one of these plans has bought the account a lot of a later period than the one that ended at `period_end` with
/// the lot number `seq`: one that expires later, or one that was credited later and does not expire.
pub fn has_later_lot(tx: &mut dyn Tx, account: i64, plans: [&str; 2], seq: i64, period_end: Timestamp) -> Result<bool> {
    const LATER: &str = "SELECT l.seq FROM lots l JOIN payments p ON p.reference = l.payment
        WHERE l.account = $1 AND p.kind = 'plan' AND (p.offer = $2 OR p.offer = $3)
        AND (l.expires_at > $5 OR (l.expires_at IS NULL AND l.seq > $4)) ORDER BY l.seq DESC LIMIT 1";
    let [one, other] = plans;
    Ok(tx.one(LATER, &[&account, &one, &other, &seq, &period_end], |row| row.int("seq"))?.is_some())
}

/// Remembers which invoice a payment intent paid, also for a payment of which only one of the two is known so far.
pub fn link_invoice(tx: &mut dyn Tx, payment_intent: &str, invoice: &str) -> Result<()> {
    const LINK: &str = "INSERT INTO invoice_payments (payment_intent, invoice) VALUES ($1, $2)
        ON CONFLICT (payment_intent) DO NOTHING";
    tx.execute(LINK, &[&payment_intent, &invoice])?;
    for id in [payment_intent, invoice] {
        if let Some(known) = find(tx, id)? {
            add_linked_ids(tx, &known.reference)?;
        }
    }
    Ok(())
}

/// The invoice that a payment intent paid, as far as it is known.
pub fn invoice_of(tx: &mut dyn Tx, payment_intent: &str) -> Result<Option<String>> {
    const FIND: &str = "SELECT invoice FROM invoice_payments WHERE payment_intent = $1";
    tx.one(FIND, &[&payment_intent], |row| row.text("invoice"))
}

/// Stripe reports at `at` how much of a payment is refunded in all; the most that it ever reported is kept.
pub fn raise_refunded_total(tx: &mut dyn Tx, reference: &str, amount: i64, at: Timestamp) -> Result<()> {
    const RAISE: &str = "UPDATE payments SET refunded_total = $2, refunded_total_at = $3
        WHERE reference = $1 AND refunded_total < $2";
    money_moves::keep(tx, reference, |tx| Ok(tx.execute(RAISE, &[&reference, &amount, &at])?)).map(drop)
}

/// The state of a refund, in the order in which it can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    Pending,
    Succeeded,
    /// Or cancelled.
    Failed,
}

impl RefundState {
    fn as_str(self) -> &'static str {
        match self {
            RefundState::Pending => "pending",
            RefundState::Succeeded => "succeeded",
            RefundState::Failed => "failed",
        }
    }
}

/// A refund as Stripe describes it at one moment.
#[derive(Clone, Copy, Debug)]
pub struct RefundRecord<'a> {
    /// `re_…` or `pyr_…`
    pub id: &'a str,
    /// In the currency's minor unit.
    pub amount: i64,
    pub state: RefundState,
    /// When Stripe made it, and when it described it so.
    pub times: [Timestamp; 2],
}

/// Records a refund and its state, which only goes forward.
pub fn put_refund(tx: &mut dyn Tx, payment: &str, refund: &RefundRecord<'_>) -> Result<()> {
    const PUT: &str = "INSERT INTO refunds (id, payment, amount, state, made_at, failed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET state = $4, failed_at = COALESCE(refunds.failed_at, $6)
        WHERE refunds.state = 'pending' OR $4 = 'failed'";
    let RefundRecord { id, amount, state, times: [made_at, described_at] } = refund;
    let failed_at = (*state == RefundState::Failed).then_some(*described_at);
    money_moves::keep(tx, payment, |tx| {
        Ok(tx.execute(PUT, &[id, &payment, amount, &state.as_str(), made_at, &failed_at])?)
    })
    .map(drop)
}

/// How much of a payment is refunded: the most that Stripe reported in all, or the sum of all known refunds if that is
/// more, less those that are pending, failed or cancelled. The order in which they became known does not matter.
pub fn refunded(tx: &mut dyn Tx, payment: &Payment) -> Result<i64> {
    const SUMS: &str = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS known,
        CAST(COALESCE(SUM(CASE WHEN state = 'succeeded' THEN 0 ELSE amount END), 0) AS BIGINT) AS not_succeeded
        FROM refunds WHERE payment = $1";
    let sums = tx.one(SUMS, &[&payment.reference], |row| Ok((row.int("known")?, row.int("not_succeeded")?)))?;
    let (known, not_succeeded) = sums.unwrap_or_default();
    Ok((payment.refunded_total.max(known) - not_succeeded).max(0))
}

/// Whether Stripe stated a total of a payment's refunds that is more than those which are known one by one.
pub fn has_untold_refunds(tx: &mut dyn Tx, reference: &str) -> Result<bool> {
    const UNTOLD: &str = "SELECT reference FROM payments WHERE reference = $1 AND refunded_total >
        (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM refunds WHERE payment = $1)";
    Ok(tx.one(UNTOLD, &[&reference], |row| row.text("reference"))?.is_some())
}

/// What of a payment can still be refunded at Stripe, as far as its refunds are known: those that are pending or succeeded
/// count, and Stripe's own statement if that is more.
pub fn refundable(tx: &mut dyn Tx, payment: &Payment) -> Result<i64> {
    const SUMS: &str = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS known,
        CAST(COALESCE(SUM(CASE WHEN state = 'failed' THEN amount ELSE 0 END), 0) AS BIGINT) AS failed
        FROM refunds WHERE payment = $1";
    let sums = tx.one(SUMS, &[&payment.reference], |row| Ok((row.int("known")?, row.int("failed")?)))?;
    let (known, failed) = sums.unwrap_or_default();
    let charged = if payment.out_of_band { 0 } else { payment.amount };
    Ok((charged - (payment.refunded_total.max(known) - failed).max(0)).max(0))
}

/// What a credit note gives back of a paid invoice without a refund of Stripe's.
#[derive(Clone, Copy, Debug)]
pub struct CreditNoteRecord<'a> {
    /// `cn_…`
    pub id: &'a str,
    /// In the currency's minor unit.
    pub returned: i64,
    pub made_at: Timestamp,
    /// When it was voided, if it was.
    pub voided_at: Option<Timestamp>,
}

/// Records what a credit note gives back. A void one stays void.
pub fn put_credit_note(tx: &mut dyn Tx, payment: &str, note: &CreditNoteRecord<'_>) -> Result<()> {
    const PUT: &str = "INSERT INTO credit_notes (id, payment, returned, status, made_at, voided_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE SET status = $4, voided_at = COALESCE(credit_notes.voided_at, $6) WHERE $4 = 'void'";
    let CreditNoteRecord { id, returned, made_at, voided_at } = note;
    let status = if voided_at.is_some() { "void" } else { "issued" };
    money_moves::keep(tx, payment, |tx| Ok(tx.execute(PUT, &[id, &payment, returned, &status, made_at, voided_at])?))
        .map(drop)
}

/// What all credit notes of a payment together give back without a refund of Stripe's.
pub fn credited_back(tx: &mut dyn Tx, payment: &str) -> Result<i64> {
    const SUM: &str = "SELECT CAST(COALESCE(SUM(returned), 0) AS BIGINT) AS returned FROM credit_notes
        WHERE payment = $1 AND status = 'issued'";
    Ok(tx.one(SUM, &[&payment], |row| row.int("returned"))?.unwrap_or(0))
}

/// The stage of a dispute, in the order in which it can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStage {
    Inquiry,
    Open,
    Closed,
}

impl DisputeStage {
    fn as_str(self) -> &'static str {
        match self {
            DisputeStage::Inquiry => "inquiry",
            DisputeStage::Open => "open",
            DisputeStage::Closed => "closed",
        }
    }
}

/// A dispute as Stripe describes it at one moment. Amounts are in the currency's minor unit.
#[derive(Clone, Debug)]
pub struct DisputeState<'a> {
    /// `du_…` or `dp_…`
    pub id: &'a str,
    /// What was withdrawn, or is in dispute.
    pub disputed: i64,
    /// What is withheld.
    pub withheld: i64,
    pub stage: DisputeStage,
    /// How many movements of funds it lists.
    pub moves: i64,
    /// In which the funds were moved, or will be. ISO code in lower case.
    pub currency: &'a str,
    /// When the funds were withdrawn, and when they came back, if they did.
    pub moved_at: [Option<Timestamp>; 2],
}

/// Records a description of a dispute. Returns `false`, and changes nothing, unless it is further than what is known: it
/// lists more movements, or as many at a later stage.
pub fn put_dispute(tx: &mut dyn Tx, payment: &str, dispute: &DisputeState<'_>, now: Timestamp) -> Result<bool> {
    const PUT: &str = "INSERT INTO disputes
        (id, payment, disputed, withheld, stage, moves, opened_at, currency, withdrawn_at, reinstated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (id) DO UPDATE SET disputed = $3, withheld = $4, stage = $5, moves = $6, currency = $8,
            withdrawn_at = COALESCE(disputes.withdrawn_at, $9), reinstated_at = COALESCE(disputes.reinstated_at, $10)
        WHERE disputes.moves < $6 OR (disputes.moves = $6 AND (
            (disputes.stage = 'inquiry' AND $5 <> 'inquiry') OR (disputes.stage = 'open' AND $5 = 'closed')))";
    let DisputeState { id, disputed, withheld, stage, moves, currency, moved_at: [withdrawn, reinstated] } = dispute;
    let stage = stage.as_str();
    let row: [&dyn Param; 10] =
        [id, &payment, disputed, withheld, &stage, moves, &now, currency, withdrawn, reinstated];
    money_moves::keep(tx, payment, |tx| Ok(tx.execute(PUT, &row)? == 1))
}

/// What disputes withhold of a payment: the worst of them, if there are several.
pub fn withheld(tx: &mut dyn Tx, payment: &str) -> Result<Option<DisputedFunds>> {
    const WORST: &str = "SELECT withheld, disputed FROM disputes WHERE payment = $1 AND withheld > 0
        ORDER BY withheld DESC, id LIMIT 1";
    tx.one(WORST, &[&payment], |row| {
        Ok(DisputedFunds { withheld: row.int("withheld")?, disputed: row.int("disputed")? })
    })
}

pub(super) fn payment(row: &Row<'_>) -> DbResult<Payment> {
    Ok(Payment {
        reference: row.text("reference")?,
        account: row.int("account")?,
        kind: row.word("kind", OfferKind::parse)?,
        units_granted: row.int("units_granted")?,
        units_reversed: row.int("units_reversed")?,
        amount: row.int("amount")?,
        cost: row.int("cost")?,
        currency: row.text("currency")?,
        offer: row.text("offer")?,
        out_of_band: row.flag("out_of_band")?,
        session: row.text_or_null("session")?,
        payment_intent: row.text_or_null("payment_intent")?,
        charge: row.text_or_null("charge")?,
        invoice: row.text_or_null("invoice")?,
        refunded_total: row.int("refunded_total")?,
        reversals: row.int("reversals")?,
        paid_at: row.time("paid_at")?,
    })
}
