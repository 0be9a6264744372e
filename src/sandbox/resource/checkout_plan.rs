//! What a checkout in `subscription` mode says about the subscription that it will make.

use serde_json::{Value, json};

use crate::clock::DAY_SECONDS;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::ApiCall;
use crate::sandbox::fields::metadata;
use crate::sandbox::form::RequestForm;
use crate::sandbox::model::session::Trial;

pub fn plan_fields(form: &RequestForm) -> Value {
    let mut fields = json!({ "metadata": metadata(form, "subscription_data.metadata") });
    if form.flag("automatic_tax.enabled") == Some(true) {
        fields["automatic_tax"] = json!({ "disabled_reason": null, "enabled": true, "liability": { "type": "self" } });
    }
    if let Some(text) = form.text("subscription_data.description") {
        fields["description"] = json!(text);
    }
    if let Some(word) = form.text("subscription_data.trial_settings.end_behavior.missing_payment_method") {
        fields["trial_settings"] = json!({ "end_behavior": { "missing_payment_method": word } });
    }
    fields
}

pub fn trial(call: &ApiCall<'_>) -> Result<Option<Trial>, ApiError> {
    let days = call.form.integer("subscription_data.trial_period_days");
    let end = call.form.integer("subscription_data.trial_end");
    match (days, end) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: trial_end, trial_period_days.";
            Err(ApiError::invalid(message).param("subscription_data[trial_end]"))
        }
        (Some(days), None) if (1..=730).contains(&days) => Ok(Some(Trial::Lasts(days * DAY_SECONDS))),
        (Some(_), None) => {
            let message = "The minimum number of trial period days is 1, and the maximum is 730.";
            Err(ApiError::invalid(message).param("subscription_data[trial_period_days]"))
        }
        (None, Some(end)) if end >= call.at + 2 * DAY_SECONDS => Ok(Some(Trial::Until(end))),
        (None, Some(_)) => {
            let message = "The `trial_end` date has to be at least 2 days in the future.";
            Err(ApiError::invalid(message).param("subscription_data[trial_end]"))
        }
        (None, None) => Ok(None),
    }
}
