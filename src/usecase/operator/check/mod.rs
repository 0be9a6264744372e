//! `till check`: does everything fit together? One line for each thing that can be wrong. What is called good was seen to
//! work: a probe arrived, Stripe delivered, a call was allowed.

mod books;
mod deliveries;
mod endpoints;
mod finding;
mod key;
mod machine;
mod polling;
mod prices;
mod public;
mod renewals;
mod server;
mod waiting;

use std::time::Duration;

use crate::app::App;
use crate::stripe::Stripe;
use crate::usecase::mail::deliver;
use crate::usecase::operator::clock;
use crate::usecase::operator::stripe_account::{self, Standing};

use finding::{bad, finding, good, open, warning};

pub use finding::{Finding, Verdict};

const PATIENCE: Duration = Duration::from_secs(15);

/// Looks at the configuration, the machine and the books. Nobody is asked over the network.
pub fn local(app: &App) -> Vec<Finding> {
    let mut found = unasked(app);
    if app.config.stripe.secret_key.is_none() {
        found.push(warning("Stripe key", "SPRITE_STRIPE_SECRET_KEY is not set here, and serve needs it".to_owned()));
        return found;
    }
    match stripe_account::refusal_by_mode(app) {
        Ok(refusal) => found.extend(refusal.map(|reason| bad(key::ACCOUNT, reason))),
        Err(error) => found.push(bad(key::ACCOUNT, error.to_string())),
    }
    found.extend(app.catalog.for_sale().filter_map(prices::unset));
    found
}

/// What Stripe has no part in.
fn unasked(app: &App) -> Vec<Finding> {
    let database = app.store.database();
    let mut found = vec![
        configuration(&app.config.warnings),
        finding(
            "database",
            app.store
                .check_writable(&app.clock)
                .map(|()| format!("{database} ({}) takes writes", app.store.engine().name())),
        ),
        books::files(app),
        machine::time_synchronisation(),
        waiting::backup(app),
        waiting::units(app),
        waiting::events(app),
        waiting::comparison(app),
        books::payments(app),
    ];
    if let Some(path) = app.store.file() {
        found.extend([machine::folder(path), machine::file_system(app), machine::room(app, path)]);
    }
    found.extend(server::server(app));
    found.extend(waiting::for_a_hand(app));
    found
}

/// Looks at everything.
pub fn check(app: &App) -> Vec<Finding> {
    let mut found = unasked(app);
    found.extend(mail(app));
    found.extend(provider(app));
    found.extend(public::certificate(app));
    let Ok(stripe) = app.stripe() else {
        found.extend(clock::fault(app).map(|what| bad("clock", what)));
        return found;
    };
    let standing = stripe_account::confirm(app);
    if let Ok(Standing::Refused(reason)) = standing {
        // Nothing of this database may be looked for in another account.
        found.push(bad(key::ACCOUNT, reason));
        return found;
    }
    let (of_prices, of_key) = key::key_and_clock(app, stripe);
    found.extend(of_key);
    let Ok(of_prices) = of_prices else { return found };
    found.push(match standing {
        Ok(standing) => key::account(stripe, &standing),
        Err(error) => bad(key::ACCOUNT, error.to_string()),
    });
    found.push(key::permissions(stripe, &of_prices));
    found.extend(app.catalog.for_sale().map(|offer| prices::price(app, stripe, offer)));
    found.extend(prices::portal(app, stripe));
    found.extend(renewals::renewals(app, stripe));
    found.extend(match app.config.stripe.is_polled() {
        true => polling::polling(app, stripe),
        false => webhooks(app, stripe),
    });
    found
}

/// Whether Stripe's webhooks lead here and arrive.
fn webhooks(app: &App, stripe: &Stripe) -> Vec<Finding> {
    let (endpoints, mut found) = endpoints::endpoints(app, stripe);
    let (is_reached, of_url) = endpoints::public_url(app, stripe, &endpoints);
    found.extend(of_url);
    found.push(deliveries::deliveries(app, stripe, &endpoints, is_reached));
    found
}

/// Sends a letter to the sender's own address; nothing is said where no mail is sent.
fn mail(app: &App) -> Option<Finding> {
    deliver::test(app).transpose().map(|sent| finding("mail", sent))
}

/// Asks the provider of OpenID Connect for its description and its keys; nothing is said where there is none.
fn provider(app: &App) -> Option<Finding> {
    let (provider, client) = app.config.oidc.as_ref().zip(app.oidc.as_ref())?;
    let (what, name) = ("OpenID Connect", &provider.name);
    Some(match client.look(app.clock.now()) {
        Ok((described, _)) if described.takes_pkce() == Some(false) => {
            bad(what, format!("{name} does not take PKCE by S256, without which nobody is signed in: turn it on there"))
        }
        Ok((described, keys)) => {
            let (issuer, back) = (&described.issuer, client.redirect_uri());
            good(what, format!("{issuer} ({name}) has {keys} keys; {back} must be registered there to return to"))
        }
        Err(fault) => bad(what, format!("{name} ({}): {}", provider.issuer, fault.detail())),
    })
}

/// A warning may be a mistake, and only the operator knows.
fn configuration(warnings: &[String]) -> Finding {
    let what = "configuration";
    match warnings {
        [] => good(what, "every variable is known and can be read".to_owned()),
        warnings => open(what, warnings.join("; ")),
    }
}
