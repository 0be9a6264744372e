//! Exact fractions. Units are shared out by ratios of money, and only the last step rounds.

/// A ratio of two whole numbers, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    above: i128,
    /// At least 1.
    below: i128,
}

impl Fraction {
    pub const ZERO: Fraction = Fraction { above: 0, below: 1 };
    pub const WHOLE: Fraction = Fraction { above: 1, below: 1 };

    /// `part ÷ whole`; `None` unless `whole` is positive.
    pub fn of(part: i64, whole: i64) -> Option<Fraction> {
        Fraction::reduced(i128::from(part), i128::from(whole))
    }

    /// `above ÷ below`; `None` unless `below` is positive.
    pub(super) fn reduced(above: i128, below: i128) -> Option<Fraction> {
        if below < 1 {
            return None;
        }
        let common = greatest_common_divisor(above.checked_abs()?, below)?;
        Some(Fraction { above: above.checked_div(common)?, below: below.checked_div(common)? })
    }

    /// The sum. `None` beyond 128 bits.
    pub fn plus(self, other: Fraction) -> Option<Fraction> {
        let above = self.above.checked_mul(other.below)?.checked_add(other.above.checked_mul(self.below)?)?;
        Fraction::reduced(above, self.below.checked_mul(other.below)?)
    }

    /// The product. `None` beyond 128 bits.
    pub fn times(self, other: Fraction) -> Option<Fraction> {
        Fraction::reduced(self.above.checked_mul(other.above)?, self.below.checked_mul(other.below)?)
    }

    /// This share of `units`, rounded toward zero. `None` beyond 64 bits.
    pub fn share_of(self, units: i64) -> Option<i64> {
        i64::try_from(self.above.checked_mul(i128::from(units))?.checked_div(self.below)?).ok()
    }

    /// Whether it is 1 or more.
    pub fn is_whole(self) -> bool {
        self.above >= self.below
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> Option<i128> {
    while b != 0 {
        (a, b) = (b, a.checked_rem(b)?);
    }
    Some(a.max(1))
}

#[cfg(test)]
mod tests {
    use super::Fraction;

    #[test]
    fn fractions_are_added_exactly_and_shared_out_toward_zero() {
        let sum = |(a, b), (c, d)| Fraction::of(a, b)?.plus(Fraction::of(c, d)?);
        for (one, other, units, share) in [
            ((1, 3), (1, 6), 100, 50),
            ((1, 3), (1, 3), 100, 66),
            ((0, 7), (0, 9), 100, 0),
            ((-1, 3), (0, 1), 100, -33),
            ((i64::MAX, i64::MAX), (0, 1), i64::MAX, i64::MAX),
        ] {
            assert_eq!(sum(one, other).unwrap().share_of(units), Some(share), "{one:?} {other:?}");
        }
        assert!(sum((1, 2), (1, 2)).unwrap().is_whole() && !sum((1, 2), (1, 3)).unwrap().is_whole());
        assert_eq!((Fraction::of(1, 0), Fraction::of(1, -1)), (None, None));
        assert_eq!(Fraction::of(2, 1).unwrap().share_of(i64::MAX), None);
    }
}
