-- The whole database of till, version 2. Read this first: everything the program knows is one of these rows.
--
-- Times are whole milliseconds since 1970-01-01T00:00:00Z; amounts are in the currency's minor unit; units are what is
-- sold. A state is a fact with a time (revoked_at), not a flag. Statements stay in the subset that SQLite and PostgreSQL
-- both take; what they do not share is a word that the engine's own file replaces: STRICT, WITHOUT ROWID, INTEGER, BLOB,
-- and the section of triggers at the end.

-- Which schema this is. Opening an older one migrates it; a newer one is refused.
CREATE TABLE schema_version (
    version    INTEGER NOT NULL PRIMARY KEY,
    applied_at INTEGER NOT NULL,
    checked_at INTEGER NOT NULL             -- the readiness probe writes here: proof that the disk takes writes
) STRICT;

-- People who buy. The id is the caller's own and may be long; everything else refers to the short number.
CREATE TABLE users (
    account    INTEGER NOT NULL PRIMARY KEY CHECK (account > 0),
    id         TEXT    NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 128),
    email      TEXT,                        -- for people to read; never used to tie a payment to a user
    name       TEXT,
    admin_at   INTEGER,                     -- since when the user may see the operators' pages
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX users_by_email ON users (lower(email), account) WHERE email IS NOT NULL;

-- What a user has: the sums of their entries, kept with them in one transaction, and the hash of the last entry, so
-- that a missing tail of the chain shows. remaining is below zero after a reversal of spent units.
CREATE TABLE accounts (
    account     INTEGER NOT NULL PRIMARY KEY REFERENCES users (account),
    remaining   INTEGER NOT NULL CHECK (remaining BETWEEN -1000000000000000 AND 1000000000000000),
    held        INTEGER NOT NULL CHECK (held BETWEEN 0 AND 1000000000000000),
    credited    INTEGER NOT NULL CHECK (credited BETWEEN 0 AND 1000000000000000),
    entries     INTEGER NOT NULL CHECK (entries >= 0),
    head        BLOB    NOT NULL CHECK (length(head) = 32),
    next_due    INTEGER,                    -- when the next thing ends by itself: a lot of which something is not held, or a hold
    front       INTEGER,                    -- the lot that the next spend takes from: the first in order with free units
    front_free  INTEGER CHECK (front_free > 0),                  -- those free units. They are kept here and not in the lot's
                                            -- own row, so that a spend that does not use them up changes one row
    holds       INTEGER NOT NULL DEFAULT 0 CHECK (holds >= 0),   -- holds ever made: the last one's number
    low_balance INTEGER CHECK (low_balance BETWEEN 0 AND 1000000000)   -- the user's own threshold of "low"; absent: the installation's
) STRICT;
CREATE INDEX accounts_due ON accounts (next_due, account) WHERE next_due IS NOT NULL;

-- The ledger. Rows are only ever added: triggers below refuse everything else. previous is the hash of the account's
-- entry before this one (the form that is hashed is documented at Entry::hash in src/ledger/entry.rs).
CREATE TABLE entries (
    account       INTEGER NOT NULL REFERENCES accounts (account),
    seq           INTEGER NOT NULL CHECK (seq > 0),
    -- Said with OR: a list of more than two is made into a table anew for each row that is written.
    kind          TEXT    NOT NULL CHECK (kind = 'spend' OR kind = 'topup' OR kind = 'subscription' OR kind = 'grant'
                      OR kind = 'refund' OR kind = 'dispute' OR kind = 'expiry'),
    delta         INTEGER NOT NULL CHECK (delta <> 0),
    balance_after INTEGER NOT NULL CHECK (balance_after BETWEEN -1000000000000000 AND 1000000000000000),
    reason        TEXT    NOT NULL,         -- what makes it happen once
    note          TEXT,
    lot           INTEGER,                  -- the lot reversed or expired: the seq of the entry that opened it
    expires_at    INTEGER,                  -- of the lot that this entry opened
    created_at    INTEGER NOT NULL,
    previous      BLOB    NOT NULL CHECK (length(previous) = 32),
    PRIMARY KEY (account, seq),
    -- Only a hold's capture may end below zero: its units were there when it was made, and were taken back since.
    CHECK (kind <> 'spend' OR balance_after >= 0 OR substr(reason, 1, 5) = 'hold_'),
    CHECK (kind <> 'spend' OR delta < 0),
    CHECK (kind <> 'expiry' OR delta < 0)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entries_happen_once ON entries (account, reason);
-- A Stripe id belongs to one user only.
CREATE UNIQUE INDEX entries_of_stripe ON entries (reason)
    WHERE kind = 'topup' OR kind = 'subscription' OR kind = 'refund' OR kind = 'dispute';

-- Units credited together, with their expiry. Empty lots stay: a reversal may give units back to them.
CREATE TABLE lots (
    account    INTEGER NOT NULL,
    seq        INTEGER NOT NULL,            -- of the entry that opened it
    units      INTEGER NOT NULL CHECK (units > 0),
    remaining  INTEGER NOT NULL CHECK (remaining >= 0),  -- of the account's front lot, only what is held
    held       INTEGER NOT NULL CHECK (held BETWEEN 0 AND remaining),
    expired    INTEGER NOT NULL CHECK (expired >= 0),
    expires_at INTEGER,
    payment    TEXT REFERENCES payments (reference) DEFERRABLE INITIALLY DEFERRED,  -- that bought it, if one did
    PRIMARY KEY (account, seq),
    FOREIGN KEY (account, seq) REFERENCES entries (account, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX lots_by_payment ON lots (payment, seq) WHERE payment IS NOT NULL;

-- Units set aside for work under way. A hold is open until it is captured, released or expired, and is then closed for
-- ever. Its row says what the first answer said, so that a repetition of the request is answered alike.
CREATE TABLE holds (
    account     INTEGER NOT NULL REFERENCES accounts (account),
    number      INTEGER NOT NULL CHECK (number > 0),     -- 1 for the account's first, then without a gap
    key         TEXT    NOT NULL,           -- the request's idempotency key
    units       INTEGER NOT NULL CHECK (units > 0),
    captured    INTEGER NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND units),
    note        TEXT,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL CHECK (expires_at > created_at),
    captured_at INTEGER,
    released_at INTEGER,
    expired_at  INTEGER,
    PRIMARY KEY (account, number),
    CHECK ((captured > 0 AND captured_at IS NOT NULL) OR (captured = 0 AND captured_at IS NULL)),
    CHECK (captured_at IS NULL OR released_at IS NULL),
    CHECK (captured_at IS NULL OR expired_at IS NULL),
    CHECK (released_at IS NULL OR expired_at IS NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX holds_happen_once ON holds (account, key);
CREATE INDEX holds_open ON holds (account, expires_at, number)
    WHERE captured_at IS NULL AND released_at IS NULL AND expired_at IS NULL;

-- Which lots a hold's units lie in.
CREATE TABLE hold_lots (
    account INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    lot     INTEGER NOT NULL,
    units   INTEGER NOT NULL CHECK (units > 0),
    PRIMARY KEY (account, number, lot),
    FOREIGN KEY (account, number) REFERENCES holds (account, number),
    FOREIGN KEY (account, lot) REFERENCES lots (account, seq)
) STRICT, WITHOUT ROWID;

-- What Stripe was paid and what it bought: one row for each payment, under the id that makes its credit happen once (the
-- payment intent; the session where there is none; the invoice). The other ids are how a later refund or dispute finds
-- it. An invoice that bought no units is here as well, so that it is not looked at twice.
CREATE TABLE payments (
    reference      TEXT    NOT NULL PRIMARY KEY,
    account        INTEGER NOT NULL REFERENCES accounts (account),
    kind           TEXT    NOT NULL CHECK (kind IN ('pack', 'plan')),
    gave           INTEGER NOT NULL CHECK (gave >= 0),     -- units credited so far
    taken          INTEGER NOT NULL CHECK (taken BETWEEN 0 AND gave),
    amount         INTEGER NOT NULL CHECK (amount >= 0),   -- as charged
    currency       TEXT    NOT NULL,
    offer          TEXT    NOT NULL,        -- the plan's or pack's key when it was sold
    out_of_band    INTEGER NOT NULL CHECK (out_of_band IN (0, 1)), -- marked as paid; Stripe took no money
    session        TEXT UNIQUE,
    payment_intent TEXT UNIQUE,
    charge         TEXT UNIQUE,
    invoice        TEXT UNIQUE,
    refund_stated  INTEGER NOT NULL CHECK (refund_stated >= 0),    -- the most that Stripe ever stated as refunded
    reversals      INTEGER NOT NULL CHECK (reversals >= 0),        -- entries that reversed it, to and fro
    paid_at        INTEGER NOT NULL,
    cost           INTEGER CHECK (cost >= 0) -- of an invoice, where a credit balance paid a part: amount is what was charged
) STRICT;

-- Units of a payment that become due later: the months of a yearly plan.
CREATE TABLE allotments (
    reference  TEXT    NOT NULL REFERENCES payments (reference),
    month      INTEGER NOT NULL CHECK (month > 0),
    due_at     INTEGER NOT NULL,
    units      INTEGER NOT NULL CHECK (units <> 0),
    posted_at  INTEGER,
    PRIMARY KEY (reference, month)
) STRICT;
CREATE INDEX allotments_due ON allotments (due_at, reference) WHERE posted_at IS NULL;

-- Which invoice a payment intent paid: since 2025-03-31 neither says so itself.
CREATE TABLE invoice_payments (
    payment_intent TEXT NOT NULL PRIMARY KEY,
    invoice        TEXT NOT NULL
) STRICT;

-- Refunds, each by its id. Its state only goes forward: 0 pending, 1 succeeded, 2 failed or cancelled.
CREATE TABLE refunds (
    id      TEXT    NOT NULL PRIMARY KEY,
    payment TEXT    NOT NULL REFERENCES payments (reference),
    amount  INTEGER NOT NULL CHECK (amount >= 0),
    state   INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2)
) STRICT;
CREATE INDEX refunds_by_payment ON refunds (payment, id);

-- What credit notes give back of an invoice that was paid, each by its id, as far as no refund tells of it: to the
-- customer's credit balance, or outside Stripe. Once void, it stays so.
CREATE TABLE credit_notes (
    id       TEXT    NOT NULL PRIMARY KEY,
    payment  TEXT    NOT NULL REFERENCES payments (reference),
    returned INTEGER NOT NULL CHECK (returned >= 0),
    void     INTEGER NOT NULL CHECK (void IN (0, 1))
) STRICT;
CREATE INDEX credit_notes_by_payment ON credit_notes (payment, id);

-- Disputes, each by its id. state only goes forward: 0 an inquiry, 1 open, 2 closed. moves counts the movements of funds
-- that Stripe has listed, and withheld is what they leave withheld: the longest list is the newest.
CREATE TABLE disputes (
    id         TEXT    NOT NULL PRIMARY KEY,
    payment    TEXT    NOT NULL REFERENCES payments (reference),
    disputed   INTEGER NOT NULL CHECK (disputed >= 0),
    withheld   INTEGER NOT NULL CHECK (withheld >= 0),
    state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    moves      INTEGER NOT NULL CHECK (moves >= 0),
    opened_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX disputes_by_payment ON disputes (payment, id);

-- Subscriptions as Stripe last said they are. as_of is Stripe's time of that; where it cannot tell which of two came
-- later, unsure_at is set and Stripe is asked. One that has ended stays ended.
CREATE TABLE subscriptions (
    id            TEXT    NOT NULL PRIMARY KEY,
    account       INTEGER NOT NULL REFERENCES accounts (account),
    status        TEXT    NOT NULL,         -- Stripe's word
    offer         TEXT    NOT NULL,         -- the plan's key; '-' when its price is not in the catalogue
    period_end    INTEGER,
    ends_at       INTEGER,                  -- set to end then
    ended_at      INTEGER,
    as_of         INTEGER NOT NULL,
    unsure_at     INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX subscriptions_by_account ON subscriptions (account, created_at);
CREATE INDEX subscriptions_unsure ON subscriptions (unsure_at, id) WHERE unsure_at IS NOT NULL;

-- How far the comparison with Stripe has come.
CREATE TABLE cursors (
    name       TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL,        -- a time of Stripe's
    moved_at   INTEGER NOT NULL
) STRICT;

-- A user's customers at Stripe: one at a time, another when the old one was deleted there. The request is stored before
-- it is sent, so that a repetition has the same key and the same body.
CREATE TABLE customers (
    account      INTEGER NOT NULL REFERENCES users (account),
    generation   INTEGER NOT NULL CHECK (generation > 0),
    request_key  TEXT    NOT NULL UNIQUE,
    request_body TEXT    NOT NULL,
    stripe_id    TEXT UNIQUE,
    requested_at INTEGER NOT NULL,
    linked_at    INTEGER,
    gone_at      INTEGER,                   -- Stripe says that it does not exist any more
    PRIMARY KEY (account, generation)
) STRICT;

-- A press of a button: what was on sale at that moment. Written before Stripe is asked for the session; its id is the
-- idempotency key of that request.
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

-- The inbox: every event of Stripe that was verified, once by its id, with what became of it. Seen and applied are one
-- transaction, so an event in here as applied has done all that it means.
CREATE TABLE events (
    id              TEXT    NOT NULL PRIMARY KEY,
    kind            TEXT    NOT NULL,
    api_version     TEXT,
    livemode        INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    object          TEXT,                   -- the id of what it is about
    body            TEXT    NOT NULL,       -- as received
    created_at      INTEGER NOT NULL,       -- Stripe's time, whole seconds
    received_at     INTEGER NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('applied', 'ignored', 'waiting', 'unmatched', 'failed')),
    detail          TEXT    NOT NULL,       -- what it did, or why it did nothing
    waits_for       TEXT CHECK (waits_for IS NOT NULL OR status <> 'waiting'),
    assigned_to     INTEGER REFERENCES accounts (account),   -- by the operator, who knows what Stripe does not say
    assigned_offer  TEXT,
    attempts        INTEGER NOT NULL CHECK (attempts > 0),
    decided_at      INTEGER NOT NULL,
    next_attempt_at INTEGER
) STRICT;
CREATE INDEX events_to_retry ON events (next_attempt_at, id) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX events_waiting ON events (waits_for, id) WHERE waits_for IS NOT NULL;
CREATE INDEX events_by_arrival ON events (received_at, id);

-- Service tokens. Only the hash is kept: 256 random bits need no slow hash.
CREATE TABLE tokens (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes       TEXT    NOT NULL,          -- words of read, spend, admin, separated by commas
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,                   -- to the minute
    revoked_at   INTEGER
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

-- Browsers that are signed in. The cookie's hash.
CREATE TABLE sessions (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account    INTEGER NOT NULL REFERENCES users (account),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Who is told of what happens here: outgoing webhooks. A secret signs, so it is kept as it is; the file is its owner's
-- alone. While a secret is rolled, the older one signs as well.
CREATE TABLE hooks (
    id           TEXT    NOT NULL PRIMARY KEY,
    url          TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    kinds        TEXT    NOT NULL CHECK (length(kinds) > 0),   -- words separated by commas; '*' for all
    secret       TEXT    NOT NULL,
    older_secret TEXT,
    older_until  INTEGER,
    created_at   INTEGER NOT NULL,
    disabled_at  INTEGER,                   -- since when nothing is written for it or sent to it
    CHECK (older_secret IS NULL OR older_until IS NOT NULL)
) STRICT;
CREATE INDEX hooks_live ON hooks (id) WHERE disabled_at IS NULL;

-- The outbox: what is told, written in the transaction of what it tells of. The number is the order.
CREATE TABLE messages (
    number     INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    id         TEXT    NOT NULL UNIQUE,     -- msg_…: by which a receiver knows one that comes twice
    account    INTEGER NOT NULL REFERENCES accounts (account),
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL,            -- JSON; of a low balance without the address for buying more
    created_at INTEGER NOT NULL
) STRICT;

-- One message to one hook. It is open until it is delivered or parked. Of the open ones for the same hook and account
-- only the first has a next_attempt_at: the others wait for it, so that everyone's story is told in its order.
CREATE TABLE deliveries (
    message         INTEGER NOT NULL REFERENCES messages (number),
    hook            TEXT    NOT NULL REFERENCES hooks (id),
    account         INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at INTEGER,
    give_up_at      INTEGER NOT NULL,       -- from then on a failure parks it
    last_attempt_at INTEGER,
    last_status     INTEGER,                -- the HTTP status of the last answer
    last_error      TEXT CHECK (length(last_error) <= 300),
    delivered_at    INTEGER,
    parked_at       INTEGER,                -- given up, until the operator tries again
    PRIMARY KEY (message, hook),
    CHECK (delivered_at IS NULL OR parked_at IS NULL),
    CHECK (next_attempt_at IS NULL OR (delivered_at IS NULL AND parked_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (hook, next_attempt_at, message) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (hook, account, message) WHERE delivered_at IS NULL AND parked_at IS NULL;
CREATE INDEX deliveries_delivered ON deliveries (delivered_at, message, hook) WHERE delivered_at IS NOT NULL;
CREATE INDEX deliveries_parked ON deliveries (parked_at, message, hook) WHERE parked_at IS NOT NULL;

-- engine: sqlite
-- Rule 10 of the books: the database itself refuses to change or remove what is written. (Recursive triggers are
-- compiled in, so that INSERT OR REPLACE does not walk past these.)
CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END;
CREATE TRIGGER entries_are_not_removed BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'ledger entries are never removed'); END;
-- engine: end
