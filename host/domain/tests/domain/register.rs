//! Sites and their place, products, brands, certifications, shop links and ID cards.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tianyin_domain::attachment::{Attachment, BlobKind};
use tianyin_domain::base_map::{BASE_MAP_ID, BaseMap, LayBaseMap, POINTS_MAX, Shape};
use tianyin_domain::brand::{
    AddBrand, Brand, BrandKind, BrandLicence, ChangeBrand, CloseBrand, EndBrandLicence,
    LicenseBrand,
};
use tianyin_domain::certification::{AddCertification, Certification, EndCertification, Standing};
use tianyin_domain::history::History;
use tianyin_domain::id_card::{
    self, Content, IdCard, IdCardStatus, Line, PublishIdCard, ReviewIdCard, SaveIdCard,
    SubmitIdCard, WithdrawIdCard,
};
use tianyin_domain::position::{Position, middle, outline_mu};
use tianyin_domain::product::{
    self, AddProduct, ChangeProduct, CloseProduct, Product, ProductClass,
};
use tianyin_domain::shop_link::{AddShopLink, CloseShopLink};
use tianyin_domain::site::{AddSite, ChangeSite, CloseSite, Site, SiteKind};
use tianyin_domain::{Command, code};

use crate::farm::{
    Farm, OTHER_TOWNSHIP, TOWNSHIP, admin, approved, clerk, clerk_of, day, decimal, open_lot,
    producer, register,
};

fn at(text: &str) -> Position {
    text.parse().unwrap()
}

/// About 100 m by 111 m.
fn square() -> Vec<Position> {
    ["112.9,27.8", "112.901,27.8", "112.901,27.801", "112.9,27.801"].map(at).to_vec()
}

fn site(operator: &str) -> AddSite {
    AddSite {
        operator: operator.into(),
        name: "二号塘".into(),
        kind: SiteKind::Pond,
        area: String::new(),
        area_name: String::new(),
        size_mu: decimal("16"),
        position: Some(at("112.9005,27.8002")),
        outline: square(),
    }
}

fn product(operator: &str) -> AddProduct {
    AddProduct {
        operator: operator.into(),
        name: "湘莲".into(),
        class: ProductClass::Vegetable,
        crop: "莲".into(),
        variety: "寸三莲".into(),
        unit: "公斤".into(),
        method_unsuitable: false,
    }
}

pub fn brand(owner: Option<&str>) -> AddBrand {
    AddBrand {
        name: "湘潭湘莲".into(),
        kind: if owner.is_some() { BrandKind::Enterprise } else { BrandKind::Regional },
        owner: owner.map(Into::into),
        owner_name: "湘潭县湘莲协会".into(),
        area: "430321".into(),
        goods: "莲子".into(),
        trademark_no: "1234567".into(),
        about: String::new(),
        since: Some(day("2010-05-01")),
        attachments: vec![],
    }
}

fn licence(brand: &str, operator: &str) -> LicenseBrand {
    LicenseBrand {
        brand: brand.into(),
        operator: operator.into(),
        products: vec![],
        number: "XL-7".into(),
        valid_from: day("2026-01-01"),
        valid_to: Some(day("2026-12-31")),
    }
}

fn certification(operator: &str) -> AddCertification {
    AddCertification {
        operator: operator.into(),
        products: vec![],
        kind: "green".into(),
        number: "LB-15-24011".into(),
        issuer: "中国绿色食品发展中心".into(),
        valid_from: day("2024-01-10"),
        valid_to: Some(day("2027-01-09")),
        attachments: vec![],
        renews: None,
    }
}

fn link(product: &str) -> AddShopLink {
    AddShopLink {
        product: product.into(),
        platform: "供销商城".into(),
        url: "https://shop.example.cn/item/7".into(),
    }
}

pub fn card(product: &str) -> SaveIdCard {
    SaveIdCard {
        product: product.into(),
        brand: None,
        fields: BTreeMap::from([("features".into(), " 粒大、粉糯 ".into())]),
        attachments: vec![],
    }
}

fn content(missing: &[&str]) -> Content {
    Content {
        lines: vec![Line {
            code: "product".into(), label: "产品".into(), value: "湘莲".into()
        }],
        attachments: vec![],
        complete_percent: if missing.is_empty() { 100 } else { 60 },
        missing: missing.iter().map(|label| (*label).into()).collect(),
    }
}

pub fn submit(id: &str, missing: &[&str]) -> Command {
    Command::SubmitIdCard(SubmitIdCard { id_card: id.into(), content: content(missing) })
}

pub fn decide(id: &str, status: IdCardStatus, reason: &str) -> Command {
    Command::ReviewIdCard(ReviewIdCard { id_card: id.into(), status, reason: reason.into() })
}

pub fn publish(id: &str) -> Command {
    Command::PublishIdCard(PublishIdCard { id_card: id.into(), content: content(&[]) })
}

fn withdraw(id: &str, reason: &str) -> Command {
    Command::WithdrawIdCard(WithdrawIdCard { id_card: id.into(), reason: reason.into() })
}

fn shape() -> Shape {
    Shape { name: "花石镇".into(), rings: vec![square()] }
}

/// One of every command of these nouns, all about the farm's own rows.
pub fn samples(farm: &mut Farm) -> Vec<Command> {
    let (operator, at_site, of_product) =
        (farm.operator.clone(), farm.site.clone(), farm.product.clone());
    let clerk = clerk();
    let own = farm.world.ok(&clerk, Command::AddBrand(brand(Some(&operator))));
    let licensed = farm.world.ok(&clerk, Command::LicenseBrand(licence(&own, &operator)));
    let certified = farm.world.ok(&clerk, Command::AddCertification(certification(&operator)));
    let linked = farm.world.ok(&clerk, Command::AddShopLink(link(&of_product)));
    let carded = farm.world.ok(&clerk, Command::SaveIdCard(card(&of_product)));
    let reason = || String::from("不用了");
    vec![
        Command::ChangeSite(ChangeSite { site: at_site.clone(), data: site(&operator) }),
        Command::CloseSite(CloseSite { site: at_site, reason: reason() }),
        Command::ChangeProduct(ChangeProduct {
            product: of_product.clone(),
            data: product(&operator),
        }),
        Command::CloseProduct(CloseProduct { product: of_product.clone(), reason: reason() }),
        Command::AddBrand(brand(Some(&operator))),
        Command::ChangeBrand(ChangeBrand { brand: own.clone(), data: brand(None) }),
        Command::CloseBrand(CloseBrand { brand: own.clone(), reason: reason() }),
        Command::LicenseBrand(licence(&own, &operator)),
        Command::EndBrandLicence(EndBrandLicence { licence: licensed, reason: reason() }),
        Command::AddCertification(certification(&operator)),
        Command::EndCertification(EndCertification { certification: certified, reason: reason() }),
        Command::AddShopLink(link(&of_product)),
        Command::CloseShopLink(CloseShopLink { shop_link: linked, reason: reason() }),
        Command::SaveIdCard(card(&of_product)),
        submit(&carded, &[]),
        decide(&carded, IdCardStatus::Approved, ""),
        publish(&carded),
        withdraw(&carded, "停产"),
        Command::LayBaseMap(LayBaseMap { source: "县勘测队".into(), shapes: vec![shape()] }),
    ]
}

#[test]
fn a_position_is_read_as_people_write_it_and_written_one_way() {
    for text in ["112.941234,27.829123", " 112.941234 , 27.829123 ", "112.941234,27.829123"] {
        assert_eq!(at(text).to_string(), "112.941234,27.829123");
    }
    assert_eq!(at("112.9,27").to_string(), "112.900000,27.000000");
    for bad in ["", "112.9", "112.9,x", "181,20", "1e400,1", "112.9;27.8"] {
        assert!(bad.parse::<Position>().is_err(), "{bad}");
    }
}

#[test]
fn a_site_is_where_it_can_be() {
    let mut farm = Farm::new();
    let operator = farm.operator.clone();
    let mut told = |position: &str, outline: &[&str]| {
        let outline = outline.iter().map(|text| at(text)).collect();
        let data = AddSite { position: Some(at(position)), outline, ..site(&operator) };
        farm.world.give(&clerk(), Command::AddSite(data)).map_err(|e| crate::world::told(&e)).err()
    };
    let good = "112.9,27.8";
    assert_eq!(told("27.8,112.9", &[]).as_deref(), Some("position:position_exchanged"));
    assert_eq!(told("2.3,48.8", &[]).as_deref(), Some("position:position_outside"));
    assert_eq!(told(good, &[good, "112.91,27.8"]).as_deref(), Some("outline:outline_points"));
    let bow = ["112.9,27.8", "112.901,27.801", "112.901,27.8", "112.9,27.801"];
    assert_eq!(told(good, &bow).as_deref(), Some("outline:outline_crosses"));
    let line = ["112.9,27.8", "112.901,27.8", "112.902,27.8"];
    assert_eq!(told(good, &line).as_deref(), Some("outline:outline_flat"));
    assert_eq!(told(good, &["112.9,27.8", "112.901,27.8", "112.9,27.801"]), None);
}

#[test]
fn the_area_of_an_outline_is_that_on_the_ground() {
    // 0.001° of latitude are 111.2 m, of longitude at 27.8° 98.4 m: 10,936 m², 16.4 亩.
    assert_eq!(outline_mu(&square()), decimal("16.4"));
    assert_eq!(middle(&square()), Some(at("112.9005,27.8005")));
    assert_eq!(outline_mu(&[]), decimal("0"));
}

proptest! {
    #[test]
    fn a_position_survives_the_journal(lon in -180_000_000..=180_000_000_i32, lat in -180_000_000..=180_000_000_i32) {
        let position = Position { lon_e6: lon, lat_e6: lat };
        let text = serde_json::to_string(&position).unwrap();
        prop_assert_eq!(serde_json::from_str::<Position>(&text).unwrap(), position);
    }

    #[test]
    fn no_polygon_makes_decide_fail_otherwise_than_by_name(
        points in prop::collection::vec((112_900_000..112_900_020_i32, 27_800_000..27_800_020_i32), 0..9)
    ) {
        let outline = points.iter().map(|(lon, lat)| Position { lon_e6: *lon, lat_e6: *lat }).collect();
        let mut farm = Farm::new();
        let data = AddSite { outline, ..site(&farm.operator) };
        if let Err(error) = farm.world.give(&clerk(), Command::AddSite(data)) {
            prop_assert!(crate::world::told(&error).starts_with("outline:"), "{}", error);
        }
    }
}

#[test]
fn a_site_is_corrected_by_its_owner_and_closed_for_good() {
    let mut farm = Farm::new();
    let (owner, id) = (farm.producer(), farm.site.clone());
    let change =
        |operator: &str| Command::ChangeSite(ChangeSite { site: id.clone(), data: site(operator) });
    // Whose it is does not change, whatever is sent.
    let other = approved(&mut farm.world, register("乙社", "91110000600037341L"));
    farm.world.ok(&owner, change(&other));
    let now: Site = farm.world.get(&id);
    assert_eq!((now.operator.as_str(), now.kind), (farm.operator.as_str(), SiteKind::Pond));
    assert_eq!(now.mark(), Some(at("112.9005,27.8002")));
    assert_eq!(farm.world.version(&format!("site/{id}")), farm.world.lines.len() as u64);

    let close =
        |reason: &str| Command::CloseSite(CloseSite { site: id.clone(), reason: reason.into() });
    assert_eq!(farm.world.no(&owner, close("")), "reason:required");
    farm.world.ok(&owner, close("退耕"));
    assert_eq!(farm.world.no(&owner, change(&other)), "site_closed");
    let lot = open_lot(&farm.product, &farm.site, "1", "2026-11-20");
    assert_eq!(farm.world.no(&owner, lot), "site_closed");
    let history: History = farm.world.get(&format!("site/{id}"));
    assert_eq!(history.seqs.len(), 3);
}

#[test]
fn a_product_is_corrected_listed_by_its_class_and_given_up() {
    let mut farm = Farm::new();
    let (owner, id) = (farm.producer(), farm.product.clone());
    let data = AddProduct { class: ProductClass::Aquatic, name: " 鱼 ".into(), ..product("?") };
    farm.world.ok(&owner, Command::ChangeProduct(ChangeProduct { product: id.clone(), data }));
    let now: Product = farm.world.get(&id);
    assert_eq!((now.name.as_str(), now.operator.as_str()), ("鱼", farm.operator.as_str()));
    let of_class =
        |farm: &Farm, class: &str| farm.world.state().ids(product::BY_CLASS, class, 9).unwrap();
    assert_eq!(of_class(&farm, "aquatic"), std::slice::from_ref(&id));
    assert!(of_class(&farm, "vegetable").is_empty());
    let close = CloseProduct { product: id.clone(), reason: "停产".into() };
    farm.world.ok(&owner, Command::CloseProduct(close.clone()));
    assert_eq!(farm.world.no(&owner, Command::CloseProduct(close)), "product_closed");
    let lot = open_lot(&farm.product, &farm.site, "1", "2026-11-20");
    assert_eq!(farm.world.no(&owner, lot), "product_closed");
    assert_eq!(farm.world.no(&owner, Command::SaveIdCard(card(&id))), "product_closed");
}

#[test]
fn brands_have_one_owner_and_users_by_licence() {
    let mut farm = Farm::new();
    let operator = farm.operator.clone();
    // The county's own brand is the county's to add, a station's within its township.
    assert_eq!(farm.world.no(&farm.producer(), Command::AddBrand(brand(None))), "forbidden");
    assert_eq!(farm.world.no(&clerk_of(TOWNSHIP), Command::AddBrand(brand(None))), "forbidden");
    let public = farm.world.ok(&clerk(), Command::AddBrand(brand(None)));
    assert_eq!(farm.world.no(&clerk(), Command::AddBrand(brand(None))), "brand_known");
    // An enterprise's brand is in its registered name.
    let own = farm.world.ok(&farm.producer(), Command::AddBrand(brand(Some(&operator))));
    let owned: Brand = farm.world.get(&own);
    assert_eq!((owned.owner_name.as_str(), owned.area.as_str()), ("花石湘莲合作社", TOWNSHIP));
    let change =
        |id: &str| Command::ChangeBrand(ChangeBrand { brand: id.into(), data: brand(None) });
    assert_eq!(farm.world.no(&farm.producer(), change(&public)), "no brand");
    farm.world.ok(&farm.producer(), change(&own));
    assert_eq!(farm.world.get::<Brand>(&own).owner, Some(operator.clone()));

    let other = approved(&mut farm.world, register("乙社", "91110000600037341L"));
    let strange = LicenseBrand { products: vec![farm.product.clone()], ..licence(&public, &other) };
    assert_eq!(farm.world.no(&admin(), Command::LicenseBrand(strange)), "products:other_operator");
    let backwards = LicenseBrand { valid_to: Some(day("2025-01-01")), ..licence(&public, &other) };
    assert_eq!(farm.world.no(&admin(), Command::LicenseBrand(backwards)), "valid_to:bad_range");
    let id = farm.world.ok(&admin(), Command::LicenseBrand(licence(&public, &operator)));
    let licensed: BrandLicence = farm.world.get(&id);
    assert!(licensed.covers(&farm.product, day("2026-12-31")));
    assert!(!licensed.covers(&farm.product, day("2027-01-01")));
    let end = EndBrandLicence { licence: id.clone(), reason: "违规".into() };
    assert_eq!(
        farm.world.no(&clerk_of(OTHER_TOWNSHIP), Command::EndBrandLicence(end.clone())),
        "no brand_licence"
    );
    farm.world.ok(&clerk(), Command::EndBrandLicence(end.clone()));
    assert!(!farm.world.get::<BrandLicence>(&id).covers(&farm.product, day("2026-11-20")));
    assert_eq!(farm.world.no(&clerk(), Command::EndBrandLicence(end)), "no_change");
}

#[test]
fn a_certification_counts_to_its_last_day_and_is_renewed_once() {
    let mut farm = Farm::new();
    let operator = farm.operator.clone();
    let id = farm.world.ok(&farm.producer(), Command::AddCertification(certification(&operator)));
    let again = farm.world.no(&clerk(), Command::AddCertification(certification(&operator)));
    assert_eq!(again, "certification_known");
    let one: Certification = farm.world.get(&id);
    for (on, standing) in [
        ("2024-01-09", Standing::Coming),
        ("2024-01-10", Standing::Valid),
        ("2026-10-11", Standing::Valid),
        ("2026-10-12", Standing::Expiring),
        ("2027-01-09", Standing::Expiring),
        ("2027-01-10", Standing::Over),
    ] {
        assert_eq!(one.standing(day(on)), standing, "{on}");
    }
    assert!(one.covers(&farm.product, day("2027-01-09")) && !one.covers("x", day("2027-01-10")));

    let renewal = AddCertification {
        valid_from: day("2027-01-10"),
        valid_to: Some(day("2030-01-09")),
        renews: Some(id.clone()),
        ..certification(&operator)
    };
    let next = farm.world.ok(&clerk(), Command::AddCertification(renewal.clone()));
    let old: Certification = farm.world.get(&id);
    assert_eq!(old.renewed_by.as_ref(), Some(&next));
    assert_eq!(old.standing(day("2026-12-01")), Standing::Valid);
    assert_eq!(old.standing(day("2027-01-10")), Standing::Renewed);
    let twice = AddCertification { number: "X".into(), ..renewal };
    assert_eq!(farm.world.no(&clerk(), Command::AddCertification(twice)), "renews:not_to_renew");

    let end = EndCertification { certification: next.clone(), reason: "撤证".into() };
    farm.world.ok(&clerk(), Command::EndCertification(end));
    assert_eq!(farm.world.get::<Certification>(&next).standing(day("2028-01-01")), Standing::Ended);
    // What was entered in error and ended may be entered rightly.
    let anew = AddCertification {
        valid_from: day("2027-01-10"),
        valid_to: None,
        ..certification(&operator)
    };
    farm.world.ok(&clerk(), Command::AddCertification(anew));
}

#[test]
fn consumers_are_sent_to_the_web_and_nowhere_else() {
    let mut farm = Farm::new();
    let product = farm.product.clone();
    for bad in [
        "javascript:alert(1)",
        "ftp://a.cn/x",
        "https://",
        "https://localhost",
        "https://good.cn@evil.cn/",
        "https://a.cn/ x",
        "https://a.cn/\"x",
        "//a.cn",
    ] {
        let command = Command::AddShopLink(AddShopLink { url: bad.into(), ..link(&product) });
        assert_eq!(farm.world.no(&clerk(), command), "url:bad_url", "{bad}");
    }
    let id = farm.world.ok(&farm.producer(), Command::AddShopLink(link(&product)));
    assert_eq!(farm.world.no(&clerk(), Command::AddShopLink(link(&product))), "url:taken");
    let close = CloseShopLink { shop_link: id, reason: "下架".into() };
    farm.world.ok(&clerk(), Command::CloseShopLink(close));
    farm.world.ok(&clerk(), Command::AddShopLink(link(&product)));
    for n in 1..10 {
        let url = format!("https://shop.example.cn/{n}");
        farm.world.ok(&clerk(), Command::AddShopLink(AddShopLink { url, ..link(&product) }));
    }
    let more = AddShopLink { url: "https://shop.example.cn/11".into(), ..link(&product) };
    assert_eq!(farm.world.no(&clerk(), Command::AddShopLink(more)), "shop_links_full");
}

#[test]
fn an_id_card_goes_from_collection_to_review_to_publication() {
    // R-062; a card with holes is not handed in, and nothing unreviewed is published.
    let mut farm = Farm::new();
    let (owner, product) = (farm.producer(), farm.product.clone());
    let id = farm.world.ok(&owner, Command::SaveIdCard(card(&product)));
    assert_eq!(farm.world.get::<IdCard>(&id).fields["features"], "粒大、粉糯");
    assert_eq!(farm.world.no(&owner, submit(&id, &["照片"])), "id_card_incomplete");
    assert_eq!(farm.world.no(&clerk(), publish(&id)), "not_from_here");
    farm.world.ok(&owner, submit(&id, &[]));
    assert_eq!(farm.world.no(&owner, submit(&id, &[])), "not_from_here");
    assert_eq!(
        farm.world.no(&clerk(), decide(&id, IdCardStatus::Published, "改")),
        "status:bad_choice"
    );
    assert_eq!(farm.world.no(&clerk(), decide(&id, IdCardStatus::Returned, "")), "reason:required");
    farm.world.ok(&clerk(), decide(&id, IdCardStatus::Returned, "照片不清"));
    assert_eq!(farm.world.get::<IdCard>(&id).status_reason, "照片不清");
    farm.world.ok(&owner, submit(&id, &[]));
    farm.world.ok(&clerk(), decide(&id, IdCardStatus::Approved, ""));
    assert_eq!(farm.world.ok(&clerk(), publish(&id)), id);

    let first: IdCard = farm.world.get(&id);
    assert_eq!((first.status, first.editions), (IdCardStatus::Published, 1));
    assert!(matches!(code::parse(&first.code), code::CodeText::Valid(_)));
    assert_eq!(
        farm.world.state().ids(id_card::BY_INDUSTRY, "planting", 9).unwrap(),
        std::slice::from_ref(&id)
    );

    // A change is reviewed again; until then everybody sees the edition before.
    assert_eq!(farm.world.ok(&owner, Command::SaveIdCard(card(&product))), id);
    let draft: IdCard = farm.world.get(&id);
    assert_eq!((draft.status, &draft.edition), (IdCardStatus::Draft, &first.edition));
    farm.world.ok(&owner, submit(&id, &[]));
    farm.world.ok(&clerk(), decide(&id, IdCardStatus::Approved, ""));
    farm.world.ok(&clerk(), publish(&id));
    let second: IdCard = farm.world.get(&id);
    assert_eq!((second.editions, &second.code), (2, &first.code));

    assert_eq!(farm.world.no(&clerk(), withdraw(&id, " ")), "reason:required");
    farm.world.ok(&clerk(), withdraw(&id, "停产"));
    let gone: IdCard = farm.world.get(&id);
    assert_eq!((gone.status, gone.edition, gone.code), (IdCardStatus::Withdrawn, None, first.code));
    assert_eq!(farm.world.no(&clerk(), withdraw(&id, "再")), "not_from_here");
    assert!(farm.world.state().ids(id_card::BY_INDUSTRY, "planting", 9).unwrap().is_empty());
}

#[test]
fn an_id_card_takes_pictures_and_plain_fields_only() {
    let mut farm = Farm::new();
    let product = farm.product.clone();
    let paper =
        Attachment { hash: "a".repeat(64), kind: BlobKind::Pdf, bytes: 9, name: "书.pdf".into() };
    let bad = SaveIdCard {
        fields: BTreeMap::from([("X".into(), "1".into()), ("long".into(), "长".repeat(1001))]),
        attachments: vec![paper],
        ..card(&product)
    };
    let told = farm.world.no(&clerk(), Command::SaveIdCard(bad));
    assert_eq!(told, "fields:bad_choice long:too_long attachments:not_a_picture");
    assert_eq!(
        farm.world.no(&producer("opr_other"), Command::SaveIdCard(card(&product))),
        "no product"
    );
}

#[test]
fn the_base_map_is_the_last_one_laid() {
    let mut farm = Farm::new();
    let lay = |shapes| Command::LayBaseMap(LayBaseMap { source: "县勘测队".into(), shapes });
    let large = Shape { name: String::new(), rings: vec![vec![at("112.9,27.8"); POINTS_MAX + 1]] };
    assert_eq!(farm.world.no(&admin(), lay(vec![large])), "shapes:too_many");
    let flat = Shape { name: String::new(), rings: vec![vec![at("112.9,27.8"); 2]] };
    assert_eq!(farm.world.no(&admin(), lay(vec![flat])), "shapes:bad_value");
    farm.world.ok(&admin(), lay(vec![shape()]));
    farm.world.ok(&admin(), lay(vec![shape(), shape()]));
    assert_eq!(farm.world.get::<BaseMap>(BASE_MAP_ID).shapes.len(), 2);
}
