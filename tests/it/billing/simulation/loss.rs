//! Most of what Stripe tells is lost, and what arrives comes in any order: after `reconcile` the books are those computed
//! apart, and a second comparison finds nothing.

use serde_json::Value;
use till::clock::{Clock, Deadline};
use till::stripe::client::LONGEST_WAIT;
use till::usecase::checkout::start::{self, PurchaseRequest};
use till::usecase::stripe_events::reconcile;
use till::usecase::users::{self, UserPatch};

use super::Chance;
use crate::harness::Client;
use crate::harness::life::{Life, events, stripe_at};
use crate::harness::shop::GOOD_CARD;

const USERS: usize = 12;

#[test]
fn what_is_lost_on_the_way_is_found_by_comparing() {
    let stripe = stripe_at(Clock::System);
    let life = Life::begin(&stripe.url());
    life.clock.set(Clock::System.now());
    let api = Client::new(&stripe.url(), &[("authorization", "Bearer sk_test_lives")]);
    let mut chance = Chance(7);
    let mut expected = vec![];
    for number in 0..USERS {
        let (member, _) = users::put(&life.app, &format!("u{number}"), UserPatch::default()).unwrap();
        let offer = if chance.below(2) == 0 { "topup_100" } else { "starter" };
        let checkout = start::start_checkout(
            &life.app,
            &member.user,
            PurchaseRequest::new(&life.app, offer, None).unwrap(),
            Deadline::after(LONGEST_WAIT),
        )
        .unwrap();
        let path = checkout.checkout_url.trim_start_matches(&stripe.url()).to_owned();
        api.post_form(&path, &[("card", GOOD_CARD)]).must(303);
        let paid = api.get("/v1/payment_intents?limit=1").must(200).json();
        let refunded = [0, 450, 900][usize::try_from(chance.below(3)).unwrap()];
        if refunded > 0 {
            let intent = paid["data"][0]["id"].as_str().unwrap();
            api.post_form("/v1/refunds", &[("payment_intent", intent), ("amount", &refunded.to_string())]).must(200);
        }
        expected.push((member.user.id, 100 - refunded / 9));
    }
    let mut arriving: Vec<Value> = events(&api).into_iter().filter(|_| chance.below(3) == 0).collect();
    for at in (1..arriving.len()).rev() {
        arriving.swap(at, usize::try_from(chance.below(at as u64 + 1)).unwrap());
    }
    arriving.iter().for_each(|event| life.hear(event));

    reconcile::reconcile(&life.app, None, true, |_, _| ()).unwrap();
    for (user, units) in expected {
        assert_eq!(users::show(&life.app, &user).unwrap().balance.remaining, units, "{user}");
    }
    life.prove();
    let again = reconcile::reconcile(&life.app, None, true, |_, _| ()).unwrap();
    assert_eq!((again.applied, again.is_clean()), (0, true), "{again:?}");
}
