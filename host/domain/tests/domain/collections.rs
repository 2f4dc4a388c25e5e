//! Buyers collect and keep certificates, of this county by code, of others with a photo.

use tianyin_domain::Command;
use tianyin_domain::certificate::VoidCertificate;
use tianyin_domain::collection::{CollectProof, Collection, StrikeCollection, Supplier};
use tianyin_domain::lot::Lot;
use tianyin_domain::operator::{OperatorKind, RegisterOperator};

use crate::farm::{
    Farm, add_product, add_site, approved, clerk, day, decimal, open_lot, producer, register,
};
use crate::papers::photo;

struct Market {
    farm: Farm,
    buyer: String,
    product: String,
    site: String,
}

fn market() -> Market {
    let mut farm = Farm::new();
    let buyer = RegisterOperator {
        kind: OperatorKind::Buyer,
        ..register("易俗河农产品收购部", "91350100M000100Y43")
    };
    let buyer = approved(&mut farm.world, buyer);
    let product = farm.world.ok(&clerk(), add_product(&buyer, "混装湘莲", "莲"));
    let site = farm.world.ok(&clerk(), add_site(&buyer, "收购门店"));
    Market { farm, buyer, product, site }
}

impl Market {
    fn of_county(&self, code: &str, quantity: &str) -> CollectProof {
        CollectProof {
            operator: self.buyer.clone(),
            code: Some(code.into()),
            kind: Default::default(),
            supplier: None,
            lot: None,
            product: None,
            site: None,
            harvested_on: None,
            quantity: decimal(quantity),
            collected_on: day("2026-11-20"),
            attachments: Vec::new(),
        }
    }

    fn of_elsewhere(&self, quantity: &str) -> CollectProof {
        let supplier = Supplier {
            name: "洪湖某合作社".into(),
            origin: "湖北省洪湖市".into(),
            number: "No.0012".into(),
            issued_on: Some(day("2026-11-18")),
            ..Supplier::default()
        };
        CollectProof {
            code: None,
            supplier: Some(supplier),
            product: Some(self.product.clone()),
            site: Some(self.site.clone()),
            attachments: vec![photo()],
            ..self.of_county("", quantity)
        }
    }
}

fn collect(c: CollectProof) -> Command {
    Command::CollectProof(c)
}

#[test]
fn a_certificate_of_the_county_brings_its_goods_along() {
    let mut market = market();
    let code = market.farm.issued("300");
    let proof = market.of_county(&code, "120");
    let buyer = producer(&market.buyer);
    let id = market.farm.world.ok(&buyer, collect(proof));
    let kept: Collection = market.farm.world.get(&id);
    assert_eq!((kept.supplier.name.as_str(), kept.quantity), ("花石湘莲合作社", decimal("120")));
    assert_eq!(kept.product_name, "湘潭湘莲", "nothing is typed twice");
    let lot: Lot = market.farm.world.get(&kept.lot);
    assert_eq!((&lot.operator, lot.bought, lot.quantity), (&market.buyer, true, decimal("120")));
    assert_eq!(lot.sources[0].lot, market.farm.lot, "a recall finds it");
    assert_eq!(market.farm.world.get::<Lot>(&market.farm.lot).shipped, decimal("120"));

    // No more than the certificate says, whoever buys.
    let more = market.of_county(&code, "181");
    assert_eq!(market.farm.world.no(&buyer, collect(more)), "collected_too_much");
}

#[test]
fn what_is_void_or_held_is_not_bought() {
    let mut market = market();
    let code = market.farm.issued("300");
    let reason = "重量写错".into();
    let void = VoidCertificate { code: code.clone(), reason };
    market.farm.world.ok(&clerk(), Command::VoidCertificate(void));
    let proof = market.of_county(&code, "10");
    let buyer = producer(&market.buyer);
    assert_eq!(market.farm.world.no(&buyer, collect(proof)), "certificate_void");
    let none = market.of_county("0000000000000000", "10");
    assert_eq!(market.farm.world.no(&buyer, collect(none)), "no certificate");
}

#[test]
fn goods_from_elsewhere_come_with_a_photo_of_their_paper() {
    let mut market = market();
    let buyer = producer(&market.buyer);
    let mut bare = market.of_elsewhere("50");
    bare.attachments.clear();
    bare.supplier = None;
    let told = market.farm.world.no(&buyer, collect(bare));
    assert_eq!(told, "attachments:photo_required supplier.name:required");
    let proof = market.of_elsewhere("50");
    let id = market.farm.world.ok(&buyer, collect(proof));
    let kept: Collection = market.farm.world.get(&id);
    let lot: Lot = market.farm.world.get(&kept.lot);
    assert_eq!((lot.bought, lot.step, lot.harvested_on), (true, None, day("2026-11-18")));
    assert!(lot.no.starts_with("L20261118-"));

    let strike = |reason: &str| {
        let (collection, reason) = (id.clone(), reason.into());
        Command::StrikeCollection(StrikeCollection { collection, reason })
    };
    assert_eq!(market.farm.world.no(&buyer, strike("")), "reason:required");
    market.farm.world.ok(&buyer, strike("录错"));
    assert_eq!(market.farm.world.no(&buyer, strike("再来")), "collection_is_struck");
}

#[test]
fn a_proof_is_added_to_a_lot_that_was_handed_over_before() {
    let mut market = market();
    let code = market.farm.issued("300");
    let first = market.of_county(&code, "100");
    let buyer = producer(&market.buyer);
    let id = market.farm.world.ok(&buyer, collect(first));
    let lot = market.farm.world.get::<Collection>(&id).lot;
    let more = CollectProof { lot: Some(lot.clone()), ..market.of_county(&code, "20") };
    let id = market.farm.world.ok(&buyer, collect(more));
    assert_eq!(market.farm.world.get::<Collection>(&id).lot, lot);
    // Not to a lot of something else.
    let own = open_lot(&market.product, &market.site, "10", "2026-11-20");
    let own = market.farm.world.ok(&clerk(), own);
    let wrong = CollectProof { lot: Some(own), ..market.of_county(&code, "1") };
    assert_eq!(market.farm.world.no(&buyer, collect(wrong)), "lot:not_of_certificate");
    // One's own certificate proves nothing of a supplier.
    let farm_lot = market.farm.lot.clone();
    let own = CollectProof {
        operator: market.farm.operator.clone(),
        lot: Some(farm_lot),
        ..market.of_county(&code, "1")
    };
    let told = market.farm.world.no(&clerk(), collect(own));
    assert_eq!(told, "lot:not_of_certificate");
}

#[test]
fn only_for_oneself() {
    let mut market = market();
    let code = market.farm.issued("300");
    let proof = market.of_county(&code, "1");
    let stranger = market.farm.producer();
    assert_eq!(market.farm.world.no(&stranger, collect(proof)), "no operator");
}

/// One of every command of collections, about the farm's own rows.
pub fn samples(farm: &mut Farm) -> Vec<Command> {
    let supplier = Supplier { name: "洪湖某合作社".into(), ..Supplier::default() };
    let proof = CollectProof {
        operator: farm.operator.clone(),
        code: None,
        kind: Default::default(),
        supplier: Some(supplier),
        lot: Some(farm.lot.clone()),
        product: None,
        site: None,
        harvested_on: None,
        quantity: decimal("1"),
        collected_on: day("2026-11-20"),
        attachments: vec![photo()],
    };
    let collection = farm.world.ok(&clerk(), collect(proof.clone()));
    let strike = StrikeCollection { collection, reason: "错".into() };
    vec![collect(proof), Command::StrikeCollection(strike)]
}
