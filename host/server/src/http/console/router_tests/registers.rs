//! Agencies, accounts, sites and products as sheets: what goes out comes back, and nothing twice.

use axum::http::StatusCode;
use tianyin_domain::agency::{self, Agency};
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::product::{self, Product};
use tianyin_domain::site::{self, Site};
use tianyin_domain::state::{Entity, Index};
use tianyin_domain::user::{self, User};
use tianyin_domain::{Role, State};

use super::imports::{check_at, numbers};
use super::{Browser, World, world};

fn find<E: Entity>(world: &World, index: Index, part: &str) -> Option<E> {
    let state: &dyn State = &world.app.store;
    state.find(index, part).unwrap()
}

fn count(world: &World, index: Index) -> u64 {
    world.app.store.count(index, "").unwrap()
}

/// Checks and accepts a sheet; the page that says what it came to.
async fn bring(browser: &Browser<'_>, register: &str, sheet: &str, wanted: [usize; 4]) -> String {
    let checked = check_at(browser, register, sheet.as_bytes()).await.goes_to().to_owned();
    let page = browser.see(&checked).await.text;
    assert_eq!(numbers(&page), wanted, "{page}");
    browser.post(&checked, &[("changes", "1")]).await.text
}

/// Two operators, of which one shares its name with another township's.
async fn operators(world: &World, admin: &Browser<'_>) -> Vec<Operator> {
    let sheet = "名称,类型,统一社会信用代码,乡镇,联系电话\n\
                 甲社,农民专业合作社,91350100M000100Y43,430321103,0731-1\n\
                 李示例,农户,,430321103,13812345678\n\
                 李示例,农户,,430321104,13812345679\n";
    bring(admin, "/operators", sheet, [3, 0, 0, 0]).await;
    let state: &dyn State = &world.app.store;
    state.list(operator::BY_STATUS, "", 9).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn agencies_and_accounts_come_as_sheets_with_passwords_seen_once() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let of_county = "机构名称,机构类型,乡镇\n县农业农村局,监管机构,\n花石站,乡镇监管站,430321103\n";
    bring(&admin, "/agencies", of_county, [2, 0, 0, 0]).await;
    let station: Agency = find(&world, agency::BY_NAME, "花石站").unwrap();
    assert_eq!(station.area, "430321103");
    // Twice is once; the same name for something else is refused with its line.
    let again = of_county.replace("花石站,乡镇监管站", "花石站,村级服务站点");
    bring(&admin, "/agencies", &again, [0, 1, 0, 1]).await;
    let out = admin.see("/agencies/export.csv").await.text;
    bring(&admin, "/agencies", &out, [0, 2, 0, 0]).await;

    let people = "姓名,用户名,角色,机构\n\
                  王站长,wang,管理员,花石站\n\
                  赵业务,Zhao,业务员,花石站\n\
                  钱站长,qian,管理员,花石站\n\
                  孙某,sun,业务员,没有的站\n\
                  周某,周,业务员,花石站\n";
    let text = bring(&admin, "/users", people, [2, 0, 0, 3]).await;
    assert_eq!(numbers(&text), [2, 0, 0], "{text}");
    assert_eq!(count(&world, user::ALL), 3, "with the administrator");
    // The password on the page is the one that works, and has to be changed.
    let at = text.split("<td class=\"code\" data-l=\"初始密码\">").nth(1).unwrap();
    let password = at.split('<').next().unwrap().to_owned();
    let (_, session) =
        world.app.sign_in("wang", &password, std::net::Ipv4Addr::LOCALHOST.into()).await.unwrap();
    assert_eq!(session.due, Some(crate::app::accounts::Due::Password));
    // It comes back as it went out; a known account is not changed by a sheet.
    let out = admin.see("/users/export.csv").await.text;
    assert!(out.contains("王站长,wang,管理员,花石站") && !out.contains(&password), "{out}");
    bring(&admin, "/users", &out, [0, 3, 0, 0]).await;
    bring(&admin, "/users", &people.replace("赵业务", "赵某"), [0, 1, 0, 4]).await;

    // A search finds people by name, sign-in name and initials.
    for (text, found) in [("站长", true), ("WANG", true), ("wzz", true), ("没有", false)] {
        let page = admin.see(&format!("/users?q={text}")).await.text;
        assert_eq!(page.contains(">王站长<"), found, "{text}");
    }
    // a station's administrator allocates in its own agency and no other.
    let wang: User = find(&world, user::BY_NAME, "wang").unwrap();
    world
        .app
        .reset_password(
            &tianyin_domain::Actor::system("test"),
            "wang",
            super::INITIAL.to_owned(),
            true,
        )
        .await
        .unwrap();
    assert_eq!(wang.role, Role::Administrator);
    let head = world.first_browser("wang").await;
    let others = "姓名,用户名,角色,机构\n吴某,wu,业务员,花石站\n郑某,zheng,业务员,县农业农村局\n";
    bring(&head, "/users", others, [1, 0, 0, 1]).await;
    assert!(!head.see("/users/export.csv").await.text.contains("示例管理员"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_and_products_are_told_by_operator_and_name() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let all = operators(&world, &admin).await;
    let code = &all.iter().find(|one| one.name == "李示例").unwrap().code;

    let sites = format!(
        "主体码,主体,产地名称,产地类型,乡镇,面积(亩),位置\n\
         91350100M000100Y43,,一号田,大田,,36.5,\"112.873512,27.463018\"\n\
         ,甲社,二号棚,设施大棚,430321104,3,\n\
         {code},,李家塘,鱼塘、水面,,2,\n\
         ,李示例,不知谁家,大田,,2,\n\
         ,甲社,二号棚,设施大棚,,4,\n\
         ,无此社,三号,温室,无此乡,很大,这里\n"
    );
    let checked = check_at(&admin, "/sites", sites.as_bytes()).await.goes_to().to_owned();
    let page = admin.see(&checked).await.text;
    assert_eq!(numbers(&page), [3, 0, 0, 3], "{page}");
    for told in ["有几个主体同名", "与第 3 行是同一个", "没有找到这个主体", "应为数字", "经度,纬度"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    admin.post(&checked, &[]).await;
    assert_eq!(count(&world, site::BY_OPERATOR), 3);
    let out = admin.see("/sites/export.csv").await.text;
    bring(&admin, "/sites", &out, [0, 3, 0, 0]).await;
    // A correction keeps what the sheet does not say.
    let bigger = "主体,产地名称,产地类型,面积(亩)\n甲社,一号田,大田,40\n";
    bring(&admin, "/sites", bigger, [0, 0, 1, 0]).await;
    let state: &dyn State = &world.app.store;
    let all: Vec<Site> = state.list(site::BY_OPERATOR, "", 9).unwrap();
    let field = all.iter().find(|one| one.name == "一号田").unwrap();
    assert_eq!((field.size_mu.to_string().as_str(), field.position.is_some()), ("40", true));

    let products = format!(
        "主体码,主体,产品名称,类别,作物/畜种,计量单位,不适用酶抑制法\n\
         ,甲社,鲜莲,蔬菜(含食用菌),莲,公斤,否\n\
         {code},,草鱼,养殖水产品,草鱼,公斤,也许\n"
    );
    let page = bring(&admin, "/products", &products, [1, 0, 0, 1]).await;
    assert_eq!(numbers(&page), [1, 0, 0], "{page}");
    let out = admin.see("/products/export.csv?encoding=gb18030").await;
    assert_eq!(out.status, StatusCode::OK);
    let short = "主体,产品名称,类别,计量单位\n甲社,鲜莲,蔬菜(含食用菌),斤\n";
    bring(&admin, "/products", short, [0, 0, 1, 0]).await;
    let state: &dyn State = &world.app.store;
    let all: Vec<Product> = state.list(product::BY_OPERATOR, "", 9).unwrap();
    assert_eq!((all[0].unit.as_str(), all[0].crop.as_str()), ("斤", "莲"));
}

/// nothing of another township is found, changed or told by a station's sheet.
#[tokio::test(flavor = "multi_thread")]
async fn a_stations_sheet_reaches_its_own_township() {
    let world = world().await;
    let admin = world.browser("admin").await;
    operators(&world, &admin).await;
    let agencies = "机构名称,机构类型,乡镇\n别处站,乡镇监管站,430321104\n";
    bring(&admin, "/agencies", agencies, [1, 0, 0, 0]).await;
    let people = "姓名,用户名,角色,机构\n别处站长,far,管理员,别处站\n";
    bring(&admin, "/users", people, [1, 0, 0, 0]).await;
    let system = tianyin_domain::Actor::system("test");
    world.app.reset_password(&system, "far", super::INITIAL.to_owned(), true).await.unwrap();
    let far = world.first_browser("far").await;
    let sites = "主体,产地名称,产地类型,面积(亩)\n甲社,一号田,大田,3\n李示例,塘,鱼塘、水面,2\n";
    let checked = check_at(&far, "/sites", sites.as_bytes()).await.goes_to().to_owned();
    let page = far.see(&checked).await.text;
    assert_eq!(numbers(&page), [1, 0, 0, 1], "{page}");
    assert!(page.contains("没有找到这个主体"), "{page}");
    // What somebody checked, nobody else accepts, and not as another register.
    assert!(admin.post(&checked, &[]).await.text.contains("已失效"));
    let elsewhere = checked.replace("/sites/", "/products/");
    assert!(far.post(&elsewhere, &[]).await.text.contains("已失效"));
    far.post(&checked, &[]).await;
    assert_eq!(count(&world, site::BY_OPERATOR), 1);
    let out = far.see("/sites/export.csv").await.text;
    assert!(out.contains("塘") && !out.contains("一号田"), "{out}");
}
