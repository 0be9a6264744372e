//! One request as Stripe would send it, to see what stands between Stripe and the webhook. It is not signed, so it has
//! no effect.

use std::time::Duration;

use crate::stripe::client::plain_agent;

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReply {
    pub status: u16,
    /// The target of a redirect.
    pub location: Option<String>,
}

/// Posts an empty object. Redirects are reported, not followed. The error is a sentence for people.
pub fn post(url: &str, patience: Duration) -> Result<ProbeReply, String> {
    let answer = plain_agent(patience).post(url).header("Content-Type", "application/json").send("{}");
    let answer = answer.map_err(|cause| cause.to_string())?;
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(ProbeReply { status: answer.status().as_u16(), location })
}
