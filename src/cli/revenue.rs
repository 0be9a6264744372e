//! `till revenue`: money by month and currency, what units earned, what is owed in units, what comes again.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::CommandResult;
use super::output::{print, print_json, table};
use super::revenue_export::RevenueExport;
use super::settings::{DatabaseArgs, IfMissing};
use crate::app::App;
use crate::clock::date_of;
use crate::config::Need;
use crate::money::plain_amount;
use crate::store::Figure;
use crate::usecase::operator::figures::{self, MonthFigures, Overview};

/// Show what was received, returned and earned, by month and currency
///
/// Subscriptions and top-ups are apart, and so is what was marked as paid at Stripe, which took no money. Months are UTC. A
/// payment counts when till learned of it, a refund and a dispute when Stripe says that they were; a refund that fails comes
/// back in the month in which it does. Units earn what was paid for them when they are used. Amounts of different currencies
/// are never added.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  till revenue\n  till revenue --month 2026-11 --json\n  till revenue export --month 2026-11 > 2026-11.csv"
)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Revenue {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Only this month, UTC, such as 2026-11
    #[arg(long, value_name = "YYYY-MM", conflicts_with = "months")]
    month: Option<String>,
    /// So many months, the running one among them
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1200))]
    months: u32,
    /// Print one object; amounts are in the currency's minor unit
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<RevenueCommand>,
}

#[derive(Subcommand)]
enum RevenueCommand {
    Export(RevenueExport),
}

impl Revenue {
    pub(super) fn run(&self) -> CommandResult {
        let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
        if let Some(RevenueCommand::Export(export)) = &self.command {
            return export.run(&app);
        }
        match &self.month {
            Some(month) => {
                let months = figures::month(&app, month)?;
                if self.json {
                    return print_json(&json!({"months": money_as_json(&months), "units": units_as_json(&months)}));
                }
                print(&months_as_text(&app, &months))
            }
            None => {
                let overview = figures::overview(&app, self.months)?;
                if self.json { print_json(&as_json(&overview)) } else { print(&as_text(&app, &overview)) }
            }
        }
    }
}

fn months_as_text(app: &App, months: &[MonthFigures]) -> String {
    let money = months.iter().filter(|month| !month.currency.is_empty()).map(|month| {
        let of = |figure| plain_amount(month.get(figure), &month.currency);
        let disputed = month.get(Figure::Withheld).saturating_sub(month.get(Figure::Reinstated));
        [
            month.month.clone(),
            month.currency.clone(),
            of(Figure::Plans),
            of(Figure::Packs),
            of(Figure::Refunded),
            plain_amount(disputed, &month.currency),
            plain_amount(month.net(), &month.currency),
            of(Figure::Earned),
            of(Figure::Forfeited),
        ]
    });
    let money: Vec<_> = money.collect();
    let headings = ["MONTH", "CURRENCY", "PLANS", "PACKS", "REFUNDED", "DISPUTED", "NET", "EARNED", "FORFEITED"];
    let mut text = if money.is_empty() { "Nothing was sold.\n".to_owned() } else { table(headings, &money) };
    for month in months {
        for (figure, words) in [
            (Figure::OutOfBand, "marked as paid at Stripe, which took no money"),
            (Figure::Returned, "returned by credit notes without a refund"),
        ] {
            if month.get(figure) != 0 {
                let (amount, currency) = (plain_amount(month.get(figure), &month.currency), &month.currency);
                text.push_str(&format!("{} {currency}: {amount} {words}\n", month.month));
            }
        }
    }
    let units = months.iter().filter(|month| month.currency.is_empty()).map(|month| {
        let of = |figure| month.get(figure).to_string();
        let [bought, given, used] = [Figure::Bought, Figure::Given, Figure::Used].map(of);
        let [expired, reversed, users] = [Figure::Expired, Figure::Reversed, Figure::Users].map(of);
        [month.month.clone(), bought, given, used, expired, reversed, users]
    });
    let units: Vec<_> = units.collect();
    if !units.is_empty() {
        text.push_str(&format!("\nin {}\n", app.catalog.unit.plural));
        text.push_str(&table(["MONTH", "BOUGHT", "GIVEN", "USED", "EXPIRED", "TAKEN BACK", "NEW USERS"], &units));
    }
    text
}

fn as_text(app: &App, overview: &Overview) -> String {
    let mut text = months_as_text(app, &overview.months);
    let words = &app.catalog.unit.plural;
    text.push('\n');
    for owed in &overview.outstanding {
        text.push_str(&match owed.currency.as_str() {
            "" => format!("outstanding: {} {words} that nothing was paid for\n", owed.units),
            currency => {
                format!(
                    "outstanding: {} {words} paid with {} {currency}\n",
                    owed.units,
                    plain_amount(owed.value, currency)
                )
            }
        });
    }
    for recurring in &overview.recurring {
        let (currency, amount) = (&recurring.currency, plain_amount(recurring.amount, &recurring.currency));
        text.push_str(&format!("recurring: {amount} {currency} a month, before discounts and taxes\n"));
    }
    text.push_str(&format!("users: {}\n", overview.users));
    text.push_str(&format!("subscriptions: {}\n", subscriptions_as_text(overview)));
    text
}

/// `2 active pro, 1 past_due starter`, or `none`.
pub(super) fn subscriptions_as_text(overview: &Overview) -> String {
    let mut counts: Vec<(String, i64)> = vec![];
    for count in &overview.subscriptions {
        let name = format!("{} {}", count.status, count.offer);
        match counts.last_mut().filter(|last| last.0 == name) {
            Some(last) => last.1 = last.1.saturating_add(count.count),
            None => counts.push((name, count.count)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

fn money_as_json(months: &[MonthFigures]) -> Value {
    let money = months.iter().filter(|month| !month.currency.is_empty()).map(|month| {
        json!({
            "month": month.month,
            "currency": month.currency,
            "subscriptions": month.get(Figure::Plans),
            "topups": month.get(Figure::Packs),
            "out_of_band": month.get(Figure::OutOfBand),
            "refunded": month.get(Figure::Refunded),
            "disputes_withheld": month.get(Figure::Withheld),
            "disputes_reinstated": month.get(Figure::Reinstated),
            "returned_by_credit_notes": month.get(Figure::Returned),
            "net": month.net(),
            "value_added": month.get(Figure::ValueAdded),
            "earned": month.get(Figure::Earned),
            "forfeited": month.get(Figure::Forfeited),
            "value_taken_back": month.get(Figure::ValueReversed),
        })
    });
    money.collect()
}

fn units_as_json(months: &[MonthFigures]) -> Value {
    let units = months.iter().filter(|month| month.currency.is_empty()).map(|month| {
        json!({
            "month": month.month,
            "bought": month.get(Figure::Bought),
            "given": month.get(Figure::Given),
            "used": month.get(Figure::Used),
            "expired": month.get(Figure::Expired),
            "taken_back": month.get(Figure::Reversed),
            "new_users": month.get(Figure::Users),
        })
    });
    units.collect()
}

/// All of it, for `till revenue --json` and, in part, for `till status --json`.
pub(super) fn as_json(overview: &Overview) -> Value {
    let used: Value = overview.used.iter().map(|(day, units)| json!({"day": date_of(*day), "units": units})).collect();
    let outstanding: Value = overview
        .outstanding
        .iter()
        .map(|owed| {
            let currency = Some(&owed.currency).filter(|currency| !currency.is_empty());
            json!({"currency": currency, "units": owed.units, "value": owed.value})
        })
        .collect();
    let recurring: Value = overview
        .recurring
        .iter()
        .map(|recurring| json!({"currency": recurring.currency, "amount": recurring.amount}))
        .collect();
    let subscriptions: Value = overview
        .subscriptions
        .iter()
        .map(|count| {
            let currency = Some(&count.currency).filter(|currency| !currency.is_empty());
            let amount = currency.map(|_| count.amount);
            json!({"status": count.status, "plan": count.offer, "currency": currency, "count": count.count, "amount": amount})
        })
        .collect();
    json!({
        "months": money_as_json(&overview.months),
        "units": units_as_json(&overview.months),
        "outstanding": outstanding,
        "recurring": recurring,
        "subscriptions": subscriptions,
        "users": overview.users,
        "units_used_by_day": used,
    })
}
