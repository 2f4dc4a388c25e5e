//! Production records: the interval comes from the registered use on the product's crop.

use tianyin_domain::Command;
use tianyin_domain::activity::{
    self, Activity, ActivityKind, CorrectActivity, RecordActivity, StrikeActivity,
};
use tianyin_domain::attachment::{Attachment, BlobKind};
use tianyin_domain::input::RegisteredUse;

use crate::farm::{
    Farm, add_input, add_product, add_site, approved, clerk, day, open_lot, register,
};

fn registered(crop: &str, interval_days: u32) -> RegisteredUse {
    let interval_days = Some(interval_days);
    RegisteredUse { crop: crop.into(), interval_days, ..RegisteredUse::default() }
}

#[test]
fn the_crop_picks_the_interval() {
    let cases = [
        (vec![registered("莲", 14), registered("水稻", 21)], "莲", Some(14)),
        (vec![registered("水稻", 21), registered("莲", 14)], "水稻", Some(21)),
        (vec![registered("水稻", 21)], "莲", None),
        // A use without a crop stands for every one, but the crop's own goes first.
        (vec![registered("", 7), registered("莲", 14)], "莲", Some(14)),
        (vec![registered("", 7), registered("莲", 14)], "茶", Some(7)),
        (vec![registered("", 7)], "", Some(7)),
        (vec![registered("莲", 14)], "", None),
        (vec![], "莲", None),
        (vec![registered("莲", 0)], "莲", Some(0)),
    ];
    for (uses, crop, expected) in cases {
        let mut farm = Farm::new();
        let case = format!("{uses:?} on {crop}");
        let input = farm.world.ok(&clerk(), add_input("药", uses));
        let product = farm.world.ok(&clerk(), add_product(&farm.operator, "产品", crop));
        let command = RecordActivity { product, input: Some(input), ..farm.treatment() };
        let id = farm.world.ok(&farm.producer(), Command::RecordActivity(command));
        let used = farm.world.get::<Activity>(&id).input.unwrap();
        assert_eq!(used.interval_days, expected, "{case}");
        assert_eq!((used.name.as_str(), used.dose.as_str()), ("药", "30 毫升/亩"));
        assert_eq!(used.substances, ["示例成分"]);
    }
}

#[test]
fn refused_activities() {
    let mut farm = Farm::new();
    let other = approved(&mut farm.world, register("别家合作社", "91350100M000100Y43"));
    let foreign = farm.world.ok(&clerk(), add_product(&other, "别家莲", "莲"));
    let rice = farm.world.ok(&clerk(), add_product(&farm.operator, "稻", "水稻"));
    let second_site = farm.world.ok(&clerk(), add_site(&farm.operator, "二号田"));
    let lot_there =
        farm.world.ok(&clerk(), open_lot(&farm.product, &second_site, "1", "2026-11-19"));
    let good = farm.treatment();
    let with_lot = |lot: &str| RecordActivity { lot: Some(lot.into()), ..good.clone() };
    let cases = [
        (RecordActivity { input: None, ..good.clone() }, "input:required"),
        (RecordActivity { input: Some(String::new()), ..good.clone() }, "input:required"),
        (RecordActivity { input: Some("inp_no".into()), ..good.clone() }, "no input"),
        (RecordActivity { site: "sit_no".into(), ..good.clone() }, "no site"),
        (RecordActivity { product: foreign, ..good.clone() }, "product:other_operator"),
        (
            RecordActivity { date: day("2026-11-21"), ..good.clone() },
            "date:in_future stopped_on:bad_range",
        ),
        (RecordActivity { date: day("1999-01-01"), ..good.clone() }, "date:bad_date"),
        (
            RecordActivity { stopped_on: Some(day("2026-10-31")), ..good.clone() },
            "stopped_on:bad_range",
        ),
        (
            RecordActivity { stopped_on: Some(day("2026-11-21")), ..good.clone() },
            "stopped_on:bad_range",
        ),
        (with_lot("lot_no"), "no lot"),
        (with_lot(&lot_there), "lot:other_site"),
        // Rice's interval on a lot of lotus would be the wrong one.
        (RecordActivity { product: rice, ..with_lot(&farm.lot) }, "product:bad_choice"),
        (RecordActivity { note: "长".repeat(257), ..good.clone() }, "note:too_long"),
        (
            RecordActivity { attachments: vec![photo(0), photo(0)], ..good.clone() },
            "attachments[1].hash:repeated_file",
        ),
        (
            RecordActivity { attachments: (0..10).map(photo).collect(), ..good.clone() },
            "attachments:too_many_files",
        ),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        let told = farm.world.no(&clerk(), Command::RecordActivity(command));
        assert_eq!(told, expected, "{case}");
    }
}

fn photo(n: u8) -> Attachment {
    Attachment {
        hash: format!("{n:064x}"),
        kind: BlobKind::Jpeg,
        bytes: 3_400_000,
        name: "莲田.jpg".into(),
    }
}

#[test]
fn photos_are_found_by_their_digest_and_old_lines_have_none() {
    let mut farm = Farm::new();
    let photos: Vec<_> = (1..=9).map(photo).collect();
    let command = RecordActivity { attachments: photos.clone(), ..farm.treatment() };
    let id = farm.world.ok(&farm.producer(), Command::RecordActivity(command));
    assert_eq!(farm.world.get::<Activity>(&id).attachments, photos);
    for photo in &photos {
        let found = farm.world.state().ids(activity::BY_ATTACHMENT, &photo.hash, 9).unwrap();
        assert_eq!(found, std::slice::from_ref(&id));
    }

    let plain = farm.world.ok(&farm.producer(), Command::RecordActivity(farm.treatment()));
    let line = farm.world.lines.last().unwrap();
    assert!(!line.events.contains("attachments"), "a line without photos is written as before");
    assert_eq!(farm.world.get::<Activity>(&plain).attachments, []);
}

#[test]
fn an_activity_moves_the_roots_it_touches() {
    let mut farm = Farm::new();
    let (site, lot) = (format!("site/{}", farm.site), format!("lot/{}", farm.lot));
    let before = (farm.world.version(&site), farm.world.version(&lot));

    let command = RecordActivity { lot: Some(String::new()), ..farm.treatment() };
    let id = farm.world.ok(&farm.producer(), Command::RecordActivity(command));
    assert_eq!(farm.world.get::<Activity>(&id).lot, None, "an empty choice is no lot");
    assert!(farm.world.version(&site) > before.0);
    assert_eq!(farm.world.version(&lot), before.1, "of the site, not of one lot");

    let command = RecordActivity {
        lot: Some(farm.lot.clone()),
        kind: ActivityKind::Processing,
        input: None,
        ..farm.treatment()
    };
    farm.world.ok(&farm.producer(), Command::RecordActivity(command));
    assert_eq!(farm.world.version(&lot), farm.world.version(&site));
}

/// Law art 27: not forged, not altered. A correction takes the place of the wrong record, which stays.
#[test]
fn a_wrong_record_is_corrected_by_another_and_stays() {
    let mut farm = Farm::new();
    let producer = farm.producer();
    let wrong = farm.world.ok(&producer, Command::RecordActivity(farm.treatment()));
    let correct = |activity: &str, reason: &str, data: RecordActivity| {
        let (activity, reason) = (activity.to_owned(), reason.to_owned());
        Command::CorrectActivity(CorrectActivity { activity, data, reason })
    };
    let data = RecordActivity { date: day("2026-11-03"), ..farm.treatment() };
    let told = farm.world.no(&producer, correct(&wrong, " ", data.clone()));
    assert!(told.contains("reason:required"), "{told}");
    let right = farm.world.ok(&producer, correct(&wrong, "日期记错", data.clone()));
    let (before, after) = (farm.world.get::<Activity>(&wrong), farm.world.get::<Activity>(&right));
    assert_eq!((before.counts(), before.corrected_by.as_deref()), (false, Some(right.as_str())));
    assert_eq!(before.date, day("2026-11-01"), "it stays as it was written");
    assert!(after.counts() && after.recorded_at.is_some());
    let correction = after.corrects.unwrap();
    assert_eq!((correction.activity, correction.reason.as_str()), (wrong.clone(), "日期记错"));

    // Once: what is wrong with the correction is corrected there, or struck out.
    let strike = |activity: &str| {
        let (activity, reason) = (activity.to_owned(), "记到别的田".to_owned());
        Command::StrikeActivity(StrikeActivity { activity, reason })
    };
    for again in [correct(&wrong, "又错", data.clone()), strike(&wrong)] {
        let told = farm.world.no(&producer, again);
        assert!(told.contains("activity_counts_no_more"), "{told}");
    }
    farm.world.ok(&producer, strike(&right));
    let struck = farm.world.get::<Activity>(&right);
    assert_eq!((struck.counts(), struck.struck.as_deref()), (false, Some("记到别的田")));

    // Another's records are out of reach, and none becomes another's.
    let other = approved(&mut farm.world, register("别家合作社", "91350100M000100Y43"));
    let site = farm.world.ok(&clerk(), add_site(&other, "别家田"));
    let product = farm.world.ok(&clerk(), add_product(&other, "别家莲", "莲"));
    let mine = farm.world.ok(&producer, Command::RecordActivity(farm.treatment()));
    let theirs = RecordActivity { site, product, ..farm.treatment() };
    farm.world.no(&crate::farm::producer(&other), strike(&mine));
    let told = farm.world.no(&clerk(), correct(&mine, "记到别家", theirs));
    assert!(told.contains("site:other_operator"), "{told}");
}
