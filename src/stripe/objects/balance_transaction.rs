//! Balance transactions: what moved on the account's balance, in the currency in which it is settled, and what Stripe took
//! for it.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::stripe::objects::fields::{Fields, Unreadable};

/// A balance transaction (`txn_…`). Amounts are in the minor unit of `currency`; below zero they left the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceTransaction {
    pub id: String,
    pub created: Timestamp,
    pub amount: i64,
    pub fee: i64,
    pub net: i64,
    /// In which the account is settled; what was charged may have been in another.
    pub currency: String,
    /// What was charged, multiplied by it, is `amount`; as Stripe writes it. `None` where nothing was converted.
    pub exchange_rate: Option<String>,
    /// Stripe's word for what it was: `charge`, `refund`, `dispute` …
    pub category: String,
    /// `None` for what is about no payment, such as a payout, and where Stripe did not include it.
    pub source: Option<BalanceSource>,
}

/// The charge, refund or dispute that moved the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceSource {
    pub id: String,
    /// As charged, in the minor unit of `currency`, never below zero.
    pub amount: Option<i64>,
    pub currency: Option<String>,
    /// Of a charge it is the charge itself.
    pub charge: Option<String>,
    pub payment_intent: Option<String>,
    /// What each of a dispute's movements moved.
    pub moves: Vec<i64>,
}

impl BalanceTransaction {
    /// Reads it from Stripe's JSON, with its source.
    pub fn read(value: &Value) -> Result<BalanceTransaction, Unreadable> {
        let fields = Fields::of("balance transaction", value)?;
        let whole = |path: &str| fields.whole(path)?.ok_or_else(|| fields.missing(path));
        let rate = fields.value("/exchange_rate").filter(|rate| rate.is_number());
        let source = fields.value("/source").filter(|source| source.is_object());
        Ok(BalanceTransaction {
            id: fields.id()?,
            created: fields.time("/created")?.ok_or_else(|| fields.missing("/created"))?,
            amount: whole("/amount")?,
            fee: whole("/fee")?,
            net: whole("/net")?,
            currency: fields.text("/currency")?.ok_or_else(|| fields.missing("/currency"))?,
            exchange_rate: rate.map(Value::to_string),
            category: fields.word("/reporting_category")?,
            source: source.map(BalanceSource::read).transpose()?,
        })
    }
}

impl BalanceSource {
    fn read(value: &Value) -> Result<BalanceSource, Unreadable> {
        let fields = Fields::of("source of a balance transaction", value)?;
        let id = fields.id()?;
        let is_charge = fields.word("/object")? == "charge";
        let moves = value.get("balance_transactions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(BalanceSource {
            // Of other kinds of sources, such as a payout, nothing is read that a charge has.
            amount: value.get("amount").and_then(Value::as_i64),
            currency: fields.text("/currency").ok().flatten(),
            charge: if is_charge { Some(id.clone()) } else { fields.reference("/charge").ok().flatten() },
            payment_intent: fields.reference("/payment_intent").ok().flatten(),
            moves: moves.iter().filter_map(|moved| moved.get("amount").and_then(Value::as_i64)).collect(),
            id,
        })
    }
}
