//! Opening lots: numbers by day, quantities, sites, days.

use tianyin_domain::lot::Lot;

use crate::farm::{Farm, add_product, add_site, approved, clerk, open_lot, register};

#[test]
fn numbers_run_by_day_of_harvest() {
    let mut farm = Farm::new();
    let (product, site) = (farm.product.clone(), farm.site.clone());
    let mut open = |day: &str| {
        let id = farm.world.ok(&clerk(), open_lot(&product, &site, "10", day));
        farm.world.get::<Lot>(&id).no
    };
    // The farm's own lot is the first of the 19th.
    assert_eq!(open("2026-11-19"), "L20261119-0002");
    assert_eq!(open("2026-11-20"), "L20261120-0001");
    assert_eq!(open("2026-11-19"), "L20261119-0003");
}

#[test]
fn two_lots_of_one_group_get_two_numbers() {
    let mut farm = Farm::new();
    let command = open_lot(&farm.product, &farm.site, "10", "2026-11-20");
    let group = vec![farm.world.envelope(&clerk(), command); 3];
    let nos: Vec<_> = farm
        .world
        .group(&group)
        .into_iter()
        .map(|answer| farm.world.get::<Lot>(&answer.unwrap().id).no)
        .collect();
    assert_eq!(nos, ["L20261120-0001", "L20261120-0002", "L20261120-0003"]);
}

#[test]
fn numbers_go_on_beyond_four_digits() {
    let mut farm = Farm::new();
    let command = open_lot(&farm.product, &farm.site, "1", "2026-11-20");
    let group = vec![farm.world.envelope(&clerk(), command); 10_001];
    let last = farm.world.group(&group).pop().unwrap().unwrap().id;
    assert_eq!(farm.world.get::<Lot>(&last).no, "L20261120-10001");
}

#[test]
fn a_day_is_a_day_in_china() {
    let mut farm = Farm::new();
    let open = open_lot(&farm.product, &farm.site, "10", "2026-11-21");
    farm.world.time = "2026-11-20T15:59:59.999Z".parse().unwrap();
    assert_eq!(farm.world.no(&clerk(), open.clone()), "harvested_on:in_future");
    farm.world.time = "2026-11-20T16:00:00Z".parse().unwrap();
    farm.world.ok(&clerk(), open);
}

#[test]
fn refused_lots() {
    let mut farm = Farm::new();
    let other = approved(&mut farm.world, register("别家合作社", "91350100M000100Y43"));
    let other_site = farm.world.ok(&clerk(), add_site(&other, "别家田"));
    let (product, site) = (farm.product.clone(), farm.site.clone());
    let cases = [
        (open_lot(&product, &other_site, "10", "2026-11-20"), "site:other_operator"),
        (open_lot(&product, "sit_no", "10", "2026-11-20"), "no site"),
        (open_lot("prd_no", &site, "10", "2026-11-20"), "no product"),
        (open_lot(&product, &site, "0", "2026-11-20"), "quantity:bad_quantity"),
        (open_lot(&product, &site, "-1", "2026-11-20"), "quantity:bad_quantity"),
        (open_lot(&product, &site, "1.0005", "2026-11-20"), "quantity:bad_quantity"),
        (open_lot(&product, &site, "1000000000000", "2026-11-20"), "quantity:bad_quantity"),
        (open_lot(&product, &site, "10", "1999-12-31"), "harvested_on:bad_date"),
        // The sign would break the lot number, and with it the running count of the day.
        (open_lot(&product, &site, "10", "-000026-11-20"), "harvested_on:bad_date"),
        (
            open_lot(&product, &site, "0", "2026-11-21"),
            "quantity:bad_quantity harvested_on:in_future",
        ),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        assert_eq!(farm.world.no(&clerk(), command), expected, "{case}");
    }
    farm.world.ok(&clerk(), open_lot(&product, &site, "1.500", "2026-11-20"));
}

#[test]
fn a_lot_keeps_what_it_was_opened_with() {
    let mut farm = Farm::new();
    let lot: Lot = farm.world.get(&farm.lot);
    assert_eq!(lot.product_name, "湘潭湘莲");
    assert_eq!((lot.area.as_str(), lot.area_name.as_str()), ("430321106", "湘潭县花石镇"));
    assert_eq!(lot.unit, "公斤");
    let same_name = farm.world.ok(&clerk(), add_product(&farm.operator, "湘潭湘莲", "水稻"));
    assert_ne!(same_name, lot.product);
}
