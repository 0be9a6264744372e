//! What Stripe was paid and what it bought, found again by any of Stripe's ids; and what refunds and disputes have said
//! of it. Facts about refunds and disputes only go forward, so that the order in which they arrive decides nothing.

use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::ledger::Withheld;

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// What makes the credit happen once: the payment intent, the session where there is none, or the invoice.
    pub reference: String,
    /// Who bought.
    pub account: i64,
    /// `pack` or `plan`.
    pub kind: String,
    /// Units credited so far.
    pub gave: i64,
    /// Units that reversals have taken of them.
    pub taken: i64,
    /// As charged, in the currency's minor unit.
    pub amount: i64,
    /// ISO code in lower case.
    pub currency: String,
    /// The plan's or pack's key when it was sold.
    pub offer: String,
    /// Whether it was marked as paid without Stripe having taken the money.
    pub out_of_band: bool,
    /// The checkout session.
    pub session: Option<String>,
    /// The payment intent.
    pub payment_intent: Option<String>,
    /// The charge.
    pub charge: Option<String>,
    /// The invoice.
    pub invoice: Option<String>,
    /// The most that Stripe ever stated as refunded.
    pub refund_stated: i64,
    /// Entries that reversed it so far.
    pub reversals: i64,
    /// When we learned of it.
    pub paid_at: Timestamp,
}

/// Records the payment before its entry is made; `false` when it, or another under one of its ids, was recorded before.
pub fn add(tx: &mut dyn Tx, new: &Payment) -> Result<bool> {
    const ADD: &str = "INSERT INTO payments
        (reference, account, kind, gave, taken, amount, currency, offer, out_of_band, session, payment_intent, charge,
        invoice, refund_stated, reversals, paid_at)
        VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, $13) ON CONFLICT DO NOTHING";
    let added = tx.execute(
        ADD,
        &[
            (&new.reference).into(),
            new.account.into(),
            (&new.kind).into(),
            new.gave.into(),
            new.amount.into(),
            (&new.currency).into(),
            (&new.offer).into(),
            new.out_of_band.into(),
            new.session.as_deref().into(),
            new.payment_intent.as_deref().into(),
            new.charge.as_deref().into(),
            new.invoice.as_deref().into(),
            new.paid_at.into(),
        ],
    )?;
    Ok(added == 1)
}

/// The payment that any of these ids names: its own reference, a payment intent, a charge, an invoice, a session.
pub fn find(tx: &mut dyn Tx, id: &str) -> Result<Option<Payment>> {
    const FIND: &str = "SELECT reference, account, kind, gave, taken, amount, currency, offer, out_of_band, session,
        payment_intent, charge, invoice, refund_stated, reversals, paid_at FROM payments
        WHERE reference = $1 OR payment_intent = $1 OR charge = $1 OR invoice = $1 OR session = $1
        ORDER BY reference LIMIT 1";
    Ok(tx.query_one(FIND, &[id.into()])?.as_ref().map(payment).transpose()?)
}

/// Learns further ids of a payment; those that are known stay.
pub fn learn(tx: &mut dyn Tx, reference: &str, payment_intent: Option<&str>, charge: Option<&str>) -> Result<()> {
    const LEARN: &str =
        "UPDATE payments SET payment_intent = COALESCE(payment_intent, $2), charge = COALESCE(charge, $3)
        WHERE reference = $1 AND (payment_intent IS NULL OR charge IS NULL)";
    tx.execute(LEARN, &[reference.into(), payment_intent.into(), charge.into()])?;
    Ok(())
}

/// A later part was credited, or taken again: what the payment gave and what reversals take of it by now.
pub fn moved(tx: &mut dyn Tx, reference: &str, gave: i64, taken: i64, reversals: i64) -> Result<()> {
    const MOVED: &str = "UPDATE payments SET gave = $2, taken = $3, reversals = $4 WHERE reference = $1";
    tx.execute(MOVED, &[reference.into(), gave.into(), taken.into(), reversals.into()])?;
    Ok(())
}

/// The lots that a payment bought, oldest first.
pub fn lots_of(tx: &mut dyn Tx, reference: &str) -> Result<Vec<i64>> {
    const LOTS: &str = "SELECT seq FROM lots WHERE payment = $1 ORDER BY seq LIMIT 1000";
    let rows = tx.query(LOTS, &[reference.into()])?;
    Ok(rows.iter().map(|row| row.int(0)).collect::<std::result::Result<_, Fault>>()?)
}

/// Remembers which invoice a payment intent paid.
pub fn link_invoice(tx: &mut dyn Tx, payment_intent: &str, invoice: &str) -> Result<()> {
    const LINK: &str = "INSERT INTO invoice_payments (payment_intent, invoice) VALUES ($1, $2)
        ON CONFLICT (payment_intent) DO NOTHING";
    tx.execute(LINK, &[payment_intent.into(), invoice.into()])?;
    Ok(())
}

/// The invoice that a payment intent paid, as far as we know.
pub fn invoice_of(tx: &mut dyn Tx, payment_intent: &str) -> Result<Option<String>> {
    const FIND: &str = "SELECT invoice FROM invoice_payments WHERE payment_intent = $1";
    Ok(tx.query_one(FIND, &[payment_intent.into()])?.map(|row| row.text(0)).transpose()?)
}

/// Stripe states how much of a payment is refunded in all; the most that it ever stated is kept.
pub fn state_refunded(tx: &mut dyn Tx, reference: &str, amount: i64) -> Result<()> {
    const STATE: &str = "UPDATE payments SET refund_stated = $2 WHERE reference = $1 AND refund_stated < $2";
    tx.execute(STATE, &[reference.into(), amount.into()])?;
    Ok(())
}

/// What one refund's state says: 0 pending, 1 succeeded, 2 failed or cancelled. It only goes forward.
pub fn put_refund(tx: &mut dyn Tx, id: &str, payment: &str, amount: i64, state: i64) -> Result<()> {
    const PUT: &str = "INSERT INTO refunds (id, payment, amount, state) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET state = $4 WHERE refunds.state < $4";
    tx.execute(PUT, &[id.into(), payment.into(), amount.into(), state.into()])?;
    Ok(())
}

/// How much of a payment is refunded: what Stripe stated at its most, or all refunds that we know together, less those
/// that are pending, failed or cancelled. The order in which they became known does not matter.
pub fn refunded(tx: &mut dyn Tx, payment: &Payment) -> Result<i64> {
    const SUMS: &str = "SELECT CAST(COALESCE(SUM(amount), 0) AS INTEGER),
        CAST(COALESCE(SUM(CASE WHEN state = 1 THEN 0 ELSE amount END), 0) AS INTEGER)
        FROM refunds WHERE payment = $1";
    const STATED: &str = "SELECT refund_stated FROM payments WHERE reference = $1";
    let sums = tx.query_one(SUMS, &[(&payment.reference).into()])?;
    let (all, without) = sums.map_or(Ok((0, 0)), |row| Ok::<_, Fault>((row.int(0)?, row.int(1)?)))?;
    let stated = tx.query_one(STATED, &[(&payment.reference).into()])?.map_or(Ok(0), |row| row.int(0))?;
    Ok((stated.max(all) - without).max(0))
}

/// What one credit note gives back without a refund of Stripe's. Once void, it stays so.
pub fn put_credit_note(tx: &mut dyn Tx, id: &str, payment: &str, returned: i64, is_void: bool) -> Result<()> {
    const PUT: &str = "INSERT INTO credit_notes (id, payment, returned, void) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET void = $4 WHERE credit_notes.void < $4";
    tx.execute(PUT, &[id.into(), payment.into(), returned.into(), is_void.into()])?;
    Ok(())
}

/// What all credit notes of a payment together give back without a refund of Stripe's.
pub fn noted(tx: &mut dyn Tx, payment: &str) -> Result<i64> {
    const SUM: &str = "SELECT CAST(COALESCE(SUM(returned), 0) AS INTEGER) FROM credit_notes
        WHERE payment = $1 AND void = 0";
    Ok(tx.query_one(SUM, &[payment.into()])?.map_or(Ok(0), |row| row.int(0))?)
}

/// Keeps what an invoice cost, where that is not what was charged for it.
pub fn set_cost(tx: &mut dyn Tx, reference: &str, cost: i64) -> Result<()> {
    const SET: &str = "UPDATE payments SET cost = $2 WHERE reference = $1 AND amount <> $2";
    tx.execute(SET, &[reference.into(), cost.into()])?;
    Ok(())
}

/// What was bought cost so much: what was charged for it, and what a credit balance paid. Credit notes give back a part
/// of this, refunds a part of what was charged.
pub fn cost(tx: &mut dyn Tx, reference: &str) -> Result<i64> {
    const COST: &str = "SELECT COALESCE(cost, amount) FROM payments WHERE reference = $1";
    Ok(tx.query_one(COST, &[reference.into()])?.map_or(Ok(0), |row| row.int(0))?)
}

/// A dispute as Stripe describes it at one moment.
#[derive(Clone, Debug)]
pub struct DisputeState<'a> {
    /// `du_…` or `dp_…`
    pub id: &'a str,
    /// Minor units that were withdrawn, or are in dispute.
    pub disputed: i64,
    /// Minor units that are withheld.
    pub withheld: i64,
    /// 0 an inquiry, 1 open, 2 closed.
    pub state: i64,
    /// How many movements of funds it lists.
    pub moves: i64,
}

/// What one description of a dispute says; a description that is not further than what is known changes nothing.
pub fn put_dispute(tx: &mut dyn Tx, payment: &str, dispute: &DisputeState<'_>, now: Timestamp) -> Result<bool> {
    const PUT: &str = "INSERT INTO disputes (id, payment, disputed, withheld, state, moves, opened_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (id) DO UPDATE SET disputed = $3, withheld = $4, state = $5, moves = $6
        WHERE (disputes.moves, disputes.state) < ($6, $5)";
    let changed = tx.execute(
        PUT,
        &[
            dispute.id.into(),
            payment.into(),
            dispute.disputed.into(),
            dispute.withheld.into(),
            dispute.state.into(),
            dispute.moves.into(),
            now.into(),
        ],
    )?;
    Ok(changed == 1)
}

/// What disputes withhold of a payment: the worst of them, where there are several.
pub fn withheld(tx: &mut dyn Tx, payment: &str) -> Result<Option<Withheld>> {
    const WORST: &str = "SELECT withheld, disputed FROM disputes WHERE payment = $1 AND withheld > 0
        ORDER BY withheld DESC, id LIMIT 1";
    let row = tx.query_one(WORST, &[payment.into()])?;
    Ok(row.map(|row| Ok::<_, Fault>(Withheld { withheld: row.int(0)?, disputed: row.int(1)? })).transpose()?)
}

/// Plans a later part of a payment; `false` when it is planned already.
pub fn plan_allotment(tx: &mut dyn Tx, reference: &str, month: i64, due: Timestamp, units: i64) -> Result<bool> {
    const PLAN: &str = "INSERT INTO allotments (reference, month, due_at, units) VALUES ($1, $2, $3, $4)
        ON CONFLICT (reference, month) DO NOTHING";
    Ok(tx.execute(PLAN, &[reference.into(), month.into(), due.into(), units.into()])? == 1)
}

/// Parts that are due: payment, month, units, and when they were due.
pub fn due_allotments(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<Vec<(String, i64, i64, Timestamp)>> {
    const DUE: &str = "SELECT reference, month, units, due_at FROM allotments
        WHERE posted_at IS NULL AND due_at <= $1 ORDER BY due_at, reference, month LIMIT $2";
    let rows = tx.query(DUE, &[now.into(), limit.into()])?;
    let read = |row: &Row| Ok((row.text(0)?, row.int(1)?, row.int(2)?, row.time(3)?));
    Ok(rows.iter().map(read).collect::<std::result::Result<_, Fault>>()?)
}

/// Looks at a part again later.
pub fn postpone(tx: &mut dyn Tx, reference: &str, month: i64, until: Timestamp) -> Result<()> {
    const POSTPONE: &str = "UPDATE allotments SET due_at = $3 WHERE reference = $1 AND month = $2";
    tx.execute(POSTPONE, &[reference.into(), month.into(), until.into()])?;
    Ok(())
}

/// Marks a part as credited; `false` when it was before.
pub fn allotted(tx: &mut dyn Tx, reference: &str, month: i64, now: Timestamp) -> Result<bool> {
    const POSTED: &str =
        "UPDATE allotments SET posted_at = $3 WHERE reference = $1 AND month = $2 AND posted_at IS NULL";
    Ok(tx.execute(POSTED, &[reference.into(), month.into(), now.into()])? == 1)
}

fn payment(row: &Row) -> std::result::Result<Payment, Fault> {
    Ok(Payment {
        reference: row.text(0)?,
        account: row.int(1)?,
        kind: row.text(2)?,
        gave: row.int(3)?,
        taken: row.int(4)?,
        amount: row.int(5)?,
        currency: row.text(6)?,
        offer: row.text(7)?,
        out_of_band: row.int(8)? == 1,
        session: row.text_or_null(9)?,
        payment_intent: row.text_or_null(10)?,
        charge: row.text_or_null(11)?,
        invoice: row.text_or_null(12)?,
        refund_stated: row.int(13)?,
        reversals: row.int(14)?,
        paid_at: row.time(15)?,
    })
}
