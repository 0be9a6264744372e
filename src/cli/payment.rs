//! `till payment`: payments in the books that Stripe does not confirm, and taking one back.

use clap::{Args, Subcommand};
use serde_json::json;

use super::CommandResult;
use super::output::{one_line, print, print_json, table};
use super::settings::{DatabaseArgs, IfMissing};
use super::shapes::UnconfirmedShape;
use crate::config::Need;
use crate::usecase::stripe_events::payments::{self, PaymentReversal};
use crate::usecase::stripe_events::reconcile::UnconfirmedPayment;

/// List payments that Stripe does not confirm; take back what one of them gave
#[derive(Args)]
pub(super) struct Payment {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: PaymentCommand,
}

#[derive(Subcommand)]
enum PaymentCommand {
    /// List the payments in the books that Stripe does not confirm, as the last comparison found
    #[command(after_help = "Example:\n  till payment list")]
    List {
        /// At most so many, up to 1000
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Print {"data":[{"reference","user_id","offer","units","amount","currency","detail"}…]}
        #[arg(long)]
        json: bool,
    },
    /// Take back all units that a payment gave, once and for good
    ///
    /// Asks Stripe first, so it requires SPRITE_STRIPE_SECRET_KEY. A payment that Stripe confirms is refused: refund it at
    /// Stripe. Running it again changes nothing.
    #[command(
        after_help = "Example:\n  till payment reverse pi_3Qabc… --reason 'forged: the webhook secret had leaked'"
    )]
    Reverse {
        /// The payment's reference as in till payment list, or another of its Stripe ids
        reference: String,
        /// Why, for the user's ledger
        #[arg(long)]
        reason: String,
        /// Print {"reference","user_id","units","balance","repeated"}
        #[arg(long)]
        json: bool,
    },
}

impl Payment {
    pub(super) fn run(&self) -> CommandResult {
        match &self.command {
            PaymentCommand::List { limit, json } => {
                let app = self.database.open(Need::Nothing, IfMissing::Refuse)?;
                let payments = payments::in_doubt(&app, *limit)?;
                if *json {
                    let rows: Vec<UnconfirmedShape<'_>> = payments.iter().map(UnconfirmedShape::from).collect();
                    return print_json(&json!({ "data": rows }));
                }
                print(&list_as_text(&payments))
            }
            PaymentCommand::Reverse { reference, reason, json } => {
                let app = self.database.open(Need::StripeKey, IfMissing::Refuse)?;
                let taken = payments::reverse(&app, reference, reason)?;
                if *json { print_json(&as_json(&taken)) } else { print(&as_text(&taken)) }
            }
        }
    }
}

fn list_as_text(payments: &[UnconfirmedPayment]) -> String {
    let row = |payment: &UnconfirmedPayment| {
        let UnconfirmedPayment { reference, user_id, offer, units, amount, currency, detail } = payment;
        let amount = format!("{amount} {currency}");
        [reference.clone(), user_id.clone(), offer.clone(), units.to_string(), amount, detail.clone()]
    };
    table(["REFERENCE", "USER", "BOUGHT", "UNITS", "AMOUNT", "DETAIL"], &payments.iter().map(row).collect::<Vec<_>>())
}

fn as_json(taken: &PaymentReversal) -> serde_json::Value {
    let PaymentReversal { reference, user_id, units, balance, is_repeated } = taken;
    json!({ "reference": reference, "user_id": user_id, "units": units, "balance": balance, "repeated": is_repeated })
}

fn as_text(taken: &PaymentReversal) -> String {
    let PaymentReversal { reference, user_id, units, balance, is_repeated } = taken;
    let reference = one_line(reference);
    match is_repeated {
        true => format!("{reference} was reversed before: nothing was changed; {user_id} has {balance}\n"),
        false => format!("{reference} is reversed: {units} units of {user_id} were taken back; {balance} are left\n"),
    }
}
