//! What an operator's buttons do, and that the audit says why.

use serde_json::json;

use super::{audit, operator_of, shop_with_operator, unmatched_payment, words};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Receiver, Shop, eventually};

#[test]
fn an_operator_gives_and_takes_units_once_and_with_a_reason() {
    let (shop, operator) = shop_with_operator();
    shop.user("alice");
    let at = "/admin/users/alice";
    let page = operator.get(at).must(200);
    let grant = format!("{at}/grant");
    for (units, day, reason, status) in [
        ("20", "", "", 400),
        ("20", "", " ", 400),
        ("twenty", "", "a gift", 400),
        ("", "", "a gift", 400),
        ("0", "", "a gift", 400),
        ("99999999999999", "", "a gift", 400),
        ("20", "2027-02-30", "a gift", 400),
        ("20", "2001-01-01", "a gift", 400),
        ("-5", "2099-01-31", "a gift", 400),
        ("20", "", "a gift\u{202e}", 400),
        ("20", "2099-01-31", "sorry for the outage 🙂", 303),
        // The same press again gives nothing.
        ("20", "2099-01-31", "sorry for the outage 🙂", 303),
    ] {
        let typed = [("units", units), ("expires_at", day), ("reason", reason)];
        let answer = operator.fill(&page, &grant, &typed);
        assert_eq!(answer.status, status, "{units:?} {day:?} {reason:?}: {}", answer.body);
    }
    assert_eq!(shop.remaining("alice"), 20);
    let page = operator.get(&format!("{at}?done")).must(200);
    assert!(words(&page).contains("Done. The audit has it."));
    operator.fill(&page, &grant, &[("units", "-8"), ("reason", "counted twice")]).must(303);
    assert_eq!(shop.remaining("alice"), 12);
    let shown = words(&operator.get(at).must(200));
    assert!(shown.contains("sorry for the outage 🙂") && shown.contains("user:olga"), "{shown}");
    assert!(shop.sign_in("alice").get("/dashboard").must(200).body.contains("counted twice"), "the user reads why");
    let rows = audit(&shop, "units_granted");
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["reason"], &rows[0]["actor"]), (&json!("counted twice"), &json!("user:olga")));
    let trail = words(&operator.get("/admin/audit?target=alice").must(200));
    assert!(trail.contains("counted twice") && trail.contains("units_granted"), "{trail}");
    shop.verify_books();
}

#[test]
fn an_unmatched_payment_is_found_looked_at_assigned_and_in_the_users_ledger() {
    let (shop, operator) = shop_with_operator();
    shop.user("alice");
    let id = unmatched_payment(&shop, "cs_test_lost");
    let overview = operator.get("/admin").must(200);
    assert!(words(&overview).contains("1 payment is not matched"), "{}", words(&overview));
    let list = operator.get("/admin/events?status=unmatched").must(200);
    let at = format!("/admin/events/{id}");
    assert!(list.body.contains(&at));
    let page = operator.get(&at).must(200);
    assert!(!page.body.contains("alert(1)"), "what Stripe sent is not shown unasked");

    let open = words(&operator.get("/admin/reconciliation").must(200));
    assert!(
        open.contains("Not applied, by customer") && open.contains("unmatched Open cases 1 ") && open.contains(&id),
        "{open}"
    );

    operator.press(&page, &format!("{at}/payload")).must(400);
    let why = [("reason", "she asks what she paid")];
    let payload = operator.fill(&page, &format!("{at}/payload"), &why).must(200);
    assert!(payload.body.contains("&#60;script&#62;alert(1)") && !payload.body.contains("<script>alert"), "as text");
    let viewed = &audit(&shop, "payload_viewed")[0];
    assert_eq!((&viewed["target"], &viewed["reason"]), (&json!(id), &json!("she asks what she paid")));

    let reason = ("reason", "her letter of Monday");
    operator.fill(&page, &format!("{at}/assign"), &[("user", "nobody"), reason]).must(404);
    operator.fill(&page, &format!("{at}/assign"), &[("user", "alice"), ("plan", "gold"), reason]).must(404);
    assert_eq!(shop.remaining("alice"), 0);
    let done = operator.fill(&page, &format!("{at}/assign"), &[("user", "alice"), ("plan", ""), reason]).must(200);
    assert!(words(&done).contains("It is applied now"), "{}", words(&done));
    assert!(
        words(&done).contains("What changed")
            && words(&done).contains("topup User alice Units 100 Balance 100 Detail topup_"),
        "{}",
        words(&done)
    );
    assert_eq!(shop.remaining("alice"), 100);
    assert!(words(&operator.get("/admin/users/alice").must(200)).contains("Top-up: 100 pictures"));
    assert_eq!(audit(&shop, "event_assigned")[0]["reason"], "her letter of Monday");
    assert!(!words(&operator.get("/admin").must(200)).contains("not matched"));
    operator.fill(&page, &format!("{at}/assign"), &[("user", "olga"), reason]).must(400);

    // A replay says first what it would do, and then does nothing twice.
    let page = operator.get(&at).must(200);
    let dry = operator.fill(&page, &format!("{at}/replay"), &[("reason", "to be sure")]).must(200);
    assert!(
        words(&dry).contains("It would be applied") && words(&dry).contains("What would change"),
        "{}",
        words(&dry)
    );
    assert!(words(&dry).contains("No units, no plan and no customer."), "nothing twice: {}", words(&dry));
    assert_eq!(audit(&shop, "event_replayed").len(), 0);
    let form = dry.form(&format!("{at}/replay"));
    assert!(form.contains(&("dry_run".to_owned(), "no".to_owned())), "{form:?}");
    operator.fill(&dry, &format!("{at}/replay"), &[("reason", "to be sure")]).must(200);
    assert_eq!((shop.remaining("alice"), audit(&shop, "event_replayed").len()), (100, 1));

    let other = unmatched_payment(&shop, "cs_test_other");
    let at = format!("/admin/events/{other}");
    let page = operator.get(&at).must(200);
    operator.fill(&page, &format!("{at}/dismiss"), &[("reason", "the book shop")]).must(303);
    assert!(words(&operator.get(&at).must(200)).contains("dismissed by the operator: the book shop"));
    shop.verify_books();
}

#[test]
fn an_operator_signs_people_in_and_out_links_and_erases_them() {
    let (shop, operator) = shop_with_operator();
    shop.user("alice");
    let at = "/admin/users/alice";
    let page = operator.get(at).must(200);
    let why = ("reason", "asked by telephone");
    let link = operator.fill(&page, &format!("{at}/sign-in"), &[why]).must(200);
    let link = link.body.split("<code>").nth(1).unwrap().split("</code>").next().unwrap().to_owned();
    let alice = shop.visitor();
    alice.follow(&link).must(303);
    alice.get("/v1/me").must(200);

    let page = operator.get(at).must(200);
    operator.fill(&page, &format!("{at}/sessions"), &[why]).must(303);
    alice.get("/v1/me").must(401);

    let customer = shop.ask_stripe("POST", "/v1/customers")["id"].as_str().unwrap().to_owned();
    let link = format!("{at}/customer");
    let dry = operator.fill(&page, &link, &[("customer", &customer), ("dry_run", "yes"), why]).must(200);
    assert!(words(&dry).contains("would become a customer of alice"), "{}", words(&dry));
    operator.fill(&page, &link, &[("customer", &customer), ("dry_run", ""), why]).must(200);
    assert!(operator.get(at).must(200).body.contains(&customer));
    let found = operator.get(&format!("/admin/users?q={customer}")).must(200);
    assert!(found.body.contains("href=\"/admin/users/alice\""), "found by the customer's id");

    let data = operator.fill(&page, &format!("{at}/data.json"), &[why]).must(200).json();
    assert_eq!((&data["id"], &audit(&shop, "user_exported")[0]["target"]), (&json!("alice"), &json!("alice")));

    let page = operator.get(at).must(200);
    operator.fill(&page, &format!("{at}/erase"), &[("sure", ""), why]).must(400);
    let own = operator.get("/admin/users/olga").must(200);
    operator.fill(&own, "/admin/users/olga/erase", &[("sure", "yes"), why]).must(403);
    let erased = operator.fill(&page, &format!("{at}/erase"), &[("sure", "yes"), why]).must(303);
    operator.get(at).must(404);
    operator.get(erased.header("location")).must(200);
    assert_eq!(audit(&shop, "user_erased")[0]["reason"], "asked by telephone");
    shop.verify_books();
}

#[test]
fn a_refund_is_seen_with_what_is_left_of_the_payment() {
    let (shop, operator) = shop_with_operator();
    shop.user("alice");
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let list = operator.get("/admin/payments").must(200);
    let at = list.body.split("href=\"").find(|rest| rest.starts_with("/admin/payments/")).unwrap();
    let at = at.split('"').next().unwrap().to_owned();
    let reference = at.rsplit('/').next().unwrap();
    let before = words(&operator.get(&at).must(200));
    assert!(before.contains("Refundable $9.00") && before.contains("Units left 100"), "{before}");
    let refund = [("payment_intent", reference), ("amount", "450")];
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let refund = stripe.post_form("/v1/refunds", &refund).must(200).json();
    shop.wait_for_units("alice", 50);
    let after = words(&operator.get(&at).must(200));
    for expected in [
        "Refundable $4.50",
        "Units taken back 50",
        "Units left 50",
        "Refund Amount $4.50",
        refund["id"].as_str().unwrap(),
    ] {
        assert!(after.contains(expected), "{expected}: {after}");
    }
    let activity = shop.sign_in("alice").get("/dashboard/activity").must(200);
    assert_eq!(activity.body.matches("href=\"/dashboard/receipts/").count(), 2, "the pack's and the refund's");
    operator.get("/admin/payments/pi_nothing").must(404);
    let form = operator.get("/admin/reconciliation").must(200).form("/admin/reconciliation");
    let fields = [("csrf", form[0].1.as_str()), ("reason", "no such thing")];
    operator.post_form("/admin/payments/pi_nothing/reverse", &fields).must(404);
    operator.post_form(&format!("{at}/reverse"), &fields).must(400);
    assert_eq!(shop.remaining("alice"), 50, "Stripe confirms the payment");
}

#[test]
fn a_comparison_is_asked_for_followed_and_shown() {
    let (shop, operator) = shop_with_operator();
    shop.user("alice");
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let at = "/admin/reconciliation";
    let page = operator.get(at).must(200);
    assert!(words(&page).contains("Never compared"));
    operator.press(&page, at).must(400);
    operator.fill(&page, at, &[("reason", "month's end")]).must(303);
    operator.fill(&page, at, &[("reason", "again")]).must(400);
    let waiting = operator.get(at).must(200);
    assert!(waiting.body.contains("data-reload") || words(&waiting).contains("In sync"), "{}", words(&waiting));
    eventually("the books agree with Stripe", || {
        let shown = words(&operator.get(at).must(200));
        (shown.contains("In sync with Stripe") && shown.contains("At Stripe $9.00 In the books $9.00 Difference $0.00"))
            .then_some(())
    });
    let one = words(&operator.get(&format!("{at}/1")).must(200));
    assert!(one.contains("user:olga") && one.contains("Unmatched 0"), "{one}");
    operator.get(&format!("{at}/99")).must(404);
    operator.get(&format!("{at}/x")).must(404);
    assert!(words(&operator.get("/admin").must(200)).contains("In sync with Stripe"));
    assert_eq!(audit(&shop, "comparison_asked")[0]["reason"], "month's end");
}

#[test]
fn endpoints_are_tested_rolled_and_sent_to_again() {
    let receiver = Receiver::start();
    let shop = Shop::open_with(&[("SPRITE_HOOK_PRIVATE_NETWORKS", "127.0.0.0/8")]);
    let operator = operator_of(&shop);
    let added = shop.till_prints(&["hook", "add", &receiver.url()]);
    let (hook, secret) = added.trim().split_once('\n').unwrap();
    let at = format!("/admin/messages/{hook}");
    assert!(operator.get("/admin/messages").must(200).body.contains(&at));
    let page = operator.get(&at).must(200);
    assert!(!page.body.contains(secret), "a secret is not shown again");
    operator.press(&page, &format!("{at}/test")).must(400);
    let said = operator.fill(&page, &format!("{at}/test"), &[("reason", "it was silent")]).must(200);
    assert_eq!(audit(&shop, "hook_tested")[0]["reason"], "it was silent");
    assert!(words(&said).contains("accepted it, with status 204"), "{}", words(&said));
    receiver.wait_for(1);
    let rolled = operator.fill(&page, &format!("{at}/roll"), &[("reason", "it leaked")]).must(200);
    assert!(rolled.body.contains("whsec_") && !rolled.body.contains(secret));
    assert!(words(&operator.get("/admin").must(200)).contains("ends soon"), "the older secret ends");
    operator.fill(&page, &format!("{at}/disable"), &[("reason", "the receiver moves")]).must(303);
    let page = operator.get(&at).must(200);
    assert!(words(&page).contains("Off"));
    operator.fill(&page, &format!("{at}/enable"), &[("reason", "it moved")]).must(303);
    assert_eq!(audit(&shop, "hook_secret_rolled")[0]["reason"], "it leaked");
    operator.get("/admin/messages/hook_nothing").must(404);

    let retry = |message: &str| {
        let csrf = page.form(&format!("{at}/enable"))[0].1.clone();
        operator.post_form("/admin/messages/retry", &[("csrf", &csrf), ("message", message), ("reason", "it moved")])
    };
    retry("").must(303);
    retry("msg_nothing").must(404);
    shop.user("alice");
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let sent = receiver.wait_for(2).pop().unwrap();
    retry(sent.header("webhook-id")).must(303);
    assert_eq!(audit(&shop, "message_retried")[0]["reason"], "it moved");
}

#[test]
fn the_catalogue_health_and_tokens_are_shown_and_a_token_is_revoked() {
    let (shop, operator) = shop_with_operator();
    let catalog = operator.get("/admin/catalog").must(200);
    assert!(
        words(&catalog).contains("topup_250 On sale 250 pictures Gives 250 pictures Price $20.00"),
        "{}",
        words(&catalog)
    );
    operator.press(&catalog, "/admin/catalog").must(400);
    let setup = operator.fill(&catalog, "/admin/catalog", &[("reason", "a new price")]).must(200);
    assert_eq!(audit(&shop, "setup_viewed")[0]["reason"], "a new price");
    assert!(words(&setup).contains("webhook endpoint"), "{}", words(&setup));
    let health = operator.get("/admin/health").must(200);
    operator.press(&health, "/admin/health").must(400);
    let checked = words(&operator.fill(&health, "/admin/health", &[("reason", "it is slow")]).must(200));
    assert_eq!(audit(&shop, "health_checked")[0]["reason"], "it is slow");
    assert!(checked.contains("price of topup_100") && checked.contains("Stripe key"), "{checked}");

    let program = shop.program("read");
    program.get("/v1/catalog").must(200);
    let listed = operator.get("/admin/tokens").must(200);
    let at = listed.body.split("href=\"").filter(|rest| rest.starts_with("/admin/tokens/")).last().unwrap();
    let at = at.split('"').next().unwrap();
    let page = operator.get(at).must(200);
    operator.fill(&page, &format!("{at}/revoke"), &[("reason", "found on a laptop")]).must(303);
    assert!(words(&operator.get(at).must(200)).contains("Revoked"));
    assert_eq!(audit(&shop, "token_revoked")[0]["reason"], "found on a laptop");
    operator.get("/admin/tokens/tok_nothing").must(404);
}
