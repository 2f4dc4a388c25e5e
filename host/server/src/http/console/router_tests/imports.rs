//! A register that comes as a sheet and goes out as one.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tianyin_domain::Role;
use tianyin_domain::access::{self, Access};
use tianyin_domain::agency::{self, Agency};
use tianyin_domain::operator::{self, Operator, OperatorStatus};
use tianyin_domain::user::{self, User};

use super::{Browser, Reply, World, world};

const HEADER: &str = "名称,类型,统一社会信用代码,乡镇,详细地址,联系人,联系电话,备注\n";
const GOOD: &str = "示例合作社,农民专业合作社,91350100M000100Y43,{},日华村,张示例,0731-57000000,甲\n\
                    李示例,农户,,430321103,,李示例,13812345678,乙\n";

/// The sheet with a township's name.
fn sheet(rows: &str) -> String {
    let township = crate::regions::name("430321103").unwrap();
    format!("{HEADER}{}", rows.replace("{}", township))
}

async fn check(browser: &Browser<'_>, bytes: &[u8]) -> Reply {
    check_at(browser, "/operators", bytes).await
}

/// Sends a file of a register for checking; where its result is.
pub(super) async fn check_at(browser: &Browser<'_>, register: &str, bytes: &[u8]) -> Reply {
    let mut body = Vec::new();
    for (name, extra, value) in [
        ("form_token", "", browser.form_token.as_bytes()),
        ("file", "; filename=\"主体.csv\"", bytes),
    ] {
        body.extend_from_slice(
            format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"{extra}\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--X--\r\n");
    let request = Request::post(format!("{register}/import"))
        .header(header::COOKIE, &browser.cookie)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=X")
        .body(Body::from(body));
    browser.world.send(request.unwrap()).await
}

fn operators(world: &World) -> u64 {
    world.app.store.count(operator::BY_STATUS, "").unwrap()
}

/// a station of another township finds, takes out and looks into nothing of this one.
#[tokio::test(flavor = "multi_thread")]
async fn no_search_file_or_history_leaves_the_sight() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let checked = check(&admin, sheet(GOOD).as_bytes()).await.goes_to().to_owned();
    admin.post(&checked, &[("approve", "1")]).await;
    let ids = tianyin_domain::State::ids(&world.app.store, operator::BY_STATUS, "", 9).unwrap();
    for (name, area) in [("花石站", "430321103"), ("别处站", "430321104")] {
        let agency = [("kind", "station"), ("name", name), ("area", area)];
        admin.done("/agencies", &agency).await;
        let agency: Agency =
            <dyn tianyin_domain::State>::find(&world.app.store, agency::BY_NAME, name)
                .unwrap()
                .unwrap();
        let username = format!("s{area}");
        let account = [
            ("name", "示例"),
            ("username", username.as_str()),
            ("role", "administrator"),
            ("agency", agency.id.as_str()),
            ("password", super::INITIAL),
        ];
        admin.done("/users", &account).await;
    }
    for (username, sees) in [("s430321103", true), ("s430321104", false)] {
        let station = world.first_browser(username).await;
        for path in [
            "/operators?q=示例",
            "/operators?q=slhzs",
            "/operators?q=91350100",
            "/operators/export.csv",
        ] {
            let path = path.replace("示例", "%E7%A4%BA%E4%BE%8B");
            let told = station.see(&path).await.text.contains("示例合作社");
            assert_eq!(told, sees, "{username} {path}");
        }
        let wanted = if sees { StatusCode::OK } else { StatusCode::NOT_FOUND };
        for id in &ids {
            for page in ["", "/history", "/edit"] {
                let path = format!("/operators/{id}{page}");
                assert_eq!(station.see(&path).await.status, wanted, "{username} {path}");
            }
            let paper = format!("/documents/new?operator={id}");
            assert_eq!(station.see(&paper).await.status, wanted, "{username} {paper}");
        }
        // Whose accounts are not its own, whose sessions and accesses are not either.
        let user: User =
            <dyn tianyin_domain::State>::find(&world.app.store, user::BY_NAME, "admin")
                .unwrap()
                .unwrap();
        let page = format!("/users/{}", user.id);
        assert_eq!(station.see(&page).await.status, StatusCode::NOT_FOUND);
        assert!(!station.see("/accesses").await.text.contains("示例管理员"));
    }
    // Of a row of another township a station's sheet says that it is forbidden, and writes nothing.
    let far = world.browser("s430321104").await;
    let row = sheet("远社,农民专业合作社,91110000600037341L,{},,,0731-1,\n");
    let checked = check(&far, row.as_bytes()).await.goes_to().to_owned();
    assert_eq!(numbers(&far.see(&checked).await.text), [0, 0, 0, 1]);
}

/// What the four numbers of the checked page say: new, same, different, bad.
pub(super) fn numbers(page: &str) -> Vec<usize> {
    let facts = page.split("class=\"fact\"><b>").skip(1);
    facts.map(|fact| fact.split('<').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_before_it_is_accepted_and_nothing_twice() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let gb = tianyin_sheets::csv(
        &["名称", "类型", "统一社会信用代码", "乡镇", "详细地址", "联系人", "联系电话", "备注"],
        &sheet(GOOD)
            .lines()
            .skip(1)
            .map(|line| line.split(',').map(str::to_owned).collect())
            .collect::<Vec<_>>(),
        true,
    );
    let checked = check(&admin, &gb).await.goes_to().to_owned();
    let page = admin.see(&checked).await.text;
    assert_eq!(numbers(&page), [2, 0, 0, 0], "{page}");
    assert!(page.contains("备注"), "what is left out is said");
    assert_eq!(operators(&world), 0);
    let other = check(&admin, sheet(GOOD).as_bytes()).await.goes_to().to_owned();
    let result = admin.post(&checked, &[("approve", "1")]).await;
    assert_eq!(numbers(&result.text), [2, 0, 0], "{}", result.text);
    let all: Vec<Operator> =
        tianyin_domain::State::ids(&world.app.store, operator::BY_STATUS, "approved", 9)
            .unwrap()
            .iter()
            .map(|id| world.app.store.get(id).unwrap().unwrap())
            .collect();
    let person = all.iter().find(|one| one.name == "李示例").unwrap();
    assert_eq!(person.contact_phone, "138****5678");
    assert_eq!(world.app.contact_phone(person).unwrap(), "13812345678");
    // Used up; the same sheet, checked before that, is refused row by row, and changes nothing.
    assert!(admin.post(&checked, &[]).await.text.contains("已失效"));
    let late = admin.post(&other, &[]).await;
    assert_eq!(numbers(&late.text), [0, 0, 2], "{}", late.text);
    // Checked again, it is all on record; with another address, it differs.
    let again = check(&admin, sheet(GOOD).as_bytes()).await.goes_to().to_owned();
    assert_eq!(numbers(&admin.see(&again).await.text), [0, 2, 0, 0]);
    let moved = sheet(GOOD).replace("日华村", "清塘村");
    let moved = check(&admin, moved.as_bytes()).await.goes_to().to_owned();
    assert_eq!(numbers(&admin.see(&moved).await.text), [0, 1, 1, 0]);
    assert_eq!(numbers(&admin.post(&moved, &[("changes", "1")]).await.text), [0, 1, 0]);
    assert_eq!(operators(&world), 2);
    let farm = all.iter().find(|one| one.name == "示例合作社").unwrap();
    let farm: Operator = world.app.store.get(&farm.id).unwrap().unwrap();
    assert_eq!((farm.address.as_str(), farm.status), ("清塘村", OperatorStatus::Approved));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_row_is_listed_with_its_line() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let rows = "甲社,合伙,91350100M000100Y43,{},,,0731-1,\n\
                乙社,农民专业合作社,91350211M00013FA1N,无此乡,,,0731-1,\n\
                丙社,农民专业合作社,91350211M00013FA1N,{},,,,\n\
                丁社,农民专业合作社,91110000600037341L,{},,,0731-1,\n\
                戊社,农民专业合作社,91110000600037341L,{},,,0731-2,\n";
    let checked = check(&admin, sheet(rows).as_bytes()).await.goes_to().to_owned();
    let page = admin.see(&checked).await.text;
    assert_eq!(numbers(&page), [1, 0, 0, 4], "{page}");
    for told in ["类型 应为下面之一", "不是本县的乡镇", "联系电话:", "已经登记在“丁社”名下"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    let file = admin.see(&format!("{checked}/bad.csv")).await.text;
    let lines: Vec<&str> = file.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(lines, ["2", "3", "4", "6"], "{file}");
    assert_eq!(numbers(&admin.post(&checked, &[]).await.text), [1, 0, 0]);

    for (bytes, told) in [
        (&b"\x89PNG\r\n\x1a\n"[..], "不是表格"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "旧版"),
        ("名称,类型\n甲,农户\n".as_bytes(), "乡镇、联系电话"),
        (b"", "必填"),
    ] {
        let refused = check(&admin, bytes).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
        assert!(refused.text.contains(told), "{told}: {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_out_is_in_sight_on_record_and_can_come_back() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let checked = check(&admin, sheet(GOOD).as_bytes()).await.goes_to().to_owned();
    admin.post(&checked, &[]).await;
    let out = admin.see("/operators/export.csv").await.text;
    assert!(out.contains("示例合作社") && out.contains("138****5678"), "{out}");
    assert!(!out.contains("13812345678"), "a person's phone does not leave in full");
    let back = check(&admin, out.as_bytes()).await.goes_to().to_owned();
    assert_eq!(numbers(&admin.see(&back).await.text), [0, 2, 0, 0]);
    let noted = tianyin_domain::State::ids(&world.app.store, access::BY_KIND, "export", 9).unwrap();
    let noted: Access = world.app.store.get(&noted[0]).unwrap().unwrap();
    assert_eq!((noted.rows, noted.what.as_str()), (2, "operator-list.csv"));
    let page = admin.see("/accesses").await.text;
    assert!(page.contains("导出") && page.contains("登录"), "{page}");

    // A producer takes nothing out, and brings nothing in.
    let ids = tianyin_domain::State::ids(&world.app.store, operator::BY_STATUS, "", 9).unwrap();
    world.add_user("grower", Role::Producer, Some(ids[0].clone())).await;
    let grower = world.browser("grower").await;
    for path in
        ["/operators/export.csv", "/operators/export.xlsx", "/operators/import", "/accesses"]
    {
        assert_eq!(grower.see(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let brought = check(&grower, sheet(GOOD).as_bytes()).await;
    assert_eq!(brought.status, StatusCode::FORBIDDEN);
}
