-- When the data of banks arrived, which is to say when a run saw it first. What was there when a run looked for the first time is not here.

CREATE TABLE data_arrivals (
    bank_key      TEXT NOT NULL,
    -- What an ETL requires, as a JSON list: that is when the data had all of them.
    tags          TEXT NOT NULL,
    fiscal_year   INTEGER NOT NULL,
    quarter       TEXT NOT NULL,
    first_seen_at TEXT NOT NULL,
    -- Whether no later period of the bank was there. Only such an arrival says how punctual the bank is.
    is_latest     INTEGER NOT NULL,
    PRIMARY KEY (bank_key, tags, fiscal_year, quarter)
);

-- What runs have seen so far of the data with these tags: of each bank the newest of each quarter, {"RY-CA": ["2024Q4", "2025Q1"]}.
CREATE TABLE data_seen (
    tags   TEXT NOT NULL PRIMARY KEY,
    newest TEXT NOT NULL
);
