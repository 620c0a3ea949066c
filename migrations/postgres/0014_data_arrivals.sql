-- When the data of banks arrived, which is to say when a run saw it first. What was there when a run looked for the first time is not here.

CREATE TABLE etl_orch.data_arrivals (
    bank_key      text NOT NULL,
    -- What an ETL requires, as a JSON list: that is when the data had all of them.
    tags          text NOT NULL,
    fiscal_year   integer NOT NULL,
    quarter       text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    -- Whether no later period of the bank was there. Only such an arrival says how punctual the bank is.
    is_latest     boolean NOT NULL,
    PRIMARY KEY (bank_key, tags, fiscal_year, quarter)
);

-- What runs have seen so far of the data with these tags: of each bank the newest of each quarter, {"RY-CA": ["2024Q4", "2025Q1"]}.
CREATE TABLE etl_orch.data_seen (
    tags   text NOT NULL PRIMARY KEY,
    newest jsonb NOT NULL
);
