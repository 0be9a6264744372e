-- From version 1 to 2: holds, credit notes, what is due by itself, and outgoing webhooks. The check on entries changed,
-- which takes a new table
-- ("SQL Features That SQLite Does Not Implement": ALTER TABLE cannot change a constraint); rows are copied as they are.
ALTER TABLE accounts RENAME COLUMN next_expiry TO next_due;
ALTER TABLE accounts ADD COLUMN front INTEGER;
ALTER TABLE accounts ADD COLUMN front_free INTEGER CHECK (front_free > 0);
ALTER TABLE accounts ADD COLUMN holds INTEGER NOT NULL DEFAULT 0 CHECK (holds >= 0);
ALTER TABLE accounts ADD COLUMN low_balance INTEGER CHECK (low_balance BETWEEN 0 AND 1000000000);
UPDATE accounts SET front = (SELECT l.seq FROM lots l WHERE l.account = accounts.account AND l.remaining > l.held
    ORDER BY l.expires_at IS NULL, l.expires_at, l.seq LIMIT 1);
UPDATE accounts SET front_free = (SELECT l.remaining - l.held FROM lots l
    WHERE l.account = accounts.account AND l.seq = accounts.front) WHERE front IS NOT NULL;
UPDATE lots SET remaining = held WHERE (account, seq) IN (SELECT account, front FROM accounts WHERE front IS NOT NULL);
DROP INDEX accounts_to_expire;
CREATE INDEX accounts_due ON accounts (next_due, account) WHERE next_due IS NOT NULL;

CREATE TABLE entries_2 (
    account       INTEGER NOT NULL REFERENCES accounts (account),
    seq           INTEGER NOT NULL CHECK (seq > 0),
    kind          TEXT    NOT NULL CHECK (kind = 'spend' OR kind = 'topup' OR kind = 'subscription' OR kind = 'grant'
                      OR kind = 'refund' OR kind = 'dispute' OR kind = 'expiry'),
    delta         INTEGER NOT NULL CHECK (delta <> 0),
    balance_after INTEGER NOT NULL CHECK (balance_after BETWEEN -1000000000000000 AND 1000000000000000),
    reason        TEXT    NOT NULL,
    note          TEXT,
    lot           INTEGER,
    expires_at    INTEGER,
    created_at    INTEGER NOT NULL,
    previous      BLOB    NOT NULL CHECK (length(previous) = 32),
    PRIMARY KEY (account, seq),
    CHECK (kind <> 'spend' OR balance_after >= 0 OR substr(reason, 1, 5) = 'hold_'),
    CHECK (kind <> 'spend' OR delta < 0),
    CHECK (kind <> 'expiry' OR delta < 0)
) STRICT, WITHOUT ROWID;
INSERT INTO entries_2 (account, seq, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous)
    SELECT account, seq, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous
    FROM entries ORDER BY account, seq;
DROP TABLE entries;
ALTER TABLE entries_2 RENAME TO entries;
CREATE UNIQUE INDEX entries_happen_once ON entries (account, reason);
CREATE UNIQUE INDEX entries_of_stripe ON entries (reason)
    WHERE kind = 'topup' OR kind = 'subscription' OR kind = 'refund' OR kind = 'dispute';
CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END;
CREATE TRIGGER entries_are_not_removed BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'ledger entries are never removed'); END;

CREATE TABLE holds (
    account     INTEGER NOT NULL REFERENCES accounts (account),
    number      INTEGER NOT NULL CHECK (number > 0),
    key         TEXT    NOT NULL,
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

CREATE TABLE hold_lots (
    account INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    lot     INTEGER NOT NULL,
    units   INTEGER NOT NULL CHECK (units > 0),
    PRIMARY KEY (account, number, lot),
    FOREIGN KEY (account, number) REFERENCES holds (account, number),
    FOREIGN KEY (account, lot) REFERENCES lots (account, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE hooks (
    id           TEXT    NOT NULL PRIMARY KEY,
    url          TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    kinds        TEXT    NOT NULL CHECK (length(kinds) > 0),
    secret       TEXT    NOT NULL,
    older_secret TEXT,
    older_until  INTEGER,
    created_at   INTEGER NOT NULL,
    disabled_at  INTEGER,
    CHECK (older_secret IS NULL OR older_until IS NOT NULL)
) STRICT;
CREATE INDEX hooks_live ON hooks (id) WHERE disabled_at IS NULL;

CREATE TABLE messages (
    number     INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    id         TEXT    NOT NULL UNIQUE,
    account    INTEGER NOT NULL REFERENCES accounts (account),
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE deliveries (
    message         INTEGER NOT NULL REFERENCES messages (number),
    hook            TEXT    NOT NULL REFERENCES hooks (id),
    account         INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at INTEGER,
    give_up_at      INTEGER NOT NULL,
    last_attempt_at INTEGER,
    last_status     INTEGER,
    last_error      TEXT CHECK (length(last_error) <= 300),
    delivered_at    INTEGER,
    parked_at       INTEGER,
    PRIMARY KEY (message, hook),
    CHECK (delivered_at IS NULL OR parked_at IS NULL),
    CHECK (next_attempt_at IS NULL OR (delivered_at IS NULL AND parked_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (hook, next_attempt_at, message) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (hook, account, message) WHERE delivered_at IS NULL AND parked_at IS NULL;
CREATE INDEX deliveries_delivered ON deliveries (delivered_at, message, hook) WHERE delivered_at IS NOT NULL;
CREATE INDEX deliveries_parked ON deliveries (parked_at, message, hook) WHERE parked_at IS NOT NULL;

ALTER TABLE payments ADD COLUMN cost INTEGER CHECK (cost >= 0);
CREATE TABLE credit_notes (
    id       TEXT    NOT NULL PRIMARY KEY,
    payment  TEXT    NOT NULL REFERENCES payments (reference),
    returned INTEGER NOT NULL CHECK (returned >= 0),
    void     INTEGER NOT NULL CHECK (void IN (0, 1))
) STRICT;
CREATE INDEX credit_notes_by_payment ON credit_notes (payment, id);
