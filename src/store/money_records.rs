//! What took money back of payments, and what gave it again, within a span of time: for a month's bookkeeping.

use super::db::Tx;
use crate::clock::Timestamp;
use crate::error::Result;

/// What kind of thing took money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnKind {
    Refund,
    CreditNote,
    Dispute,
}

impl ReturnKind {
    pub const ALL: [ReturnKind; 3] = [ReturnKind::Refund, ReturnKind::CreditNote, ReturnKind::Dispute];
}

/// A refund, a credit note that returned something without a refund, or a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyReturn {
    pub id: String,
    /// The payment's reference.
    pub payment: String,
    /// ISO code in lower case.
    pub currency: String,
    /// Minor units that were taken back, and when; a dispute that is an inquiry took nothing.
    pub amount: i64,
    pub taken_at: Option<Timestamp>,
    /// Minor units that were given again, and when: the refund failed, the credit note was voided, the dispute was won.
    pub undone: i64,
    pub undone_at: Option<Timestamp>,
}

/// Those that took or gave something from one time on and before another, by id, after this one.
pub fn returns(
    tx: &mut dyn Tx,
    kind: ReturnKind,
    after: &str,
    [from, to]: [Timestamp; 2],
    limit: i64,
) -> Result<Vec<MoneyReturn>> {
    const REFUNDS: &str = "SELECT r.id, r.payment, p.currency, r.amount, r.made_at AS taken_at, r.amount AS undone,
            r.failed_at AS undone_at
        FROM refunds r JOIN payments p ON p.reference = r.payment
        WHERE r.id > $1 AND ((r.made_at >= $2 AND r.made_at < $3) OR (r.failed_at >= $2 AND r.failed_at < $3))
        ORDER BY r.id LIMIT $4";
    const NOTES: &str = "SELECT n.id, n.payment, p.currency, n.returned AS amount, n.made_at AS taken_at,
            n.returned AS undone, n.voided_at AS undone_at
        FROM credit_notes n JOIN payments p ON p.reference = n.payment
        WHERE n.id > $1 AND n.returned > 0
        AND ((n.made_at >= $2 AND n.made_at < $3) OR (n.voided_at >= $2 AND n.voided_at < $3))
        ORDER BY n.id LIMIT $4";
    const DISPUTES: &str = "SELECT d.id, d.payment, d.currency, d.disputed AS amount, d.withdrawn_at AS taken_at,
            CASE WHEN d.disputed > d.withheld THEN d.disputed - d.withheld ELSE 0 END AS undone,
            d.reinstated_at AS undone_at
        FROM disputes d
        WHERE d.id > $1
        AND ((d.withdrawn_at >= $2 AND d.withdrawn_at < $3) OR (d.reinstated_at >= $2 AND d.reinstated_at < $3))
        ORDER BY d.id LIMIT $4";
    let page = match kind {
        ReturnKind::Refund => REFUNDS,
        ReturnKind::CreditNote => NOTES,
        ReturnKind::Dispute => DISPUTES,
    };
    tx.all(page, &[&after, &from, &to, &limit], |row| {
        Ok(MoneyReturn {
            id: row.text("id")?,
            payment: row.text("payment")?,
            currency: row.text("currency")?,
            amount: row.int("amount")?,
            taken_at: row.time_or_null("taken_at")?,
            undone: row.int("undone")?,
            undone_at: row.time_or_null("undone_at")?,
        })
    })
}
