//! In which currency the account is settled. At Stripe it follows from the bank accounts that payouts go to.

const MILLION: i64 = 1_000_000;

/// The currency in which the account is settled, and what one minor unit of any other is worth in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementCurrency {
    pub currency: String,
    /// In millionths.
    pub rate: i64,
}

impl SettlementCurrency {
    /// An amount of another currency, in the minor unit, rounded half away from zero.
    pub fn converted(&self, amount: i64) -> i64 {
        let product = i128::from(amount) * i128::from(self.rate);
        let half = i128::from(MILLION / 2) * product.signum();
        i64::try_from((product + half) / i128::from(MILLION)).unwrap_or(i64::MAX)
    }

    /// As Stripe writes it: the amount of the other currency, multiplied by it, is that of this one.
    pub fn exchange_rate(&self) -> f64 {
        self.rate as f64 / MILLION as f64
    }
}

#[cfg(test)]
mod tests {
    use super::SettlementCurrency;

    #[test]
    fn an_amount_is_converted_by_the_rate_and_rounded() {
        for (amount, rate, expected) in [
            (1_000, 1_234_000, 1_234),
            (-1_000, 1_234_000, -1_234),
            (1, 500_000, 1),
            (-1, 500_000, -1),
            (900, 7_120, 6),
        ] {
            let settlement = SettlementCurrency { currency: "usd".to_owned(), rate };
            assert_eq!(settlement.converted(amount), expected, "{amount} {rate}");
        }
    }
}
