//! Whose key it is: the account, and whether it may take money. A key's prefix says the mode.

use serde_json::Value;

use crate::clock::Deadline;
use crate::stripe::calls::checked;
use crate::stripe::client::Stripe;
use crate::stripe::error::{StripeError, StripeErrorKind};
use crate::stripe::objects::{Fields, Unreadable};

/// The account that our key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeAccount {
    /// `acct_…`. A sandbox has one of its own; test mode and live mode share theirs.
    pub id: Option<String>,
    /// Whether Stripe lets it take payments. `None` if the key may not read that.
    pub takes_charges: Option<bool>,
}

impl StripeAccount {
    fn read(value: &Value) -> Result<StripeAccount, Unreadable> {
        let fields = Fields::of("account", value)?;
        Ok(StripeAccount { id: Some(fields.id()?), takes_charges: fields.flag("/charges_enabled")? })
    }
}

impl Stripe {
    /// The account of our key. A restricted key without the permission is refused, but the refusal names the account
    /// ("… does not have the required permissions for this endpoint on account 'acct_…'").
    pub fn account(&self, deadline: Deadline) -> Result<StripeAccount, StripeError> {
        match self.get("/v1/account", &[], deadline) {
            Ok(value) => Ok(StripeAccount::read(&value)?),
            Err(error) if matches!(error.kind, StripeErrorKind::Forbidden { .. }) => {
                Ok(StripeAccount { id: error.account().map(str::to_owned), takes_charges: None })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether this account and mode know the customer. A deleted one is still known.
    pub fn knows_customer(&self, id: &str, deadline: Deadline) -> Result<bool, StripeError> {
        match self.get(&format!("/v1/customers/{}", checked(id)?), &[], deadline) {
            Ok(_) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
