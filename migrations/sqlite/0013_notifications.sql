-- What was told last, by which channel (webhook, mail), of everything that was ever wrong.

CREATE TABLE notifications (
    channel TEXT NOT NULL,
    -- The key of a gap, etl:NAME or lateness:SOURCE.
    subject TEXT NOT NULL,
    -- What is wrong. NULL: nothing any more.
    state   TEXT,
    since   TEXT,
    reason  TEXT,
    log     TEXT,
    notified_at TEXT NOT NULL,
    PRIMARY KEY (channel, subject)
);
