-- What was told last, by which channel (webhook, mail), of everything that was ever wrong.

CREATE TABLE etl_orch.notifications (
    channel text NOT NULL,
    -- The key of a gap, etl:NAME or lateness:SOURCE.
    subject text NOT NULL,
    -- What is wrong. NULL: nothing any more.
    state   text,
    since   timestamptz,
    reason  text,
    log     text,
    notified_at timestamptz NOT NULL,
    PRIMARY KEY (channel, subject)
);
