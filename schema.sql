-- The whole database of till, version 1. Read this first: everything the program knows is one of these rows.
--
-- Times are whole milliseconds since 1970-01-01T00:00:00Z; amounts are in the currency's minor unit; units are what is
-- sold. A state is a fact with a time (revoked_at) or a word ('applied'). A column that is yes or no holds 1 or 0.
-- Statements stay in the subset that SQLite and PostgreSQL share. What they do not share is a word that
-- src/store/db/schema_text.rs replaces for PostgreSQL (STRICT, WITHOUT ROWID, INTEGER, TEXT, BLOB), the order (PostgreSQL wants
-- a table before its views and references), and the last sections, which are for one engine each.
--
--   The ledger                         users, accounts, entries, reasons, lots, holds, hold_lots
--   What is paid                       orders, customers, customer_changes, payments, allotments, plan_periods, prices,
--                                      invoice_payments, subscriptions, open_invoices, next_payments, charges,
--                                      invoice_documents
--   What is given back                 refunds, credit_notes, disputes
--   The figures                        figures, subscription_counts
--   What Stripe says                   events, cursors, comparisons, stripe_account
--   Who may come in                    tokens, login_links, sessions, operators, addresses, identities, passwords, passkeys,
--                                      second_factors, codes, invites, steps, attempts, welcomes, audit
--   What is sent out                   webhook_endpoints, messages, deliveries, mails, mail_choices, mail_key
--   How the books lie on disk          books (the table behind accounts, entries and reasons), anchors, backups, relocation,
--                                      triggers

-- ================================================ The ledger ================================================

-- People who buy. The id is the caller's own and may be long; everything else refers to the short number.
CREATE TABLE users (
    account    INTEGER NOT NULL PRIMARY KEY CHECK (account > 0),
    id         TEXT    NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 128 AND replace(id, '.', '') <> ''),
    email      TEXT,                        -- for people to read; never used to tie a payment to a user
    name       TEXT,
    locale     TEXT CHECK (length(locale) BETWEEN 2 AND 35),  -- the language that the user chose; absent: the browser's
    created_at INTEGER NOT NULL,
    erased_at  INTEGER,                     -- when the person was erased; what Stripe sends later is not kept either
    imported_at INTEGER                     -- of a user of an earlier backend: what was paid until then is in the opening balance
) STRICT;
CREATE INDEX users_by_email ON users (lower(email), account) WHERE email IS NOT NULL;
CREATE INDEX users_erased ON users (erased_at) WHERE erased_at IS NOT NULL;
CREATE INDEX users_by_name ON users (lower(name), account) WHERE name IS NOT NULL;

-- One account for each user, under the same number: the sums of its entries, changed in the same transaction.
CREATE VIEW accounts AS SELECT
    account,
    remaining,      -- the sum of all deltas; below zero after a reversal of spent units
    held,           -- units set aside by open holds
    credited,       -- all units ever credited
    entries,        -- how many there are: the seq of the last
    head,           -- the hash of the last entry, so that a missing end of the chain is noticed
    next_due,       -- when the next lot or hold ends by itself; a lot counts if something in it is not held
    front,          -- the lot that the next spend takes from (its seq): the first in order with free units
    front_free,     -- its free units. They are here and not in the lot's own row, so that most spends change no lot
    front_paid,     -- of one that was paid for: its held units, what was credited, what was paid, the currency. So a spend knows
                    -- without the lot's row what it earns. One column, because each is one byte more in every row of books
    holds,          -- how many holds were ever made: the number of the last
    lots_digest,    -- over what the rows of its lots say is left and held (src/store/lots.rs); absent: zeros
    low_balance     -- the user's own threshold of a low balance; absent: the installation's
    FROM books WHERE part = 1 AND seq = 0 AND used_reason = '';

-- The ledger. Each entry adds units to an account or takes units away. Entries are only ever added: triggers refuse
-- everything else. Each has the hash of the one before it, so that a changed entry is noticed (Entry::hash in
-- src/ledger/entry.rs says what is hashed).
CREATE VIEW entries AS SELECT
    account,
    seq,            -- 1 for the account's first, then without a gap
    kind,           -- spend, topup, subscription, grant, refund, dispute or expiry
    delta,          -- units: above zero in, below zero out
    balance_after,
    reason,         -- what makes it happen once, as topup_<payment> or spend_<idempotency key>
    note,           -- its text; absent: there is none, or it was erased
    note_salt,      -- random, and erased with the text
    note_digest,    -- of salt and text: what is hashed, and stays (EntryNote in src/ledger/note.rs)
    lot,            -- the lot that it reversed or expired (its seq)
    expires_at,     -- of the lot that it opened
    created_at,
    previous,       -- the hash of the account's entry before it; zeros for the first
    actor,          -- who made it, as in the table audit; not in the hash
    anchors         -- how many anchors of the books had been taken before it; not in the hash, but in the proof
    FROM books WHERE part = 0 AND used_reason = '';

-- The reasons that an account has used up, each with the entry that was made for it. A reason is used once.
CREATE VIEW reasons AS SELECT
    account,
    used_reason AS reason,
    used_by     AS seq
    FROM books WHERE part = 2 AND seq = 0;

-- Units that were credited together, with their expiry. Empty lots stay: a reversal may give units back to them. The payment
-- is of the same account. Where accounts are spread over machines, users, payments and webhook_endpoints are small beside
-- the books, and each machine has a copy of them: so what refers to them is kept there as well.
CREATE TABLE lots (
    account    INTEGER NOT NULL REFERENCES users (account),
    seq        INTEGER NOT NULL,            -- of the entry that opened it
    units      INTEGER NOT NULL CHECK (units > 0),
    remaining  INTEGER NOT NULL CHECK (remaining >= 0),  -- of the account's front lot only what is held
    held       INTEGER NOT NULL CHECK (held BETWEEN 0 AND remaining),
    expired    INTEGER NOT NULL CHECK (expired >= 0),
    expires_at INTEGER,
    grace_until INTEGER CHECK (grace_until IS NULL OR (expires_at IS NOT NULL AND grace_until > expires_at)),
                                            -- its period has ended, and it lives on: the next one is still to come
    payment    TEXT REFERENCES payments (reference) DEFERRABLE INITIALLY DEFERRED,  -- the one that bought it
    cost       INTEGER CHECK (cost >= 0),   -- its part of what that payment cost; absent for what was not paid for
    currency   TEXT,
    notified_at INTEGER CHECK (notified_at IS NULL OR expires_at IS NOT NULL),   -- a message said that it ends soon
    PRIMARY KEY (account, seq),
    CHECK ((cost IS NULL) = (currency IS NULL)),
    CHECK (cost IS NULL OR payment IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX lots_by_payment ON lots (payment, seq) WHERE payment IS NOT NULL;
CREATE INDEX lots_expiring ON lots (account, expires_at, seq) WHERE expires_at IS NOT NULL AND remaining > 0;
CREATE INDEX lots_to_notify ON lots (expires_at, account, seq) WHERE expires_at IS NOT NULL AND notified_at IS NULL;

-- Units set aside for work under way. A hold is open until it is captured, released or expired, and is then closed for
-- ever. Its row keeps what the first answer said, so that a repeated request gets the same answer.
CREATE TABLE holds (
    account     INTEGER NOT NULL REFERENCES users (account),
    number      INTEGER NOT NULL CHECK (number > 0),     -- 1 for the account's first, then without a gap
    key         TEXT    NOT NULL,           -- the request's idempotency key
    units       INTEGER NOT NULL CHECK (units > 0),
    captured    INTEGER NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND units),
    note        TEXT,                       -- what its entry says when it is captured
    note_erased_at INTEGER CHECK (note_erased_at IS NULL OR note IS NULL),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL CHECK (expires_at > created_at),
    captured_at INTEGER,
    released_at INTEGER,
    expired_at  INTEGER,
    -- How many entries the account had when it was made, and when it ended without one of its own. So the order of holds
    -- and entries is known, and with it which lots each entry drew on (src/ledger/replay.rs).
    made_after  INTEGER NOT NULL DEFAULT 0 CHECK (made_after >= 0),
    ended_after INTEGER CHECK (ended_after IS NULL
        OR (ended_after >= made_after AND COALESCE(released_at, expired_at) IS NOT NULL)),
    PRIMARY KEY (account, number),
    CHECK ((captured > 0 AND captured_at IS NOT NULL) OR (captured = 0 AND captured_at IS NULL)),
    CHECK (captured_at IS NULL OR released_at IS NULL),
    CHECK (captured_at IS NULL OR expired_at IS NULL),
    CHECK (released_at IS NULL OR expired_at IS NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX holds_happen_once ON holds (account, key);
CREATE INDEX holds_unused ON holds (account, COALESCE(released_at, expired_at), number)
    WHERE captured_at IS NULL AND COALESCE(released_at, expired_at) IS NOT NULL;
CREATE INDEX holds_open ON holds (account, expires_at, number)
    WHERE captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL;

-- The lots that a hold's units lie in.
CREATE TABLE hold_lots (
    account INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    lot     INTEGER NOT NULL,               -- its seq
    units   INTEGER NOT NULL CHECK (units > 0),
    PRIMARY KEY (account, number, lot),
    FOREIGN KEY (account, number) REFERENCES holds (account, number),
    FOREIGN KEY (account, lot) REFERENCES lots (account, seq)
) STRICT, WITHOUT ROWID;

-- ============================================== What is paid ================================================

-- A press of a button to buy, with what was on sale at that moment. Written before Stripe is asked for the session; its
-- id is the idempotency key of that request.
CREATE TABLE orders (
    id           TEXT    NOT NULL PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES users (account),
    offer        TEXT    NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('pack', 'plan')),
    units        INTEGER NOT NULL CHECK (units >= 0),
    amount       INTEGER NOT NULL CHECK (amount >= 0),
    currency     TEXT    NOT NULL,
    price        TEXT    NOT NULL,
    expires_in_days INTEGER,                -- the lot's expiry as it was on sale; absent: never
    return_url   TEXT,
    request_body TEXT    NOT NULL,
    session      TEXT UNIQUE,
    subscription TEXT,                      -- the one that a plan's checkout began
    checkout_url TEXT,
    subtotal     INTEGER,                   -- what Stripe says one of it costs
    created_at   INTEGER NOT NULL,
    opened_at    INTEGER,                   -- Stripe made the session
    pending_at   INTEGER,                   -- bought by a slow method: the money is on its way
    paid_at      INTEGER,
    failed_at    INTEGER,                   -- a slow payment did not arrive
    expired_at   INTEGER,                   -- the session ended without a payment
    refused_at   INTEGER                    -- Stripe did not make the session
) STRICT;
CREATE INDEX orders_by_account ON orders (account, created_at);
-- An account has one open checkout for a plan, so that nobody pays for two.
CREATE UNIQUE INDEX orders_open_plan ON orders (account) WHERE kind = 'plan' AND pending_at IS NULL AND paid_at IS NULL
    AND failed_at IS NULL AND expired_at IS NULL AND refused_at IS NULL;

-- A user's customers at Stripe. till makes one at a time, and another when the old one was deleted there. The request is
-- stored before it is sent, so that a repetition has the same key and the same body. A request that Stripe refused for good
-- is over, and the next one has a row of its own. Other customers are linked: by the operator, or by a checkout that began
-- elsewhere and named the user. A customer belongs to one user.
CREATE TABLE customers (
    account      INTEGER NOT NULL REFERENCES users (account),
    generation   INTEGER NOT NULL CHECK (generation > 0),
    source       TEXT    NOT NULL CHECK (source IN ('request', 'operator', 'checkout')),
    request_key  TEXT UNIQUE,
    request_body TEXT,
    stripe_id    TEXT UNIQUE,
    requested_at INTEGER NOT NULL,
    linked_at    INTEGER,
    refused_at   INTEGER,                   -- Stripe did not make it
    gone_at      INTEGER,                   -- deleted at Stripe, or bound to another currency
    PRIMARY KEY (account, generation),
    CHECK ((source = 'request') = (request_key IS NOT NULL)),
    CHECK ((source = 'request') = (request_body IS NOT NULL)),
    CHECK (source = 'request' OR stripe_id IS NOT NULL)
) STRICT;

-- Changes of a user's e-mail address or name that the customer at Stripe is to have. Each is stored with its key until
-- Stripe has taken it or refused it for good. An account's changes are sent in the order of their numbers, one at a time.
CREATE TABLE customer_changes (
    account         INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    number          INTEGER NOT NULL CHECK (number > 0),
    request_key     TEXT    NOT NULL UNIQUE,
    request_body    TEXT    NOT NULL,
    attempts        INTEGER NOT NULL CHECK (attempts >= 0),
    next_attempt_at INTEGER NOT NULL,
    made_at         INTEGER NOT NULL,
    taken_at        INTEGER,
    refused_at      INTEGER,                -- Stripe refused it for good, or it was tried for too long
    PRIMARY KEY (account, number),
    FOREIGN KEY (account, generation) REFERENCES customers (account, generation),
    CHECK (taken_at IS NULL OR refused_at IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_changes_open ON customer_changes (next_attempt_at, account, number)
    WHERE taken_at IS NULL AND refused_at IS NULL;

-- What Stripe was paid and what it bought: one row for each payment, under the id that makes its credit happen once (the
-- payment intent; the session if there is none; the invoice). A later refund or dispute finds it by the other ids. An
-- invoice that bought no units is here as well, so that it is not processed twice.
CREATE TABLE payments (
    reference      TEXT    NOT NULL PRIMARY KEY,
    account        INTEGER NOT NULL REFERENCES users (account),
    kind           TEXT    NOT NULL CHECK (kind IN ('pack', 'plan')),
    units_granted  INTEGER NOT NULL CHECK (units_granted >= 0),     -- so far
    units_reversed INTEGER NOT NULL CHECK (units_reversed BETWEEN 0 AND units_granted),
    amount         INTEGER NOT NULL CHECK (amount >= 0),   -- as charged
    cost           INTEGER NOT NULL CHECK (cost >= 0),     -- what was charged, and what a credit balance paid
    currency       TEXT    NOT NULL,
    offer          TEXT    NOT NULL,        -- the plan's or pack's key when it was sold
    out_of_band    INTEGER NOT NULL CHECK (out_of_band IN (0, 1)), -- marked as paid; Stripe took no money
    session        TEXT UNIQUE,
    payment_intent TEXT UNIQUE,
    charge         TEXT UNIQUE,
    invoice        TEXT UNIQUE,
    refunded_total INTEGER NOT NULL CHECK (refunded_total >= 0),   -- the most that Stripe ever reported as refunded
    refunded_total_at INTEGER,              -- when it did
    reversals      INTEGER NOT NULL CHECK (reversals >= 0),        -- entries that took units back or gave them again
    paid_at        INTEGER NOT NULL,
    confirmed_at   INTEGER,                 -- when Stripe last described it as it is here, as a comparison found
    doubt          TEXT CHECK (doubt <> ''),                       -- what Stripe said instead
    reversed_at    INTEGER,                 -- the operator took back all that it gave
    CHECK (confirmed_at IS NULL OR doubt IS NULL)
) STRICT;
CREATE INDEX payments_by_time ON payments (paid_at, reference);
CREATE INDEX payments_by_account ON payments (account, paid_at, reference);
CREATE INDEX payments_in_doubt ON payments (reference) WHERE doubt IS NOT NULL AND reversed_at IS NULL;

-- Units of a payment that become due later: the months of a yearly plan.
CREATE TABLE allotments (
    reference  TEXT    NOT NULL REFERENCES payments (reference),
    month      INTEGER NOT NULL CHECK (month > 0),
    due_at     INTEGER NOT NULL,
    units      INTEGER NOT NULL CHECK (units <> 0),
    cost       INTEGER NOT NULL CHECK (cost >= 0),         -- its part of what the payment cost
    expires_at INTEGER,                     -- of the lot that it opens
    posted_at  INTEGER,
    postponed_from INTEGER,                 -- when it was due at first, while its payment is completely reversed
    PRIMARY KEY (reference, month)
) STRICT;
CREATE INDEX allotments_due ON allotments (due_at, reference) WHERE posted_at IS NULL;

-- What each line of a plan's invoice gave its billing period. A later line that gives time back takes its share of this,
-- whatever the catalogue says by then.
CREATE TABLE plan_periods (
    invoice      TEXT    NOT NULL,
    line         TEXT    NOT NULL,          -- Stripe's id
    account      INTEGER NOT NULL REFERENCES users (account),
    subscription TEXT,
    price        TEXT    NOT NULL,
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    units        INTEGER NOT NULL CHECK (units >= 0),   -- that the whole billing period gives for the quantity
    starts_at    INTEGER NOT NULL,          -- the billing period
    ends_at      INTEGER NOT NULL CHECK (ends_at > starts_at),
    covers_from  INTEGER NOT NULL,          -- the line covers it from then on
    PRIMARY KEY (invoice, line)
) STRICT;
CREATE INDEX plan_periods_by_end ON plan_periods (account, ends_at);
CREATE INDEX plan_periods_by_subscription ON plan_periods (subscription, ends_at) WHERE subscription IS NOT NULL;

-- What one of a price costs at Stripe: asked once. The amount in its own currency never changes there; till check compares
-- the others.
CREATE TABLE prices (
    price    TEXT    NOT NULL,
    currency TEXT    NOT NULL,
    amount   INTEGER NOT NULL,
    PRIMARY KEY (price, currency)
) STRICT;

-- Which invoice a payment intent paid. Since Stripe's version 2025-03-31 neither of them says so.
CREATE TABLE invoice_payments (
    payment_intent TEXT NOT NULL PRIMARY KEY,
    invoice        TEXT NOT NULL
) STRICT;
CREATE INDEX invoice_payments_by_invoice ON invoice_payments (invoice, payment_intent);

-- Subscriptions as Stripe last described them. as_of is Stripe's time of that description. If it cannot tell which of two
-- came later, unsure_at is set and Stripe is asked. A subscription that has ended stays ended.
CREATE TABLE subscriptions (
    id            TEXT    NOT NULL PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES users (account),
    customer      TEXT,                     -- Stripe's id of who pays
    status        TEXT    NOT NULL,         -- Stripe's word
    offer         TEXT    NOT NULL,         -- the plan's key; '-' when its price is not in the catalogue
    period_end    INTEGER,
    ends_at       INTEGER,                  -- set to end then
    ended_at      INTEGER,
    as_of         INTEGER NOT NULL,
    unsure_at     INTEGER,
    before        TEXT,                     -- the description before this one, if its event told; '' for the first
    created_at    INTEGER NOT NULL,
    amount        INTEGER,                  -- what a period costs before discounts and taxes; absent: Stripe did not say
    currency      TEXT,
    paused        INTEGER NOT NULL CHECK (paused IN (0, 1)), -- it is kept, and its payments are paused
    resumes_at    INTEGER,                  -- when they go on; absent: Stripe does not know
    CHECK ((amount IS NULL) = (currency IS NULL)),
    CHECK (resumes_at IS NULL OR paused = 1)
) STRICT;
-- A change of a subscription's plan that waits for the end of the period, as Stripe's schedule last said.
CREATE TABLE scheduled_changes (
    subscription TEXT    NOT NULL PRIMARY KEY REFERENCES subscriptions (id),
    offer        TEXT    NOT NULL,          -- the plan's key from then on; '-' when its price is not in the catalogue
    starts_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX subscriptions_by_account ON subscriptions (account, created_at);
CREATE INDEX subscriptions_by_customer ON subscriptions (customer, created_at) WHERE customer IS NOT NULL;
CREATE INDEX subscriptions_unsure ON subscriptions (unsure_at, id) WHERE unsure_at IS NOT NULL;

-- The invoice that a subscription waits for, as Stripe last answered: at most one for each, and only for what the dashboard
-- says.
CREATE TABLE open_invoices (
    subscription TEXT    NOT NULL PRIMARY KEY REFERENCES subscriptions (id),
    invoice      TEXT    NOT NULL,
    amount       INTEGER CHECK (amount > 0),               -- still to be paid; absent: Stripe did not say
    currency     TEXT,
    due_at       INTEGER NOT NULL,
    CHECK ((amount IS NULL) = (currency IS NULL))
) STRICT;

-- What a subscription's next payment will be, as Stripe last described it: absent where a discount or a tax decides as well.
CREATE TABLE next_payments (
    subscription TEXT    NOT NULL PRIMARY KEY REFERENCES subscriptions (id),
    amount       INTEGER NOT NULL CHECK (amount > 0),
    currency     TEXT    NOT NULL
) STRICT;

-- Successful charges of our customers, as Stripe described them: what paid, and the receipt. Only pages read them.
CREATE TABLE charges (
    id             TEXT    NOT NULL PRIMARY KEY,
    payment_intent TEXT,
    customer       TEXT    NOT NULL,        -- Stripe's id
    brand          TEXT,                    -- Stripe's word for the card's brand, or for another kind of means
    last4          TEXT CHECK (length(last4) BETWEEN 1 AND 8),
    receipt_url    TEXT,
    made_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX charges_by_intent ON charges (payment_intent, id) WHERE payment_intent IS NOT NULL;
CREATE INDEX charges_by_customer ON charges (customer, made_at, id);

-- Where a paid invoice can be read, and its number. Only pages read it.
CREATE TABLE invoice_documents (
    invoice TEXT NOT NULL PRIMARY KEY,
    number  TEXT,
    url     TEXT
) STRICT;

-- ============================================ What is given back ============================================

-- Refunds. The state only goes forward, in this order.
CREATE TABLE refunds (
    id      TEXT    NOT NULL PRIMARY KEY,
    payment TEXT    NOT NULL REFERENCES payments (reference),
    amount  INTEGER NOT NULL CHECK (amount >= 0),
    state   TEXT    NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')), -- failed, or cancelled
    made_at INTEGER NOT NULL,               -- Stripe's time
    failed_at INTEGER,                      -- when Stripe said so
    CHECK ((state = 'failed') = (failed_at IS NOT NULL))
) STRICT;
CREATE INDEX refunds_by_payment ON refunds (payment, id);

-- What credit notes give back of a paid invoice without a refund of Stripe's: to the customer's credit balance, or
-- outside Stripe. A void one stays void.
CREATE TABLE credit_notes (
    id       TEXT    NOT NULL PRIMARY KEY,
    payment  TEXT    NOT NULL REFERENCES payments (reference),
    returned INTEGER NOT NULL CHECK (returned >= 0),
    status   TEXT    NOT NULL CHECK (status IN ('issued', 'void')),
    made_at  INTEGER NOT NULL,              -- Stripe's time
    voided_at INTEGER,                      -- Stripe's time
    CHECK ((status = 'void') = (voided_at IS NOT NULL))
) STRICT;
CREATE INDEX credit_notes_by_payment ON credit_notes (payment, id);

-- Disputes. The stage only goes forward, in this order. moves counts the movements of funds that Stripe has listed, and
-- withheld is what they leave withheld: the longest list is the newest.
CREATE TABLE disputes (
    id         TEXT    NOT NULL PRIMARY KEY,
    payment    TEXT    NOT NULL REFERENCES payments (reference),
    disputed   INTEGER NOT NULL CHECK (disputed >= 0),
    withheld   INTEGER NOT NULL CHECK (withheld >= 0),
    stage      TEXT    NOT NULL CHECK (stage IN ('inquiry', 'open', 'closed')),
    moves      INTEGER NOT NULL CHECK (moves >= 0),
    opened_at  INTEGER NOT NULL,
    currency   TEXT    NOT NULL,            -- in which Stripe moved the funds; before it did, the payment's
    withdrawn_at  INTEGER,                  -- Stripe's time; absent: no funds were moved
    reinstated_at INTEGER                   -- Stripe's time
) STRICT;
CREATE INDEX disputes_by_payment ON disputes (payment, id);
CREATE INDEX disputes_not_closed ON disputes (id) WHERE stage <> 'closed';

-- ============================================== The figures =================================================

-- Figures of the shop for each UTC day (milliseconds since 1970 / 86,400,000) and currency, for overviews and reports. They
-- are changed in the transaction that changes what they follow from (Tx::add_to_figure), and till ledger verify computes
-- them again. The currency is '' for what has none. Amounts of different currencies are never added. Each connection that
-- writes adds to rows of its own, so that none waits for another's: a figure is the sum over the writers.
CREATE TABLE figures (
    day         INTEGER NOT NULL,
    currency    TEXT    NOT NULL,
    writer      INTEGER NOT NULL CHECK (writer >= 0),   -- the connection's number; 0 where only one writes
    changes     INTEGER NOT NULL,           -- how often the row was changed
    -- Money, at the time of the payment and at Stripe's time of what was returned. Gifts are not in it.
    plans       INTEGER NOT NULL,           -- charged
    packs       INTEGER NOT NULL,
    out_of_band INTEGER NOT NULL,           -- marked as paid at Stripe, which took no money
    refunded    INTEGER NOT NULL,           -- refunds, less those that failed, on the day on which they did
    withheld    INTEGER NOT NULL,           -- by disputes
    reinstated  INTEGER NOT NULL,           -- by disputes
    returned    INTEGER NOT NULL,           -- by credit notes without a refund
    -- What was paid for units: added with them, and gone with them. What is left is owed in units.
    value_added INTEGER NOT NULL,
    earned      INTEGER NOT NULL,           -- they were used
    forfeited   INTEGER NOT NULL,           -- they expired
    value_reversed INTEGER NOT NULL,        -- they were taken back, or came back
    -- Units, of all currencies together under ''.
    bought      INTEGER NOT NULL,
    given       INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    expired     INTEGER NOT NULL,
    reversed    INTEGER NOT NULL,           -- taken back, less those that came back
    units_left  INTEGER NOT NULL,           -- the change of the units in lots, by what they were paid with; '': nothing
    users       INTEGER NOT NULL,           -- who became known
    PRIMARY KEY (day, currency, writer)
) STRICT, WITHOUT ROWID;

-- How many subscriptions have a status, and what a period of all of them costs.
CREATE TABLE subscription_counts (
    status   TEXT    NOT NULL,              -- Stripe's word; 'ended' once it has
    offer    TEXT    NOT NULL,
    currency TEXT    NOT NULL,              -- '' where Stripe did not say what they cost
    count    INTEGER NOT NULL,
    amount   INTEGER NOT NULL,
    PRIMARY KEY (status, offer, currency)
) STRICT, WITHOUT ROWID;

-- ============================================= What Stripe says =============================================

-- The inbox: every verified event of Stripe, once by its id, with what became of it. An event is recorded in the
-- transaction that applies it, so one with the status 'applied' has had its whole effect.
CREATE TABLE events (
    id              TEXT    NOT NULL PRIMARY KEY,
    kind            TEXT    NOT NULL,
    api_version     TEXT,
    livemode        INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    object          TEXT,                   -- the id of what it is about
    customer        TEXT,                   -- Stripe's id of the customer that the object names
    invoice         TEXT,                   -- of an invoice payment: Stripe's id of the invoice that it paid
    body            TEXT,                   -- as received; removed some time after the event was applied or ignored
    reduced_at      INTEGER,                -- when people's names and addresses were taken out of a body that is kept
    created_at      INTEGER NOT NULL,       -- Stripe's time, whole seconds
    received_at     INTEGER NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('applied', 'ignored', 'waiting', 'unmatched', 'failed')),
    ignore_reason   TEXT CHECK (ignore_reason IN ('foreign', 'dismissed')),  -- not ours; or closed by the operator
    detail          TEXT    NOT NULL,       -- what it did, or why it did nothing
    waits_for       TEXT,                   -- an id; when the books learn it, the event is applied again
    assigned_to     INTEGER REFERENCES users (account),   -- by the operator, who knows what Stripe does not say
    assigned_offer  TEXT,
    attempts        INTEGER NOT NULL CHECK (attempts > 0),
    decided_at      INTEGER NOT NULL,
    next_attempt_at INTEGER,
    CHECK (body IS NOT NULL OR status NOT IN ('waiting', 'unmatched', 'failed')),
    CHECK (waits_for IS NOT NULL OR status <> 'waiting'),
    CHECK (ignore_reason IS NULL OR status = 'ignored')
) STRICT;
CREATE INDEX events_to_retry ON events (next_attempt_at, id) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX events_waiting ON events (waits_for, id) WHERE waits_for IS NOT NULL;
CREATE INDEX events_of_customer ON events (customer, created_at, id) WHERE customer IS NOT NULL;
CREATE INDEX events_by_status ON events (status, ignore_reason);    -- counted without reading the bodies
CREATE INDEX events_by_arrival ON events (received_at, id);
CREATE INDEX events_assigned ON events (assigned_to, object) WHERE assigned_to IS NOT NULL;
CREATE INDEX events_by_object ON events (object, created_at) WHERE object IS NOT NULL;
CREATE INDEX events_with_body ON events (decided_at, id) WHERE body IS NOT NULL;

-- How far the comparison with Stripe has come.
CREATE TABLE cursors (
    name       TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL,            -- a time of Stripe's
    moved_at   INTEGER NOT NULL
) STRICT;

-- Comparisons with Stripe: asked for, under way, and what each found. Old ones are removed.
CREATE TABLE comparisons (
    number     INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    actor      TEXT    NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),   -- as in the table audit
    asked_at   INTEGER NOT NULL,
    started_at INTEGER,
    part       TEXT,                        -- the list that is compared just now
    rows       INTEGER NOT NULL DEFAULT 0 CHECK (rows >= 0),
    percent    INTEGER,
    moved_at   INTEGER,                     -- when it last came further
    ended_at   INTEGER,
    agrees     INTEGER NOT NULL DEFAULT 0 CHECK (agrees IN (0, 1)),
    failure    TEXT,                        -- why it did not come to its end
    report     TEXT,                        -- JSON: KeptReport in src/usecase/stripe_events/reconcile/record.rs
    CHECK (ended_at IS NULL OR started_at IS NOT NULL),
    CHECK ((failure IS NULL AND report IS NULL) OR ended_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX comparisons_asked ON comparisons ((started_at IS NULL)) WHERE started_at IS NULL;
CREATE INDEX comparisons_ended ON comparisons (ended_at, number) WHERE ended_at IS NOT NULL;
CREATE INDEX comparisons_apart ON comparisons (number) WHERE agrees = 0 AND ended_at IS NOT NULL AND failure IS NULL;

-- The one Stripe account and mode that this database belongs to (rule 13), written at the first contact with Stripe. A key
-- of another account or mode is refused.
CREATE TABLE stripe_account (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),   -- there is one row at most
    id         TEXT CHECK (length(id) > 0), -- acct_…; absent while no key could tell
    livemode   INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    bound_at   INTEGER NOT NULL
) STRICT;

-- ============================================= Who may come in ==============================================

-- Service tokens. Only the hash is stored: 256 random bits need no slow hash.
CREATE TABLE tokens (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes       TEXT    NOT NULL,          -- words of read, spend, sell, admin, separated by commas; or self alone
    account      INTEGER REFERENCES users (account),   -- whose balance, history and checkout: of a token with self alone
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,                   -- to the minute
    revoked_at   INTEGER,
    CHECK ((scopes = 'self') = (account IS NOT NULL))
) STRICT;

-- Sign-in links: one use, five minutes.
CREATE TABLE login_links (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account    INTEGER NOT NULL REFERENCES users (account),
    return_to  TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;
CREATE INDEX login_links_by_end ON login_links (expires_at);

-- Browsers that are signed in, by the hash of their cookie. A session ends when somebody ends it, at expires_at, or
-- idle_seconds after it was last used. An operator's ends sooner than another's.
CREATE TABLE sessions (
    number       INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),   -- by which its owner ends it
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    account      INTEGER NOT NULL REFERENCES users (account),
    method       TEXT    NOT NULL CHECK (method IN ('link', 'mail', 'password', 'proxy', 'oidc', 'passkey')),  -- how it began
    address      TEXT CHECK (length(address) <= 100),              -- of the client; NULL: not known
    agent        TEXT CHECK (length(agent) <= 300),                -- what the browser says that it is
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,          -- to the minute
    idle_seconds INTEGER NOT NULL CHECK (idle_seconds > 0),
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    second_factor_at INTEGER                -- when a second factor was proved in it; a passkey is one by itself
) STRICT;
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX sessions_open ON sessions (account, number) WHERE ended_at IS NULL;

-- The people who may open the operator's pages. Only the command line adds one.
CREATE TABLE operators (
    account INTEGER NOT NULL PRIMARY KEY REFERENCES users (account),
    made_at INTEGER NOT NULL
) STRICT;

-- E-mail addresses that were proved to be their account's, by a link that was sent there. Only these sign anybody in;
-- users.email does not. The canonical form is in lower case, with the domain in ASCII.
CREATE TABLE addresses (
    canonical   TEXT    NOT NULL PRIMARY KEY CHECK (length(canonical) BETWEEN 3 AND 254),
    account     INTEGER NOT NULL UNIQUE REFERENCES users (account),
    written     TEXT    NOT NULL CHECK (lower(written) = canonical),   -- as it was typed: where letters go
    verified_at INTEGER NOT NULL
) STRICT;

-- Whom another program vouches for: an issuer of OpenID Connect, or the proxy.
CREATE TABLE identities (
    issuer     TEXT    NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
    subject    TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    account    INTEGER NOT NULL REFERENCES users (account),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_by_account ON identities (account, issuer, subject);

-- Passwords, as a slow hash with its salt and parameters (argon2id in the PHC string format).
CREATE TABLE passwords (
    account INTEGER NOT NULL PRIMARY KEY REFERENCES users (account),
    hash    TEXT    NOT NULL CHECK (hash LIKE '$argon2id$%'),
    set_at  INTEGER NOT NULL
) STRICT;

-- Passkeys (Web Authentication Level 3): the public half of what an authenticator keeps for its owner.
CREATE TABLE passkeys (
    number       INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),   -- by which its owner renames or removes it
    credential   BLOB    NOT NULL UNIQUE CHECK (length(credential) BETWEEN 16 AND 1023),   -- the authenticator's own id for it
    account      INTEGER NOT NULL REFERENCES users (account),
    handle       BLOB    NOT NULL CHECK (length(handle) = 16),   -- random, the same for all of an account: names it there
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    transports   INTEGER NOT NULL CHECK (transports BETWEEN 0 AND 255),   -- how the authenticator is reached, as bits
    public_key   BLOB    NOT NULL CHECK (length(public_key) BETWEEN 1 AND 2100),
    state        BLOB    NOT NULL CHECK (length(state) = 7),     -- the counter and the copies, which each use changes
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE INDEX passkeys_by_account ON passkeys (account, number);

-- Secrets shared with authenticator apps (RFC 6238), confirmed by a first code. A code is computed from the secret, so it is
-- stored as it is; only the file's owner can read the file.
CREATE TABLE second_factors (
    account      INTEGER NOT NULL PRIMARY KEY REFERENCES users (account),
    secret       BLOB    NOT NULL CHECK (length(secret) = 20),
    last_step    INTEGER NOT NULL,          -- the half minute of the last code that was taken; none of it works again
    confirmed_at INTEGER NOT NULL
) STRICT;

-- Codes in letters: each works once, for ten minutes at most. One without an account is of an address that has none yet, or
-- that no letter was sent to.
CREATE TABLE codes (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    purpose    TEXT    NOT NULL CHECK (purpose IN ('sign_in', 'sign_up', 'reset', 'address')),
    account    INTEGER REFERENCES users (account),
    address    TEXT    NOT NULL CHECK (length(address) BETWEEN 3 AND 254),   -- as typed: where the letter went
    browser    BLOB CHECK (length(browser) = 32),   -- the hash of a cookie of the browser that asked
    password   TEXT CHECK (password LIKE '$argon2id$%'),   -- that was chosen at the sign-up
    invite     BLOB CHECK (length(invite) = 32),    -- of a sign-up by invitation: the invitation's hash
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL CHECK (expires_at BETWEEN created_at AND created_at + 600000),
    used_at    INTEGER,
    CHECK (password IS NULL OR purpose = 'sign_up'),
    CHECK (invite IS NULL OR purpose = 'sign_up')
) STRICT;
CREATE INDEX codes_by_end ON codes (expires_at);
CREATE INDEX codes_by_account ON codes (account, hash) WHERE account IS NOT NULL;

-- Invitations to make an account. Each works once.
CREATE TABLE invites (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    address    TEXT CHECK (length(address) BETWEEN 3 AND 254),   -- the canonical address that it is for; NULL: for any
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;
CREATE INDEX invites_by_end ON invites (expires_at);
CREATE INDEX invites_by_address ON invites (address) WHERE address IS NOT NULL;

-- What browsers have begun and not finished, for some minutes: a passkey that is made or used, a password that wants a code, an
-- identity that may be connected, an authenticator app. The browser alone has the secret, which the body is sealed with.
CREATE TABLE steps (
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    purpose    TEXT    NOT NULL CHECK (purpose IN ('registration', 'assertion', 'code', 'offer', 'enrolment')),
    body       BLOB    NOT NULL CHECK (length(body) BETWEEN 28 AND 2000),
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hash, purpose)
) STRICT, WITHOUT ROWID;
CREATE INDEX steps_by_end ON steps (expires_at);

-- How often what costs was asked for, where several processes count together: the buckets that are not full. A key is the
-- digest of what is asked for and of who asks: an account, a client's network, or a name that was typed.
CREATE TABLE attempts (
    bucket  BLOB    NOT NULL PRIMARY KEY CHECK (length(bucket) = 32),
    full_at INTEGER NOT NULL                -- when all of its tokens will have come back
) STRICT, WITHOUT ROWID;

-- Addresses that were given units of welcome, once for ever: of each only a digest with the salt of this database.
CREATE TABLE welcomes (
    digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    granted_at INTEGER NOT NULL
) STRICT;
CREATE TABLE address_salt (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),   -- there is one row at most
    salt BLOB    NOT NULL CHECK (length(salt) = 32)
) STRICT;

-- What was done by hand, by tokens and by people who signed in, each row written in the transaction that did it. A movement
-- has none: its entry names its actor. Rows are only added; an address, a detail and a reason can be erased, and a row goes when
-- it is two years old.
CREATE TABLE audit (
    number  INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),   -- cli, till, stripe, token:<id> or user:<id>
    action  TEXT    NOT NULL CHECK (length(action) > 0),
    target  TEXT,                           -- the id of what it was done to
    address TEXT,                           -- of the client, or unknown; absent for what no client asked for
    detail  TEXT,
    reason  TEXT CHECK (length(reason) BETWEEN 1 AND 300)   -- why, in an operator's words
) STRICT;
CREATE INDEX audit_by_target ON audit (target, number) WHERE target IS NOT NULL;
CREATE INDEX audit_by_actor ON audit (actor, number);
CREATE INDEX audit_by_action ON audit (action, number);

-- ============================================= What is sent out =============================================

-- Where webhooks are sent. A secret signs, so it is stored as it is; only the file's owner can read the file. While a
-- secret is being rolled, the older one signs as well.
CREATE TABLE webhook_endpoints (
    id           TEXT    NOT NULL PRIMARY KEY,
    url          TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    kinds        TEXT    NOT NULL CHECK (length(kinds) > 0),   -- words separated by commas; '*' for all
    secret       TEXT    NOT NULL,
    older_secret TEXT,
    older_until  INTEGER,
    created_at   INTEGER NOT NULL,
    disabled_at  INTEGER,                   -- since when no message is written for it or sent to it
    CHECK (older_secret IS NULL OR older_until IS NOT NULL)
) STRICT;
CREATE INDEX webhook_endpoints_live ON webhook_endpoints (id) WHERE disabled_at IS NULL;

-- The outbox: each message is written in the transaction that it reports. The number is the order of an account's messages:
-- the milliseconds, 20 random bits, and at least one more than the account's last. So nobody waits for anybody else's number.
CREATE TABLE messages (
    account    INTEGER NOT NULL REFERENCES users (account),
    number     INTEGER NOT NULL CHECK (number > 0),
    id         TEXT    NOT NULL,            -- msg_…, random: a receiver recognises by it a message that comes twice
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL,            -- JSON; for a low balance without the address for buying more
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_id ON messages (id);
CREATE INDEX messages_by_age ON messages (created_at, account, number);

-- One message to one endpoint. It is open until it is delivered or parked. Of the open ones for the same endpoint and
-- account only the first has a next_attempt_at. The others wait for it, so that an endpoint gets a user's messages in
-- order.
CREATE TABLE deliveries (
    account         INTEGER NOT NULL,
    message         INTEGER NOT NULL,       -- its number
    endpoint        TEXT    NOT NULL REFERENCES webhook_endpoints (id),
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at INTEGER,
    give_up_at      INTEGER NOT NULL,       -- a failure from then on parks it
    last_attempt_at INTEGER,
    last_status     INTEGER,                -- the HTTP status of the last answer
    last_error      TEXT CHECK (length(last_error) <= 300),
    delivered_at    INTEGER,
    parked_at       INTEGER,                -- given up, until the operator tries again
    PRIMARY KEY (account, message, endpoint),
    FOREIGN KEY (account, message) REFERENCES messages (account, number),
    CHECK (delivered_at IS NULL OR parked_at IS NULL),
    CHECK (next_attempt_at IS NULL OR (delivered_at IS NULL AND parked_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_message ON deliveries (message, account, endpoint);
CREATE INDEX deliveries_due ON deliveries (endpoint, next_attempt_at, message, account) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (endpoint, account, message)
    WHERE delivered_at IS NULL AND parked_at IS NULL;
CREATE INDEX deliveries_delivered ON deliveries (delivered_at, account, message, endpoint) WHERE delivered_at IS NOT NULL;
CREATE INDEX deliveries_parked ON deliveries (parked_at, message, account, endpoint) WHERE parked_at IS NOT NULL;

-- Letters to people. Each is written in the transaction that it reports, and once for its reason. It is open until the
-- mail server took it or it is given up; then what it says is removed, because a link in it may let somebody in. The number
-- is made like a message's.
CREATE TABLE mails (
    number          INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    reason          TEXT    NOT NULL UNIQUE CHECK (length(reason) BETWEEN 1 AND 300),   -- such as receipt_<payment>
    account         INTEGER REFERENCES users (account),     -- absent: for somebody who has none yet
    to_address      TEXT CHECK (length(to_address) BETWEEN 3 AND 320),                  -- absent: erased
    kind            TEXT    NOT NULL,
    locale          TEXT    NOT NULL CHECK (length(locale) BETWEEN 2 AND 10),
    fields          TEXT,                   -- JSON, what it says; absent once it is not open
    created_at      INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at INTEGER,
    give_up_at      INTEGER NOT NULL,       -- a failure from then on is the last
    last_attempt_at INTEGER,
    last_error      TEXT CHECK (length(last_error) <= 300),
    sent_at         INTEGER,
    failed_at       INTEGER,                -- given up
    CHECK (sent_at IS NULL OR failed_at IS NULL),
    CHECK ((next_attempt_at IS NULL) = (sent_at IS NOT NULL OR failed_at IS NOT NULL)),
    CHECK ((fields IS NULL) = (next_attempt_at IS NULL)),
    CHECK (fields IS NULL OR to_address IS NOT NULL)
) STRICT;
CREATE INDEX mails_due ON mails (next_attempt_at, number) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX mails_failed ON mails (failed_at, number) WHERE failed_at IS NOT NULL;
CREATE INDEX mails_by_address ON mails (lower(to_address), kind, created_at) WHERE to_address IS NOT NULL;
CREATE INDEX mails_by_account ON mails (account, number) WHERE account IS NOT NULL;
CREATE INDEX mails_by_age ON mails (created_at, number);

-- The kinds of letters that somebody does not want.
CREATE TABLE mail_choices (
    account INTEGER NOT NULL REFERENCES users (account),
    kind    TEXT    NOT NULL,
    off_at  INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;

-- What signs the link with which somebody refuses a kind of letter without a session.
CREATE TABLE mail_key (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    key     BLOB    NOT NULL CHECK (length(key) = 32),
    made_at INTEGER NOT NULL
) STRICT;

-- ========================================= How the books lie on disk ========================================

-- The table behind the views accounts, entries and reasons. A spend writes three rows: its entry, its reason, and the
-- account. Here the rows of an account lie side by side in one tree, so a spend changes about one page of the file; in
-- three tables it would change three, and a durable write costs as much as its pages. The part says what a row is:
--
--   part           key                   columns
--   0  an entry    seq                   kind to previous
--   1  the account (one row)             owner to low_balance
--   2  a reason    used_reason           used_by
--
-- So the primary key keeps an entry's number and a reason unique within the account. The views name all its columns: SQLite
-- then knows that there is one row, and joins in the right order.
CREATE TABLE books (
    account       INTEGER NOT NULL CHECK (account > 0),
    part          INTEGER NOT NULL CHECK (part BETWEEN 0 AND 2),
    seq           INTEGER NOT NULL DEFAULT 0,           -- part 0: the entry's number
    used_reason   TEXT    NOT NULL DEFAULT '',          -- part 2: the reason that is used up
    used_by       INTEGER CHECK (used_by > 0),          -- part 2: the seq of the entry that was made for it
    -- Part 1. For the meaning of the columns of parts 0 and 1 see the views.
    owner         INTEGER REFERENCES users (account),   -- the same number, as a reference
    remaining     INTEGER CHECK (remaining BETWEEN -1000000000000000 AND 1000000000000000),
    held          INTEGER CHECK (held BETWEEN 0 AND 1000000000000000),
    credited      INTEGER CHECK (credited BETWEEN 0 AND 1000000000000000),
    entries       INTEGER CHECK (entries >= 0),
    head          BLOB    CHECK (length(head) = 32),
    next_due      INTEGER,
    front         INTEGER,
    front_free    INTEGER CHECK (front_free > 0),
    front_paid    TEXT    CHECK (length(front_paid) BETWEEN 9 AND 80),
    holds         INTEGER CHECK (holds >= 0),
    lots_digest   BLOB    CHECK (length(lots_digest) = 32),
    low_balance   INTEGER CHECK (low_balance BETWEEN 0 AND 1000000000),
    -- Part 0. The kinds are compared with OR, because SQLite builds a temporary table for each row that is checked
    -- against a list of more than two.
    kind          TEXT    CHECK (kind = 'spend' OR kind = 'topup' OR kind = 'subscription' OR kind = 'grant'
                      OR kind = 'refund' OR kind = 'dispute' OR kind = 'expiry'),
    delta         INTEGER CHECK (delta <> 0),
    balance_after INTEGER CHECK (balance_after BETWEEN -1000000000000000 AND 1000000000000000),
    reason        TEXT    CHECK (reason <> ''),
    note          TEXT,
    note_salt     BLOB    CHECK (length(note_salt) = 16),
    note_digest   BLOB    CHECK (length(note_digest) = 32),
    lot           INTEGER,
    expires_at    INTEGER,
    created_at    INTEGER,
    previous      BLOB    CHECK (length(previous) = 32),
    actor         TEXT    CHECK (length(actor) BETWEEN 1 AND 200),
    anchors       INTEGER CHECK (anchors >= 0),
    PRIMARY KEY (account, part, seq, used_reason),
    -- Only the capture of a hold may end below zero: its units existed when it was made, and were reversed since.
    CHECK (kind <> 'spend' OR balance_after >= 0 OR substr(reason, 1, 5) = 'hold_'),
    CHECK (kind <> 'spend' OR delta < 0),
    CHECK (kind <> 'expiry' OR delta < 0),
    -- Each part has its own columns, all that it must have, and none of another part.
    CHECK (CASE part
        WHEN 0 THEN seq > 0 AND kind IS NOT NULL AND delta IS NOT NULL AND balance_after IS NOT NULL
            AND reason IS NOT NULL AND created_at IS NOT NULL AND previous IS NOT NULL
            AND (note IS NULL) = (note_salt IS NULL) AND (note IS NULL OR note_digest IS NOT NULL)
        ELSE seq = 0 AND COALESCE(kind, reason, note, actor) IS NULL AND COALESCE(previous, note_salt, note_digest) IS NULL
            AND COALESCE(delta, balance_after, lot, expires_at, created_at, anchors) IS NULL
    END),
    CHECK (CASE part
        WHEN 1 THEN owner IS NOT NULL AND owner = account AND remaining IS NOT NULL AND held IS NOT NULL
            AND credited IS NOT NULL AND entries IS NOT NULL AND head IS NOT NULL AND holds IS NOT NULL
        ELSE COALESCE(head, lots_digest) IS NULL AND COALESCE(owner, remaining, held, credited, entries, next_due, front, front_free, holds,
            low_balance) IS NULL AND front_paid IS NULL
    END),
    CHECK (CASE part
        WHEN 2 THEN used_reason <> '' AND used_by IS NOT NULL
        ELSE used_reason = '' AND used_by IS NULL
    END)
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_due ON books (next_due, account) WHERE next_due IS NOT NULL;

-- The anchors of the books that were taken (till ledger head). An entry bears how many there were before it, so that it is
-- known for ever which entries an anchor covers.
CREATE TABLE anchors (
    number   INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    taken_at INTEGER NOT NULL
) STRICT;

-- The last backup that was made and proved (till backup).
CREATE TABLE backups (
    one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),   -- there is one row at most
    made_at INTEGER NOT NULL,
    place   TEXT    NOT NULL CHECK (length(place) BETWEEN 1 AND 4096),   -- its path; - for standard output
    bytes   INTEGER NOT NULL CHECK (bytes > 0)
) STRICT;

-- Which schema this is. Opening an older one migrates it; a newer one is refused.
CREATE TABLE schema_version (
    version    INTEGER NOT NULL PRIMARY KEY,
    applied_at INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,            -- the readiness probe writes here, to prove that the disk takes writes
    seen_at    INTEGER,                     -- the last plausible time at which something was written, to ten minutes
    confirmed_at INTEGER                    -- the last time that the operator said was right
) STRICT;

-- Books on their way from one database to another (till migrate). While this row is here no other command uses the database:
-- what arrives is not proved yet, and what has left lives elsewhere.
CREATE TABLE relocation (
    one       INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),   -- there is one row at most
    id        TEXT    NOT NULL CHECK (length(id) > 0),        -- the same in both databases
    direction TEXT    NOT NULL CHECK (direction IN ('in', 'out')),
    other     TEXT    NOT NULL CHECK (length(other) > 0),     -- the other database, without its password
    anchor    TEXT    NOT NULL,             -- of the books when they left: it proves what arrived
    begun_at  INTEGER NOT NULL,
    ended_at  INTEGER,                      -- of what has left: the copy is proved
    part      TEXT,                         -- of what arrives: the table that was copied last,
    position  TEXT,                         -- the key of its last row,
    rows      INTEGER NOT NULL DEFAULT 0 CHECK (rows >= 0),    -- and how many rows are here by now
    CHECK (ended_at IS NULL OR direction = 'out'),
    CHECK ((part IS NULL) = (position IS NULL))
) STRICT;

-- engine: sqlite
-- A Stripe id belongs to one user only. Where accounts are spread over machines, no index can say so: there the tables of
-- what is paid and given back keep it, which have one row for each id (payments, allotments, refunds, credit_notes, disputes).
CREATE UNIQUE INDEX entries_of_stripe ON books (reason)
    WHERE kind = 'topup' OR kind = 'subscription' OR kind = 'refund' OR kind = 'dispute';
-- Rule 10 of the books: the database itself refuses to change or remove what is written. An account's sums change with
-- each entry, but its row is not removed. The text of a note can be erased, and nothing else. (Recursive triggers are compiled in, so that INSERT OR REPLACE cannot bypass
-- these.)
CREATE TRIGGER entries_are_not_changed
    BEFORE UPDATE OF account, part, seq, used_reason, used_by, owner, kind, delta, balance_after, reason, note_digest,
        lot, expires_at, created_at, previous, actor, anchors ON books
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END;
CREATE TRIGGER notes_are_only_erased BEFORE UPDATE OF note, note_salt ON books
    WHEN NEW.note IS NOT NULL OR NEW.note_salt IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed: a note can only be erased'); END;
CREATE TRIGGER entries_are_not_removed BEFORE DELETE ON books
BEGIN SELECT RAISE(ABORT, 'ledger entries are never removed'); END;
-- An entry's reason is used up before the entry is added, so that no entry happens twice.
CREATE TRIGGER entries_use_a_reason BEFORE INSERT ON books WHEN NEW.part = 0
BEGIN
    SELECT RAISE(ABORT, 'a ledger entry has not used up its reason') WHERE NOT EXISTS (SELECT used_by FROM books
        WHERE account = NEW.account AND part = 2 AND seq = 0 AND used_reason = NEW.reason AND used_by = NEW.seq);
    SELECT RAISE(ABORT, 'a ledger entry has no account') WHERE NOT EXISTS (SELECT owner FROM books
        WHERE account = NEW.account AND part = 1 AND seq = 0 AND used_reason = '');
END;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OF number, at, actor, action, target ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER audit_addresses_are_only_erased BEFORE UPDATE OF address ON audit WHEN NEW.address IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed: an address can only be erased'); END;
CREATE TRIGGER audit_details_are_only_erased BEFORE UPDATE OF detail ON audit WHEN NEW.detail IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed: a detail can only be erased'); END;
CREATE TRIGGER audit_reasons_are_only_erased BEFORE UPDATE OF reason ON audit WHEN NEW.reason IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed: a reason can only be erased'); END;
-- Only from the beginning, and only what is two years older than the newest row (730 days).
CREATE TRIGGER audit_is_only_removed_by_age BEFORE DELETE ON audit
    WHEN OLD.number <> (SELECT MIN(number) FROM audit)
        OR OLD.at > (SELECT at FROM audit ORDER BY number DESC LIMIT 1) - 63072000000
BEGIN SELECT RAISE(ABORT, 'audit rows are never removed before they are two years old, and the oldest first'); END;
CREATE TRIGGER lots_are_opened_by_an_entry BEFORE INSERT ON lots
BEGIN
    SELECT RAISE(ABORT, 'a lot has no ledger entry') WHERE NOT EXISTS (SELECT seq FROM entries
        WHERE account = NEW.account AND seq = NEW.seq);
END;
-- engine: end

-- engine: postgres
/*
-- A spend changes the account's row, but no column of an index. Where the new version fits on the same page, no index is
-- written either ("Heap-Only Tuples"). With a tenth of each page left free that is so for 95 to 99 of 100 spends, without it
-- for 91 (measured).
ALTER TABLE books SET (fillfactor = 90);
-- The same rules with the same words. TRUNCATE passes by the rows, so it is refused as well.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE TRIGGER entries_are_not_changed
    BEFORE UPDATE OF account, part, seq, used_reason, used_by, owner, kind, delta, balance_after, reason, note_digest,
        lot, expires_at, created_at, previous, actor, anchors ON books
    FOR EACH ROW EXECUTE FUNCTION refuse('ledger entries are never changed');
CREATE TRIGGER notes_are_only_erased BEFORE UPDATE OF note, note_salt ON books
    FOR EACH ROW WHEN (NEW.note IS NOT NULL OR NEW.note_salt IS NOT NULL)
    EXECUTE FUNCTION refuse('ledger entries are never changed: a note can only be erased');
CREATE TRIGGER entries_are_not_removed BEFORE DELETE ON books
    FOR EACH ROW EXECUTE FUNCTION refuse('ledger entries are never removed');
CREATE TRIGGER entries_are_not_removed_at_once BEFORE TRUNCATE ON books
    EXECUTE FUNCTION refuse('ledger entries are never removed');
CREATE FUNCTION require_a_reason() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM books WHERE account = NEW.account AND part = 2 AND seq = 0
        AND used_reason = NEW.reason AND used_by = NEW.seq)
    THEN RAISE EXCEPTION '%', 'a ledger entry has not used up its reason'; END IF;
    IF NOT EXISTS (SELECT 1 FROM books WHERE account = NEW.account AND part = 1 AND seq = 0 AND used_reason = '')
    THEN RAISE EXCEPTION '%', 'a ledger entry has no account'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entries_use_a_reason BEFORE INSERT ON books
    FOR EACH ROW WHEN (NEW.part = 0) EXECUTE FUNCTION require_a_reason();
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OF number, at, actor, action, target ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse('audit rows are never changed');
CREATE TRIGGER audit_addresses_are_only_erased BEFORE UPDATE OF address ON audit
    FOR EACH ROW WHEN (NEW.address IS NOT NULL)
    EXECUTE FUNCTION refuse('audit rows are never changed: an address can only be erased');
CREATE TRIGGER audit_details_are_only_erased BEFORE UPDATE OF detail ON audit
    FOR EACH ROW WHEN (NEW.detail IS NOT NULL)
    EXECUTE FUNCTION refuse('audit rows are never changed: a detail can only be erased');
CREATE TRIGGER audit_reasons_are_only_erased BEFORE UPDATE OF reason ON audit
    FOR EACH ROW WHEN (NEW.reason IS NOT NULL)
    EXECUTE FUNCTION refuse('audit rows are never changed: a reason can only be erased');
-- In which order a statement removes rows is not known here. So each is judged after all are gone: none before it may be left,
-- and one must be left that is two years younger.
CREATE FUNCTION refuse_young_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit WHERE number < OLD.number)
        OR OLD.at > COALESCE((SELECT at FROM audit ORDER BY number DESC LIMIT 1), OLD.at) - 63072000000
    THEN RAISE EXCEPTION '%', 'audit rows are never removed before they are two years old, and the oldest first'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_is_only_removed_by_age AFTER DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_young_audit();
CREATE TRIGGER audit_is_not_removed_at_once BEFORE TRUNCATE ON audit EXECUTE FUNCTION refuse(
    'audit rows are never removed before they are two years old, and the oldest first');
CREATE FUNCTION require_an_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM entries WHERE account = NEW.account AND seq = NEW.seq)
    THEN RAISE EXCEPTION '%', 'a lot has no ledger entry'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER lots_are_opened_by_an_entry BEFORE INSERT ON lots
    FOR EACH ROW EXECUTE FUNCTION require_an_entry();
*/
-- engine: end
