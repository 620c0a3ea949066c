//! The page of `report` in a real browser: that it needs nothing else, can be read by everybody, and is no way in for anybody.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::{Kind, World};

/// Text that would do harm as markup, or turn the reading direction.
const HOSTILE: &str = "<script>window.hacked=1</script>\"'&\u{202e}";

/// 14 banks with 40 periods and 4 ETLs, of which almost all reports are made; 500 runs, of which every tenth made 60 reports; and a last
/// run in which some failed, whose ETL prints what is hostile.
fn large_world() -> World {
    let world = World::new(Kind::Sqlite);
    let bank = |n: u32| format!("B{n}-CA: {{id: {n}, name: \"Bank {n} <script>window.hacked=1</script>\"}}");
    let banks = (1..=14).map(bank).collect::<Vec<_>>().join("\n");
    world.institutions(&banks);
    let script = format!("cat <<'EOF'\n{HOSTILE}\nEOF\n[ \"$2\" != B3 ] || exit 65\necho report > \"$4\"\n");
    let etls = ["call_summary", "key_themes", "cm_readthrough", "financial_ratios"];
    world.etls(&script, &etls.map(|name| crate::support::etl(name, name, &[])));
    world.also(
        "sources:\n  us_house: {name: US House Disclosures, every: 6h, command: [\"true\"], freshness: {sql: \"select '2026-01-16'\"}}",
    );
    world.sql(HISTORY);
    world.run_to(1, &["run"]);
    world
}

/// The newest period lacks its reports.
const HISTORY: &str = include_str!("report_in_browser/history.sql");

/// Puts what it finds into a list; each is a mistake.
const MISTAKES: &str = include_str!("report_in_browser/mistakes.js");

/// Texts and shapes that are hard to see, as WCAG has it: 4.5:1, 3:1 for large text and for shapes.
const HARD_TO_SEE: &str = include_str!("report_in_browser/hard_to_see.js");

/// What the keyboard reaches, in the order of the page.
const REACHED: &str = "return [...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]
    .filter(e => !e.closest('details:not([open]) > :not(summary)')).length;";

/// Where the keyboard is among these, and whether people see that.
const FOCUS: &str = "const e = document.activeElement, style = getComputedStyle(e);
return [[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].filter(e => !e.closest('details:not([open]) > :not(summary)')).indexOf(e),
    style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, e.outerHTML.slice(0, 80)];";

fn none() -> Value {
    json!([])
}

#[test]
fn a_page_of_many_banks_and_runs_is_small_safe_and_usable_by_everybody() {
    let world = large_world();
    world.run_to(0, &["report", "--html", "page.html"]);
    let page = world.read("page.html");
    assert!(page.len() < 1024 * 1024, "{} bytes", page.len());
    let browser = Browser::start();
    let url = format!("file://{}", world.path("page.html").display());
    browser.log("performance");
    browser.open(&url);

    assert_eq!(browser.script("return document.title"), "Report coverage – etl-orch");
    assert_eq!(browser.script("return document.querySelectorAll('*').length"), elements(&page), "the browser corrects nothing");
    assert_eq!(browser.script(MISTAKES), none());
    is_spoken(&browser);
    for scheme in ["light", "dark"] {
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser.chromium("Emulation.setEmulatedMedia", &json!({"features": feature}));
        assert_eq!(browser.script(HARD_TO_SEE), none(), "{scheme}");
    }
    is_reached_by_keyboard(&browser);
    let shown = browser.script("return document.querySelector('pre').textContent");
    let hostile = "<script>window.hacked=1</script>\"'&\\u{202e}";
    assert_eq!(shown.as_str().expect("a text").trim(), hostile);
    assert_eq!(browser.script("return document.querySelector('th.bank').title"), "Bank 1 <script>window.hacked=1</script>");

    let phone = json!({"width": 375, "height": 700, "deviceScaleFactor": 2, "mobile": true});
    browser.chromium("Emulation.setDeviceMetricsOverride", &phone);
    assert_eq!(browser.script("return innerWidth"), 375);
    assert_eq!(browser.script(MISTAKES), none(), "on a phone");
    browser.chromium("Emulation.clearDeviceMetricsOverride", &json!({}));
    let print = browser.call("print", &json!({"orientation": "landscape"}));
    let print = BASE64_STANDARD.decode(print.as_str().expect("a text")).expect("base64");
    assert!(print.starts_with(b"%PDF-") && print.len() > 20_000, "{} bytes", print.len());

    assert_eq!(browser.log("browser"), [Value::Null; 0], "nothing is wrong");
    assert_eq!(requests(&browser), [url], "nothing else is asked for");
}

/// Elements of the source, which names each.
fn elements(page: &str) -> usize {
    let style = page.find("<style>").zip(page.find("</style>"));
    let (before, after) = style.map_or((page, ""), |(start, end)| (&page[..=start + 6], &page[end..]));
    let starts = |text: &str| text.as_bytes().windows(2).filter(|pair| pair[0] == b'<' && pair[1].is_ascii_alphabetic()).count();
    starts(before) + starts(after)
}

/// What assistive technology says.
fn is_spoken(browser: &Browser) {
    for (selector, role, name) in [
        ("header", "banner", ""),
        ("nav", "navigation", "Sections"),
        ("main", "main", ""),
        ("footer", "contentinfo", ""),
        ("#coverage", "region", "Coverage"),
        ("progress", "progressbar", "Reports made"),
        (".heat", "table", "Reports by bank and fiscal period, the newest first"),
        (".heat thead th:nth-child(3)", "columnheader", "2026"),
        (".heat tbody th", "rowheader", "B1 160/160"),
        (".heat tbody:nth-of-type(3) td a", "link", "B3 2026 Q4 call_summary: quarantined"),
        (".heat tbody:nth-of-type(1) td:nth-of-type(2)", "cell", "made"),
        (".gantt svg", "image", ""),
        ("#failures pre", "region", "Last lines of B3-CA 2026 Q4"),
    ] {
        let (is, spoken) = browser.role_and_name(selector);
        assert_eq!(is, role, "{selector}");
        assert!(spoken.contains(name), "{selector}: {spoken}");
    }
}

fn is_reached_by_keyboard(browser: &Browser) {
    browser.script("document.activeElement.blur(); scrollTo(0, 0);");
    let many = browser.script(REACHED).as_i64().expect("a number");
    assert!(many > 20, "{many}");
    for n in 0..many {
        browser.tab();
        let focus = browser.script(FOCUS);
        assert_eq!((&focus[0], &focus[1]), (&n.into(), &true.into()), "{focus}");
    }
}

/// The addresses that the page asked for.
fn requests(browser: &Browser) -> Vec<String> {
    let messages =
        browser.log("performance").into_iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
    let sent = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
    let urls = sent.map(|message| message["message"]["params"]["request"]["url"].as_str().unwrap_or_default().to_owned());
    // The browser has pages of its own.
    urls.filter(|url| !url.starts_with("data:") && !url.starts_with("chrome:")).collect()
}
