//! What the commands say after a comparison.

use serde_json::Value;

use crate::harness::Shop;

/// What `till reconcile --json` finds, and whether it ends with success.
pub fn compare(shop: &Shop) -> (Value, bool) {
    let output = shop.till(&["reconcile", "--json"]);
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.success())
}

/// What `till check` finds of one thing: whether it is good, and the words.
pub fn check_says(shop: &Shop, what: &str) -> (bool, String) {
    let rows: Value = serde_json::from_slice(&shop.till(&["check", "--json"]).stdout).unwrap();
    let row = rows["data"].as_array().unwrap().iter().find(|row| row["what"] == what).cloned();
    let row = row.unwrap_or_else(|| panic!("no {what} in {rows}"));
    (row["is_good"].as_bool().unwrap(), row["detail"].as_str().unwrap().to_owned())
}
