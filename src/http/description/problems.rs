//! The problems that calls have in common, and which of them each call may answer.

use std::collections::BTreeMap;

use super::operation::{Access, DocumentedProblem, Operation};
use crate::error::Refused;
use crate::http::body::JSON_LIMIT;
use crate::http::problem::Problem;

/// All problems that a call may answer, by status. With each goes when it happens.
pub(crate) fn all(operation: &Operation) -> BTreeMap<u16, Vec<(Problem, &'static str)>> {
    let mut documented = operation.problems.to_vec();
    match operation.access {
        Access::Token(_) | Access::TokenOrOwn(_) => documented.extend([NO_TOKEN, NO_SCOPE]),
        Access::AnyToken => documented.push(NO_TOKEN),
        Access::Session => documented.push(NO_SESSION),
        Access::Open => {}
    }
    if operation.body.is_some() {
        documented.push(TOO_LARGE);
    }
    if operation.body.is_some() || !operation.parameters.is_empty() {
        documented.push(INVALID);
    }
    let mut problems: Vec<(Problem, &str)> =
        documented.iter().map(|one| (Problem::from((one.refused)()), one.when)).collect();
    if !matches!(operation.access, Access::Open) {
        problems.push((Problem::from((UNAVAILABLE.refused)()), UNAVAILABLE.when));
        problems.push((Problem::internal(), INTERNAL_WHEN));
    }
    let mut by_status: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for (problem, when) in problems {
        by_status.entry(problem.status.as_u16()).or_default().push((problem, when));
    }
    by_status
}

const NO_TOKEN: DocumentedProblem = DocumentedProblem {
    refused: || Refused::Unauthenticated("This token is unknown or revoked. Make one: till token create.".into()),
    when: "There is no token, or it is unknown or revoked.",
};

const NO_SESSION: DocumentedProblem = DocumentedProblem {
    refused: || Refused::Unauthenticated("You are not signed in here. Sign in, then try again.".into()),
    when: "There is no cookie, or its session is over.",
};

const NO_SCOPE: DocumentedProblem = DocumentedProblem {
    refused: || {
        Refused::Forbidden("This token lacks the scope \"spend\". Make one that has it: till token create.".into())
    },
    when: "The token lacks the scope.",
};

const INVALID: DocumentedProblem = DocumentedProblem {
    refused: || Refused::InvalidRequest("units is 0: a whole number from 1 to 1000000000 was expected.".into()),
    when: "Something in the path, the query, the headers or the body is not as described; `detail` names it.",
};

const TOO_LARGE: DocumentedProblem = DocumentedProblem {
    refused: || Refused::TooLarge(JSON_LIMIT as u64),
    when: "The body is larger than is read here.",
};

const UNAVAILABLE: DocumentedProblem = DocumentedProblem {
    refused: || Refused::Unavailable {
        retry_after: 1,
        detail: "Too much is waiting already. Nothing was changed; try again shortly.".into(),
    },
    when: "Too much is waiting, or the database cannot be used right now. Nothing was changed: send the same again, with the \
           same key, after `Retry-After`.",
};

const INTERNAL_WHEN: &str =
    "Something failed on this side and was logged. Sending the same again, with the same key, is safe.";

pub(crate) const UNKNOWN_USER: DocumentedProblem =
    DocumentedProblem { refused: || crate::store::users::unknown("alice"), when: "There is no such user." };

pub(crate) const NO_CUSTOMER: DocumentedProblem = DocumentedProblem {
    refused: || Refused::NotFound("There is nothing to manage at Stripe yet: buy a plan or a pack first.".into()),
    when: "The user has never bought anything.",
};

pub(crate) const INSUFFICIENT: DocumentedProblem = DocumentedProblem {
    refused: || Refused::InsufficientUnits {
        required: 4,
        available: 1,
        topup_url: "https://till.example.org/dashboard".into(),
    },
    when: "There are fewer units than asked for. Send the user to `topup_url`. The key is not used up: the same call works \
           once there are enough.",
};

pub(crate) const KEY_REUSED: DocumentedProblem = DocumentedProblem {
    refused: || {
        Refused::IdempotencyKeyReused(
            "The key \"job-7f3a\" was used for another spend of this user. Use a new key.".into(),
        )
    },
    when: "The key was used before, with another body.",
};

pub(crate) const UNKNOWN_AFTER: DocumentedProblem =
    DocumentedProblem { refused: || crate::store::users::unknown("alice"), when: "`after` is no user." };

pub(crate) const NO_HOLD: DocumentedProblem = DocumentedProblem {
    refused: || Refused::NotFound("There is no hold \"hld_1_1\".".into()),
    when: "There is no such hold.",
};

pub(crate) const HOLD_CLOSED: DocumentedProblem = DocumentedProblem {
    refused: || Refused::HoldNotOpen("The hold hld_1_1 has expired, and its units went back.".into()),
    when: "The hold was captured with another number, released, or has expired. A late capture is not made up for: spend the \
           units instead, if they are still there.",
};

pub(crate) const ORIGIN_NOT_ALLOWED: DocumentedProblem = DocumentedProblem {
    refused: || {
        Refused::ReturnUrlNotAllowed(
            "return_url must be an absolute URL on one of the allowed origins (https://app.example.org). The operator \
             adds origins with SPRITE_RETURN_ORIGINS."
                .into(),
        )
    },
    when: "The address to go back to is not on an allowed origin.",
};

pub(crate) const UNKNOWN_PLAN: DocumentedProblem = DocumentedProblem {
    refused: || {
        Refused::UnknownPlan("There is no \"gold\" on sale. On sale are: starter, pro, topup_100, topup_250.".into())
    },
    when: "There is no such plan or pack on sale.",
};

pub(crate) const ALREADY_SUBSCRIBED: DocumentedProblem = DocumentedProblem {
    refused: || Refused::AlreadySubscribed {
        portal_url: "https://billing.stripe.com/p/session/test_a1".into(),
        detail: "You already have a subscription. Change or cancel it in the customer portal.".into(),
    },
    when: "The user has a subscription, or the payment for one is on its way. Send them to `portal_url` to change it.",
};

pub(crate) const RATE_LIMITED: DocumentedProblem = DocumentedProblem {
    refused: || Refused::RateLimited {
        retry_after: 6,
        detail: "You have pressed this many times in a short while. Nothing was changed; try again in 6 s.".into(),
    },
    when: "There were many of these for this user in a short while: try again after `Retry-After`.",
};

pub(crate) const STRIPE_UNAVAILABLE: DocumentedProblem = DocumentedProblem {
    refused: || {
        Refused::StripeUnavailable(
            "Stripe, which handles the payments, did not answer in time. Try again in a minute.".into(),
        )
    },
    when: "Stripe did not answer in time. Try again in a minute.",
};

pub(crate) const STRIPE_REJECTED: DocumentedProblem = DocumentedProblem {
    refused: || {
        Refused::StripeRejected(
            "Stripe refused this. Tell the operator of this server: the reason is in its log.".into(),
        )
    },
    when: "Stripe refused. Trying again will not help; the operator finds the reason in the log.",
};
