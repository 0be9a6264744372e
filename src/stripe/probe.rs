//! One request as Stripe would send it, to see what stands between Stripe and the webhook: nothing of it is signed, so
//! nothing can come of it.

use std::time::Duration;

use super::client::plain_agent;

/// What answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The status.
    pub status: u16,
    /// Where it redirects to.
    pub location: Option<String>,
}

/// Posts an empty object. Redirects are reported, not followed. The error is for people.
pub fn post(url: &str, patience: Duration) -> Result<Reached, String> {
    let answer = plain_agent(patience).post(url).header("Content-Type", "application/json").send("{}");
    let answer = answer.map_err(|cause| cause.to_string())?;
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Reached { status: answer.status().as_u16(), location })
}
