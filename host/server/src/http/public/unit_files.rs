//! Files of codes of packs on a plain web host: one for each code, of a few hundred bytes, because there may be
//! millions. That of a bound code leads to the page of its lot, the others tell how the code stands.

use askama::Template;
use tianyin_domain::code::Code;
use tianyin_domain::pack::Pack;
use tianyin_domain::scan_policy::ScanPolicy;

use super::units::words_of;
use super::warning::WarningView;
use crate::app::codes::UnitStanding;
use crate::http::Problem;
use crate::texts::{Lang, t_in, tf_in};

/// What the file of a code shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitFile {
    /// Leads to this file of a lot, named from the mirror's own folder.
    Lot(String),
    /// Tells how the code stands; a reason that nobody is to read is empty.
    Standing(UnitStanding),
}

#[derive(Template)]
#[template(path = "public/unit_file.html")]
struct Page<'a> {
    title: &'a str,
    number: &'a str,
    lines: &'a [String],
    /// Where it leads to; empty for nowhere.
    to: &'a str,
    at_once: bool,
    open: &'a str,
}

/// The file of the code with a number in a pack. `code` is its record, which it has once it was scanned: a
/// warning of a copied label stands before everything that it leads to.
///
/// # Errors
/// When the page cannot be made.
pub fn unit_file(
    pack: &Pack,
    serial: u32,
    file: &UnitFile,
    code: Option<&Code>,
    policy: &ScanPolicy,
) -> Result<String, Problem> {
    let number = pack.label_of(serial);
    let lot = match file {
        UnitFile::Lot(lot) => lot,
        UnitFile::Standing(standing) => return told(standing, &number),
    };
    // The number goes with it into the address of the lot's page.
    let to = format!("../../{lot}/#{number}");
    let warned = |lang| code.and_then(|code| WarningView::of(policy, code, lang));
    let warnings = [Lang::Zh, Lang::En].into_iter().filter_map(warned);
    let lines: Vec<String> = warnings.map(|warning| warning.text).collect();
    let serial = serial.to_string();
    let title = tf_in(Lang::Zh, "public.unit_number", [("n", serial.as_str())]);
    let open = t_in(Lang::Zh, "public.unit_open");
    let at_once = lines.is_empty();
    let page = Page { title: &title, number: &number, lines: &lines, to: &to, at_once, open };
    page.render().map_err(Problem::internal)
}

/// The file of a lot without a certificate, which its packages lead to.
///
/// # Errors
/// When the page cannot be made.
pub fn uncertified_file() -> Result<String, Problem> {
    told(&UnitStanding::NotCertified, "")
}

fn told(standing: &UnitStanding, number: &str) -> Result<String, Problem> {
    let words = words_of(standing);
    let lines_in = |lang| {
        let text = |ending: &str| t_in(lang, &format!("public.{words}{ending}")).to_owned();
        let note = match standing {
            UnitStanding::Void(reason) if !reason.is_empty() => {
                tf_in(lang, "public.unit_void_reason", [("reason", reason.as_str())])
            }
            _ => text("_note"),
        };
        [text(""), note, text("_hint")]
    };
    let lines: Vec<String> = [Lang::Zh, Lang::En].into_iter().flat_map(lines_in).collect();
    let title = t_in(Lang::Zh, &format!("public.{words}")).to_owned();
    let page = Page { title: &title, number, lines: &lines, to: "", at_once: false, open: "" };
    page.render().map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tianyin_domain::pack::PackKind;
    use tianyin_domain::scan::{Suspicion, SuspicionCause, SuspicionStatus};

    use super::*;

    /// Shorter than this is the file of a code that leads on, in bytes.
    const LEADING_BYTES_MAX: usize = 400;

    fn pack() -> Pack {
        Pack {
            id: "pck_1".into(),
            number: 1_048_575,
            kind: PackKind::Unit,
            size: 1_000_000,
            operator: String::new(),
            product: String::new(),
            scratch: false,
            note: String::new(),
            ordered_at: "2026-11-20T00:00:00Z".parse().unwrap(),
            ordered_by: "admin".into(),
            spans: Vec::new(),
            cancelled: None,
            key_check: String::new(),
            area: "430321".into(),
        }
    }

    fn made(file: &UnitFile, code: Option<&Code>) -> String {
        unit_file(&pack(), 1_000_000, file, code, &ScanPolicy::default()).unwrap()
    }

    #[test]
    fn the_longest_that_leads_on_is_small() {
        let lot = UnitFile::Lot(format!("lots/{}", "0".repeat(20)));
        let page = made(&lot, None);
        assert!(page.len() < LEADING_BYTES_MAX, "{} bytes: {page}", page.len());
        let to = format!("../../lots/{}/#P1048575-1000000", "0".repeat(20));
        assert!(page.contains(&format!("content=\"0;url={to}\"")), "{page}");
        assert!(page.contains(&format!("href=\"{to}\"")) && page.contains("第 1000000 件"));
        assert!(page.contains("noindex") && page.contains("charset=\"utf-8\""), "{page}");
    }

    #[test]
    fn a_warning_stands_before_what_it_leads_to() {
        let mut code = Code::new("0000000000000000", "2026-11-20T00:00:00Z".parse().unwrap());
        code.suspicion = Some(Suspicion {
            at: "2026-11-20T00:00:00Z".parse().unwrap(),
            cause: SuspicionCause::Rate,
            status: SuspicionStatus::Copied,
            note: "市场上有仿品".into(),
            settled_at: None,
        });
        let lot = UnitFile::Lot("lots/a".into());
        let page = made(&lot, Some(&code));
        assert!(page.contains("县里已经核实") && page.contains("href=\"../../lots/a/#"), "{page}");
        assert!(!page.contains("http-equiv") && !page.contains("仿品"), "{page}");
        code.suspicion = None;
        assert_eq!(made(&lot, Some(&code)), made(&lot, None));
    }

    #[test]
    fn how_a_code_stands_is_all_that_it_tells() {
        for (standing, words) in [
            (UnitStanding::Unbound, "此码已印制,尚未启用"),
            (UnitStanding::Blank, "空白合格证尚未录入"),
            (UnitStanding::Waste, "此码已登记为损耗"),
            (UnitStanding::Void("<b>丢了".into()), "原因:&#60;b&#62;丢了"),
            (UnitStanding::Void(String::new()), "这个码已经作废,不再有效。"),
        ] {
            let page = made(&UnitFile::Standing(standing), None);
            assert!(page.contains(words) && page.contains("P1048575-1000000"), "{page}");
            assert!(!page.contains("http-equiv") && !page.contains("href"), "{page}");
            assert!(!page.contains("public.") && page.len() < 2_000, "{page}");
        }
        let page = uncertified_file().unwrap();
        assert!(page.contains("还没有合格证") && page.contains("no certificate yet"), "{page}");
    }
}
