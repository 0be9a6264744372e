//! What the description says in words, and the refusals that calls have in common. Each is made by the type that makes the
//! real ones, so that status, code and form cannot differ from what is answered.

use super::super::super::body::JSON_LIMIT;
use super::operation::Refusal;
use crate::error::Refused;

pub(super) const SUMMARY: &str = "Who has how many units, and what becomes of them.";

pub(super) const INTRODUCTION: &str = "\
JSON over HTTP, for the programs that use units up and for the server in front of the people who buy them.

**Tokens.** `Authorization: Bearer till_…`, made with `till token create NAME --scopes read,spend,admin`. The scope `admin` \
includes the others.

**Once, and only once.** A call that moves units has an `Idempotency-Key`. The same key and body again gives the first answer \
again, with `Idempotent-Replayed: true`; the same key with another body is 422. Keys are per user and kind of call, and never expire. So after a \
time-out, a lost connection or a 503, send the same request with the same key until there is an answer. Capture and release need \
no key: a hold is closed once.

**What was answered is on the disk.** A `200` or `201` is sent after the commit.

**Problems.** Anything but success is `application/problem+json` (RFC 9457). Match on `code`; `detail` is for people. A 404 \
with the code `not_found` and a 405 also answer paths and methods that are not described here.

**Times and numbers.** Times are RFC 3339 in UTC with milliseconds. Units are whole numbers, written without a fraction or \
an exponent. A request with a field that is not known, or twice the same field, is refused.";

pub(super) const TOKEN: &str = "A service token: `till token create NAME --scopes read,spend,admin`.";
pub(super) const SESSION: &str = "The cookie that a sign-in link sets.";

pub(super) const NO_TOKEN: Refusal = Refusal {
    refused: || Refused::Unauthenticated("This token is unknown or revoked. Make one: till token create.".into()),
    when: "There is no token, or it is unknown or revoked.",
};

pub(super) const NO_SESSION: Refusal = Refusal {
    refused: || {
        Refused::Unauthenticated("You are not signed in here. Open the sign-in link of the app that you use.".into())
    },
    when: "There is no cookie, or its session is over.",
};

pub(super) const NO_SCOPE: Refusal = Refusal {
    refused: || {
        Refused::Forbidden("This token lacks the scope \"spend\". Make one that has it: till token create.".into())
    },
    when: "The token lacks the scope.",
};

pub(super) const INVALID: Refusal = Refusal {
    refused: || Refused::InvalidRequest("units is 0: a whole number from 1 to 1000000000 was expected.".into()),
    when: "Something in the path, the query, the headers or the body is not as described; `detail` names it.",
};

pub(super) const TOO_LARGE: Refusal =
    Refusal { refused: || Refused::TooLarge(JSON_LIMIT as u64), when: "The body is larger than is read here." };

pub(super) const UNAVAILABLE: Refusal = Refusal {
    refused: || Refused::Unavailable {
        retry_after: 1,
        detail: "Too much is waiting already. Nothing was changed; try again shortly.".into(),
    },
    when: "Too much is waiting, or the database cannot be used right now. Nothing was changed: send the same again, with the \
           same key, after `Retry-After`.",
};

pub(super) const INTERNAL_WHEN: &str =
    "Something failed on this side and was logged. Sending the same again, with the same key, is safe.";

pub(crate) const UNKNOWN_USER: Refusal =
    Refusal { refused: || crate::store::users::unknown("alice"), when: "There is no such user." };

pub(crate) const INSUFFICIENT: Refusal = Refusal {
    refused: || Refused::InsufficientUnits {
        required: 4,
        available: 1,
        topup_url: "https://till.example.org/dashboard".into(),
    },
    when: "There are fewer units than asked for. Send the user to `topup_url`. The key is not used up: the same call works \
           once there are enough.",
};

pub(crate) const KEY_REUSED: Refusal = Refusal {
    refused: || {
        Refused::IdempotencyKeyReused(
            "The key \"job-7f3a\" was used for another spend of this user. Use a new key.".into(),
        )
    },
    when: "The key was used before, with another body.",
};

pub(crate) const UNKNOWN_AFTER: Refusal =
    Refusal { refused: || crate::store::users::unknown("alice"), when: "`after` is no user." };

pub(crate) const NO_HOLD: Refusal =
    Refusal { refused: || Refused::NotFound("There is no hold \"hld_1_1\".".into()), when: "There is no such hold." };

pub(crate) const HOLD_CLOSED: Refusal = Refusal {
    refused: || Refused::HoldNotOpen("The hold hld_1_1 has expired, and its units went back.".into()),
    when: "The hold was captured with another number, released, or has expired. A late capture is not made up for: spend the \
           units instead, if they are still there.",
};

pub(crate) const ORIGIN_NOT_ALLOWED: Refusal = Refusal {
    refused: || {
        Refused::ReturnUrlNotAllowed(
            "return_url must be an absolute URL on one of the allowed origins (https://app.example.org). The operator \
             adds origins with SPRITE_RETURN_ORIGINS."
                .into(),
        )
    },
    when: "The address to go back to is not on an allowed origin.",
};

pub(crate) const UNKNOWN_PLAN: Refusal = Refusal {
    refused: || {
        Refused::UnknownPlan("There is no \"gold\" on sale. On sale are: starter, pro, topup_100, topup_250.".into())
    },
    when: "There is no such plan or pack on sale.",
};

pub(crate) const ALREADY_SUBSCRIBED: Refusal = Refusal {
    refused: || Refused::AlreadySubscribed { portal_url: "https://billing.stripe.com/p/session/test_a1".into() },
    when: "The user has a subscription. Send them to `portal_url` to change it.",
};

pub(crate) const STRIPE_UNAVAILABLE: Refusal = Refusal {
    refused: || {
        Refused::StripeUnavailable(
            "Stripe, which handles the payments, did not answer in time. Try again in a minute.".into(),
        )
    },
    when: "Stripe did not answer in time. Try again in a minute.",
};

pub(crate) const STRIPE_REJECTED: Refusal = Refusal {
    refused: || {
        Refused::StripeRejected(
            "Stripe refused this. Tell the operator of this server: the reason is in its log.".into(),
        )
    },
    when: "Stripe refused. Trying again will not help; the operator finds the reason in the log.",
};
