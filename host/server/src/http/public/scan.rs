//! The scan page of a certificate: verdict first, then proof, then the story.

use askama::Template;
use tianyin_domain::Date;
use tianyin_domain::code;
use tianyin_domain::time::china_minute;

use super::chain::{ActivityView, StepView};
use super::links::{Home, Links};
use super::meter::Limit;
use super::page::{filters, style, style_policy};
use super::story::{BrandView, CertificationView, FeedbackItem};
use super::view::{ScanView, Standing, TestView, Word};
use super::warning::{Verdict, Warned};
use crate::app::scans::ScanNumbers;
use crate::http::Problem;
use crate::http::qr::drawn;
use crate::regions;
use crate::texts::{Lang, english, t_in, tf_in};

/// Where the line of the scans begins.
const SEEN: &str = "<p class=\"seen\">";
/// Lines of the chain that stand open; those before them are folded.
const LINES_OPEN: usize = 8;
/// Tests that stand open.
const TESTS_OPEN: usize = 4;
/// A page with everything on it stays below this, for slow networks (domain/traps 20).
const PAGE_BYTES_MAX: usize = 29 << 10;

/// How much of a long story a page tells; the data beside it tells all.
#[derive(Debug, Clone, Copy)]
struct Budget {
    lines: usize,
    tests: usize,
    ratings: usize,
    /// Characters of what one person wrote.
    chars: usize,
}

const FULL: Budget = Budget { lines: 24, tests: 8, ratings: 5, chars: 240 };
const TIGHT: Budget = Budget { lines: 10, tests: 3, ratings: 2, chars: 80 };

#[derive(Template)]
#[template(path = "public/scan.html")]
struct ScanPage<'a> {
    style: &'static str,
    mirror_policy: Option<String>,
    lang: Lang,
    /// Attribute of what stays Chinese on a page that is not.
    zh: &'static str,
    links: Links<'a>,
    view: &'a ScanView,
    title: String,
    about: String,
    heading: String,
    look: Look,
    seal: (String, String),
    /// What follows the verdict.
    note: String,
    /// What stands beside the warning, where there is one.
    aside: String,
    /// The lot is on hold, and the verdict speaks of the label.
    held_too: bool,
    is_void: bool,
    commitment: Option<&'static str>,
    seen: String,
    early: &'a [Line],
    recent: &'a [Line],
    /// How many lines are left out, in words; empty when none is.
    more_lines: String,
    sources: String,
    tests: &'a [TestView],
    older_tests: &'a [TestView],
    more_tests: String,
    ratings: &'a [FeedbackItem],
    chars: usize,
    qr: &'a str,
    foot: String,
}

/// How a verdict looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// CSS class.
    pub tone: &'static str,
    /// Colour of the bar above it.
    pub bar: &'static str,
    /// Colour behind it, dark enough for white text.
    pub colour: &'static str,
    /// Path of its sign in a box of 24.
    pub sign: &'static str,
    /// Key of its word.
    pub word: &'static str,
    /// Keys of the two lines of its seal.
    pub seal: (&'static str, &'static str),
}

impl Look {
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Valid => Self {
                tone: "valid",
                bar: "#17382b",
                colour: "#1f6b4a",
                sign: "M6.5 12.5l3.8 3.8 7.2-8",
                word: "public.valid",
                seal: ("public.seal_1", "public.seal_2"),
            },
            Verdict::Void => Self {
                tone: "void",
                bar: "#7d2315",
                colour: "#a52c1a",
                sign: "M7.5 7.5l9 9m0-9l-9 9",
                word: "public.void",
                seal: ("public.seal_void_1", "public.seal_void_2"),
            },
            Verdict::Held => Self {
                tone: "held",
                bar: "#5c3c00",
                colour: "#7d5200",
                sign: "M12 6v8m0 2.6v2",
                word: "public.held",
                seal: ("public.seal_held_1", "public.seal_held_2"),
            },
            Verdict::Copied => Self {
                tone: "copied",
                bar: "#7d2315",
                colour: "#a52c1a",
                sign: "M12 6v8m0 2.6v2",
                word: "public.copied_word",
                seal: ("public.seal_copied_1", "public.seal_copied_2"),
            },
            // The colours of what is on hold, another sign and other words.
            Verdict::Suspected => Self {
                tone: "held",
                bar: "#5c3c00",
                colour: "#7d5200",
                sign: "M9 9.4a3 3 0 1 1 4.3 2.7c-.9.4-1.3 1-1.3 2.1M12 16.6v1.6",
                word: "public.suspected_word",
                seal: ("public.seal_suspected_1", "public.seal_suspected_2"),
            },
        }
    }
}

/// One line of the chain.
struct Line {
    date: Date,
    what: String,
    /// What people wrote: names, doses, places.
    data: String,
    notes: Vec<String>,
    is_harvest: bool,
}

/// The scan page of a code, in three parts: before the style, between that and [`seen`], and after it.
pub(super) fn parts(view: &ScanView, lang: Lang, base: String) -> Result<[Box<str>; 3], Problem> {
    let page = whole(view, lang, base, Home::Appliance, String::new())?;
    // Texts of people are escaped: what follows can only be the template's own.
    let parts = page.split_once("<style>").and_then(|(top, rest)| {
        let (middle, end) = rest.strip_prefix(style())?.split_once(SEEN)?;
        Some([format!("{top}<style>"), format!("{middle}{SEEN}"), end.to_owned()])
    });
    let parts = parts.ok_or_else(|| Problem::internal("the scan page has other parts"))?;
    Ok(parts.map(String::into_boxed_str))
}

/// How often a code was scanned, and when first.
pub(super) fn seen(scans: ScanNumbers, lang: Lang) -> String {
    let count = scans.count.to_string();
    let mut line = vec![tf_in(lang, "public.scan_count", [("count", count.as_str())])];
    let city = scans.first_area.as_deref().and_then(regions::city_name);
    line.extend(scans.first_at.map(china_minute).map(|first| match city {
        Some(city) => {
            let of = [("time", first.as_str()), ("city", city)];
            tf_in(lang, "public.first_scan_in", of)
        }
        None => tf_in(lang, "public.first_scan", [("time", first.as_str())]),
    }));
    if scans.cities > 1 {
        let cities = scans.cities.to_string();
        line.push(tf_in(lang, "public.scan_cities", [("count", cities.as_str())]));
    }
    line.join(" · ")
}

/// The page in one piece; `base` is where everybody finds the pages.
pub(super) fn whole(
    view: &ScanView,
    lang: Lang,
    base: String,
    home: Home,
    seen: String,
) -> Result<String, Problem> {
    let qr = drawn(&code::qr_text(&base, &view.code)).map(|qr| qr.data_uri()).unwrap_or_default();
    let links = Links { home, lang, code: &view.code, paper: &view.paper, base };
    let page = told(view, &links, &seen, &qr, FULL)?;
    if page.len() <= PAGE_BYTES_MAX {
        return Ok(page);
    }
    told(view, &links, &seen, &qr, TIGHT)
}

fn told(
    view: &ScanView,
    links: &Links<'_>,
    seen: &str,
    qr: &str,
    budget: Budget,
) -> Result<String, Problem> {
    let lang = links.lang;
    let verdict = view.verdict();
    let look = Look::of(verdict);
    let (note, aside) = notes(view, verdict, lang);
    let (lines, more_lines) = cut(lines(view, lang), budget.lines);
    let (early, recent) = lines.split_at(lines.len().saturating_sub(LINES_OPEN));
    let told = &view.tests[..view.tests.len().min(budget.tests)];
    let (tests, older_tests) = told.split_at(told.len().min(TESTS_OPEN));
    let said = &view.feedback.items;
    let certificate = &view.certificate;
    let issued = certificate.issued_on.to_string();
    let of_county = [("county", view.county.as_str())];
    let named = [("product", certificate.product.as_str()), ("status", t_in(lang, look.word))];
    let by =
        [("producer", view.producer.name.as_str()), ("date", &issued), ("county", &view.county)];
    let rendering = || english(&format!("commitment.{}", certificate.form.code));
    let page = ScanPage {
        style: style(),
        mirror_policy: links.home.is_files().then(style_policy),
        lang,
        zh: if lang == Lang::Zh { "" } else { " lang=\"zh-CN\"" },
        links: links.clone(),
        view,
        title: tf_in(lang, "public.title_scan", named),
        about: tf_in(lang, "public.about", by),
        heading: tf_in(lang, "public.one_code", of_county),
        look,
        seal: (t_in(lang, look.seal.0).to_owned(), t_in(lang, look.seal.1).to_owned()),
        note,
        aside,
        held_too: verdict == Verdict::Copied && view.status == Standing::Held,
        is_void: view.status == Standing::Void,
        commitment: (lang == Lang::En).then(rendering).flatten(),
        seen: seen.to_owned(),
        early,
        recent,
        more_lines: left_out(lang, more_lines),
        sources: sources(view, lang),
        tests,
        older_tests,
        more_tests: left_out(lang, view.tests.len() - told.len()),
        ratings: &said[..said.len().min(budget.ratings)],
        chars: budget.chars,
        qr,
        foot: tf_in(lang, "public.foot", of_county),
    };
    page.render().map_err(Problem::internal)
}

/// What follows the verdict, and what stands beside a warning: the warning itself, unless that is the verdict;
/// then what the facts below are worth.
fn notes(view: &ScanView, verdict: Verdict, lang: Lang) -> (String, String) {
    let t = |key: &str| t_in(lang, key).to_owned();
    let warning = view.warning.as_ref().map(|one| one.text.clone()).unwrap_or_default();
    match verdict {
        Verdict::Valid => (t("public.valid_note"), warning),
        Verdict::Held => (t("public.held_note"), warning),
        Verdict::Void => {
            let date = view.certificate.voided_on.map(|d| d.to_string()).unwrap_or_default();
            (tf_in(lang, "public.void_note", [("date", date.as_str())]), warning)
        }
        Verdict::Suspected | Verdict::Copied => (warning, t("public.warned_facts")),
    }
}

fn left_out(lang: Lang, count: usize) -> String {
    match count {
        0 => String::new(),
        count => tf_in(lang, "public.left_out", [("count", count.to_string().as_str())]),
    }
}

/// The latest lines, the harvest always among them, and how many are left out.
fn cut(mut lines: Vec<Line>, max: usize) -> (Vec<Line>, usize) {
    let mut out: Vec<Line> = lines.drain(..lines.len().saturating_sub(max)).collect();
    if let Some(harvest) = out.iter().position(|line| line.is_harvest) {
        lines.insert(0, out.remove(harvest));
    }
    (lines, out.len())
}

/// The chain, oldest first: what was done up to the harvest, the harvest, what came after it.
fn lines(view: &ScanView, lang: Lang) -> Vec<Line> {
    let lot = &view.lot;
    let split = view.activities.partition_point(|a| a.date <= lot.harvested_on);
    let (before, after) = view.activities.split_at(split);
    let mut lines: Vec<Line> = before.iter().map(|a| activity_line(a, lang)).collect();
    let params =
        [("area", lot.area_name.as_str()), ("quantity", &lot.quantity), ("unit", &lot.unit)];
    lines.push(Line {
        date: lot.harvested_on,
        what: tf_in(lang, "public.harvested", [("no", lot.no.as_str())]),
        data: String::new(),
        notes: vec![tf_in(lang, "public.harvested_note", params)],
        is_harvest: true,
    });
    let mut later: Vec<Line> = after.iter().map(|a| activity_line(a, lang)).collect();
    later.extend(view.steps.iter().map(step_line));
    later.sort_by_key(|line| line.date);
    lines.extend(later);
    lines
}

fn activity_line(a: &ActivityView, lang: Lang) -> Line {
    let input = a.input.as_ref();
    let data = input.map(|input| match input.dose.as_str() {
        "" => input.name.clone(),
        dose => format!("{} {dose}", input.name),
    });
    let mut notes = Vec::new();
    if let Some(stop) = a.stopped_on {
        let stop = stop.to_string();
        notes.push(tf_in(lang, "public.to_day", [("date", stop.as_str())]));
    }
    if let Some((days, from)) = input.and_then(|i| i.interval_days.zip(i.harvest_from)) {
        let (days, from) = (days.to_string(), from.to_string());
        let params = [("days", days.as_str()), ("date", from.as_str())];
        notes.push(tf_in(lang, "public.interval", params));
    }
    Line {
        date: a.date,
        what: a.kind.text.clone(),
        data: data.unwrap_or_default(),
        notes,
        is_harvest: false,
    }
}

fn step_line(step: &StepView) -> Line {
    Line {
        date: step.date,
        what: step.kind.text.clone(),
        data: step.place.clone(),
        notes: Vec::new(),
        is_harvest: false,
    }
}

/// How many harvests the lot goes back to; empty for a lot of a harvest.
fn sources(view: &ScanView, lang: Lang) -> String {
    let Some(sources) = view.lot.sources else { return String::new() };
    let key = if sources.more { "public.sources_more" } else { "public.sources" };
    tf_in(lang, key, [("count", sources.count.to_string().as_str())])
}

impl ScanPage<'_> {
    fn t(&self, key: &str) -> String {
        t_in(self.lang, key).to_owned()
    }

    fn count(&self, key: &str, count: usize) -> String {
        tf_in(self.lang, key, [("count", count.to_string().as_str())])
    }

    /// As much of what somebody wrote as there is room for.
    fn short(&self, text: &str) -> String {
        match text.char_indices().nth(self.chars) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        }
    }

    /// The rendering of an official wording, on pages that are not in Chinese.
    fn rendered(&self, basis: &Word) -> String {
        match self.lang {
            Lang::Zh => String::new(),
            Lang::En => t_in(self.lang, &format!("basis.{}", basis.code)).to_owned(),
        }
    }

    /// What only pages that are not in Chinese say.
    fn translation(&self, key: &str) -> &'static str {
        match self.lang {
            Lang::Zh => "",
            Lang::En => english(&format!("translation.{key}")).unwrap_or_default(),
        }
    }

    fn limit_text(&self, limit: &Limit) -> String {
        let num = limit.num.to_string();
        let params = [("num", num.as_str()), ("unit", limit.unit.as_str())];
        format!("{} · {}", tf_in(self.lang, "public.limit", params), limit.source)
    }

    fn meter_text(&self, test: &TestView, limit: &Limit) -> String {
        let num = limit.num.to_string();
        let params = [("value", test.value.as_str()), ("unit", &test.unit), ("num", &num)];
        tf_in(self.lang, "public.value_of", params)
    }

    fn certified_until(&self, one: &CertificationView) -> String {
        let Some(last) = one.valid_to else { return self.t("public.no_end") };
        tf_in(self.lang, "public.valid_to", [("date", last.to_string().as_str())])
    }

    fn since(&self, brand: &BrandView) -> String {
        let Some(day) = brand.since else { return String::new() };
        tf_in(self.lang, "public.since", [("date", day.to_string().as_str())])
    }

    fn picture_of(&self, brand: &BrandView) -> String {
        tf_in(self.lang, "public.picture_of", [("name", brand.name.as_str())])
    }

    fn has_story(&self) -> bool {
        !self.view.brands.is_empty()
    }

    /// A plain web host shows what was said, and takes nothing in.
    fn has_ratings(&self) -> bool {
        self.links.home == Home::Appliance || self.view.feedback.shown > 0
    }

    /// A voided or held lot is not to be bought, nor what may be a fake, so nobody is sent to a shop.
    fn sells(&self) -> bool {
        self.view.verdict() == Verdict::Valid && !self.view.shops.is_empty()
    }

    /// Mean of the stars, `4.6`.
    fn mean(&self) -> String {
        let Some(tenths) = self.view.feedback.stars_tenths else { return String::new() };
        let mean = format!("{}.{}", tenths / 10, tenths % 10);
        let count = self.view.feedback.shown.to_string();
        tf_in(self.lang, "public.mean", [("stars", mean.as_str()), ("count", &count)])
    }

    fn stars(&self, item: &FeedbackItem) -> String {
        let full = usize::from(item.stars.min(5));
        ["★".repeat(full), "☆".repeat(5 - full)].concat()
    }

    fn stars_text(&self, item: &FeedbackItem) -> String {
        tf_in(self.lang, "public.stars", [("stars", item.stars.to_string().as_str())])
    }
}
