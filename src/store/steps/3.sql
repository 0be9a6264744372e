-- From version 2 to 3: accounts, entries and what makes an entry happen once lie in one tree, as the schema says. Rows are
-- copied as they are, in the order of the new tree.
ALTER TABLE users RENAME TO users_3;
CREATE TABLE books (
    account       INTEGER NOT NULL CHECK (account > 0),
    claim         TEXT    NOT NULL,
    line          INTEGER NOT NULL,
    owner         INTEGER REFERENCES users_3 (account),
    remaining     INTEGER CHECK (remaining BETWEEN -1000000000000000 AND 1000000000000000),
    held          INTEGER CHECK (held BETWEEN 0 AND 1000000000000000),
    credited      INTEGER CHECK (credited BETWEEN 0 AND 1000000000000000),
    entries       INTEGER CHECK (entries >= 0),
    head          BLOB    CHECK (length(head) = 32),
    next_due      INTEGER,
    front         INTEGER,
    front_free    INTEGER CHECK (front_free > 0),
    holds         INTEGER CHECK (holds >= 0),
    low_balance   INTEGER CHECK (low_balance BETWEEN 0 AND 1000000000),
    kind          TEXT    CHECK (kind = 'spend' OR kind = 'topup' OR kind = 'subscription' OR kind = 'grant'
                      OR kind = 'refund' OR kind = 'dispute' OR kind = 'expiry'),
    delta         INTEGER CHECK (delta <> 0),
    balance_after INTEGER CHECK (balance_after BETWEEN -1000000000000000 AND 1000000000000000),
    reason        TEXT,
    note          TEXT,
    lot           INTEGER,
    expires_at    INTEGER,
    created_at    INTEGER,
    previous      BLOB    CHECK (length(previous) = 32),
    entry         INTEGER CHECK (entry > 0),
    PRIMARY KEY (account, claim, line),
    CHECK (kind <> 'spend' OR balance_after >= 0 OR substr(reason, 1, 5) = 'hold_'),
    CHECK (kind <> 'spend' OR delta < 0),
    CHECK (kind <> 'expiry' OR delta < 0),
    CHECK (CASE
        WHEN claim = '' THEN line > 0 AND kind IS NOT NULL AND delta IS NOT NULL AND balance_after IS NOT NULL
            AND reason IS NOT NULL AND reason > '=' AND created_at IS NOT NULL AND previous IS NOT NULL AND entry IS NULL AND head IS NULL
            AND COALESCE(owner, remaining, held, credited, entries, next_due, front, front_free, holds, low_balance) IS NULL
        WHEN claim = '=' THEN line = 0 AND owner IS NOT NULL AND owner = account AND remaining IS NOT NULL AND held IS NOT NULL
            AND credited IS NOT NULL AND entries IS NOT NULL AND head IS NOT NULL AND holds IS NOT NULL
            AND COALESCE(kind, reason, note) IS NULL AND previous IS NULL
            AND COALESCE(delta, balance_after, lot, expires_at, created_at, entry) IS NULL
        ELSE line = 0 AND claim > '=' AND entry IS NOT NULL AND head IS NULL
            AND COALESCE(owner, remaining, held, credited, entries, next_due, front, front_free, holds, low_balance) IS NULL
            AND COALESCE(kind, reason, note) IS NULL AND previous IS NULL
            AND COALESCE(delta, balance_after, lot, expires_at, created_at) IS NULL
    END)
) STRICT, WITHOUT ROWID;

INSERT INTO books (account, claim, line, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous)
    SELECT account, '', seq, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous
    FROM entries ORDER BY account, seq;
INSERT INTO books (account, claim, line, owner, remaining, held, credited, entries, head, next_due, front, front_free,
        holds, low_balance)
    SELECT account, '=', 0, account, remaining, held, credited, entries, head, next_due, front, front_free, holds, low_balance
    FROM accounts ORDER BY account;
INSERT INTO books (account, claim, line, entry) SELECT account, reason, 0, seq FROM entries ORDER BY account, reason;

CREATE TABLE lots_3 (
    account    INTEGER NOT NULL REFERENCES users_3 (account),
    seq        INTEGER NOT NULL,
    units      INTEGER NOT NULL CHECK (units > 0),
    remaining  INTEGER NOT NULL CHECK (remaining >= 0),
    held       INTEGER NOT NULL CHECK (held BETWEEN 0 AND remaining),
    expired    INTEGER NOT NULL CHECK (expired >= 0),
    expires_at INTEGER,
    payment    TEXT REFERENCES payments (reference) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO lots_3 (account, seq, units, remaining, held, expired, expires_at, payment)
    SELECT account, seq, units, remaining, held, expired, expires_at, payment FROM lots ORDER BY account, seq;
DROP TABLE lots;
ALTER TABLE lots_3 RENAME TO lots;
CREATE INDEX lots_by_payment ON lots (payment, seq) WHERE payment IS NOT NULL;
DROP TABLE entries;

-- What referred to an account refers to its user from now on. A renamed table takes along what refers to it ("ALTER TABLE",
-- "ALTER TABLE RENAME"), so the table of accounts becomes users for a moment, and then the users take its place.
ALTER TABLE accounts RENAME TO users;
DROP TABLE users;
ALTER TABLE users_3 RENAME TO users;

CREATE INDEX accounts_due ON books (next_due, account) WHERE next_due IS NOT NULL;
CREATE UNIQUE INDEX entries_of_stripe ON books (reason)
    WHERE kind = 'topup' OR kind = 'subscription' OR kind = 'refund' OR kind = 'dispute';

CREATE VIEW accounts AS
    SELECT account, remaining, held, credited, entries, head, next_due, front, front_free, holds, low_balance
    FROM books WHERE claim = '=' AND line = 0;
CREATE VIEW entries AS
    SELECT account, line AS seq, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous
    FROM books WHERE claim = '';

CREATE TRIGGER entries_are_not_changed
    BEFORE UPDATE OF account, claim, line, owner, kind, delta, balance_after, reason, note, lot, expires_at, created_at,
        previous, entry ON books
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END;
CREATE TRIGGER entries_are_not_removed BEFORE DELETE ON books
BEGIN SELECT RAISE(ABORT, 'ledger entries are never removed'); END;
CREATE TRIGGER entries_are_claimed_first BEFORE INSERT ON books WHEN NEW.claim = ''
BEGIN
    SELECT RAISE(ABORT, 'a ledger entry has no claim') WHERE NOT EXISTS (SELECT entry FROM books
        WHERE account = NEW.account AND claim = NEW.reason AND line = 0 AND entry = NEW.line);
    SELECT RAISE(ABORT, 'a ledger entry has no account') WHERE NOT EXISTS (SELECT owner FROM books
        WHERE account = NEW.account AND claim = '=' AND line = 0);
END;
CREATE TRIGGER lots_are_opened_by_an_entry BEFORE INSERT ON lots
BEGIN
    SELECT RAISE(ABORT, 'a lot has no ledger entry') WHERE NOT EXISTS (SELECT seq FROM entries
        WHERE account = NEW.account AND seq = NEW.seq);
END;
