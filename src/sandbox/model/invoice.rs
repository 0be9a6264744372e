//! An invoice as it is stored.

use serde_json::{Value, json};

use super::coupon::{self, Discount};
use super::tax;
use crate::sandbox::shape::{PAGE_ROWS, change, integer, text};

#[derive(Clone, Debug)]
pub struct StoredInvoice {
    /// With the first lines.
    pub object: Value,
    pub lines: Vec<Value>,
    pub discount: Option<Discount>,
    /// It was paid before it was made.
    pub is_prepaid: bool,
}

impl StoredInvoice {
    pub fn id(&self) -> &str {
        text(&self.object, "id")
    }

    pub fn subscription(&self) -> Option<&str> {
        self.object["parent"]["subscription_details"]["subscription"].as_str()
    }

    /// Writes the first lines and the sums of all lines into the object, with the discount taken off.
    pub fn total(&mut self) {
        let id = self.id().to_owned();
        let amounts: Vec<i64> = self.lines.iter().map(|line| integer(line, "amount")).collect();
        let open = |line: &Value| if line["discountable"] == true { integer(line, "amount").max(0) } else { 0 };
        let discountable: Vec<i64> = self.lines.iter().map(open).collect();
        let off = match &self.discount {
            Some(discount) => coupon::discounts(&discount.coupon, &discountable, text(&self.object, "currency")),
            None => vec![0; amounts.len()],
        };
        let discount = self.discount.as_ref().map(|discount| discount.id.clone());
        for (line, off) in self.lines.iter_mut().zip(&off) {
            line["invoice"] = json!(id);
            let amounts = discount.as_ref().filter(|_| *off > 0).map(|id| json!({ "amount": off, "discount": id }));
            line["discount_amounts"] = json!(amounts.into_iter().collect::<Vec<_>>());
        }
        let total_taxes = self.tax_lines(&amounts, &off);
        let on_top: i64 = total_taxes.iter().filter(|tax| tax["tax_behavior"] == "exclusive").map(amount_of).sum();
        let taxes: i64 = total_taxes.iter().map(amount_of).sum();
        let (subtotal, off): (i64, i64) = (amounts.iter().sum(), off.iter().sum());
        let total = subtotal - off + on_top;
        let discounts: Vec<&String> = discount.iter().collect();
        let taken: Vec<Value> = discounts.iter().map(|id| json!({ "amount": off, "discount": id })).collect();
        let shown = &self.lines[..self.lines.len().min(PAGE_ROWS)];
        let fields = json!({
            "subtotal": subtotal, "subtotal_excluding_tax": subtotal - (taxes - on_top), "total": total,
            "total_excluding_tax": total - taxes, "total_taxes": total_taxes,
            "discounts": discounts, "total_discount_amounts": taken,
            "lines": {
                "object": "list", "data": shown, "has_more": self.lines.len() > PAGE_ROWS, "total_count": self.lines.len(),
                "url": format!("/v1/invoices/{id}/lines"),
            },
        });
        change(&mut self.object, fields);
    }

    /// Writes the tax of each line that is taxed. Returns the sums, one for each way of taxing.
    fn tax_lines(&mut self, amounts: &[i64], off: &[i64]) -> Vec<Value> {
        let mut sums = [(0, 0, false), (0, 0, true)];
        for ((line, amount), off) in self.lines.iter_mut().zip(amounts).zip(off) {
            let Some(behavior) = line["taxes"][0]["tax_behavior"].as_str() else { continue };
            let (taxable, is_exclusive) = (amount - off, behavior == "exclusive");
            let tax = tax::tax(taxable, is_exclusive);
            line["taxes"] = json!([tax::entry(taxable, tax, is_exclusive)]);
            let sum = &mut sums[usize::from(is_exclusive)];
            *sum = (sum.0 + taxable, sum.1 + tax, is_exclusive);
        }
        let taxed = sums.into_iter().filter(|(taxable, ..)| *taxable != 0);
        taxed.map(|(taxable, tax, is_exclusive)| tax::entry(taxable, tax, is_exclusive)).collect()
    }
}

fn amount_of(tax: &Value) -> i64 {
    integer(tax, "amount")
}
