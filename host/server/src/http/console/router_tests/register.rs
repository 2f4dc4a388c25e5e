//! Sites on the map, products, brands, certifications and ID cards, through the pages.

use axum::http::StatusCode;
use tianyin_domain::Role;
use tianyin_domain::attachment::Attachment;
use tianyin_domain::id_card::{IdCard, IdCardStatus};
use tianyin_domain::position::Position;
use tianyin_domain::product::Product;
use tianyin_domain::site::Site;

use super::{Browser, World, world};

const COOPERATIVE: [(&str, &str); 6] = [
    ("kind", "cooperative"),
    ("name", "示例莲社"),
    ("uscc", "914301020000000010"),
    ("area", "430321103"),
    ("contact_name", "示例"),
    ("contact_phone", "0731-57000000"),
];

/// An approved operator with its own user `owner`, and a product.
async fn farm(world: &World) -> (String, String) {
    let admin = world.browser("admin").await;
    let path = admin.done("/operators", &COOPERATIVE).await;
    admin.done(&format!("{path}/review"), &[("status", "approved")]).await;
    let operator = path.rsplit('/').next().unwrap().to_owned();
    world.add_user("owner", Role::Producer, Some(operator.clone())).await;
    let product = [("name", "湘莲"), ("class", "vegetable"), ("crop", "莲"), ("unit", "公斤")];
    admin.done(&format!("{path}/products"), &product).await;
    let state: &dyn tianyin_domain::State = &world.app.store;
    let product: Product =
        state.find(tianyin_domain::product::BY_OPERATOR, &operator).unwrap().unwrap();
    (operator, product.id)
}

fn photo(world: &World, actor: &str, content: &[u8]) -> String {
    let mut upload = world.app.blobs.begin().unwrap();
    upload.write(content).unwrap();
    let blob = upload.finish(&world.app.blobs, actor).unwrap();
    let attachment =
        Attachment { hash: blob.hash, kind: blob.kind, bytes: blob.bytes, name: "a.jpg".into() };
    serde_json::to_string(&attachment).unwrap()
}

fn user_id(world: &World, username: &str) -> String {
    let state: &dyn tianyin_domain::State = &world.app.store;
    let user: tianyin_domain::user::User =
        state.find(tianyin_domain::user::BY_NAME, username).unwrap().unwrap();
    format!("user/{}", user.id)
}

const CORNERS: &str = "112.9,27.8\r\n112.901,27.8\r\n112.901,27.801\r\n112.9,27.801";

async fn site(browser: &Browser<'_>, operator: &str, name: &str, position: &str) -> String {
    let fields = [
        ("operator", operator),
        ("name", name),
        ("kind", "pond"),
        ("size_mu", "16"),
        ("area", "430321103"),
        ("position", position),
        ("outline", CORNERS),
    ];
    browser.done("/sites", &fields).await
}

#[tokio::test]
async fn a_site_is_drawn_and_is_on_the_map_of_those_who_may_see_it() {
    let world = world().await;
    let (operator, _) = farm(&world).await;
    let owner = world.browser("owner").await;
    let path = site(&owner, &operator, "二号塘", "112.9005, 27.8005").await;
    let id = path.rsplit('/').next().unwrap();
    let on_record: Site = world.app.store.get(id).unwrap().unwrap();
    assert_eq!(on_record.outline.len(), 4);
    world.app.places.note(&on_record);
    let map = owner.see("/map").await.text;
    assert!(map.contains(&format!("href=\"{path}\"")) && map.contains("二号塘"), "{map}");
    assert!(map.contains("class=\"map-plot\""), "{map}");
    let around = owner.see("/map/around.json?part=112.8,27.7,113,27.9").await.text;
    assert!(around.contains("112.900500,27.800500"), "{around}");

    // Of another operator's there is nothing, on the page, on the map, in the file.
    let other = [COOPERATIVE[0], ("name", "他社"), ("uscc", "91350100M000100Y43"), COOPERATIVE[3]];
    let other = [other.as_slice(), &COOPERATIVE[4..]].concat();
    let other = world.browser("admin").await.done("/operators", &other).await;
    let other = other.rsplit('/').next().unwrap().to_owned();
    world.add_user("other", Role::Producer, Some(other)).await;
    let other = world.browser("other").await;
    for address in ["/map", "/map/around.json", "/sites", "/sites?status=missing"] {
        let text = other.see(address).await.text;
        assert!(!text.contains("二号塘") && !text.contains(id), "{address}");
    }
    assert_eq!(other.see(&path).await.status, StatusCode::NOT_FOUND);

    let edit = format!("{path}/edit");
    let wrong = owner.post(
        &edit,
        &[
            ("name", "二号塘"),
            ("kind", "pond"),
            ("size_mu", "16"),
            ("area", "430321103"),
            ("position", "27.8,112.9"),
            ("outline", "112.9,27.8\nx"),
        ],
    );
    let wrong = wrong.await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("经度,纬度"), "{}", wrong.text);

    owner.done(&format!("{path}/close"), &[("reason", "退塘")]).await;
    let closed: Site = world.app.store.get(id).unwrap().unwrap();
    world.app.places.note(&closed);
    assert!(!owner.see("/map").await.text.contains("二号塘"));
    assert!(owner.see(&path).await.text.contains("退塘"));
}

#[tokio::test]
async fn a_site_without_a_place_is_listed_until_it_has_one() {
    let world = world().await;
    let (operator, _) = farm(&world).await;
    let admin = world.browser("admin").await;
    let quick = [("name", "一号田"), ("size_mu", "3"), ("area", "430321103")];
    admin.done(&format!("/operators/{operator}/sites"), &quick).await;
    let missing = admin.see("/sites?status=missing").await.text;
    assert!(missing.contains("一号田"), "{missing}");
    let state: &dyn tianyin_domain::State = &world.app.store;
    let found: Site = state.find(tianyin_domain::site::BY_OPERATOR, &operator).unwrap().unwrap();
    let edit = format!("/sites/{}/edit", found.id);
    let form = admin.see(&edit).await.text;
    let version = form.split("name=\"version\" value=\"").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    let with = |position: &'static str, version| {
        [
            ("name", "一号田"),
            ("kind", "field"),
            ("size_mu", "3"),
            ("area", "430321103"),
            ("position", position),
            ("version", version),
        ]
    };
    admin.done(&edit, &with("112.9,27.8", version)).await;
    let now: Site = world.app.store.get(&found.id).unwrap().unwrap();
    world.app.places.note(&now);
    assert_eq!(now.position, Some("112.9,27.8".parse::<Position>().unwrap()));
    assert!(!admin.see("/sites?status=missing").await.text.contains("一号田"));
    // The second of two sees both.
    let second = admin.post(&edit, &with("112.95,27.85", version)).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.text.contains("112.900000,27.800000") && second.text.contains("112.95,27.85"));
}

#[tokio::test]
async fn a_product_goes_from_register_to_published_id_card() {
    // collected by the producer, reviewed and published by the county.
    let world = world().await;
    let (operator, product) = farm(&world).await;
    let (admin, owner) = (world.browser("admin").await, world.browser("owner").await);
    let page = format!("/products/{product}/id-card");

    // What speaks for it: a licensed brand, a certification, a procedure, a shop.
    let brand = [("name", "湘潭湘莲"), ("kind", "regional"), ("owner_name", "湘莲协会")];
    let brand_page = admin.done("/brands", &brand).await;
    let brand_id = brand_page.rsplit('/').next().unwrap().to_owned();
    assert!(!owner.see(&page).await.text.contains("湘潭湘莲"), "not licensed yet");
    let licence = [("operator", operator.as_str()), ("valid_from", "2026-01-01")];
    admin.done(&format!("{brand_page}/licences"), &licence).await;
    let green = [
        ("operator", operator.as_str()),
        ("kind", "green"),
        ("number", "LB-1"),
        ("valid_from", "2026-01-01"),
    ];
    owner.done("/certifications", &green).await;
    let procedure = photo(&world, &user_id(&world, "owner"), b"%PDF-1.7 procedure");
    let paper = [
        ("operator", operator.as_str()),
        ("kind", "procedure"),
        ("title", "湘莲生产技术规程"),
        ("product", product.as_str()),
        ("attachment", procedure.as_str()),
    ];
    owner.done("/documents", &paper).await;
    let shop = [("platform", "供销商城"), ("url", "https://shop.example.cn/7")];
    owner.done(&format!("/products/{product}/shop-links"), &shop).await;

    // the table says which marks it needs.
    let marks = owner.see(&format!("/products/{product}")).await.text;
    assert!(marks.contains("承诺达标合格证") && marks.contains("品牌农产品用"), "{marks}");

    let jpeg = [b"\xff\xd8\xff\xe1\0\x0cGPS 112.94\xff\xda\0\x02".as_slice(), b"pixels"].concat();
    let picture = photo(&world, &user_id(&world, "owner"), &jpeg);
    let card = [("brand", brand_id.as_str()), ("features", "粒大、粉糯"), ("attachment", &picture)];
    owner.done(&page, &card).await;
    let state: &dyn tianyin_domain::State = &world.app.store;
    let of_product = || -> IdCard {
        state.find(tianyin_domain::id_card::BY_PRODUCT, &product).unwrap().unwrap()
    };
    let id = of_product().id;
    let act = |what: &str| format!("/id-cards/{id}/{what}");
    let told = owner.post(&act("publish"), &[]).await;
    assert_eq!(told.status, StatusCode::FORBIDDEN);
    owner.done(&act("submit"), &[]).await;
    assert!(admin.see("/id-cards?status=submitted").await.text.contains("湘莲"));
    admin.done(&act("review"), &[("status", "approved")]).await;
    admin.done(&act("publish"), &[]).await;
    let published = of_product();
    assert_eq!(published.status, IdCardStatus::Published);
    let content = published.edition.unwrap().content;
    let says =
        |code: &str| content.lines.iter().find(|line| line.code == code).map(|l| l.value.as_str());
    assert_eq!(says("brand"), Some("湘潭湘莲"));
    assert_eq!(says("certifications"), Some("绿色食品(LB-1)"));
    assert_eq!(says("procedure"), Some("湘莲生产技术规程"));
    assert_eq!(says("shop_links"), Some("供销商城 https://shop.example.cn/7"));
    assert_eq!(says("features"), Some("粒大、粉糯"));
    // Sites and a test are missing, and were not required.
    assert_eq!(says("size"), None);
    assert!(content.complete_percent < 100 && content.missing.is_empty());
}

#[tokio::test]
async fn a_card_with_holes_is_not_handed_in_and_the_page_says_what_is_missing() {
    let world = world().await;
    let (_, product) = farm(&world).await;
    let owner = world.browser("owner").await;
    let page = format!("/products/{product}/id-card");
    owner.done(&page, &[("story", "老品种")]).await;
    let state: &dyn tianyin_domain::State = &world.app.store;
    let card: IdCard = state.find(tianyin_domain::id_card::BY_PRODUCT, &product).unwrap().unwrap();
    let refused = owner.post(&format!("/id-cards/{}/submit", card.id), &[]).await;
    assert_eq!(refused.goes_to(), page);
    let detail = owner.see(&format!("/products/{product}")).await.text;
    for missing in ["生产技术规程(一品一标)", "品质特点", "照片"] {
        assert!(detail.contains(missing), "{missing}: {detail}");
    }
    // Too long for the table's field: refused beside it.
    let long = "长".repeat(301);
    let refused = owner.post(&page, &[("features", &long)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("最多 300 个字"), "{}", refused.text);
    let now: IdCard = world.app.store.get(&card.id).unwrap().unwrap();
    assert_eq!(now.status, IdCardStatus::Draft);
}

#[tokio::test]
async fn only_the_administrator_lays_the_base_map() {
    let world = world().await;
    farm(&world).await;
    let owner = world.browser("owner").await;
    assert_eq!(owner.see("/map/base").await.status, StatusCode::FORBIDDEN);
    let ring = "[[[112.6,27.4],[112.7,27.4],[112.7,27.5],[112.6,27.4]]]";
    let file = format!(
        "{{\"type\":\"Feature\",\"properties\":{{\"name\":\"花石镇\"}},\
         \"geometry\":{{\"type\":\"Polygon\",\"coordinates\":{ring}}}}}"
    );
    let actor = tianyin_domain::Actor::system("test");
    let source = "县自然资源局 2025".to_owned();
    world.app.lay_base_map(&actor, source, file.as_bytes(), None).await.unwrap();
    let admin = world.browser("admin").await;
    assert!(admin.see("/map/base").await.text.contains("县自然资源局 2025"));
    let map = owner.see("/map").await.text;
    assert!(map.contains("花石镇") && map.contains("县自然资源局 2025"), "{map}");
    admin.done("/map/base/remove", &[]).await;
    assert!(!owner.see("/map").await.text.contains("花石镇"));
}
