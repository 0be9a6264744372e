//! Credit notes: what an invoice was lowered by after it became final. Since 2024 other fields say where the money went
//! (`post_payment_amount`, `refunds`). Both shapes are read.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::stripe::objects::fields::{Fields, Unreadable};
use crate::stripe::objects::payment::PaymentOrigin;

/// A credit note (`cn_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditNote {
    pub id: String,
    /// `issued` or `void`.
    pub status: String,
    pub invoice: Option<String>,
    /// Minor units of the payment that it returns without a refund by Stripe: to the customer's credit balance, or
    /// outside Stripe. A refund that belongs to it has its own event. `None` if an older shape does not say how the
    /// amount is divided.
    pub returned: Option<i64>,
    pub created: Option<Timestamp>,
    pub voided_at: Option<Timestamp>,
    /// Where the payment came from, as far as it is known.
    pub origin: PaymentOrigin,
    /// `None` when Stripe did not say.
    pub livemode: Option<bool>,
}

impl CreditNote {
    /// Reads it from Stripe's JSON.
    pub fn read(value: &Value) -> Result<CreditNote, Unreadable> {
        let fields = Fields::of("credit note", value)?;
        Ok(CreditNote {
            id: fields.id()?,
            status: fields.word("/status")?,
            invoice: fields.reference("/invoice")?,
            returned: returned(&fields)?,
            created: fields.time("/created")?,
            voided_at: fields.time("/voided_at")?,
            origin: PaymentOrigin::default(),
            livemode: fields.flag("/livemode")?,
        })
    }

    /// Whether it was voided.
    pub fn is_void(&self) -> bool {
        self.status == "void"
    }
}

/// What was returned after the payment, less what Stripe's refunds returned.
fn returned(fields: &Fields<'_>) -> Result<Option<i64>, Unreadable> {
    let after_payment = match fields.whole("/post_payment_amount")? {
        Some(amount) => amount,
        None if fields.word("/type")? == "post_payment" => {
            fields.whole("/amount")?.ok_or_else(|| fields.missing("/amount"))?
        }
        None => 0,
    };
    let refunded = match (fields.array("/refunds")?, fields.value("/refund")) {
        (Some(refunds), _) => Some(refunds.iter().map(refunded_by).sum::<Result<i64, _>>()?),
        (None, None) => Some(0),
        (None, Some(refund)) => match refund.get("amount").and_then(Value::as_i64) {
            Some(amount) => Some(amount),
            None => older(fields, after_payment)?,
        },
    };
    Ok(refunded.map(|refunded| after_payment.saturating_sub(refunded).max(0)))
}

/// What one row of `refunds` returned. A refund in a payment record was made outside Stripe, so no `refund` event
/// reports it.
fn refunded_by(row: &Value) -> Result<i64, Unreadable> {
    let fields = Fields::of("credit note's refund", row)?;
    let is_elsewhere = fields.word("/type")? == "payment_record_refund";
    match fields.whole("/amount_refunded")? {
        Some(amount) if !is_elsewhere => Ok(amount),
        _ if is_elsewhere => Ok(0),
        _ => Err(fields.missing("/amount_refunded")),
    }
}

/// The older shape names its one refund without the amount. The refund is what went neither to the balance nor outside
/// Stripe.
fn older(fields: &Fields<'_>, after_payment: i64) -> Result<Option<i64>, Unreadable> {
    let elsewhere = fields.whole("/out_of_band_amount")?.unwrap_or(0);
    let to_balance = match fields.value("/customer_balance_transaction") {
        None => Some(0),
        Some(moved) => moved.get("amount").and_then(Value::as_i64).map(i64::saturating_abs),
    };
    Ok(to_balance.map(|to_balance| after_payment.saturating_sub(elsewhere).saturating_sub(to_balance)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_no_refund_reports_is_read_in_both_shapes() {
        let refund = |amount: i64| json!({"refund": "re_1", "amount_refunded": amount, "type": "refund"});
        let elsewhere = json!({"refund": "", "amount_refunded": 300, "type": "payment_record_refund"});
        for (note, returned) in [
            (json!({"post_payment_amount": 900, "pre_payment_amount": 0, "refunds": []}), Some(900)),
            (json!({"post_payment_amount": 900, "refunds": [refund(400)]}), Some(500)),
            (json!({"post_payment_amount": 900, "refunds": [refund(400), refund(500)]}), Some(0)),
            (json!({"post_payment_amount": 900, "refunds": [refund(400), elsewhere]}), Some(500)),
            (json!({"post_payment_amount": 0, "pre_payment_amount": 900, "refunds": []}), Some(0)),
            (json!({"type": "pre_payment", "amount": 900, "refund": null}), Some(0)),
            (json!({"type": "post_payment", "amount": 900, "refund": null}), Some(900)),
            (json!({"type": "post_payment", "amount": 900, "refund": "re_1"}), Some(0)),
            (json!({"type": "post_payment", "amount": 900, "refund": {"id": "re_1", "amount": 300}}), Some(600)),
            (json!({"type": "post_payment", "amount": 900, "refund": "re_1", "out_of_band_amount": 200}), Some(200)),
            (
                json!({"type": "post_payment", "amount": 900, "refund": "re_1",
                    "customer_balance_transaction": {"id": "cbtxn_1", "amount": -250}}),
                Some(250),
            ),
            (
                json!({"type": "post_payment", "amount": 900, "refund": "re_1", "customer_balance_transaction": "cbtxn_1"}),
                None,
            ),
        ] {
            let mut value = note.clone();
            value["id"] = json!("cn_1");
            value["invoice"] = json!({"id": "in_1"});
            let read = CreditNote::read(&value).unwrap();
            assert_eq!((read.returned, read.invoice.as_deref()), (returned, Some("in_1")), "{note}");
        }
    }
}
