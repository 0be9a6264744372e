-- A spend by hand-written SQL, for pgbench: what till serve changes in the tables for one, with a random user and a random key.
-- The hash is random, because SQL alone does not compute the ledger's; so these books are a copy that nobody proves.
\set user random(0, :users - 1)
\set key random(1, 9000000000000000000)
BEGIN;
SELECT b.account AS account, b.entries + 1 AS seq, b.remaining - 1 AS left, encode(b.head, 'hex') AS head
    FROM users u JOIN books b ON b.account = u.account AND b.part = 1 AND b.seq = 0 AND b.used_reason = ''
    WHERE u.id = 'u' || lpad(CAST(CAST(:user AS INTEGER) AS TEXT), 7, '0') AND b.remaining - b.held >= 1 FOR UPDATE OF b \gset
INSERT INTO books (account, part, used_reason, used_by)
    VALUES (:account, 2, 'spend_' || lpad(to_hex(CAST(:key AS BIGINT)), 32, '0'), :seq)
    ON CONFLICT (account, part, seq, used_reason) DO NOTHING;
INSERT INTO books (account, part, seq, kind, delta, balance_after, reason, created_at, previous, actor, anchors)
    VALUES (:account, 0, :seq, 'spend', -1, :left, 'spend_' || lpad(to_hex(CAST(:key AS BIGINT)), 32, '0'),
        CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT), decode(:head, 'hex'), 'token_of_the_bench', 0);
UPDATE books SET remaining = :left, entries = :seq, front_free = front_free - 1,
        head = sha256(CAST(CAST(CAST(:key AS BIGINT) AS TEXT) AS BYTEA))
    WHERE account = :account AND part = 1 AND seq = 0 AND used_reason = '' AND entries = :seq - 1;
COMMIT;
