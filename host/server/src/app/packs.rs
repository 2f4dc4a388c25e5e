//! Packs of codes: ordered, drawn as sheets of labels or blank forms, and found again by what is printed on
//! them. Their lists are written in `code_list`.

use tianyin_documents::{
    BLANKS_MAX, BlankForm, BlankNo, CODE_LABELS_MAX, CodeLabel, PaperSize, Sheet,
};
use tianyin_domain::actor::{Actor, Scope};
use tianyin_domain::certificate_form::Issuer;
use tianyin_domain::code;
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::error::DomainError;
use tianyin_domain::label_template::LabelSize;
use tianyin_domain::operator::Operator;
use tianyin_domain::pack::{OrderPack, Pack, PackCounts, PackKind};
use tianyin_domain::span::{Span, SpanState};
use tianyin_domain::state::State;
use tianyin_domain::time::china_date;

use super::codes::PackedCode;
use super::{App, AppError};
use crate::edge::now;
use crate::texts::t;

/// Ranges that a refusal names.
const NAMED_MAX: usize = 3;
/// Longest text that is looked at for a code.
const TEXT_BYTES_MAX: usize = 256;
/// How codes lie on a sheet: what every office printer leaves blank, and room for a knife.
const SHEET: Sheet = Sheet { margin_mm: 8, gap_mm: 2, skip: 0 };

/// A pack as somebody sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The pack; with nothing of the codes that are not seen.
    pub pack: Pack,
    /// Whether all of it is seen: else only the codes that were handed out to operators that they act for.
    pub whole: bool,
}

impl Seen {
    /// What those with this sight see of a pack; `None` when that is nothing.
    pub fn of(pack: Pack, scope: &Scope) -> Option<Self> {
        if scope.covers(&pack.area, &pack.operator) {
            return Some(Self { pack, whole: true });
        }
        let pack = pack.cut_to(|holder| scope.covers("", holder));
        (!pack.spans.is_empty()).then_some(Self { pack, whole: false })
    }

    /// How many of the codes that are seen stand how.
    pub fn counts(&self) -> PackCounts {
        let counts = self.pack.counts();
        if self.whole { counts } else { PackCounts { free: 0, ..counts } }
    }

    /// How many codes are seen.
    pub fn size(&self) -> u32 {
        if self.whole { self.pack.size } else { self.pack.spans.iter().map(Span::count).sum() }
    }
}

/// Codes of a pack that may be printed, from the first to the last, with it.
#[derive(Debug, Clone)]
pub struct Printable {
    pack: Pack,
    from: u32,
    to: u32,
}

impl Printable {
    /// The codes from one number to another; from the first, to the last where it is not told.
    ///
    /// # Errors
    /// `codes_out_of_pack`; `codes_of_cancelled`; `codes_spoilt` when one of them is void or waste: a
    /// printing house gets exactly what was asked for, or nothing.
    pub fn of(pack: Pack, from: Option<u32>, to: Option<u32>) -> Result<Self, AppError> {
        let (from, to) = (from.unwrap_or(1), to.unwrap_or(pack.size));
        if !pack.has(from) || !pack.has(to) || to < from {
            let params = vec![("no", pack.no()), ("most", pack.size.to_string())];
            return Err(AppError::refused_with("codes_out_of_pack", params));
        }
        if let Some(reason) = &pack.cancelled {
            let params = vec![("no", pack.no()), ("reason", reason.clone())];
            return Err(AppError::refused_with("codes_of_cancelled", params));
        }
        let is_spoilt = |span: &&Span| {
            let touched = span.from <= to && from <= span.to;
            touched && matches!(span.state, SpanState::Void | SpanState::Waste)
        };
        let name = |span: &Span| {
            let (first, last) = (span.from.max(from), span.to.min(to));
            format!("{}–{}", pack.label_of(first), pack.label_of(last))
        };
        let spoilt = pack.spans.iter().filter(is_spoilt).take(NAMED_MAX).map(name);
        let spoilt: Vec<String> = spoilt.collect();
        if !spoilt.is_empty() {
            let codes = spoilt.join(t("conflict.and"));
            return Err(AppError::refused_with("codes_spoilt", vec![("codes", codes)]));
        }
        Ok(Self { pack, from, to })
    }

    /// The pack.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// How many they are.
    pub fn count(&self) -> u32 {
        self.to - self.from + 1
    }

    /// The name of their file: `codes-P0001-1-1000.csv`.
    pub fn file_name(&self, ending: &str) -> String {
        format!("codes-{}-{}-{}.{ending}", self.pack.no(), self.from, self.to)
    }

    /// Most of them that one file of sheets holds.
    pub fn sheets_max(kind: PackKind) -> u32 {
        let most = if kind == PackKind::Unit { CODE_LABELS_MAX } else { BLANKS_MAX };
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    /// Refuses more than one file of sheets holds.
    ///
    /// # Errors
    /// `too_many_codes`.
    pub fn fit_sheets(&self) -> Result<(), AppError> {
        let most = Self::sheets_max(self.pack.kind);
        if self.count() <= most {
            return Ok(());
        }
        Err(AppError::refused_with("too_many_codes", vec![("most", most.to_string())]))
    }

    /// Their numbers, in order.
    pub(super) fn serials(&self) -> std::ops::RangeInclusive<u32> {
        self.from..=self.to
    }
}

impl App {
    /// Orders a pack. Who does not see the whole county orders for an operator: else the pack would be
    /// out of its own sight.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn order_pack(
        &self,
        actor: &Actor,
        command: OrderPack,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        if command.operator.is_none() && !self.sees_county(&actor.scope())? {
            return Err(DomainError::field("operator", "required").into());
        }
        let key_check = self.code_key.check().to_owned();
        let command = Command::OrderPack(OrderPack { key_check, ..command });
        self.submit_keyed(actor, command, idempotency_key).await
    }

    /// Whether the whole county is in sight.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sees_county(&self, scope: &Scope) -> Result<bool, AppError> {
        Ok(self.county()?.is_none_or(|county| scope.covers(&county.area, "")))
    }

    /// The pack and the place in it, if that is in sight, of what was typed or scanned: a code in any
    /// spelling, the address of its QR, or the number beside it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn packed_meant(&self, text: &str, scope: &Scope) -> Result<Option<PackedCode>, AppError> {
        let text = text.trim();
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Ok(None);
        }
        let Some(code) = self.code_meant(text)? else { return Ok(None) };
        Ok(self.packed(&code)?.filter(|one| one.is_seen(scope)))
    }

    /// A pack as those with this sight see it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn pack_seen(&self, id: &str, scope: &Scope) -> Result<Option<Seen>, AppError> {
        let pack: Option<Pack> = self.store.get(id).map_err(AppError::internal)?;
        Ok(pack.and_then(|pack| Seen::of(pack, scope)))
    }

    /// How many different codes of a pack were scanned by somebody.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scanned_of(&self, pack: &Pack) -> Result<u64, AppError> {
        self.store.count(code::BY_PACK, &pack.id).map_err(AppError::internal)
    }

    /// Codes on sheets of labels, as PDF.
    ///
    /// # Errors
    /// `too_many_codes`; what cannot be set in type.
    pub fn code_sheets(&self, codes: &Printable, size: LabelSize) -> Result<Vec<u8>, AppError> {
        codes.fit_sheets()?;
        let county = self.county()?;
        let (heading, public_url) =
            county.map(|county| (county.name, county.public_url)).unwrap_or_default();
        let label = |serial: u32| -> Result<CodeLabel, AppError> {
            let code = self.code_of(&codes.pack, serial)?;
            Ok(CodeLabel {
                qr_text: code::qr_text(&public_url, &code),
                code_grouped: code::grouped(&code),
                serial: codes.pack.label_of(serial),
                pin: codes.pack.scratch.then(|| self.code_key.pin(&code)),
                heading: heading.clone(),
            })
        };
        let labels: Vec<CodeLabel> = codes.serials().map(label).collect::<Result<_, AppError>>()?;
        self.rendered(|documents| documents.code_sheet_pdf(&labels, size, &SHEET))
    }

    /// Blank numbered forms of today as PDF, to be filled in by hand and entered later.
    ///
    /// # Errors
    /// `too_many_codes`; `no_form`; what cannot be set in type.
    pub fn blank_forms(
        &self,
        codes: &Printable,
        paper: PaperSize,
        issuer: Issuer,
    ) -> Result<Vec<u8>, AppError> {
        codes.fit_sheets()?;
        let form = self.form_of(issuer, china_date(now()))?;
        let county = self.county()?;
        let (county, public_url) =
            county.map(|county| (county.name, county.public_url)).unwrap_or_default();
        let state: &dyn State = &self.store;
        let producer: Option<Operator> = state.get(&codes.pack.operator)?;
        let blank = BlankForm {
            title: form.title.clone(),
            form: form.name.clone(),
            commitment: form.commitment.clone(),
            commitment_items: form.items.clone(),
            basis_options: form.bases.iter().map(|one| one.text.clone()).collect(),
            producer_label: t(issuer_key(issuer)).to_owned(),
            county,
            producer: producer.map(|one| one.name).unwrap_or_default(),
        };
        let number = |serial: u32| -> Result<BlankNo, AppError> {
            let code = self.code_of(&codes.pack, serial)?;
            Ok(BlankNo {
                number: codes.pack.label_of(serial),
                code_grouped: code::grouped(&code),
                qr_text: code::qr_text(&public_url, &code),
            })
        };
        let numbers: Vec<BlankNo> = codes.serials().map(number).collect::<Result<_, AppError>>()?;
        self.rendered(|documents| documents.blank_forms_pdf(&blank, &numbers, paper))
    }

    fn code_of(&self, pack: &Pack, serial: u32) -> Result<String, AppError> {
        let code = self.code_key.code(pack.number, serial);
        code.ok_or_else(|| {
            AppError::internal(anyhow::anyhow!("{} has no code", pack.label_of(serial)))
        })
    }
}

/// Key of what the paper calls whoever commits.
pub fn issuer_key(issuer: Issuer) -> &'static str {
    match issuer {
        Issuer::Producer => "paper_field.producer",
        Issuer::Buyer => "paper_field.buyer",
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use tempfile::TempDir;
    use tianyin_domain::county::ConfigureCounty;
    use tianyin_domain::pack::{CancelPack, MarkRange};

    use super::*;
    use crate::config::Config;

    pub(in crate::app) fn actor() -> Actor {
        Actor::system("test")
    }

    pub(in crate::app) async fn county() -> (TempDir, Arc<App>) {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { data: dir.path().join("data"), ..Config::default() };
        config.disk.ballast_mib = 0;
        let app = App::open(config).unwrap();
        let county = ConfigureCounty {
            area: "430321".into(),
            name: "湘潭县".into(),
            full_name: "湖南省湘潭市湘潭县".into(),
            public_url: "https://ty.example.test".into(),
        };
        app.submit(&actor(), Command::ConfigureCounty(county)).await.unwrap();
        (dir, app)
    }

    pub(in crate::app) async fn pack(app: &App, kind: PackKind, size: u32, scratch: bool) -> Pack {
        let order = OrderPack {
            kind,
            size,
            operator: None,
            product: None,
            scratch,
            note: "示例印刷厂".into(),
            key_check: String::new(),
        };
        let made = app.order_pack(&actor(), order, None).await.unwrap();
        app.store.get(&made.id).unwrap().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_not_to_be_printed_is_refused_by_name() {
        let (_dir, app) = county().await;
        let pack = pack(&app, PackKind::Unit, 1_000, false).await;
        let void = MarkRange {
            pack: pack.id.clone(),
            from: 40,
            to: 60,
            state: SpanState::Void,
            lot: None,
            operator: None,
            reason: "印错".into(),
        };
        app.submit(&actor(), Command::MarkRange(void)).await.unwrap();
        let pack: Pack = app.store.get(&pack.id).unwrap().unwrap();
        let told = |from, to| Printable::of(pack.clone(), Some(from), Some(to)).unwrap_err();
        let error = told(50, 1_000);
        assert_eq!(error.code(), "codes_spoilt");
        assert!(error.detail().contains("P0001-000050–P0001-000060"), "{}", error.detail());
        for (from, to) in [(0, 10), (990, 1_001), (20, 10)] {
            let error = told(from, to);
            assert_eq!(error.code(), "codes_out_of_pack", "{from} {to}");
            assert!(!error.detail().contains('{'), "{}", error.detail());
        }
        let rest = Printable::of(pack.clone(), Some(61), None).unwrap();
        assert_eq!(
            (rest.count(), rest.file_name("csv").as_str()),
            (940, "codes-P0001-61-1000.csv")
        );
        let cancel = CancelPack { pack: pack.id.clone(), reason: "丢了".into() };
        app.submit(&actor(), Command::CancelPack(cancel)).await.unwrap();
        let pack: Pack = app.store.get(&pack.id).unwrap().unwrap();
        assert_eq!(Printable::of(pack, Some(61), None).unwrap_err().code(), "codes_of_cancelled");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn codes_and_blank_forms_are_drawn() {
        let (_dir, app) = county().await;
        let units = pack(&app, PackKind::Unit, 3_000, true).await;
        let codes = Printable::of(units.clone(), Some(1), Some(12)).unwrap();
        let pdf = app.code_sheets(&codes, LabelSize::W50H30).unwrap();
        assert!(pdf.starts_with(b"%PDF"));
        let codes = Printable::of(units, None, None).unwrap();
        let error = app.code_sheets(&codes, LabelSize::W50H30).unwrap_err();
        assert_eq!(error.code(), "too_many_codes");
        let blanks = pack(&app, PackKind::Paper, 3, false).await;
        let codes = Printable::of(blanks, None, None).unwrap();
        for issuer in [Issuer::Producer, Issuer::Buyer] {
            let pdf = app.blank_forms(&codes, PaperSize::A5, issuer).unwrap();
            assert!(pdf.starts_with(b"%PDF"));
        }
    }
}
