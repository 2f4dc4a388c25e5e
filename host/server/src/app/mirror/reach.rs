//! Which pages a change reaches: the roots of a journal line, and the codes that show a root.

use serde::{Deserialize, Serialize};
use tianyin_domain::apply::apply;
use tianyin_domain::brand::{self, Brand, BrandLicence};
use tianyin_domain::certificate::{self, Certificate};
use tianyin_domain::code::{self, Code};
use tianyin_domain::county::County;
use tianyin_domain::id_card::{self, IdCard};
use tianyin_domain::label_template::LabelTemplate;
use tianyin_domain::lineage::Direction;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::pack::{self, Pack};
use tianyin_domain::product::Product;
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::state::Index;
use tianyin_domain::{Entity, Event, Overlay, Put, Scope, State, Time};
use tianyin_journal::Line;
use tianyin_store::{PageQuery, StoreError};

use crate::app::App;

/// Codes or lots found at a time.
const PAGE: usize = 50;
/// Lots made of one lot that are looked for.
const BELOW_MAX: usize = 5_000;

/// The codes of packs; every code of a certificate, and of an ID card; the files that are not of one code.
pub(super) const EVERYTHING: [&str; 4] = [PACKS, "id_cards", "codes", "fixed"];
const PACKS: &str = "packs";

/// A piece of work: what is to be made anew, as `noun/id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// `code/…` is a page, `pack/…` are the files of its codes; `lot/…`, `below/…` (a lot without what was made
    /// of it), `site/…`, `operator/…`, `product/…`, `brand/…`, `id_card/…`, `label_template/…` stand for the
    /// pages that show them,
    /// [`EVERYTHING`] for all.
    pub root: String,
    /// Where in its list to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Left {
    pub(super) fn new(root: impl Into<String>) -> Self {
        Self { root: root.into(), after: None }
    }

    /// Noun and id.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.root.split_once('/').unwrap_or((&self.root, ""))
    }

    /// Whether it stands for more than what shows one root.
    pub(super) fn is_everything(&self) -> bool {
        EVERYTHING.contains(&self.root.as_str())
    }

    /// The same without the few files that are not of one code, and without packs.
    pub(super) fn is_of_all_codes(&self) -> bool {
        self.is_everything() && self.root != "fixed" && !self.is_of_packs()
    }

    /// Whether it is work that comes after everything else, because there may be so much of it.
    pub(super) fn is_of_packs(&self) -> bool {
        self.is_all_packs() || self.root.starts_with("pack/")
    }

    /// Whether it stands for all packs.
    pub(super) fn is_all_packs(&self) -> bool {
        self.root == PACKS
    }
}

/// What a root comes to: the first of it, the newest first, and where to go on.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Pages and further roots.
    pub found: Vec<Left>,
    /// Where to go on.
    pub next: Option<String>,
}

/// What a journal line touches that a page may show. The store may be ahead of the line: what `apply` makes of
/// it then is wrong and thrown away, which roots it touches is not.
pub(super) fn touched(app: &App, line: &Line) -> anyhow::Result<Vec<Left>> {
    let events: Vec<Event> = serde_json::from_str(line.events.get())?;
    let time: Time = line.time.parse()?;
    let state: &dyn State = &app.store;
    let mut overlay = Overlay::new(state);
    overlay.begin_line(line.seq);
    for event in events.iter().filter(|event| !is_quiet(event)) {
        apply(&mut overlay, event, time)?;
    }
    let mut touched = Vec::new();
    for put in overlay.into_puts() {
        match put {
            Put::Record { table, .. } if table == County::TABLE || table == ScanPolicy::TABLE => {
                touched.extend(EVERYTHING.map(Left::new));
            }
            // A certificate tells what replaced it, wherever its lot stands.
            Put::Record { table, id, .. } if table == Certificate::TABLE => {
                touched.push(Left::new(format!("code/{id}")));
            }
            Put::Version { root, .. } if shows(state, &root)? => touched.push(Left::new(root)),
            _ => {}
        }
    }
    Ok(touched)
}

/// Events that no page in the mirror shows; there are very many of them.
fn is_quiet(event: &Event) -> bool {
    matches!(
        event,
        Event::ScansCounted(_)
            | Event::CodeChecked(_)
            | Event::MirrorLogImported(_)
            | Event::MessageReceived(_)
            | Event::MessageSettled(_)
            | Event::PrintQueued(_)
            | Event::PrintEnded(_)
            | Event::AccessNoted(_)
            | Event::TokenUsed(_)
            | Event::Answered(_)
    )
}

/// Whether pages may show a root. Most lots have no certificate yet.
fn shows(state: &dyn State, root: &str) -> anyhow::Result<bool> {
    let (noun, id) = root.split_once('/').unwrap_or((root, ""));
    Ok(match noun {
        "site" | "operator" | "product" | "brand" | "id_card" | "label_template" | "code" | "pack" => {
            true
        }
        "lot" => {
            !state.ids(code::BY_LOT, id, 1)?.is_empty()
                || state.get::<Lot>(id)?.is_some_and(|lot| !lot.into.is_empty())
        }
        _ => false,
    })
}

/// What a root comes to. A page is reached by itself.
pub(super) fn of(app: &App, left: &Left) -> anyhow::Result<Reached> {
    let walk = Walk { app, after: left.after.as_deref() };
    let (noun, id) = left.parts();
    let state: &dyn State = &app.store;
    Ok(match noun {
        "codes" => walk.page((Index(Code::TABLE.0), ""), |code: Code| Some(page_of(&code.code)))?,
        "id_cards" => walk.page((id_card::BY_STATUS, ""), card_page)?,
        PACKS => walk
            .page((pack::BY_KIND, ""), |pack: Pack| Some(Left::new(format!("pack/{}", pack.id))))?,
        "lot" => {
            let mut reached = walk.of_lot(id)?;
            if left.after.is_none() {
                reached.found.extend(below(app, id)?);
            }
            reached
        }
        "below" => walk.of_lot(id)?,
        "site" => {
            walk.page((lot::BY_SITE, id), |lot: Lot| Some(Left::new(format!("lot/{}", lot.id))))?
        }
        "operator" => walk.page((certificate::BY_OPERATOR, id), certificate_page)?,
        "product" => {
            let Some(product) = state.get::<Product>(id)? else { return Ok(Reached::default()) };
            let of_product = |one: Certificate| (one.product == id).then(|| page_of(one.id()));
            let mut reached =
                walk.page((certificate::BY_OPERATOR, &product.operator), of_product)?;
            if left.after.is_none() {
                let card = state.find::<IdCard>(id_card::BY_PRODUCT, id)?;
                reached.found.extend(card.and_then(card_page));
            }
            reached
        }
        "brand" => {
            let of_operator = |operator: String| Left::new(format!("operator/{operator}"));
            let licensed = |one: BrandLicence| Some(of_operator(one.operator));
            let mut reached = walk.page((brand::LICENCES_BY_BRAND, id), licensed)?;
            if left.after.is_none() {
                let owner = state.get::<Brand>(id)?.and_then(|brand| brand.owner);
                reached.found.extend(owner.map(of_operator));
            }
            reached
        }
        "id_card" => {
            let card = state.get::<IdCard>(id)?.and_then(card_page);
            Reached { found: card.into_iter().collect(), next: None }
        }
        "label_template" => {
            let template = state.get::<LabelTemplate>(id)?;
            let of_subject = |one: LabelTemplate| match one.subject() {
                county if county == "county" => Left::new("codes"),
                subject => Left::new(subject),
            };
            Reached { found: template.map(of_subject).into_iter().collect(), next: None }
        }
        _ => Reached::default(),
    })
}

fn page_of(code: &str) -> Left {
    Left::new(format!("code/{code}"))
}

fn certificate_page(certificate: Certificate) -> Option<Left> {
    Some(page_of(certificate.id()))
}

/// A card has a page from its first publication on.
fn card_page(card: IdCard) -> Option<Left> {
    (!card.code.is_empty()).then(|| page_of(&card.code))
}

/// Lots that were made of a lot: their pages tell of the harvest they go back to.
fn below(app: &App, lot: &str) -> anyhow::Result<Vec<Left>> {
    let walk = app.walk(lot, Direction::Forward, BELOW_MAX).map_err(super::told)?;
    let made = walk.reached.into_iter().filter(|one| one.lot.id != lot);
    Ok(made.map(|one| Left::new(format!("below/{}", one.lot.id))).collect())
}

struct Walk<'a> {
    app: &'a App,
    after: Option<&'a str>,
}

impl Walk<'_> {
    fn of_lot(&self, lot: &str) -> anyhow::Result<Reached> {
        self.page((code::BY_LOT, lot), |code: Code| Some(page_of(&code.code)))
    }

    /// The next page of a list, each record made into what it stands for.
    fn page<E: Entity>(
        &self,
        (index, part): (Index, &str),
        made: impl Fn(E) -> Option<Left>,
    ) -> anyhow::Result<Reached> {
        let query = PageQuery {
            after: self.after,
            limit: PAGE,
            newest_first: true,
            ..PageQuery::new(index, part)
        };
        let page = match self.app.store.page::<E>(&query, &Scope::everything()) {
            // Of another version of this program: from the beginning.
            Err(StoreError::BadCursor) => {
                self.app.store.page(&PageQuery { after: None, ..query }, &Scope::everything())?
            }
            page => page?,
        };
        Ok(Reached { found: page.items.into_iter().filter_map(made).collect(), next: page.next })
    }
}
