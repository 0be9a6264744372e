//! The threads that post webhooks. They take what `outbox` says is due, post it with a fresh signature, and record the
//! result: any 2xx counts as delivered; anything else, redirects too, is tried again. Source: Stripe, "Webhooks".

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;

use crate::error::Fault;
use crate::sandbox::due;
use crate::sandbox::reach::{NearResolver, Reach};
use crate::sandbox::rendering::render;
use crate::sandbox::shape::text;
use crate::sandbox::shared::Shared;
use crate::sandbox::state::State;
use crate::sandbox::version::ApiVersion;
use crate::sandbox::wire;
use crate::tls;

const THREADS: usize = 4;
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// The longest sleep before a thread checks again what is due.
const NAP: Duration = Duration::from_millis(500);

/// Starts the threads. They end after [`Shared::stop`].
pub fn start(shared: &Arc<Shared>, reach: Reach) -> Result<(), Fault> {
    let agent = agent(reach);
    for number in 1..=THREADS {
        let (shared, agent) = (shared.clone(), agent.clone());
        thread::Builder::new()
            .name(format!("sandbox-webhooks-{number}"))
            .spawn(move || run(&shared, &agent))
            .map_err(|cause| Fault::new("the stand-in could not start a thread for webhooks", cause))?;
    }
    Ok(())
}

fn agent(reach: Reach) -> Agent {
    let config = Agent::config_builder()
        .tls_config(tls::config())
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(ANSWER_TIME))
        .user_agent("Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .build();
    Agent::with_parts(config, DefaultConnector::default(), NearResolver { reach, names: DefaultResolver::default() })
}

fn run(shared: &Shared, agent: &Agent) {
    while !shared.is_stopping() {
        let mut state = shared.lock();
        due::run(&mut state);
        match state.outbox.take_due() {
            Some((id, event, endpoint)) => {
                let webhook = signed_webhook(&state, &event, &endpoint);
                drop(state);
                let (is_delivered, last) = match webhook {
                    Some(webhook) => post(agent, &webhook),
                    None => (false, "the event or its endpoint is gone".to_owned()),
                };
                let mut state = shared.lock();
                if is_delivered && !state.outbox.was_delivered(&event, &endpoint) {
                    state.mark_confirmed(&event);
                }
                state.outbox.record(id, is_delivered, last);
                drop(state);
                shared.bell.notify_all();
            }
            None => {
                let nap = state.outbox.pause().unwrap_or(NAP).clamp(Duration::from_millis(1), NAP);
                drop(shared.bell.wait_timeout(state, nap));
            }
        }
    }
}

#[derive(Debug)]
struct SignedWebhook {
    url: String,
    body: String,
    signature: String,
}

/// An event as a webhook to this endpoint, in the shape of the endpoint's API version and signed now. `None`: the event or
/// the endpoint is gone.
fn signed_webhook(state: &State, event: &str, endpoint: &str) -> Option<SignedWebhook> {
    let mut event = state.events.get(event)?.clone();
    let endpoint = state.webhook_endpoints.get(endpoint)?;
    if let Some(version) = endpoint.object["api_version"].as_str().and_then(|text| ApiVersion::read(text).ok()) {
        event["api_version"] = version.as_str().into();
        render(state, &mut event["data"], &version);
    }
    let body = wire::render(&event);
    let signature = wire::signature(&endpoint.secret, state.clock.now().seconds(), &body);
    Some(SignedWebhook { url: text(&endpoint.object, "url").to_owned(), body, signature })
}

fn post(agent: &Agent, webhook: &SignedWebhook) -> (bool, String) {
    let sent = agent
        .post(&webhook.url)
        .header("Content-Type", "application/json; charset=utf-8")
        .header("Accept", "*/*; q=0.5, application/xml")
        .header("Cache-Control", "no-cache")
        .header("Stripe-Signature", &webhook.signature)
        .send(webhook.body.as_str());
    match sent {
        Ok(answer) => (answer.status().is_success(), answer.status().as_u16().to_string()),
        Err(error) => (false, format!("no answer: {error}")),
    }
}
