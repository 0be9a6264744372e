//! Money as people read it: an integer of minor units with its currency. No floating point, no conversion between
//! currencies, no arithmetic beyond what a price list needs. What is owed or credited is decided in `ledger`.
//!
//! How many decimals a currency has at Stripe follows Stripe's documentation, "Supported currencies", sections
//! "Zero-decimal currencies" and "Three-decimal currencies".

use std::fmt;

pub use crate::ledger::Currency;

/// Those that Stripe charges in, with spaces between them.
pub const CURRENCIES: &str = "\
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf \
    clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl htg huf idr \
    ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mro mur \
    mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek \
    sgd shp sle sll sos srd std svc szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xcg \
    xof xpf yer zar zmw";

/// Currencies whose minor unit is the currency itself. Not `ugx`, which stands in Stripe's list: see [`WHOLE_ONLY`].
const ZERO_DECIMALS: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];

/// Currencies with a thousandth.
const THREE_DECIMALS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// Currencies that have no decimals any more, and whose amounts have two at Stripe all the same (section "Special cases"): 500 is
/// five shillings.
const WHOLE_ONLY: [&str; 2] = ["isk", "ugx"];

/// Unambiguous symbols. Dollars other than the United States' name their country; a currency that is not listed is
/// written with its code.
const SYMBOLS: [(&str, &str); 22] = [
    ("usd", "$"),
    ("eur", "€"),
    ("gbp", "£"),
    ("jpy", "¥"),
    ("cny", "CN¥"),
    ("inr", "₹"),
    ("krw", "₩"),
    ("ils", "₪"),
    ("vnd", "₫"),
    ("ngn", "₦"),
    ("php", "₱"),
    ("uah", "₴"),
    ("try", "₺"),
    ("aud", "A$"),
    ("brl", "R$"),
    ("cad", "CA$"),
    ("hkd", "HK$"),
    ("mxn", "MX$"),
    ("nzd", "NZ$"),
    ("sgd", "S$"),
    ("twd", "NT$"),
    ("kwd", "KD "),
];

/// How a language writes numbers and money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    /// Between groups of three digits.
    pub group: &'static str,
    /// Before the decimals.
    pub decimal: &'static str,
    /// Whether the currency's symbol follows the number.
    pub symbol_after: bool,
    /// Whether a price below one dollar is written in cents: `9¢`.
    pub cents: bool,
}

/// What programs print, logs and the service API write.
const ENGLISH: NumberFormat = NumberFormat { group: ",", decimal: ".", symbol_after: false, cents: true };

/// The number alone, for programs: `9.00`. Of what is no currency, the amount as it is.
pub fn plain_amount(amount: i64, currency: &str) -> String {
    Currency::new(currency).map_or_else(|| amount.to_string(), |currency| Money::new(amount, currency).plain())
}

impl Currency {
    /// Digits after the point: 0, 2 or 3.
    pub fn decimals(self) -> u32 {
        if ZERO_DECIMALS.contains(&self.as_str()) {
            0
        } else if THREE_DECIMALS.contains(&self.as_str()) {
            3
        } else {
            2
        }
    }

    /// What each amount is a multiple of at Stripe, in the minor unit: 1, 10 or 100.
    pub fn step(self) -> i64 {
        match self.as_str() {
            code if THREE_DECIMALS.contains(&code) => 10,
            code if WHOLE_ONLY.contains(&code) => 100,
            _ => 1,
        }
    }

    /// Whether Stripe charges in it.
    pub fn is_charged(self) -> bool {
        CURRENCIES.split(' ').any(|known| known == self.as_str())
    }

    /// The number with the currency: its symbol, or the code and a space.
    fn beside(self, number: &str, format: &NumberFormat) -> String {
        let symbol = SYMBOLS.iter().find(|(code, _)| *code == self.as_str()).map(|(_, symbol)| *symbol);
        match (symbol, format.symbol_after) {
            // A space that no line ends at.
            (Some(symbol), true) => format!("{number}\u{a0}{}", symbol.trim_end()),
            (None, true) => format!("{number}\u{a0}{}", self.as_str().to_ascii_uppercase()),
            (Some(symbol), false) => format!("{symbol}{number}"),
            (None, false) => format!("{} {number}", self.as_str().to_ascii_uppercase()),
        }
    }
}

/// An amount of money. Displayed as a price is written: `$9`, `$9.50`, `¥900`, `KD 1.250`, `PLN 12`, `-$3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// In the currency's minor unit: cents for `usd`, yen for `jpy`, thousandths for `kwd`.
    pub amount: i64,
    pub currency: Currency,
}

impl Money {
    pub fn new(amount: i64, currency: Currency) -> Money {
        Money { amount, currency }
    }

    /// As an invoice writes it, with all decimals: `$9.00`, `¥900`.
    pub fn long(self, format: &NumberFormat) -> String {
        self.written(false, format)
    }

    /// As a price list writes it, without decimals that are zero: `$9`.
    pub fn short(self, format: &NumberFormat) -> String {
        self.written(i128::from(self.amount) % 10_i128.pow(self.currency.decimals()) == 0, format)
    }

    /// The number alone, for programs: `9.00`.
    pub fn plain(self) -> String {
        let sign = if self.amount < 0 { "-" } else { "" };
        let format = NumberFormat { group: "", ..ENGLISH };
        format!("{sign}{}", decimal(i128::from(self.amount).abs(), self.currency.decimals(), false, &format))
    }

    fn written(self, short: bool, format: &NumberFormat) -> String {
        let sign = if self.amount < 0 { "-" } else { "" };
        let number = decimal(i128::from(self.amount).abs(), self.currency.decimals(), short, format);
        format!("{sign}{}", self.currency.beside(&number, format))
    }

    /// The price of one of `units`, for people: `9¢`, `5.8¢`, `$1.50`, `¥9`; and whether it is exact. `None` when there are no
    /// units or no price.
    pub fn per_unit_by(self, units: i64, format: &NumberFormat) -> Option<(String, bool)> {
        if units <= 0 || self.amount <= 0 {
            return None;
        }
        let (mut scaled, divisor) = (i128::from(self.amount), i128::from(units));
        // One digit beyond the minor unit is enough for a price of at least one minor unit; a smaller price gets
        // digits until two of them are significant, eight at most.
        let mut extra = 0;
        while scaled % divisor != 0 && (extra == 0 || (scaled < 10 * divisor && extra < 8)) {
            scaled *= 10;
            extra += 1;
        }
        let exact = scaled % divisor == 0;
        let rounded = (scaled + divisor / 2) / divisor;
        Some((self.currency.fraction(rounded, extra, format), exact))
    }
}

impl Currency {
    /// `digits` × 10⁻ᵉˣᵗʳᵃ minor units in words. Dollars below one are written in cents.
    fn fraction(self, digits: i128, extra: u32, format: &NumberFormat) -> String {
        if format.cents && self.as_str() == "usd" && digits < 100 * 10_i128.pow(extra) {
            return format!("{}¢", decimal(digits, extra, true, format));
        }
        let shortened = extra == 0 && digits % 10_i128.pow(self.decimals()) == 0;
        let number = decimal(digits, self.decimals() + extra, shortened, format);
        let least = number.len().saturating_sub(usize::try_from(extra).unwrap_or(0));
        // Drop zeros beyond the minor unit.
        let kept = number.trim_end_matches('0').len().max(least);
        self.beside(number[..kept].trim_end_matches(format.decimal), format)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short(&ENGLISH))
    }
}

/// Which of several offers, each a price and the units it buys, is the best value: strictly less per unit than every
/// other. `None` with fewer than two offers, for a tie, or where currencies differ.
pub fn best_value(offers: &[(Money, i64)]) -> Option<usize> {
    let (best, others) = (0..offers.len()).find_map(|index| {
        let others: Vec<_> = offers.iter().enumerate().filter(|(other, _)| *other != index).collect();
        others.iter().all(|(_, other)| is_cheaper(offers[index], **other)).then_some((index, others.len()))
    })?;
    (others > 0).then_some(best)
}

/// Whether `a` costs strictly less per unit than `b`, by cross multiplication so that nothing is rounded.
fn is_cheaper(a: (Money, i64), b: (Money, i64)) -> bool {
    a.0.currency == b.0.currency
        && a.1 > 0
        && b.1 > 0
        && i128::from(a.0.amount) * i128::from(b.1) < i128::from(b.0.amount) * i128::from(a.1)
}

/// A count with commas: `1,000`, `-20`.
pub fn grouped(count: i64) -> String {
    grouped_by(count, &ENGLISH)
}

/// A count with its digits in groups.
pub fn grouped_by(count: i64, format: &NumberFormat) -> String {
    let sign = if count < 0 { "-" } else { "" };
    format!("{sign}{}", decimal(i128::from(count).abs(), 0, true, format))
}

/// `size` × 10⁻ᵈᵉᶜⁱᵐᵃˡˢ in groups, not negative; without the zeros behind the point when `short`.
fn decimal(size: i128, decimals: u32, short: bool, format: &NumberFormat) -> String {
    let scale = 10_i128.pow(decimals);
    let whole = (size / scale).to_string();
    let mut text = String::with_capacity(whole.len() + whole.len() / 3 + 4);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push_str(format.group);
        }
        text.push(digit);
    }
    if decimals > 0 {
        let fraction = format!("{:0width$}", size % scale, width = usize::try_from(decimals).unwrap_or(0));
        let fraction = if short { fraction.trim_end_matches('0') } else { &fraction };
        if !fraction.is_empty() {
            text.push_str(format.decimal);
            text.push_str(fraction);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64, code: &str) -> Money {
        Money::new(amount, Currency::new(code).unwrap())
    }

    #[test]
    fn amounts_are_written_as_prices_are() {
        for (amount, code, expected) in [
            (900, "usd", "$9"),
            (950, "USD", "$9.50"),
            (0, "usd", "$0"),
            (5, "usd", "$0.05"),
            (123_456_789, "usd", "$1,234,567.89"),
            (-300, "usd", "-$3"),
            (i64::MIN, "usd", "-$92,233,720,368,547,758.08"),
            (900, "jpy", "¥900"),
            (12_000, "krw", "₩12,000"),
            (1250, "kwd", "KD 1.250"),
            (9000, "kwd", "KD 9"),
            (1250, "bhd", "BHD 1.250"),
            (1200, "pln", "PLN 12"),
            (1250, "chf", "CHF 12.50"),
            (900, "cad", "CA$9"),
            (500, "ugx", "UGX 5"),
            (120_000, "isk", "ISK 1,200"),
        ] {
            assert_eq!(money(amount, code).to_string(), expected);
        }
        for bad in ["", "us", "usdx", "u$d", "äb"] {
            assert_eq!(Currency::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_price_per_unit_says_when_it_is_rounded() {
        for (amount, code, units, expected) in [
            (900, "usd", 100, "9¢"),
            (2000, "usd", 250, "8¢"),
            (2900, "usd", 500, "5.8¢"),
            (1000, "usd", 300, "3.3¢ or so"),
            (999, "usd", 100, "10¢ or so"),
            (1000, "usd", 7, "$1.429 or so"),
            (100, "usd", 1, "$1"),
            (450, "usd", 3, "$1.50"),
            (1, "usd", 1000, "0.001¢"),
            (100, "usd", 30_000, "0.0033¢ or so"),
            (900, "eur", 100, "€0.09"),
            (2900, "eur", 500, "€0.058"),
            (900, "jpy", 100, "¥9"),
            (100, "jpy", 3, "¥33.3 or so"),
            (1250, "kwd", 100, "KD 0.0125"),
            (1000, "kwd", 100, "KD 0.010"),
        ] {
            let (words, is_exact) = money(amount, code).per_unit_by(units, &ENGLISH).unwrap();
            let words = if is_exact { words } else { format!("{words} or so") };
            assert_eq!(words, expected, "{amount} {code} / {units}");
        }
        assert_eq!(money(900, "usd").per_unit_by(0, &ENGLISH), None);
        assert_eq!(money(0, "usd").per_unit_by(100, &ENGLISH), None);
    }

    #[test]
    fn the_best_value_is_strictly_the_best() {
        let usd = |amount, units| (money(amount, "usd"), units);
        for (offers, expected) in [
            (vec![usd(900, 100), usd(2000, 250)], Some(1)),
            (vec![usd(800, 100), usd(2000, 250)], None),
            (vec![usd(900, 100)], None),
            (vec![], None),
            (vec![usd(900, 100), usd(1800, 200), usd(2600, 300)], Some(2)),
            (vec![usd(i64::MAX, 2), usd(i64::MAX - 1, 2)], Some(1)),
            (vec![usd(900, 100), (money(100, "jpy"), 100)], None),
        ] {
            assert_eq!(best_value(&offers), expected, "{offers:?}");
        }
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (count, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (-20, "-20"), (-1_234_567, "-1,234,567")] {
            assert_eq!(grouped(count), expected);
        }
    }
}
