//! Codes of packs in the mirror, and scans of them.

use tianyin_domain::attachment::Attachment;
use tianyin_domain::certificate::PaperEntry;
use tianyin_domain::code::Code;
use tianyin_domain::pack::{CancelPack, MarkRange, OrderPack, Pack, PackKind};
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::span::SpanState;
use tianyin_domain::time::china_date;

use super::*;
use crate::app::area_rows;

/// Changsha, Shenzhen, Shanghai.
const AREAS: &str = "1.0.1.0/24,4301\n1.0.2.0/24,440300\n1.0.3.0/24,3101\n";
const LOST: &str = "整卷标签丢失";

impl World {
    async fn pack(&self, kind: PackKind, size: u32) -> Pack {
        let order = OrderPack {
            kind,
            size,
            operator: None,
            product: None,
            scratch: kind == PackKind::Unit,
            note: String::new(),
            key_check: String::new(),
        };
        let made = self.app.order_pack(&Actor::system("test"), order, None).await.unwrap();
        self.app.store.get(&made.id).unwrap().unwrap()
    }

    async fn do_it(&self, command: Command) {
        self.app.submit(&Actor::system("test"), command).await.unwrap();
    }

    async fn bind(&self, pack: &Pack, (from, to): (u32, u32), lot: &Lot) {
        let (pack, state, lot) = (pack.id.clone(), SpanState::Bound, Some(lot.id.clone()));
        let reason = String::new();
        let mark = MarkRange { pack, from, to, state, lot, operator: None, reason };
        self.do_it(Command::MarkRange(mark)).await;
    }

    async fn mark(&self, pack: &Pack, (from, to): (u32, u32), state: SpanState) {
        let (pack, reason) = (pack.id.clone(), LOST.to_owned());
        let mark = MarkRange { pack, from, to, state, lot: None, operator: None, reason };
        self.do_it(Command::MarkRange(mark)).await;
    }

    fn unit(&self, pack: &Pack, serial: u32) -> String {
        self.app.code_key.code(pack.number, serial).unwrap()
    }

    fn unit_page(&self, pack: &Pack, serial: u32) -> String {
        self.page(&self.unit(pack, serial))
    }

    /// The page that another one leads to at once.
    fn led_to(&self, page: &str) -> String {
        let to = page.split("content=\"0;url=../../").nth(1).unwrap();
        let lot = to.split("/#").next().unwrap();
        std::fs::read_to_string(self.www().join(lot).join("index.html")).unwrap()
    }

    /// Works until there is nothing left; codes looked at.
    fn work_on_codes(&self, work: &mut Work) -> u64 {
        let mut codes = 0;
        loop {
            let step = work.step(&self.app).unwrap();
            codes += work.take_made().codes;
            if step == Step::Idle {
                return codes;
            }
        }
    }

    async fn import(&self, log: String) -> super::super::import::Imported {
        let app = self.app.clone();
        let run = move || {
            let actor = Actor::system("test");
            let mut here = Here { app: &app, actor: &actor };
            import("web-1", vec![Source::Bytes("log".into(), Bytes::from(log))], &mut here).unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

/// Files that are others now, or new.
fn changed(
    before: &BTreeMap<PathBuf, (SystemTime, u64)>,
    after: &BTreeMap<PathBuf, (SystemTime, u64)>,
) -> Vec<PathBuf> {
    let new = after.iter().filter(|(path, state)| before.get(*path) != Some(*state));
    new.map(|(path, _)| path.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_and_its_certificates_are_one_page_for_all_its_packages() {
    let world = world().await;
    let lot = world.lot("小白菜");
    let pack = world.pack(PackKind::Unit, 1_000).await;
    world.bind(&pack, (1, 10), &lot).await;
    let mut work = world.open();
    assert_eq!(world.work_on_codes(&mut work), 1_000);
    let first = world.unit_page(&pack, 1);
    assert!(first.len() < 400 && first.contains("第 1 件"), "{first}");
    assert!(first.contains("/#P0001-000001\""), "{first}");
    let told = world.led_to(&first);
    assert!(told.contains("还没有合格证") && !told.contains(&lot.no), "{told}");
    assert_eq!(world.led_to(&world.unit_page(&pack, 10)), told);
    let unbound = world.unit_page(&pack, 11);
    assert!(unbound.contains("此码已印制,尚未启用") && !unbound.contains("url="), "{unbound}");

    let before = files(&world.www());
    let code = world.issue(&lot).await;
    assert_eq!(world.work(&mut work), 1);
    let page = world.led_to(&first);
    let whole = whole_page(&world.app, &code, Lang::Zh, Home::MirrorLot).unwrap().unwrap();
    assert_eq!(page, whole);
    for one in ["真实有效", &lot.no, "涂层应当完好", "href=\"../../verify.html\""] {
        assert!(page.contains(one), "{one} in {page}");
    }
    for file in [".json", "/label.svg", "/en.html"] {
        let path = format!("T/{code}{file}");
        assert!(page.contains(&format!("href=\"../../{path}\"")), "{path} in {page}");
        assert!(world.www().join(&path).exists(), "{path}");
    }
    assert!(!page.contains("\"/t/") && !page.contains("/scratch"), "{page}");
    world.void(&code).await;
    world.work(&mut work);
    assert!(world.led_to(&first).contains("数量填错"));
    let other = world.issue(&lot).await;
    world.work(&mut work);
    let page = world.led_to(&first);
    assert!(page.contains("真实有效") && page.contains(&code::grouped(&other)), "{page}");
    // None of the files of a thousand codes was touched.
    let touched = changed(&before, &files(&world.www()));
    for serial in 1..=1_000 {
        let unit = world.unit(&pack, serial);
        assert!(!touched.iter().any(|path| path.to_string_lossy().contains(&unit)), "{serial}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_void_or_waste_says_so_and_leads_nowhere() {
    let world = world().await;
    let lot = world.lot("小白菜");
    world.issue(&lot).await;
    let pack = world.pack(PackKind::Unit, 1_000).await;
    world.bind(&pack, (1, 10), &lot).await;
    world.mark(&pack, (20, 20), SpanState::Waste).await;
    let mut work = world.open();
    world.work(&mut work);
    let before = files(&world.www());
    world.mark(&pack, (3, 4), SpanState::Void).await;
    assert_eq!(world.work_on_codes(&mut work), 2);
    let touched = changed(&before, &files(&world.www()));
    assert_eq!(touched.len(), 2, "only the range: {touched:?}");
    for (serial, words) in [(3, LOST), (4, "此码已作废"), (20, "此码已登记为损耗")] {
        let page = world.unit_page(&pack, serial);
        assert!(page.contains(words) && page.contains("请不要购买"), "{page}");
        assert!(!page.contains("url=") && !page.contains("href"), "{page}");
        assert!(!page.contains(&lot.no) && !page.contains("小白菜"), "{page}");
    }
    assert!(world.led_to(&world.unit_page(&pack, 5)).contains("真实有效"));

    // Why is not told where the county does not want it.
    let policy = ScanPolicy { void_reason: false, ..ScanPolicy::default() };
    world.do_it(Command::SetScanPolicy(policy)).await;
    assert_eq!(world.work_on_codes(&mut work), 2);
    let page = world.unit_page(&pack, 3);
    assert!(page.contains("此码已作废") && !page.contains(LOST), "{page}");
    let cancel = CancelPack { pack: pack.id.clone(), reason: LOST.into() };
    world.do_it(Command::CancelPack(cancel)).await;
    // All but the ten that were bound, and the waste.
    assert_eq!(world.work_on_codes(&mut work), 989);
    assert!(world.unit_page(&pack, 1_000).contains("此码已作废"));
    assert!(world.led_to(&world.unit_page(&pack, 5)).contains("真实有效"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_pack_is_written_by_and_by_and_holds_up_nothing() {
    let world = world().await;
    let lot = world.lot("小白菜");
    let pack = world.pack(PackKind::Unit, 5_000).await;
    world.mark(&pack, (4_900, 4_999), SpanState::Void).await;
    let mut work = world.open();
    let mut codes = 0;
    while codes == 0 {
        assert_eq!(work.step(&world.app).unwrap(), Step::Worked);
        codes += work.take_made().codes;
    }
    assert!((100..=1_000).contains(&codes), "{codes}");
    assert!(world.unit_page(&pack, 4_999).contains(LOST), "what must not be bought comes first");
    let told = work.told().units;
    assert_eq!(told.under_way, Some((pack.no(), u32::try_from(codes).unwrap(), 5_000)));
    assert_eq!((told.packs, told.short), (1, None));
    let folders = |www: &Path| std::fs::read_dir(www.join("T")).unwrap().count() as u64;
    assert_eq!(folders(&world.www()), codes);

    // A certificate and a void come in between.
    let code = world.issue(&lot).await;
    world.void(&code).await;
    let page = world.www().join("T").join(&code).join("index.html");
    let is_void = || std::fs::read_to_string(&page).is_ok_and(|page| page.contains("数量填错"));
    while !is_void() {
        work.step(&world.app).unwrap();
    }
    assert_eq!(work.take_made().codes, 0, "before the next code of the pack");

    // It ends without having noted how far it was: what is written is known nevertheless.
    drop(work);
    let mut work = world.open();
    assert_eq!(codes + world.work_on_codes(&mut work), 5_000);
    let all = files(&world.www());
    drop(work);
    let mut work = world.open();
    assert_eq!(world.work_on_codes(&mut work), 0);
    work.begin_anew().unwrap();
    assert_eq!(world.work_on_codes(&mut work), 5_000, "every file is looked at");
    assert_eq!(files(&world.www()), all, "and none written");

    let exported = export(&world.app, &world.dir.path().join("usb"), |done, total| {
        assert!(done <= total && total == 5_001, "{done} of {total}");
    });
    let exported = exported.unwrap();
    assert_eq!((exported.pages, exported.codes, exported.faults), (1, 5_000, 0));
    assert_eq!(folders(&world.dir.path().join("usb")), folders(&world.www()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_form_has_the_page_of_its_certificate_once_it_is_entered() {
    let world = world().await;
    let lot = world.lot("小白菜");
    let pack = world.pack(PackKind::Paper, 5).await;
    let mut work = world.open();
    assert_eq!(world.work_on_codes(&mut work), 5);
    assert!(world.unit_page(&pack, 2).contains("空白合格证尚未录入"));
    let mut upload = world.app.blobs.begin().unwrap();
    upload.write(b"\xff\xd8\xff a photo of the paper").unwrap();
    let actor = Actor::system("test");
    let blob = world.app.keep_blob(&actor, upload).unwrap();
    let photo = Attachment {
        hash: blob.hash.clone(),
        kind: blob.kind,
        bytes: blob.bytes,
        name: "paper.jpg".into(),
    };
    let (code, issued_on) = (world.unit(&pack, 2), china_date(now()));
    let paper = PaperEntry { code: code.clone(), issued_on, attachments: vec![photo] };
    let basis = vec![Basis::QualityControl];
    let request = CertificateRequest::new(lot.id.clone(), "1".parse().unwrap(), basis);
    let request = CertificateRequest { paper: Some(paper), ..request };
    world.app.issue(&actor, request, None, &[]).await.unwrap();
    assert_eq!(world.work(&mut work), 1);
    assert_eq!(world.page(&code), world.whole(&code, Lang::Zh));
    // Nor does a look at everything put anything else in its place.
    work.begin_anew().unwrap();
    world.work(&mut work);
    assert_eq!(world.page(&code), world.whole(&code, Lang::Zh));
    assert!(world.unit_page(&pack, 3).contains("空白合格证尚未录入"));
    assert!(!world.www().join("lots").exists(), "no package leads to this lot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_package_is_noticed_in_the_third_city_of_a_log() {
    let world = world().await;
    let table = area_rows::read(AREAS.as_bytes()).unwrap().table;
    table.save(&world.app.config.data).unwrap();
    world.app.areas.renew();
    let lot = world.lot("小白菜");
    world.issue(&lot).await;
    let pack = world.pack(PackKind::Unit, 1_000).await;
    world.bind(&pack, (1, 10), &lot).await;
    let mut work = world.open();
    world.work(&mut work);
    let (unit, before) = (world.unit(&pack, 7), world.unit_page(&pack, 7));
    let lot_page = before.split("url=../..").nth(1).unwrap().split('#').next().unwrap().to_owned();
    let line = |second: u32, address: &str, path: &str| {
        format!(
            "{address} - - [20/Nov/2025:16:00:{second:02} +0800] \"GET {path} HTTP/1.1\" 200 9\n"
        )
    };
    // Each follows the file of the code to the page of the lot, which is no second scan.
    let scan = |second: u32, address: &str| {
        let unit = line(second, address, &format!("/T/{unit}/"));
        [unit, line(second, address, &lot_page)].concat()
    };
    let two = world.import([scan(1, "1.0.1.7"), scan(2, "1.0.2.7")].concat()).await;
    assert_eq!((two.scans, two.others, two.bad), (2, 2, 0));
    let state: &dyn State = &world.app.store;
    let known: Code = state.get(&unit).unwrap().unwrap();
    assert!(known.suspicion.is_none() && known.areas.len() == 2, "{known:?}");
    world.work(&mut work);
    assert_eq!(world.unit_page(&pack, 7), before);

    let log = [1, 2, 3].map(|n| scan(n, &format!("1.0.{n}.7"))).concat();
    let third = world.import(log).await;
    assert_eq!((third.scans, third.known), (1, 4));
    let known: Code = state.get(&unit).unwrap().unwrap();
    let cities: Vec<&str> = known.areas.iter().map(|one| one.area.as_str()).collect();
    assert_eq!((known.scans, cities), (3, vec!["4301", "4403", "3101"]));
    assert!(known.suspicion.is_some());
    world.work(&mut work);
    let page = world.unit_page(&pack, 7);
    assert!(page.contains("此码扫描异常(出现在 3 个地市)"), "{page}");
    assert!(page.contains(&format!("href=\"../..{lot_page}#")) && !page.contains("url="), "{page}");
    assert!(world.led_to(&world.unit_page(&pack, 8)).contains("真实有效"));
    for file in std::fs::read_dir(world.app.config.data.join("journal")).unwrap() {
        let text = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("1.0.3.7"), "an address is kept");
    }
}
