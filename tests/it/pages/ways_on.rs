//! Every page leads on: the sign-in page to the app, an error page to one place, the return page to the account that bought,
//! the dashboard to Stripe's portal wherever there is one.

use serde_json::json;

use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::{Answer, Client, Shop};

/// The text of a page.
fn text(page: &Answer) -> String {
    let parts = page.body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Where the buttons of the page's main part lead.
fn ways(page: &Answer) -> Vec<String> {
    let main = page.body.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
    let links = main.split("<a class=\"button").skip(1);
    links.map(|link| link.split_once("href=\"").unwrap().1.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn the_sign_in_page_leads_to_the_app_and_back_to_the_packs() {
    let shop = Shop::open_with_catalog(&CATALOG.replacen(
        "[shop]",
        "[shop]\nname = \"Fox & Sons\"\napp_url = \"https://app.example.com/billing\"\n\
        support = \"help@example.com\"\nterms_url = \"https://example.com/terms\"\naccent = \"#0b4c6b\"",
        1,
    ));
    shop.user("alice");
    let refused = shop.api.call_once("/v1/users/alice/spends", "k", &json!({"units": 1})).must(402).json();
    let topup = refused["topup_url"].as_str().unwrap().to_owned();
    let browser = shop.visitor();
    let led = browser.get(topup.strip_prefix(&shop.till.url).unwrap()).must(303).header("location").to_owned();
    let login = browser.get(&led).must(200);
    assert_eq!(ways(&login), ["https://app.example.com/billing", "/"]);
    let words = text(&login);
    assert!(words.contains("Open Fox &#38; Sons") && words.contains("Sign in · Fox &#38; Sons"), "{words}");
    for part in ["mailto:help@example.com", "https://example.com/terms", "href=\"/accent.css\""] {
        assert!(login.body.contains(part), "{part}: {}", login.body);
    }
    assert!(browser.get("/accent.css").must(200).body.contains("--fill: #0b4c6b"));
    // The app makes the link.
    let arrived = browser.follow(&shop.login_link("alice")).must(303);
    assert_eq!(arrived.header("location"), "/dashboard");
    assert!(text(&browser.get("/dashboard").must(200)).contains("Need More Pictures?"));
    // People whom the app made have no other way in: beside the forms of others, the app is named too.
    shop.set_password("alice", "four words of no use");
    let login = shop.visitor().get("/login").must(200);
    assert!(login.body.contains("/login/password"), "{}", login.body);
    assert_eq!(ways(&login), ["https://app.example.com/billing", "/"]);
    assert_eq!(text(&login).matches("Open Fox").count(), 1, "the way to the app is shown once: {}", text(&login));

    let plain = Shop::open();
    let login = plain.visitor().get("/login").must(200);
    assert_eq!(ways(&login), ["/"]);
    assert!(!login.body.contains("accent.css"));
    plain.visitor().get("/accent.css").must(404);
}

#[test]
fn an_error_page_knows_who_reads_it_and_has_one_way_on() {
    let shop = Shop::open();
    shop.user("alice");
    let (visitor, alice) = (shop.visitor(), shop.sign_in("alice"));
    let page = visitor.get("/nothing").must(404);
    assert_eq!(ways(&page), ["/"]);
    assert!(text(&page).contains("Sign in"), "{}", page.body);
    let page = alice.get("/nothing").must(404);
    assert_eq!(ways(&page), ["/dashboard"]);
    assert!(text(&page).contains("Sign out") && !text(&page).contains("Sign in"), "{}", page.body);
    let page = visitor.post_form("/billing/portal", &[]).must(401);
    assert_eq!(ways(&page), ["/login"]);

    // A tab that was restored at the address of a button.
    for path in ["/billing/checkout?plan=topup_100", "/billing/portal"] {
        for browser in [&visitor, &alice] {
            assert_eq!(browser.get(path).must(303).header("location"), "/dashboard", "{path}");
        }
        let program = Client::new(&shop.till.url, &[("accept", "application/json")]);
        let refused = program.get(path).must(405);
        assert_eq!((refused.code().as_str(), refused.header("allow")), ("invalid_request", "POST"), "{path}");
    }
    let page = alice.get("/language").must(405);
    assert_eq!(ways(&page), ["/dashboard"]);
    assert!(!page.body.contains("Allow") && text(&page).contains("it belongs to a button"), "{}", page.body);

    // A second subscription: the way on is the portal.
    let dashboard = alice.get("/dashboard").must(200);
    let (_, checkout) = shop.checkout("alice", "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let page = alice.press(&dashboard, "/billing/checkout?plan=pro").must(409);
    assert!(text(&page).contains("Open the customer portal"), "{}", page.body);
    assert!(ways(&page).len() == 1 && ways(&page)[0].starts_with(&shop.stripe.url()), "{:?}", ways(&page));

    // Stripe does not answer: what to do is said once.
    shop.stripe_control("faults", &[("path", "/v1/checkout"), ("kind", "status:500"), ("times", "100")]);
    let page = alice.press(&dashboard, "/billing/checkout?plan=topup_100").must(502);
    let words = text(&page);
    assert_eq!(words.matches("Try again").count(), 1, "{words}");
    assert!(words.contains("Nothing was charged.") && words.contains("Sign out"), "{words}");
    assert_eq!(ways(&page), ["/dashboard"]);
}

#[test]
fn a_buyer_who_comes_back_in_another_browser_reads_that_it_is_paid_and_nothing_else() {
    let shop = Shop::open();
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Alice Example", "email": "alice@example.org"})).must(201);
    shop.give("alice", 777);
    for (plan, units, words) in [
        ("topup_100", 877, "The pictures are on the account that bought them."),
        ("starter", 977, "The plan is on the account that bought it."),
    ] {
        let (_, checkout) = shop.checkout("alice", plan);
        let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303).header("location").to_owned();
        let back = back.strip_prefix(&shop.till.url).unwrap().to_owned();
        let page = shop.visitor().get(&back).must(200);
        let said = text(&page);
        assert!(said.contains("Paid") && said.contains(words), "{said}");
        assert_eq!(ways(&page), ["/login"]);
        for secret in ["alice", "Alice", "777", "877", "977"] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
        shop.wait_for_units("alice", units);
    }
    // Somebody else who is signed in there reads where it may be.
    shop.api.call("PUT", "/v1/users/bob", &json!({"name": "Bob"})).must(201);
    shop.give("bob", 555);
    let (session, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let (bob, back) = (shop.sign_in("bob"), format!("/billing/return?session_id={session}"));
    let page = bob.get(&back).must(404);
    let said = text(&page);
    assert!(said.contains("If you paid as somebody else, it is on that account"), "{said}");
    for secret in ["alice", "Alice", "1077", "555"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    let script = Client::new(&shop.till.url, &[("cookie", &bob.cookies()), ("accept", "application/json")]);
    assert_eq!(script.get(&back).must(404).code(), "not_found");
    bob.get("/billing/return?session_id=cs_test_never").must(404);
    shop.visitor().get(&format!("{back}&session_id={session}")).must(400);

    let (_, checkout) = shop.checkout("alice", "topup_250");
    let session = checkout.rsplit('/').next().unwrap().to_owned();
    let open = shop.visitor().get(&format!("/billing/return?session_id={session}"));
    assert!(open.status != 200 || text(&open).contains("was not completed"), "{}", open.body);
    shop.visitor().get("/billing/return?session_id=cs_test_never").must(401);
}

#[test]
fn the_portal_is_one_press_away_whenever_there_is_a_customer() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let portal = "Manage or cancel";
    assert!(!text(&browser.get("/dashboard").must(200)).contains(portal), "nothing was bought");
    let checkout = shop.press_buy(&browser, "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let page = browser.get("/dashboard").must(200);
    assert_eq!(text(&page).matches(portal).count(), 1, "after a pack");
    assert!(browser.press(&page, "/billing/portal").must(303).header("location").starts_with(&shop.stripe.url()));
}

#[test]
fn machines_read_what_the_site_is_and_people_that_it_is_a_test() {
    let shop = Shop::open();
    let page = shop.visitor().get("/").must(200);
    assert!(page.body.contains("<meta name=\"description\" content=\"Pictures, paid in advance"), "{}", page.body);
    assert!(text(&page).contains("Test mode"), "{}", page.body);
    let icon = page.body.split("rel=\"apple-touch-icon\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(shop.visitor().get(icon).must(200).header("content-type"), "image/png");
    let robots = shop.visitor().get("/robots.txt").must(200);
    assert!(robots.header("content-type").starts_with("text/plain"), "{}", robots.header("content-type"));
    assert!(robots.body.starts_with("User-agent: *\n") && robots.body.contains("Disallow: /dashboard"));

    let live = Shop::open_with(&[("SPRITE_STRIPE_SECRET_KEY", "sk_live_stories")]);
    assert!(!text(&live.visitor().get("/").must(200)).contains("Test mode"));
}
