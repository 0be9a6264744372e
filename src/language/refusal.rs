//! What people read where something that they do at a page is refused, each in their language. Programs, the log and the
//! command line read the English words.

use super::Language;

/// A refusal that people meet without doing anything strange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonRefusal {
    /// What was typed is no e-mail address.
    NoAddress,
    AddressTaken,
    /// An address is confirmed by who asked for that, and is signed in.
    AddressOfAnother,
    PasswordLength {
        characters: usize,
        least: usize,
        most: usize,
    },
    PasswordGuessable,
    OldPasswordWrong,
    /// A name of something, which may not be empty or long.
    NameLength {
        most: usize,
    },
    FieldLength {
        field: String,
        characters: usize,
        most: usize,
    },
    /// A field with control characters, or such as nobody sees.
    FieldControls(String),
    /// So many tokens, passkeys or connections are the most.
    TooMany(usize),
    /// It wants a sign-in of the last minutes.
    NotFresh {
        minutes: i64,
    },
    /// It wants a session in which the account's second factor was proved.
    ProofMissing,
    CodeWrong,
    CodesSetAlready,
    PasskeyKnown,
    /// Its question was asked too long ago, or never.
    PasskeyTooLate,
    PasskeyUnusable,
    /// The box that says that somebody is sure.
    NotTicked,
    /// The form is another site's, or too old.
    FormNotOurs,
    SignUpClosed,
    Uninvited,
    InvitedElsewhere,
    /// The proxy names somebody whose address has an account already.
    ProxyAddressKnown,
    ConnectedElsewhere,
    OfferSpent,
    LastWayIn,
    SubscriptionRuns,
    PaymentUnderWay,
    /// A token, passkey or connection that is not there any more.
    Gone,
    NothingAtStripe,
    NoSuchPurchase,
    NoSuchWay,
    NoLetters,
    /// A month that is none, or that has not begun.
    NoMonth(String),
    /// A page of the operator's, opened by somebody else.
    StaffOnly,
}

/// What kind of answer a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// What was typed is not as it should be.
    Invalid,
    Forbidden,
    Missing,
}

impl PersonRefusal {
    /// What kind of answer it is.
    pub fn kind(&self) -> RefusalKind {
        use PersonRefusal::*;
        match self {
            NoAddress
            | PasswordLength { .. }
            | PasswordGuessable
            | NameLength { .. }
            | FieldLength { .. }
            | FieldControls(_)
            | TooMany(_)
            | CodesSetAlready
            | PasskeyKnown
            | PasskeyTooLate
            | PasskeyUnusable
            | NotTicked
            | NoMonth(_) => RefusalKind::Invalid,
            Gone | NothingAtStripe | NoSuchPurchase | NoSuchWay | NoLetters => RefusalKind::Missing,
            _ => RefusalKind::Forbidden,
        }
    }

    /// What was wrong, what was expected, and what to do.
    pub fn words(&self, language: Language) -> String {
        use PersonRefusal::*;
        let words = match self {
            PasswordLength { characters, least, most } => {
                return language.refused_password_length(characters, least, most);
            }
            NameLength { most } => return language.refused_name_length(most),
            FieldLength { field, characters, most } => return language.refused_field_length(field, characters, most),
            FieldControls(field) => return language.refused_field_controls(field),
            NoMonth(month) => return language.refused_no_month(month),
            TooMany(most) => return language.refused_too_many(most),
            NotFresh { minutes } => return language.refused_not_fresh(minutes),
            NoAddress => language.refused_no_address(),
            AddressTaken => language.refused_address_taken(),
            AddressOfAnother => language.refused_address_of_another(),
            PasswordGuessable => language.refused_password_guessable(),
            OldPasswordWrong => language.refused_old_password_wrong(),
            ProofMissing => language.refused_proof_missing(),
            CodeWrong => language.refused_code_wrong(),
            CodesSetAlready => language.refused_codes_set_already(),
            PasskeyKnown => language.refused_passkey_known(),
            PasskeyTooLate => language.refused_passkey_too_late(),
            PasskeyUnusable => language.refused_passkey_unusable(),
            NotTicked => language.refused_not_ticked(),
            FormNotOurs => language.problem_forbidden_sentence(),
            SignUpClosed => language.refused_sign_up_closed(),
            Uninvited => language.refused_uninvited(),
            InvitedElsewhere => language.refused_invited_elsewhere(),
            ProxyAddressKnown => language.refused_proxy_address_known(),
            ConnectedElsewhere => language.refused_connected_elsewhere(),
            OfferSpent => language.refused_offer_spent(),
            LastWayIn => language.refused_last_way_in(),
            SubscriptionRuns => language.refused_subscription_runs(),
            PaymentUnderWay => language.refused_payment_under_way(),
            Gone => language.refused_gone(),
            NothingAtStripe => language.refused_nothing_at_stripe(),
            NoSuchPurchase => language.refused_no_such_purchase(),
            NoSuchWay => language.refused_no_such_way(),
            NoLetters => language.refused_no_letters(),
            StaffOnly => language.refused_staff_only(),
        };
        words.to_owned()
    }
}
