//! Label templates: what one is, whose it is, and which a certificate's labels may have.

use tianyin_domain::Command;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::label_template::{
    Barcode, BarcodeKind, CloseLabelTemplate, LabelDesign, LabelField, LabelSize, LabelTemplate,
    SaveLabelTemplate, fitting, is_gtin, serves,
};

use crate::farm::{Farm, TOWNSHIP, clerk, clerk_of, day};
use crate::register::brand;

/// A template for a product, a brand or, without either, the county.
fn template(product: Option<&str>, brand: Option<&str>) -> SaveLabelTemplate {
    SaveLabelTemplate {
        label_template: None,
        name: "礼盒标签".into(),
        product: product.map(Into::into),
        brand: brand.map(Into::into),
        design: LabelDesign::of_size(LabelSize::W60H40),
    }
}

fn save(template: SaveLabelTemplate) -> Command {
    Command::SaveLabelTemplate(template)
}

fn close(id: &str, reason: &str) -> Command {
    let (label_template, reason) = (id.into(), reason.into());
    Command::CloseLabelTemplate(CloseLabelTemplate { label_template, reason })
}

/// One of every command of this noun, about the farm's own product.
pub fn samples(farm: &mut Farm) -> Vec<Command> {
    let product = farm.product.clone();
    let known = farm.world.ok(&clerk(), save(template(Some(&product), None)));
    vec![save(template(Some(&product), None)), close(&known, "改版")]
}

#[test]
fn a_trade_item_number_has_its_check_digit() {
    for good in ["4006381333931", "6901234567892", "4012345987652", "96385074"] {
        assert!(is_gtin(good), "{good}");
    }
    for bad in ["4006381333932", "690123456789", "69012345678921", "69012345x7892", "96385075", ""]
    {
        assert!(!is_gtin(bad), "{bad}");
    }
}

#[test]
fn every_fault_of_a_design_is_told() {
    let mut farm = Farm::new();
    let design = LabelDesign {
        fields: vec![LabelField::Product, LabelField::Origin, LabelField::Product],
        heading: "字".repeat(25),
        note: "字".repeat(81),
        barcode: Some(Barcode { kind: BarcodeKind::Gtin, gtin: "690123456789".into() }),
        ..LabelDesign::of_size(LabelSize::W60H40)
    };
    let bad = SaveLabelTemplate { name: " ".into(), design, ..template(None, None) };
    let told = farm.world.no(&clerk(), save(bad));
    let expected =
        "name:required fields:repeated heading:too_long note:too_long gtin:bad_gtin".to_owned();
    assert_eq!(told, expected);
    let both = template(Some(&farm.product), Some("brd_1"));
    assert_eq!(farm.world.no(&clerk(), save(both)), "brand:bad_choice");
    // Digits that no bar code says are a mistake.
    let barcode = Some(Barcode { kind: BarcodeKind::Code, gtin: "6901234567892".into() });
    let design = LabelDesign { barcode, ..LabelDesign::of_size(LabelSize::W60H40) };
    let stray = SaveLabelTemplate { design, ..template(None, None) };
    assert_eq!(farm.world.no(&clerk(), save(stray)), "gtin:bad_gtin");
}

#[test]
fn a_template_belongs_to_its_subject_and_keeps_it() {
    let mut farm = Farm::new();
    let (operator, product) = (farm.operator.clone(), farm.product.clone());
    let own = farm.world.ok(&clerk(), Command::AddBrand(brand(Some(&operator))));
    let of_product = farm.world.ok(&farm.producer(), save(template(Some(&product), None)));
    let of_brand = farm.world.ok(&clerk(), save(template(None, Some(&own))));
    let of_county = farm.world.ok(&clerk(), save(template(None, None)));
    let subject = |id: &str| {
        let one: LabelTemplate = farm.world.get(id);
        (one.subject(), one.operator, one.area)
    };
    let (product_key, brand_key) = (format!("product/{product}"), format!("brand/{own}"));
    assert_eq!(subject(&of_product), (product_key, operator.clone(), TOWNSHIP.into()));
    assert_eq!(subject(&of_brand), (brand_key, operator, TOWNSHIP.into()));
    assert_eq!(subject(&of_county), ("county".into(), String::new(), "430321".into()));

    // What the county's labels look like is for the county.
    let producer = farm.producer();
    assert_eq!(farm.world.no(&producer, save(template(None, None))), "forbidden");
    assert_eq!(farm.world.no(&clerk_of(TOWNSHIP), save(template(None, None))), "forbidden");
    assert_eq!(farm.world.no(&producer, close(&of_county, "不用")), "no label_template");
    assert_eq!(farm.world.no(&clerk(), save(template(Some("prd_none"), None))), "no product");
    assert_eq!(farm.world.no(&clerk(), save(template(None, Some("brd_none")))), "no brand");

    let design =
        LabelDesign { heading: " 湘潭湘莲 ".into(), ..LabelDesign::of_size(LabelSize::A5) };
    let changed = SaveLabelTemplate {
        label_template: Some(of_product.clone()),
        name: "新标签".into(),
        design,
        ..template(None, None)
    };
    assert_eq!(farm.world.ok(&producer, save(changed)), of_product);
    let now: LabelTemplate = farm.world.get(&of_product);
    assert_eq!((now.name.as_str(), now.product.as_ref()), ("新标签", Some(&product)));
    assert_eq!((now.design.size, now.design.heading.as_str()), (LabelSize::A5, "湘潭湘莲"));
    assert_eq!(farm.world.replayed(1), farm.world.state);
}

#[test]
fn a_closed_template_is_not_changed_any_more() {
    let mut farm = Farm::new();
    let id = farm.world.ok(&clerk(), save(template(None, None)));
    assert_eq!(farm.world.no(&clerk(), close(&id, " ")), "reason:required");
    farm.world.ok(&clerk(), close(&id, "改版"));
    assert_eq!(farm.world.get::<LabelTemplate>(&id).closed.as_deref(), Some("改版"));
    assert_eq!(farm.world.no(&clerk(), close(&id, "改版")), "template_closed");
    let change = SaveLabelTemplate { label_template: Some(id), ..template(None, None) };
    assert_eq!(farm.world.no(&clerk(), save(change)), "template_closed");
}

#[test]
fn a_subject_has_so_many_templates_in_use() {
    let mut farm = Farm::new();
    let mut last = String::new();
    for _ in 0..50 {
        last = farm.world.ok(&clerk(), save(template(None, None)));
    }
    assert_eq!(farm.world.no(&clerk(), save(template(None, None))), "too_many_templates");
    let product = farm.product.clone();
    farm.world.ok(&clerk(), save(template(Some(&product), None)));
    farm.world.ok(&clerk(), close(&last, "少用"));
    farm.world.ok(&clerk(), save(template(None, None)));
}

#[test]
fn a_certificate_has_its_products_templates_before_its_brands_and_the_countys() {
    let mut farm = Farm::new();
    let (operator, product) = (farm.operator.clone(), farm.product.clone());
    let own = farm.world.ok(&clerk(), Command::AddBrand(brand(Some(&operator))));
    let code = farm.issued("10");
    let mut made = |subject: SaveLabelTemplate| {
        // Ids are ordered by time.
        farm.world.time += jiff::SignedDuration::from_secs(1);
        farm.world.ok(&clerk(), save(subject))
    };
    let of_county = made(template(None, None));
    let older = made(template(Some(&product), None));
    let newer = made(template(Some(&product), None));
    let of_brand = made(template(None, Some(&own)));
    let closed = made(template(Some(&product), None));
    farm.world.ok(&clerk(), close(&closed, "改版"));

    let certificate: Certificate = farm.world.get(&code);
    let today = day("2026-11-20");
    let found = fitting(farm.world.state(), &certificate, today).unwrap();
    let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, [&newer, &older, &of_brand, &of_county]);

    let other =
        Certificate { product: "prd_other".into(), operator: "opr_other".into(), ..certificate };
    let may = |id: &str| {
        let one: LabelTemplate = farm.world.get(id);
        serves(farm.world.state(), &one, &other, today).unwrap()
    };
    assert!(!may(&newer) && !may(&of_brand) && !may(&closed) && may(&of_county));
}
