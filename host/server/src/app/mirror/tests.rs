//! The mirror on an appliance of the demo county in a temporary folder.
#![allow(clippy::unwrap_used)]

mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tempfile::TempDir;
use tianyin_domain::certificate::{Basis, Certificate, CertificateRequest, VoidCertificate};
use tianyin_domain::command::Command;
use tianyin_domain::county::ConfigureCounty;
use tianyin_domain::label_template::{LabelDesign, LabelSize, SaveLabelTemplate};
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::mirror_log::MirrorLog;
use tianyin_domain::{Actor, Date, State, code};

use super::import::{Here, import};
use super::log::Source;
use super::*;
use crate::config::Config;
use crate::http::public::{Home, whole_page};
use crate::texts::Lang;

const URL: &str = "https://ty.example.test";

struct World {
    app: Arc<App>,
    dir: TempDir,
}

/// The demo county; no thread keeps a mirror.
async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { data: dir.path().join("data"), ..Config::default() };
    config.disk.ballast_mib = 0;
    let app = App::open(config).unwrap();
    crate::demo::fill(&app, "correct-horse-9", URL, "127.0.0.1:9100").await.unwrap();
    World { app, dir }
}

impl World {
    fn www(&self) -> PathBuf {
        self.dir.path().join("www")
    }

    fn page(&self, code: &str) -> String {
        std::fs::read_to_string(self.www().join("T").join(code).join("index.html")).unwrap()
    }

    fn lot(&self, product: &str) -> Lot {
        let state: &dyn State = &self.app.store;
        let lots: Vec<Lot> = state.list(lot::BY_OPERATOR, "", 50).unwrap();
        lots.into_iter().find(|lot| lot.product_name.contains(product)).unwrap()
    }

    async fn issue(&self, lot: &Lot) -> String {
        let quantity = "1".parse().unwrap();
        let basis = vec![Basis::QualityControl];
        let request = CertificateRequest::new(lot.id.clone(), quantity, basis);
        let actor = Actor::system("test");
        self.app.issue(&actor, request, None, &[]).await.unwrap().id
    }

    async fn void(&self, code: &str) {
        let void = VoidCertificate { code: code.into(), reason: "数量填错".into() };
        self.app.submit(&Actor::system("test"), Command::VoidCertificate(void)).await.unwrap();
    }

    fn open(&self) -> Work {
        let state = self.app.config.data.join(STATE_FILE);
        Work::open(&self.app, Folder::open(&self.www(), ".part").unwrap(), Some(state)).unwrap()
    }

    /// Works until there is nothing left; pages made.
    fn work(&self, work: &mut Work) -> u64 {
        let mut pages = 0;
        loop {
            let step = work.step(&self.app).unwrap();
            let made = work.take_made();
            assert_eq!(made.fault, None);
            pages += made.pages;
            if step == Step::Idle {
                return pages;
            }
        }
    }

    fn whole(&self, code: &str, lang: Lang) -> String {
        whole_page(&self.app, code, lang, Home::Mirror).unwrap().unwrap()
    }
}

/// Every file, with its bytes' time and node.
fn files(dir: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let (mut all, mut folders) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let found = entry.metadata().unwrap();
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                all.insert(entry.path(), (found.modified().unwrap(), found.ino()));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_exported_and_only_what_changed_is_written() {
    let world = world().await;
    let lot = world.lot("小白菜");
    let (first, second) = (world.issue(&lot).await, world.issue(&lot).await);
    let mut work = world.open();
    assert_eq!(world.work(&mut work), 2);
    for code in [&first, &second] {
        assert_eq!(world.page(code), world.whole(code, Lang::Zh));
        let folder = world.www().join("T").join(code);
        let english = std::fs::read_to_string(folder.join("en.html")).unwrap();
        assert_eq!(english, world.whole(code, Lang::En));
        assert!(std::fs::read_to_string(folder.join("label.svg")).unwrap().contains("<svg"));
        let json = std::fs::read(world.www().join(format!("T/{code}.json"))).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["code"], code.as_str());
    }
    let lost = std::fs::read_to_string(world.www().join("404.html")).unwrap();
    assert!(lost.contains("查无此码") && !lost.contains("public."), "{lost}");
    let key = std::fs::read_to_string(world.www().join("keys/county.pem")).unwrap();
    assert_eq!(key, world.app.signer.current().public_pem());
    assert!(world.www().join("robots.txt").exists());
    assert!(!world.www().join(".part").exists());

    // A void: this page, its JSON and its label, which says so; nothing else is touched.
    let before = files(&world.www());
    world.void(&first).await;
    world.work(&mut work);
    assert!(world.page(&first).contains("数量填错"));
    assert_eq!(world.page(&first), world.whole(&first, Lang::Zh));
    let after = files(&world.www());
    for (path, state) in &before {
        let of_first = path.to_string_lossy().contains(&first);
        assert!(of_first || after[path] == *state, "{}", path.display());
    }
    let page = world.www().join("T").join(&first).join("index.html");
    assert_ne!(after[&page], before[&page]);
    assert_eq!(before.len(), after.len());

    // Another pass over everything finds nothing to write.
    work.begin_anew().unwrap();
    assert_eq!(world.work(&mut work), 2);
    assert_eq!(files(&world.www()), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let world = world().await;
    let lot = world.lot("小白菜");
    let first = world.issue(&lot).await;
    let mut work = world.open();
    world.work(&mut work);
    drop(work);
    // What happens while nobody works is made up for, and nothing else is looked at.
    let other = world.issue(&world.lot("小白菜")).await;
    let mut work = world.open();
    assert_eq!(world.work(&mut work), 2, "of one lot");
    assert_eq!(world.page(&other), world.whole(&other, Lang::Zh));
    drop(work);
    assert_eq!(world.work(&mut world.open()), 0);

    // Another folder is begun anew, and so is a position that is ahead of the journal.
    let mark = world.www().join(MARK_FILE);
    let marked = std::fs::read(&mark).unwrap();
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(world.work(&mut world.open()), 2);
    assert_ne!(std::fs::read(&mark).unwrap(), marked);
    let state = world.app.config.data.join(STATE_FILE);
    let ahead = std::fs::read_to_string(&state).unwrap();
    let mut ahead: serde_json::Value = serde_json::from_str(&ahead).unwrap();
    ahead["through"] = 1_000_000.into();
    std::fs::write(&state, ahead.to_string()).unwrap();
    assert_eq!(world.work(&mut world.open()), 2);
    // The pages of another county are left alone.
    std::fs::write(&mark, r#"{"county":"430322","id":"x"}"#).unwrap();
    let folder = Folder::open(&world.www(), ".part").unwrap();
    assert!(Work::open(&world.app, folder, None).is_err());
    assert_eq!(world.page(&first), world.whole(&first, Lang::Zh));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_to_do_is_done_after_a_crash() {
    let world = world().await;
    let code = world.issue(&world.lot("小白菜")).await;
    let mut work = world.open();
    world.work(&mut work);
    world.void(&code).await;
    // It read the line and no more: the state in the folder is the one before.
    work.step(&world.app).unwrap();
    drop(work);
    assert_eq!(world.work(&mut world.open()), 1);
    assert!(world.page(&code).contains("数量填错"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_root_of_a_page_leads_back_to_it() {
    let world = world().await;
    let lot = world.lot("小白菜");
    let code = world.issue(&lot).await;
    let state: &dyn State = &world.app.store;
    let certificate: Certificate = state.get(&code).unwrap().unwrap();
    for root in [
        format!("lot/{}", lot.id),
        format!("site/{}", lot.site),
        format!("operator/{}", certificate.operator),
        format!("product/{}", certificate.product),
        "codes".to_owned(),
    ] {
        let mut left = vec![reach::Left::new(&root)];
        let mut found = false;
        while let Some(one) = left.pop() {
            found |= one.root == format!("code/{code}");
            left.extend(reach::of(&world.app, &one).unwrap().found);
        }
        assert!(found, "{root}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_county_s_name_stands_on_every_page() {
    let world = world().await;
    let code = world.issue(&world.lot("小白菜")).await;
    let mut work = world.open();
    world.work(&mut work);
    let label = world.www().join("T").join(&code).join("label.svg");
    let before = std::fs::read(&label).unwrap();
    let county = world.app.county().unwrap().unwrap();
    let command = ConfigureCounty {
        area: county.area,
        name: county.name,
        full_name: county.full_name,
        public_url: "https://mirror.example.test".into(),
    };
    let actor = Actor::system("test");
    world.app.submit(&actor, Command::ConfigureCounty(command)).await.unwrap();
    assert_eq!(world.work(&mut work), 1);
    assert_eq!(world.page(&code), world.whole(&code, Lang::Zh));
    assert_ne!(std::fs::read(&label).unwrap(), before, "its QR code has the new address");
    drop(work);
    assert_eq!(world.work(&mut world.open()), 0, "what shapes the pages is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_is_drawn_anew_with_the_template_of_its_product() {
    let world = world().await;
    let lot = world.lot("小白菜");
    let code = world.issue(&lot).await;
    let mut work = world.open();
    world.work(&mut work);
    let label = || {
        let path = world.www().join("T").join(&code).join("label.svg");
        std::fs::read_to_string(path).unwrap()
    };
    assert!(label().contains("width=\"60mm\""));
    for (product, size, width) in [
        (None, LabelSize::W100H70, "100mm"),
        (Some(lot.product.clone()), LabelSize::W70H50, "70mm"),
    ] {
        let save = SaveLabelTemplate {
            label_template: None,
            name: "礼盒".into(),
            product,
            brand: None,
            design: LabelDesign::of_size(size),
        };
        world.app.save_label_template(&Actor::system("test"), save, None, &[]).await.unwrap();
        assert_eq!(world.work(&mut work), 1);
        assert!(label().contains(&format!("width=\"{width}\"")), "{width}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_writes_what_differs() {
    let world = world().await;
    let code = world.issue(&world.lot("小白菜")).await;
    let mut told = 0;
    let exported = export(&world.app, &world.www(), |done, total| {
        assert!(done <= total);
        told += 1;
    });
    let exported = exported.unwrap();
    assert_eq!((exported.pages, exported.faults, told), (1, 0, 1));
    assert!(exported.files >= 8, "{exported:?}");
    assert_eq!(world.page(&code), world.whole(&code, Lang::Zh));
    let again = export(&world.app, &world.www(), |_, _| {}).unwrap();
    assert_eq!((again.pages, again.files), (1, 0));
    let away = world.dir.path().join("no/www");
    assert_eq!(export(&world.app, &away, |_, _| {}).unwrap_err().code(), "mirror_export_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_thread_keeps_the_folder_up_and_tells_when_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { data: dir.path().join("data"), ..Config::default() };
    (config.disk.ballast_mib, config.disk.free_min_mib) = (0, 0);
    config.mirror.dir = Some(dir.path().join("usb/www"));
    let app = App::open(config).unwrap();
    crate::demo::fill(&app, "correct-horse-9", URL, "127.0.0.1:9100").await.unwrap();
    let world = World { app, dir };
    let code = world.issue(&world.lot("小白菜")).await;
    let wait = |what: &str, done: &dyn Fn(&MirrorState) -> bool| {
        let until = Instant::now() + Duration::from_secs(60);
        while !done(&world.app.mirror.state()) {
            assert!(Instant::now() < until, "{what}: {:?}", world.app.mirror.state());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("the missing folder to be told", &|state| state.error.is_some());
    let row = crate::app::health::health(&world.app).rows.into_iter().find(|r| r.part == "mirror");
    assert_eq!(row.unwrap().state, crate::app::health::HealthState::Attention);
    let kept = world.dir.path().join("usb/www");
    assert_eq!(export(&world.app, &kept, |_, _| {}).unwrap_err().code(), "mirror_is_kept");
    std::fs::create_dir(world.dir.path().join("usb")).unwrap();
    wait("the page", &|state| state.error.is_none() && state.complete_at.is_some());
    let page = kept.join("T").join(&code).join("index.html");
    assert!(page.exists());
    world.void(&code).await;
    let is_void = || std::fs::read_to_string(&page).unwrap().contains("数量填错");
    wait("the void", &|_| is_void());
    assert!(world.app.mirror.look_again());
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_of_a_log_are_counted_once() {
    let world = world().await;
    let code = world.issue(&world.lot("小白菜")).await;
    let unknown = code::draw(&mut tianyin_domain::id::SeededRandom(9));
    let line = |second: u32, code: &str| {
        format!("::1 - - [20/Nov/2025:16:00:{second:02} +0800] \"GET /T/{code}/ HTTP/1.1\" 200 9\n")
    };
    let log = [line(1, &code), line(2, &code), line(2, &unknown), "half\n".into()].concat();
    let app = world.app.clone();
    let run = move |log: String| {
        let app = app.clone();
        tokio::task::spawn_blocking(move || {
            let actor = Actor::system("test");
            let mut here = Here { app: &app, actor: &actor };
            import("web-1", vec![Source::Bytes("log".into(), Bytes::from(log))], &mut here).unwrap()
        })
    };
    let told = run(log.clone()).await.unwrap();
    assert_eq!((told.scans, told.other_codes, told.bad, told.lines), (2, 1, 1, 4));
    let again = run(log).await.unwrap();
    assert_eq!((again.scans, again.known), (0, 3));
    let state: &dyn State = &world.app.store;
    let known: code::Code = state.get(&code).unwrap().unwrap();
    let first: Date = "2025-11-20".parse().unwrap();
    assert_eq!(known.scans, 2);
    assert_eq!(known.first_scan_at.map(tianyin_domain::time::china_date), Some(first));
    let log: MirrorLog = state.get("web-1").unwrap().unwrap();
    assert_eq!((log.scans, log.through.lines), (2, 2));
}
