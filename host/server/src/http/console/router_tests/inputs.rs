//! The catalogue of inputs through its pages: versions, sheets, bans by date.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tianyin_domain::input::{self, Input};
use tianyin_domain::{Role, State};

use super::{Browser, Reply, World, world};

const DRUG: [(&str, &str); 8] = [
    ("name", "示例辛硫磷乳油"),
    ("kind", "pesticide"),
    ("registration_no", "pd 20081234"),
    ("substances", "辛硫磷、2,4-滴"),
    ("crop_0", "莲"),
    ("interval_0", "14"),
    ("season_0", "2"),
    ("dose_0", "30 毫升/亩"),
];

fn revised<'a>(version: &'a str, days: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = DRUG.to_vec();
    fields.retain(|(name, _)| *name != "interval_0");
    let more = [
        ("interval_0", days),
        ("version", version),
        ("valid_from", "2026-06-01"),
        ("reason", "标签变更"),
        ("source", "中国农药信息网"),
        ("source_on", "2026-05-30"),
    ];
    fields.extend(more);
    fields
}

fn on_record(world: &World, path: &str) -> Input {
    world.app.store.get(path.rsplit('/').next().unwrap()).unwrap().unwrap()
}

/// The version in a form.
fn version_of(form: &str) -> String {
    let version = form.split("name=\"version\" value=\"").nth(1).unwrap();
    version.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_is_revised_and_the_version_before_stays() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let path = admin.done("/inputs", &DRUG).await;
    let first = on_record(&world, &path);
    assert_eq!(first.registration_no, "PD20081234");
    assert_eq!(first.substances, ["辛硫磷", "2,4-滴"]);
    assert_eq!((first.uses[0].interval_days, first.uses[0].max_uses), (Some(14), Some(2)));
    let twice = admin.post("/inputs", &DRUG).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(twice.text.contains("已经登记为“示例辛硫磷乳油”"), "{}", twice.text);

    let edit = format!("{path}/edit");
    let form = admin.see(&edit).await.text;
    assert!(form.contains("value=\"30 毫升/亩\"") && form.contains("name=\"crop_4\""), "{form}");
    let version = version_of(&form);
    // Without a reason and a source nothing is revised, and nothing typed is lost.
    let mut bare = revised(&version, "20");
    bare.retain(|(name, _)| !matches!(*name, "reason" | "source"));
    let refused = admin.post(&edit, &bare).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("value=\"20\""), "{}", refused.text);

    assert_eq!(admin.done(&edit, &revised(&version, "20")).await, path);
    let now = on_record(&world, &path);
    assert_eq!((now.version, now.uses[0].interval_days), (2, Some(20)));
    let page = admin.see(&path).await.text;
    for told in ["标签变更", "中国农药信息网", "2026-06-01 起", "一直有效", "示例管理员"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert_eq!(page.matches("今天有效").count(), 1);

    // The second of two sees both, and may send its own again.
    let clash = admin.post(&edit, &revised(&version, "21")).await;
    assert_eq!(clash.status, StatusCode::CONFLICT);
    assert!(
        clash.text.contains("间隔 20 天") && clash.text.contains("间隔 21 天"),
        "{}",
        clash.text
    );
    assert_eq!(on_record(&world, &path).version, 2);
    admin.done(&edit, &revised(&version_of(&clash.text), "21")).await;
    assert_eq!(on_record(&world, &path).version, 3);

    let end = [("ended_on", "2026-10-01"), ("reason", "到期未续")];
    admin.done(&format!("{path}/close"), &end).await;
    assert!(admin.see(&path).await.text.contains("登记已终止"));
    let again = admin.post(&format!("{path}/close"), &end).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert_eq!(on_record(&world, &path).version, 4);
    let bare = admin.post(&format!("{path}/close"), &[]).await;
    assert_eq!(bare.status, StatusCode::UNPROCESSABLE_ENTITY);
    let history = admin.see(&format!("{path}/history")).await.text;
    for told in ["登记了投入品", "修订了投入品的登记信息", "到期未续"] {
        assert!(history.contains(told), "{told}: {history}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_searched_by_all_that_people_know() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let path = admin.done("/inputs", &DRUG).await;
    let feed = [("name", "示例配合饲料"), ("kind", "feed")];
    admin.done("/inputs", &feed).await;
    let banned = [("name", "示例旧药"), ("kind", "pesticide"), ("substances", "氧乐果")];
    admin.done("/inputs", &banned).await;
    let seen = async |query: &[(&str, &str)]| {
        let pairs: Vec<String> =
            query.iter().map(|(k, v)| format!("{k}={}", super::encode(v))).collect();
        let page = admin.see(&format!("/inputs?{}", pairs.join("&"))).await.text;
        page.matches("<tr id=\"inp_").count()
    };
    for (query, count) in [
        (vec![], 3),
        (vec![("q", "辛硫磷")], 1),
        (vec![("q", "PD20081234")], 1),
        (vec![("q", "莲")], 1),
        (vec![("q", "slxll")], 1),
        (vec![("q", "没有这个")], 0),
        (vec![("kind", "feed")], 1),
        (vec![("kind", "feed"), ("q", "辛硫磷")], 0),
        (vec![("state", "barred")], 1),
        (vec![("state", "ended")], 0),
        (vec![("state", "current")], 3),
    ] {
        assert_eq!(seen(&query).await, count, "{query:?}");
    }
    let list = admin.see("/inputs").await.text;
    assert!(list.contains("氧乐果:自 2026-06-01 起全面禁用"), "{list}");
    let end = [("ended_on", "2026-10-01"), ("reason", "到期未续")];
    admin.done(&format!("{path}/close"), &end).await;
    assert_eq!(seen(&[("state", "ended")]).await, 1);

    // Producers read it and change nothing.
    let farm = super::everything(&admin).await.operator;
    let id = farm.rsplit('/').next().unwrap().to_owned();
    world.add_user("grower", Role::Producer, Some(id)).await;
    let grower = world.browser("grower").await;
    for page in
        ["/inputs".to_owned(), path.clone(), format!("{path}/history"), "/inputs/banned".into()]
    {
        assert_eq!(grower.see(&page).await.status, StatusCode::OK, "{page}");
    }
    for page in ["/inputs/new".to_owned(), format!("{path}/edit"), "/inputs/import".into()] {
        assert_eq!(grower.see(&page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    for (to, fields) in [("edit", revised("", "1")), ("close", end.to_vec())] {
        let reply = grower.post(&format!("{path}/{to}"), &fields).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{to}");
    }
}

const HEADER: &str = "登记证号,商品名,类型,有效成分,作物/畜种,用量,每季最多使用次数,安全间隔期(天),\
                      休药期(度·日),自哪天起有效,资料来源,查询日期,颜色\n";
const GOOD: &str = "PD1,甲药,农药,甲素,莲,30 毫升/亩,2,14,,,产品标签,2026-05-30,红\n\
                    pd1,,,,水稻,,,21天,,,,,\n\
                    ,商品有机肥,肥料,,,,,,,,,,\n\
                    SY1,鱼药,兽药,恩诺沙星,鲤,,,,500,,,,\n";

async fn check(browser: &Browser<'_>, bytes: &[u8]) -> Reply {
    let mut body = Vec::new();
    for (name, extra, value) in [
        ("form_token", "", browser.form_token.as_bytes()),
        ("file", "; filename=\"目录.csv\"", bytes),
    ] {
        let head = format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"{extra}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--X--\r\n");
    let request = Request::post("/inputs/import")
        .header(header::COOKIE, &browser.cookie)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=X")
        .body(Body::from(body));
    browser.world.send(request.unwrap()).await
}

/// Checks a sheet; where its result is, and the four numbers: new, same, revised, bad.
async fn checked(browser: &Browser<'_>, sheet: &str) -> (String, Vec<usize>, String) {
    let path = check(browser, sheet.as_bytes()).await.goes_to().to_owned();
    let page = browser.see(&path).await.text;
    (path, numbers(&page), page)
}

fn numbers(page: &str) -> Vec<usize> {
    let facts = page.split("class=\"fact\"><b>").skip(1);
    facts.map(|fact| fact.split('<').next().unwrap().parse().unwrap()).collect()
}

fn count(world: &World) -> usize {
    world.app.store.ids(input::ALL, "", 99).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_is_checked_first_and_what_changes_becomes_a_revision() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let sheet = format!("{HEADER}{GOOD}");
    let (path, told, page) = checked(&admin, &sheet).await;
    assert_eq!(told, [3, 0, 0, 0], "{page}");
    assert!(page.contains("颜色"), "what is left out is said");
    assert_eq!(count(&world), 0);
    assert_eq!(numbers(&admin.post(&path, &[]).await.text), [3, 0, 0]);
    let state: &dyn State = &world.app.store;
    let drug: Input = state.find(input::BY_REGISTRATION, "PD1").unwrap().unwrap();
    let uses: Vec<_> = drug.uses.iter().map(|one| (one.crop.as_str(), one.interval_days)).collect();
    assert_eq!(uses, [("莲", Some(14)), ("水稻", Some(21))]);
    assert_eq!((drug.source.as_str(), drug.version), ("产品标签", 1));
    // Used up, and the same again is all on record; so is what goes out, in either encoding.
    assert!(admin.post(&path, &[]).await.text.contains("已失效"));
    assert_eq!(checked(&admin, &sheet).await.1, [0, 3, 0, 0]);
    let out = admin.see("/inputs/export.csv").await.text;
    assert_eq!(checked(&admin, &out).await.1, [0, 3, 0, 0], "{out}");
    let old = tianyin_sheets::read(out.as_bytes()).unwrap();
    let header: Vec<&str> = old.header.iter().map(String::as_str).collect();
    let cells = |row: &tianyin_sheets::Row| -> Vec<String> {
        row.cells.iter().map(|cell| cell.text().unwrap().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = old.rows.iter().map(cells).collect();
    let gb = check(&admin, &tianyin_sheets::csv(&header, &rows, true)).await.goes_to().to_owned();
    assert_eq!(numbers(&admin.see(&gb).await.text), [0, 3, 0, 0]);

    // One crop says otherwise, one is new; the one that the sheet does not name stays.
    let changed = format!(
        "{HEADER}PD1,甲药,农药,甲素,莲,30 毫升/亩,2,20,,2026-06-01,产品标签,,\nPD1,,,,茶,,,7,,,,,\n"
    );
    let (path, told, page) = checked(&admin, &changed).await;
    assert_eq!(told, [0, 0, 1, 0], "{page}");
    for told in ["间隔 14 天", "间隔 20 天", "茶:(无) → 间隔 7 天"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert_eq!(numbers(&admin.post(&path, &[("revisions", "1")]).await.text), [0, 1, 0]);
    let now: Input = state.get(&drug.id).unwrap().unwrap();
    assert_eq!((now.version, now.uses.len(), now.reason.as_str()), (2, 3, "导入目录 目录.csv"));
    assert_eq!(now.interval_days("莲"), Some(20));
    assert_eq!(now.interval_days("水稻"), Some(21));
    assert_eq!(count(&world), 3);
    // Checked before somebody else revised it: refused after all, and nothing is decided over its head.
    let (late, ..) = checked(&admin, &changed.replace(",20,", ",30,")).await;
    let (first, ..) = checked(&admin, &changed.replace(",20,", ",40,")).await;
    assert_eq!(numbers(&admin.post(&first, &[("revisions", "1")]).await.text), [0, 1, 0]);
    assert_eq!(numbers(&admin.post(&late, &[("revisions", "1")]).await.text), [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_row_is_listed_and_its_product_is_left_out() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let rows = "PD1,甲药,农药,甲素,莲,,,14,,,,,\n\
                PD1,乙药,农药,甲素,稻,,,14,,,,,\n\
                PD2,丙药,毒药,丙素,莲,,,14,,,,,\n\
                PD3,丁药,农药,丁素,莲,,,很久,,,,,\n\
                PD4,戊药,农药,戊素,莲,,,,,,,,\n\
                PD5,己药,农药,己素,莲,,,7,,6月1日,,,\n\
                PD6,庚药,农药,庚素,莲,,,7,,,,,\n\
                PD6,庚药,农药,庚素,莲,,,9,,,,,\n\
                PD7,辛药,农药,辛素,莲,,,999,,,,,\n\
                PD8,,,,莲,,,9,,,,,\n\
                PD9,壬药,农药,壬素,莲,,,9,,,,,\n";
    let (path, told, page) = checked(&admin, &format!("{HEADER}{rows}")).await;
    assert_eq!(told, [1, 0, 0, 10], "{page}");
    for told in [
        "商品名与第 2 行同一产品的不一致",
        "同一产品的其他行有问题",
        "不是认得的类型",
        "应为整数",
        "安全间隔期(天) 必填",
        "应为日期",
        "与第 8 行是同一登记证号、同一作物",
        "0–730",
        "商品名 必填",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let file = admin.see(&format!("{path}/bad.csv")).await.text;
    let lines: Vec<&str> = file.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(lines, ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"], "{file}");
    assert_eq!(numbers(&admin.post(&path, &[]).await.text), [1, 0, 0]);
    for (bytes, told) in [(&b"\x89PNG\r\n\x1a\n"[..], "不是表格"), (b"", "必填")] {
        let refused = check(&admin, bytes).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
        assert!(refused.text.contains(told), "{told}: {}", refused.text);
    }
}

/// Trap 10 and R-048: the list of a day, with its version, and nothing of another crop.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_bans_is_that_of_the_day() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let part = |page: &str, title: &str| {
        let from = page.split(&format!("<h3>{title}</h3>")).nth(1).unwrap_or_default();
        from.split("<h3>").next().unwrap().to_owned()
    };
    let before = admin.see("/inputs/banned?on=2026-05-31").await.text;
    assert!(!part(&before, "禁止使用").contains("氧乐果"));
    assert!(part(&before, "部分范围禁止使用").contains("氧乐果"));
    assert!(part(&before, "已公告,将要禁用").contains("氧乐果"));
    let after = admin.see("/inputs/banned?on=2026-06-01").await.text;
    assert!(part(&after, "禁止使用").contains("氧乐果"));
    assert!(!part(&after, "部分范围禁止使用").contains("氧乐果"));
    assert!(after.contains("自 2026-06-01 起") && after.contains("农业农村部公告第736号"));
    assert!(after.contains("湘潭县") && after.contains("名录版本") && after.contains("data-print"));
    let rice = admin.see("/inputs/banned?on=2026-06-01&crop=%E6%B0%B4%E7%A8%BB").await.text;
    assert!(rice.contains("氟苯虫酰胺") && !rice.contains("丁酰肼"), "{rice}");
    assert_eq!(admin.see("/inputs/banned?on=nonsense").await.status, StatusCode::OK);
}
