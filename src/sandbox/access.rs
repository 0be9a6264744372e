//! Whose account it is, and what restricted keys may do. Every test key may do everything until it is restricted
//! (`POST /control/keys`).

use std::collections::BTreeMap;

use crate::sandbox::api_error::ApiError;

/// The resources whose permission has another name than their path, from Stripe's refusals.
const NAMES: &[(&str, &str)] = &[
    ("account", "accounts_kyc_basic"),
    ("balance_transactions", "balance_transaction_source"),
    ("billing_portal", "customer_portal"),
    ("checkout", "checkout_session"),
    ("invoice_payments", "invoice"),
    ("invoiceitems", "invoice"),
    ("prices", "plan"),
    ("refunds", "charge"),
    ("subscription_schedules", "subscription"),
    ("test_helpers", "test_clock"),
    ("webhook_endpoints", "webhook"),
];

#[derive(Debug)]
pub struct Access {
    /// `acct_…`
    pub account: String,
    restricted: BTreeMap<String, Vec<String>>,
}

impl Access {
    pub fn new(account: &str) -> Access {
        Access { account: account.to_owned(), restricted: BTreeMap::new() }
    }

    /// From now on this key may do only what these permissions say, such as `rak_customer_write`. Write includes read.
    pub fn restrict(&mut self, key: &str, permissions: Vec<String>) {
        self.restricted.insert(key.to_owned(), permissions);
    }

    /// Refuses a call for which the key has no permission.
    pub fn check(&self, key: &str, method: &str, path: &str) -> Result<(), ApiError> {
        let Some(permissions) = self.restricted.get(key) else { return Ok(()) };
        let resource = path.split('/').nth(2).unwrap_or_default();
        let renamed = NAMES.iter().find(|(found, _)| *found == resource);
        let name = renamed.map_or_else(|| resource.trim_end_matches('s'), |(_, name)| name);
        let write = format!("rak_{name}_write");
        let needed = if method == "GET" { format!("rak_{name}_read") } else { write.clone() };
        if permissions.iter().any(|permission| *permission == needed || *permission == write) {
            return Ok(());
        }
        let last: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
        Err(ApiError::invalid(format!(
            "The provided key 'rk_test_****{last}' does not have the required permissions for this endpoint on account \
             '{}'. Having the '{needed}' permission would allow this request to continue.",
            self.account
        ))
        .status(403))
    }
}
