//! Sign-in by OpenID Connect: at a real provider, and at one that lies.

mod away;
mod scene;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use till::clock::Clock;

use crate::harness::oidc_provider::OidcProvider;
use crate::harness::process;
use crate::harness::{Client, Shop};
use scene::{CALLBACK, Scene, Signer, begin, id_of};

#[test]
fn what_a_provider_answers_is_checked_before_anybody_is_signed_in() {
    let scene = Scene::open(&[]);
    let (provider, shop) = (&scene.provider, &scene.shop);
    // Before it is described rightly, nobody is sent there.
    for (head, changes, words) in [
        ("503 Busy", json!({}), "does not answer"),
        ("302 Found\r\nLocation: /elsewhere", json!({}), "could not be believed"),
        ("200 OK", json!({"issuer": "https://other.example"}), "could not be believed"),
        ("200 OK", json!({"jwks_uri": "http://other.example/jwks"}), "could not be believed"),
        ("200 OK", json!({"more": "x".repeat(300_000)}), "could not be believed"),
    ] {
        provider.describe(&changes);
        if head != "200 OK" {
            provider.set("/.well-known/openid-configuration", head, "{}");
        }
        let page = shop.visitor().get("/login/oidc").must(502);
        assert!(page.body.contains(words), "{head} {changes}: {}", page.body);
    }
    provider.describe(&json!({}));
    // Its keys.
    let keys = json!({"keys": [scene.signer.jwk("k1")], "more": "x".repeat(300_000)}).to_string();
    for (head, body) in [
        ("302 Found\r\nLocation: /keys", "{}"),
        ("200 OK", keys.as_str()),
        ("200 OK", "{\"keys\": []}"),
        ("200 OK", "<html>"),
    ] {
        provider.set("/jwks", head, body);
        let refused = scene.sign_in(&shop.visitor(), "/login/oidc", &json!({})).must(502);
        assert!(refused.body.contains("could not be believed"), "{head}: {}", refused.body);
    }
    assert_eq!(provider.count("/keys") + provider.count("/elsewhere"), 0, "no redirect is followed");
    scene.show_keys();

    let now = Clock::System.now().seconds();
    let right = json!({"alg": "ES256", "kid": "k1"});
    let not_believed = "could not be believed";
    for (what, header, changes, words) in [
        ("nonce", right.clone(), json!({"nonce": "another"}), not_believed),
        ("no nonce", right.clone(), json!({"nonce": null}), not_believed),
        ("aud", right.clone(), json!({"aud": "another"}), not_believed),
        ("several clients", right.clone(), json!({"aud": ["till", "another"]}), not_believed),
        ("azp", right.clone(), json!({"azp": "another"}), not_believed),
        ("iss", right.clone(), json!({"iss": "https://other.example"}), not_believed),
        ("no sub", right.clone(), json!({"sub": ""}), not_believed),
        ("expired", right.clone(), json!({"exp": now - 70}), "clocks"),
        ("of the future", right.clone(), json!({"iat": now + 120}), "clocks"),
        ("old", right.clone(), json!({"iat": now - 700}), "clocks"),
        ("none", json!({"alg": "none"}), json!({}), not_believed),
        ("HS256", json!({"alg": "HS256", "kid": "k1"}), json!({}), not_believed),
        ("another kind of key", json!({"alg": "RS256", "kid": "k1"}), json!({}), not_believed),
        ("extensions", json!({"alg": "ES256", "kid": "k1", "crit": ["b64"]}), json!({}), not_believed),
        ("unknown key", json!({"alg": "ES256", "kid": "k2"}), json!({}), not_believed),
        ("unknown key again", json!({"alg": "ES256", "kid": "k3"}), json!({}), not_believed),
    ] {
        let browser = shop.visitor();
        let asked = begin(&browser, "/login/oidc");
        scene.give(&scene.signer.token(&header, &scene.claims(&asked, &changes)));
        let refused = browser.get(&format!("{CALLBACK}?code=c&state={}", asked["state"])).must(502);
        assert!(refused.body.contains(words), "{what}: {}", refused.body);
        assert_eq!(browser.cookies(), "", "{what}: the attempt has ended, and nobody is signed in");
    }
    assert_eq!(provider.count("/jwks"), 6, "an unknown key is asked for at once, and not time and again");
    let browser = shop.visitor();
    let asked = begin(&browser, "/login/oidc");
    scene.give(&Signer::new().token(&right, &scene.claims(&asked, &json!({}))));
    browser.get(&format!("{CALLBACK}?code=c&state={}", asked["state"])).must(502);

    let listed: Value = serde_json::from_str(&shop.till_prints(&["user", "list", "--json"])).unwrap();
    assert_eq!(listed["data"], json!([]), "nobody has an account by then");
    shop.till.wait_for_log("the reason", |line| line["event"] == "oidc_failed" && line["kind"] == "clock");
    assert!(!shop.till.log().contains("s3cret"));
}

#[test]
fn a_token_says_whether_a_second_factor_was_proved() {
    let scene = Scene::open(&[("SPRITE_SIGNUP", "open")]);
    for (methods, is_proved) in [
        (json!({}), false),
        (json!({"amr": ["pwd"]}), false),
        (json!({"amr": ["pwd", "otp", "mfa"]}), true),
        (json!({"amr": "mfa"}), true),
        (json!({"amr": {"mfa": true}}), false),
        (json!({"amr": null, "acr": "mfa"}), false),
    ] {
        let browser = scene.shop.visitor();
        scene.sign_in(&browser, "/login/oidc", &methods).must(303);
        let data = browser.get("/account/data.json").must(200).json();
        assert_eq!(data["sessions"][0]["second_factor_at"].is_string(), is_proved, "{methods}");
    }
}

#[test]
fn an_answer_is_good_in_the_browser_that_asked_and_once() {
    let scene = Scene::open(&[]);
    let (provider, shop) = (&scene.provider, &scene.shop);
    let browser = shop.visitor();
    let login = browser.get("/login").must(200);
    assert!(login.body.contains("href=\"/login/oidc\">Continue with Example ID"), "{}", login.body);
    let asked = begin(&browser, "/login/oidc");
    let cookie = browser.cookies();
    assert!(cookie.contains("till-oidc="), "{cookie}");
    let redirect = format!("{}{CALLBACK}", shop.till.url);
    for (field, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "till"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", redirect.as_str()),
    ] {
        assert_eq!(asked[field], value, "{field}");
    }
    scene.give(&scene.signer.token(&json!({"alg": "ES256", "kid": "k1"}), &scene.claims(&asked, &json!({}))));
    let back = format!("{CALLBACK}?code=c&state={}", asked["state"]);
    for (what, other) in [
        ("another browser", shop.visitor()),
        ("another attempt", {
            let other = shop.visitor();
            begin(&other, "/login/oidc");
            other
        }),
    ] {
        let page = other.get(&back).must(400);
        assert!(page.body.contains("This sign-in is over"), "{what}: {}", page.body);
    }
    browser.get(&format!("{CALLBACK}?code=c&state=x")).must(400);
    assert_eq!(provider.count("/token"), 0);
    assert_eq!(browser.get(&back).must(303).header("location"), "/dashboard");
    assert!(!browser.cookies().contains("till-oidc"), "{}", browser.cookies());
    let request = provider.last("/token");
    assert!(request.contains(&BASE64.encode(b"till:s3cret%2B%2F")), "RFC 6749, section 2.3.1: {request}");
    let verifier = request.split("code_verifier=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert_eq!(BASE64URL_NOPAD.encode(&till::id::digest(verifier.as_bytes())), asked["code_challenge"]);
    let ada = id_of(&browser);
    assert!(ada.starts_with("u_"), "{ada}");
    browser.get(&back).must(400);
    assert_eq!(id_of(&browser), ada, "a replay changes nothing");

    // Another sign-in is another session of the same account; one slash is no other issuer.
    let former = browser.cookies();
    scene.sign_in(&browser, "/login/oidc", &json!({"iss": format!("{}/", provider.url)})).must(303);
    assert_eq!(id_of(&browser), ada);
    Client::new(&shop.till.url, &[("cookie", &former), ("accept", "application/json")]).get("/v1/me").must(401);

    // Another site cannot begin one, and a look begins none.
    let elsewhere = Client::new(&shop.till.url, &[("sec-fetch-site", "cross-site"), ("accept", "text/html")]);
    assert_eq!(elsewhere.get("/login/oidc").must(303).header("location"), "/login");
    assert_eq!(shop.visitor().send("HEAD", "/login/oidc", &[], b"").header("set-cookie"), "");
}

#[test]
fn what_a_provider_says_instead_of_a_code_signs_nobody_in() {
    let scene = Scene::open(&[]);
    let (provider, shop) = (&scene.provider, &scene.shop);
    for (answer, status, words) in [
        ("error=access_denied", 403, "You were not signed in at Example ID"),
        ("error=temporarily_unavailable", 502, "does not answer"),
        ("error=invalid_scope", 502, "could not be believed"),
        ("nothing=here", 502, "could not be believed"),
        ("code=c&iss=https%3A%2F%2Fother.example", 502, "could not be believed"),
    ] {
        let browser = shop.visitor();
        let asked = begin(&browser, "/login/oidc");
        let page = browser.get(&format!("{CALLBACK}?{answer}&state={}", asked["state"])).must(status);
        assert!(
            page.body.contains(words) && page.header("referrer-policy") == "no-referrer",
            "{answer}: {}",
            page.body
        );
        assert_eq!(browser.cookies(), "", "{answer}");
    }
    assert_eq!(provider.count("/token"), 0, "nothing was given that could be exchanged");
    provider.set("/token", "400 Bad Request", "{\"error\": \"invalid_grant\"}");
    let browser = Client::new(&shop.till.url, &[("accept", "text/html"), ("accept-language", "de")]);
    let asked = begin(&browser, "/login/oidc");
    let page = browser.get(&format!("{CALLBACK}?code=c&state={}", asked["state"])).must(400);
    assert!(page.body.contains("Diese Anmeldung ist vorbei"), "{}", page.body);
}

#[test]
fn a_known_address_is_not_taken_over_and_its_owner_connects_the_two() {
    let scene = Scene::open(&[]);
    let shop = &scene.shop;
    shop.api.call("PUT", "/v1/users/alice", &json!({"email": "alice@example.org"})).must(201);
    shop.user("bob");
    shop.hand().run(
        "INSERT INTO addresses (canonical, account, written, verified_at)
            VALUES ('alice@example.org', 1, 'alice@example.org', 0)",
    );
    let claims = json!({"sub": "alice-there", "email": "Alice@example.org"});
    let stranger = shop.visitor();
    let page = scene.sign_in(&stranger, "/login/oidc", &claims).must(409);
    assert!(page.body.contains("connect Example ID on your account page"), "{}", page.body);
    stranger.get("/v1/me").must(401);
    // Anybody types an address at a provider that does not verify it: such a one says nothing of whom it may belong to.
    let unproved = ["Alice@example.org", "nobody@example.org"].map(|email| {
        let (browser, sub) = (shop.visitor(), format!("unproved {email}"));
        let claims = json!({"sub": sub, "email": email, "email_verified": false});
        let answer = scene.sign_in(&browser, "/login/oidc", &claims).must(303);
        assert!(id_of(&browser).starts_with("u_"), "an account of its own");
        (answer.header("location").to_owned(), answer.body)
    });
    assert_eq!(unproved[0], unproved[1]);

    let alice = shop.sign_in("alice");
    assert!(alice.get("/account").must(200).body.contains("/login/oidc?connect"));
    let offer = scene.sign_in(&alice, "/login/oidc?connect", &claims).must(200);
    assert!(offer.body.contains("Alice@example.org"), "{}", offer.body);
    scene.sign_in(&stranger, "/login/oidc", &claims).must(409);
    // What was offered to another session, or to none, connects nothing.
    let bob = shop.sign_in("bob");
    let theirs = bob.get("/account").must(200).form("/account/name")[0].1.clone();
    let named = [("csrf", theirs.as_str()), ("issuer", &scene.provider.url), ("subject", "alice-there")];
    bob.fill(&offer, "/account/identities", &named).must(403);
    alice.press(&offer, "/account/identities").must(303);
    alice.press(&offer, "/account/identities").must(403);
    scene.sign_in(&stranger, "/login/oidc", &claims).must(303);
    assert_eq!(id_of(&stranger), "alice");
    let offer = scene.sign_in(&bob, "/login/oidc?connect", &claims).must(200);
    bob.press(&offer, "/account/identities").must(403);
    // An attempt to connect that ends in another account's session offers nothing.
    let asked = begin(&alice, "/login/oidc?connect");
    scene.give(&scene.signer.token(&json!({"alg": "ES256", "kid": "k1"}), &scene.claims(&asked, &claims)));
    alice.follow(&shop.login_link("bob")).must(303);
    alice.get(&format!("{CALLBACK}?code=c&state={}", asked["state"])).must(403);

    let alice = shop.sign_in("alice");
    let page = alice.get("/account").must(200);
    assert!(page.body.contains("Example ID") && !page.body.contains("/login/oidc?connect"), "{}", page.body);
    alice.press(&page, "/account/identities/remove").must(403);
    alice.fill(&page, "/account/password", &[("new", "long enough to be one")]).must(303);
    let data = alice.get("/account/data.json").must(200).json();
    assert_eq!(data["identities"][0]["subject"], "alice-there");
    alice.press(&page, "/account/identities/remove").must(303);
    alice.press(&page, "/account/identities/remove").must(404);
    let audit = shop.till_prints(&["audit", "list"]);
    assert!(audit.contains("identity_tied") && audit.contains("identity_untied"), "{audit}");
    let count = || shop.hand().number("SELECT COUNT(*) FROM identities");
    assert_eq!(count(), 2);
    let offer = scene.sign_in(&alice, "/login/oidc?connect", &claims).must(200);
    alice.press(&offer, "/account/identities").must(303);
    let page = alice.get("/account").must(200);
    alice.fill(&page, "/account/erase", &[("sure", "yes")]).must(303);
    assert_eq!(count(), 2, "erasure takes them too");
}

#[test]
fn the_operator_says_whom_a_provider_means() {
    let scene = Scene::open(&[("SPRITE_SIGNUP", "closed")]);
    let shop = &scene.shop;
    shop.user("alice");
    shop.user("bob");
    let (browser, issuer) = (shop.visitor(), scene.provider.url.as_str());
    scene.sign_in(&browser, "/login/oidc", &json!({})).must(403);
    shop.till_prints(&["user", "tie", "alice", "ada", "--issuer", issuer]);
    scene.sign_in(&browser, "/login/oidc", &json!({})).must(303);
    assert_eq!(id_of(&browser), "alice");
    // The same again is the same, with a slash too; another's stays theirs.
    shop.till_prints(&["user", "tie", "alice", "ada", "--issuer", &format!("{issuer}/")]);
    for line in [
        ["user", "tie", "bob", "ada", "--issuer", issuer],
        ["user", "tie", "nobody", "eve", "--issuer", issuer],
        ["user", "tie", "bob", "eve", "--issuer", "example"],
        ["user", "tie", "bob", "", "--issuer", issuer],
    ] {
        assert!(!shop.till(&line).status.success(), "{line:?}");
    }
    let audit = shop.till_prints(&["audit", "list"]);
    assert_eq!(audit.matches("identity_tied").count(), 1, "{audit}");
}

#[test]
fn an_account_is_made_where_it_may_be_and_an_address_is_welcomed_once() {
    let folder = crate::harness::Folder::new();
    let path = folder.path("catalog.toml");
    let catalog = crate::harness::shop::CATALOG.to_owned() + "\n";
    let catalog = match catalog.contains("\n[selling]\n") {
        true => catalog.replace("\n[selling]\n", "\n[selling]\nwelcome_units = 7\n"),
        false => catalog + "[selling]\nwelcome_units = 7\n",
    };
    std::fs::write(&path, catalog).unwrap();
    let catalog = ("SPRITE_CATALOG", path.to_str().unwrap());
    let units = |browser: &Client| browser.get("/v1/me").must(200).json()["units"]["remaining"].clone();

    let open = Scene::open(&[catalog]);
    for (claims, expected) in [
        (json!({}), 7),
        (json!({"sub": "un", "email": "un@example.org", "email_verified": false}), 0),
        (json!({"sub": "text", "email": "text@example.org", "email_verified": "true"}), 7),
        (json!({"sub": "nobody", "email": null}), 0),
        (json!({"sub": "spoof", "email": null, "name": "\u{202e}Ada\u{200b}"}), 0),
    ] {
        let browser = open.shop.visitor();
        open.sign_in(&browser, "/login/oidc", &claims).must(303);
        assert_eq!(units(&browser), expected, "{claims}");
        open.sign_in(&browser, "/login/oidc", &claims).must(303);
        assert_eq!(units(&browser), expected, "{claims}: once");
        let name = browser.get("/v1/me").must(200).json()["name"].clone();
        assert!(claims["sub"] != "spoof" || name == "Ada", "what nobody sees is left out: {name}");
    }

    let closed = Scene::open(&[catalog, ("SPRITE_SIGNUP", "closed")]);
    let page = closed.sign_in(&closed.shop.visitor(), "/login/oidc", &json!({})).must(403);
    assert!(page.body.contains("Nobody makes an account here"), "{}", page.body);

    let invited = Scene::open(&[catalog, ("SPRITE_SIGNUP", "invite")]);
    let visitor = invited.shop.visitor();
    invited.sign_in(&visitor, "/login/oidc", &json!({})).must(403);
    let link = invited.shop.till_prints(&["user", "invite", "--address", "ada@example.org"]);
    let link = link.split_whitespace().find(|word| word.contains("/signup?invite=")).unwrap().to_owned();
    let page = visitor.get(&link[link.find("/signup").unwrap()..]).must(200);
    let way = page.body.split("href=\"").find(|rest| rest.starts_with("/login/oidc?invite=")).unwrap();
    let way = way.split('"').next().unwrap().to_owned();
    for claims in [json!({"email": "eve@example.org"}), json!({"email_verified": false})] {
        let refused = invited.sign_in(&visitor, &way, &claims).must(403);
        assert!(refused.body.contains("for another address"), "{}", refused.body);
    }
    invited.sign_in(&visitor, &way, &json!({})).must(303);
    assert_eq!(units(&visitor), 7);
    let again = json!({"sub": "another", "email": "another@example.org"});
    invited.sign_in(&invited.shop.visitor(), &way, &again).must(403);
}

#[test]
fn people_sign_in_at_a_real_provider_whatever_it_signs_with() {
    let mut shop = Shop::open();
    let Some(provider) = OidcProvider::start(&shop.till.url) else { return };
    let secret = ("SPRITE_OIDC_CLIENT_SECRET", "a+secret/with:signs%");
    shop = shop.crash_and_restart_with(&[
        ("SPRITE_OIDC_ISSUER", &provider.url),
        ("SPRITE_OIDC_CLIENT_ID", "till-RS256"),
        secret,
    ]);
    let back = format!("{}{CALLBACK}", shop.till.url);
    let sign_in = |browser: &Client, person: Option<&str>| {
        let sent = browser.get("/login/oidc").must(303);
        browser.get(&provider.visit(sent.header("location"), &back, person))
    };
    let browser = shop.visitor();
    let stopped = sign_in(&browser, None).must(403);
    assert!(stopped.body.contains("You were not signed in at 127.0.0.1"), "{}", stopped.body);
    assert_eq!(sign_in(&browser, Some("ada")).must(303).header("location"), "/dashboard");
    let me = browser.get("/v1/me").must(200).json();
    assert_eq!((&me["email"], &me["name"]), (&json!("ada@example.org"), &json!("Name of ada")), "from its UserInfo");
    let checked = shop.till(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("OpenID Connect")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.starts_with("ok") && line.contains(&back), "{line}");

    let confidential = ["RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"].map(|name| (name, secret));
    for (algorithm, more) in confidential.into_iter().chain([("EdDSA", ("SPRITE_OIDC_CLIENT_SECRET", ""))]) {
        let client = format!("till-{algorithm}");
        shop = shop.crash_and_restart_with(&[("SPRITE_OIDC_CLIENT_ID", &client), more]);
        let browser = shop.visitor();
        sign_in(&browser, Some("ada")).must(303);
        assert_eq!(browser.get("/v1/me").must(200).json()["id"], me["id"], "{client}");
    }
}

#[test]
fn no_page_offers_what_is_not_set_up() {
    let shop = Shop::open();
    let visitor = shop.visitor();
    assert!(!visitor.get("/login").must(200).body.contains("/login/oidc"));
    shop.user("alice");
    assert!(!shop.sign_in("alice").get("/account").must(200).body.contains("/login/oidc"));
    for path in ["/login/oidc", "/login/oidc?connect", CALLBACK] {
        assert!(matches!(visitor.get(path).status, 303 | 404), "{path}");
    }
    visitor.get("/login/oidc").must(404);
    visitor.get(CALLBACK).must(404);
    // Half of it is refused, with what to do.
    let mut variables = shop.variables().clone();
    variables.insert("SPRITE_OIDC_ISSUER".into(), "https://id.example.com".into());
    for command in ["serve", "check"] {
        let output = process::run(&variables, &[command]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("SPRITE_OIDC_CLIENT_ID"), "{command}: {said}");
    }
}
