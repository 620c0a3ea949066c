//! The page of the manual on the configuration. It says of each key what the JSON Schema says, as both come from the structs that are read.

use std::collections::BTreeMap;

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use serde_json::Value;

use super::manual::{self, Entry};

/// What the page is called.
pub(super) const NAME: &str = "etl-orch.yaml";

const INTRODUCTION: &[&str] = &[
    "A configuration needs a database, and at least one ETL or source. A key may be left out unless it is called required here. An unknown \
     key is an error. `etl-orch config check` names every error with its line, and `etl-orch config schema` prints a JSON Schema for editors.",
    "NAME in a key stands for a name of your own. Durations are written `90s`, `15m`, `1h 30m` or `30d`.",
];

const INSTITUTIONS: &str = "The file that `institutions` names has the banks by their symbols, each in a line such as \
    `RY-CA: {id: 1, name: \"Royal Bank of Canada\", type: Canadian_Banks, priority: 10}`. Its `id` is the `bank_id` of the data tables, and \
    its `name` is for people; both are required. `type` groups banks. A bank with a higher `priority` comes first. Other keys are ignored, as \
    other programs may read the file too.";

const EXAMPLES: &[Entry] = &[
    ("etl-orch config init", "Begin a configuration from what the database holds."),
    ("etl-orch config check --connect", "Check it, and compare it with the database."),
];

/// The page, made from this schema.
pub(super) fn page(schema: &Value) -> String {
    let mut page = Page { schema, described: BTreeMap::new(), roff: Roff::new() };
    manual::title(&mut page.roff, NAME, "5");
    page.section("NAME").text([roman(NAME), roman(" - configuration of etl-orch")]);
    page.section("DESCRIPTION").text(marked(description(schema)));
    for text in INTRODUCTION {
        page.paragraph(text);
    }
    page.section("KEYS");
    page.all_keys();
    page.section("INSTITUTIONS").text(marked(INSTITUTIONS));
    manual::section(&mut page.roff, "ENVIRONMENT", manual::ENVIRONMENT.iter().copied());
    manual::section(&mut page.roff, "FILES", manual::FILES.iter().copied());
    manual::section(&mut page.roff, "EXAMPLES", EXAMPLES.iter().copied());
    page.section("SEE ALSO");
    let pages = ["etl-orch", "etl-orch-config-check", "etl-orch-config-init", "etl-orch-config-schema"];
    page.roff.text(manual::references(pages.into_iter().map(str::to_owned)));
    page.roff.render()
}

/// What a value with keys of its own is called.
const MAPPING: &str = "mapping";

struct Page<'a> {
    schema: &'a Value,
    /// The path under which the keys of each shape are described.
    described: BTreeMap<&'a str, String>,
    roff: Roff,
}

impl<'a> Page<'a> {
    fn section(&mut self, title: &str) -> &mut Roff {
        self.roff.control("SH", [title])
    }

    fn paragraph(&mut self, text: &str) {
        self.roff.control("PP", []).text(marked(text));
    }

    /// Single keys stand before the headings of those that have keys below them.
    fn all_keys(&mut self) {
        let is_group = |node: &Value| self.kinds(node).iter().any(|kind| kind.ends_with(MAPPING));
        let (groups, single): (Vec<_>, Vec<_>) = properties(self.schema).partition(|(_, node)| is_group(node));
        for (key, node) in single {
            self.key(key, node);
        }
        for (key, node) in groups {
            self.roff.control("SS", [key.as_str()]).text(marked(description(node)));
            self.below(key, node);
        }
    }

    /// A key, and those below it.
    fn key(&mut self, path: &str, node: &'a Value) {
        let kinds = self.kinds(node).join(" or ");
        self.roff.control("TP", []).text([bold(path), roman(" ("), italic(kinds), roman(")")]);
        self.roff.text(marked(description(node)));
        self.values(node);
        self.below(path, node);
    }

    /// The values that a key may have, where something is said of them.
    fn values(&mut self, node: &'a Value) {
        let described = self.choices(node).into_iter().filter(|choice| choice.get("const").is_some() && !description(choice).is_empty());
        let described: Vec<_> = described.collect();
        if described.is_empty() {
            return;
        }
        self.roff.control("RS", []);
        for choice in described {
            self.roff.control("TP", []).text([bold(words(&choice["const"]))]).text(marked(description(choice)));
        }
        self.roff.control("RE", []);
    }

    /// The keys below a path. A shape that was described already is only named.
    fn below(&mut self, path: &str, node: &'a Value) {
        for choice in self.choices(node) {
            if let Some(items) = choice.get("items") {
                self.below(path, items);
            }
            if let Some(named) = choice.get("additionalProperties").filter(|named| named.is_object()) {
                let path = format!("{path}.NAME");
                self.below(&path, named);
            }
        }
        let Some(shape) = self.shape(node) else { return };
        if let Some(elsewhere) = self.described.get(shape) {
            let as_there = [roman("Its keys are those of "), bold(elsewhere), roman(".")];
            self.roff.control("IP", []).text(as_there);
            return;
        }
        self.described.insert(shape, path.to_owned());
        for (key, node) in properties(&self.schema["$defs"][shape]) {
            self.key(&format!("{path}.{key}"), node);
        }
    }

    /// The name of the mapping with keys of its own that a node refers to.
    fn shape(&self, node: &'a Value) -> Option<&'a str> {
        let alternatives = node["anyOf"].as_array().into_iter().flatten().chain([node]);
        let mut names = alternatives.filter_map(|one| one["$ref"].as_str()?.strip_prefix("#/$defs/"));
        names.find(|name| self.schema["$defs"][*name].get("properties").is_some())
    }

    /// What a value may be: references and alternatives resolved, and without the null of a key that may be left out.
    fn choices(&self, node: &'a Value) -> Vec<&'a Value> {
        if let Some(name) = node["$ref"].as_str() {
            return self.schema.pointer(name.trim_start_matches('#')).map_or_else(Vec::new, |node| self.choices(node));
        }
        match node["anyOf"].as_array().or_else(|| node["oneOf"].as_array()) {
            Some(alternatives) => alternatives.iter().flat_map(|one| self.choices(one)).filter(|one| one["type"] != "null").collect(),
            None => vec![node],
        }
    }

    /// What a value may be, in words.
    fn kinds(&self, node: &'a Value) -> Vec<String> {
        if node["anyOf"].as_array().into_iter().flatten().chain([node]).any(|one| one["$ref"] == "#/$defs/Duration") {
            return vec!["duration".to_owned()];
        }
        self.choices(node).into_iter().flat_map(|choice| self.kinds_of_choice(choice)).collect()
    }

    fn kinds_of_choice(&self, choice: &'a Value) -> Vec<String> {
        if let Some(value) = choice.get("const") {
            return vec![words(value)];
        }
        if let Some(values) = choice["enum"].as_array() {
            return values.iter().map(words).collect();
        }
        let types: Vec<&str> = match &choice["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect(),
            kind => kind.as_str().into_iter().collect(),
        };
        let kind = |kind: &str| match kind {
            "array" => format!("list of {}s", self.kinds(&choice["items"]).join(" or ")),
            "object" if choice.get("properties").is_some() => MAPPING.to_owned(),
            "object" => format!("NAME: {}", self.kinds(&choice["additionalProperties"]).join(" or ")),
            "string" => "text".to_owned(),
            "integer" => format!("whole number{}", bounds(choice)),
            "boolean" => "true or false".to_owned(),
            other => format!("{other}{}", bounds(choice)),
        };
        if types.is_empty() { vec!["anything".to_owned()] } else { types.into_iter().map(kind).collect() }
    }
}

/// The keys of a mapping and what they hold, in the order of the structs.
fn properties(shape: &Value) -> impl Iterator<Item = (&String, &Value)> {
    shape["properties"].as_object().into_iter().flatten()
}

fn description(node: &Value) -> &str {
    node["description"].as_str().unwrap_or_default()
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn bounds(number: &Value) -> String {
    match (number.get("minimum"), number.get("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" from {least}"),
        _ => String::new(),
    }
}

/// A text whose words in backticks are bold. It is one line, so that its paragraphs are filled.
fn marked(text: &str) -> Vec<Inline> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.split('`').enumerate().map(|(index, part)| if index % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_place_its_kind_and_what_is_said_of_it() {
        let schema = serde_json::json!({
            "description": "A `thing`.",
            "properties": {
                "size": {"type": ["integer", "null"], "minimum": 1, "maximum": 9, "description": "How\nlarge."},
                "first": {"anyOf": [{"$ref": "#/$defs/Shape"}, {"type": "null"}], "description": "The first."},
                "names": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Of others."},
                "more": {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/Shape"}, "description": "Others."},
            },
            "$defs": {
                "Duration": {"type": "string"},
                "Shape": {"type": "object", "properties": {
                    "color": {"oneOf": [{"const": "red", "description": "As blood."}, {"enum": ["blue"]}], "description": "Its color."},
                    "lasts": {"anyOf": [{"$ref": "#/$defs/Duration"}, {"type": "null"}], "description": "How long."},
                    "parts": {"type": ["array", "null"], "items": {"$ref": "#/$defs/Part"}, "description": "What it has."},
                }},
                "Part": {"type": "object", "properties": {"name": {"type": "string", "description": "`Its` name."}}},
            },
        });
        let text = page(&schema);
        let keys = text.split(".SH KEYS\n").nth(1).and_then(|rest| rest.split(".SH INSTITUTIONS").next()).unwrap();
        insta::assert_snapshot!(keys, @r"
        .TP
        \fBsize\fR (\fIwhole number from 1 to 9\fR)
        How large.
        .TP
        \fBnames\fR (\fINAME: text\fR)
        Of others.
        .SS first
        The first.
        .TP
        \fBfirst.color\fR (\fIred or blue\fR)
        Its color.
        .RS
        .TP
        \fBred\fR
        As blood.
        .RE
        .TP
        \fBfirst.lasts\fR (\fIduration\fR)
        How long.
        .TP
        \fBfirst.parts\fR (\fIlist of mappings\fR)
        What it has.
        .TP
        \fBfirst.parts.name\fR (\fItext\fR)
        \fBIts\fR name.
        .SS more
        Others.
        .IP
        Its keys are those of \fBfirst\fR.
        ");
    }
}
