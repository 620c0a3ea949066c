CREATE TABLE aegis_data_availability (
    bank_id integer NOT NULL, bank_name text NOT NULL, bank_symbol text NOT NULL, fiscal_year integer NOT NULL,
    quarter text NOT NULL, database_names text[], UNIQUE (bank_id, fiscal_year, quarter));
CREATE TABLE aegis_reports (
    id bigserial PRIMARY KEY, report_name text NOT NULL DEFAULT '', report_description text NOT NULL DEFAULT '',
    report_type text NOT NULL, bank_id integer, bank_name text NOT NULL DEFAULT '', bank_symbol text NOT NULL DEFAULT '',
    fiscal_year integer NOT NULL, quarter text NOT NULL, local_filepath text, markdown_content text,
    generation_date timestamp NOT NULL DEFAULT now(), generated_by text, execution_id uuid, metadata jsonb,
    UNIQUE (bank_id, fiscal_year, quarter, report_type));
