//! A county's own rules and tables, in its data folder, in place of the shipped ones.
#![allow(clippy::unwrap_used)]

use tianyin_tests::Appliance;
use tianyin_tests::appliance::Setting;

#[test]
fn a_file_of_the_county_takes_the_place_of_the_shipped_one() {
    let setting = Setting::new().unwrap();
    let mut appliance = Appliance::made(setting.clone()).unwrap();
    let all = setting.data.join("all-rules");
    appliance.run(&["rules", "export", all.to_str().unwrap()]).unwrap();
    let shipped = std::fs::read_to_string(all.join("data/id_card.toml")).unwrap();
    std::fs::remove_dir_all(&all).unwrap();

    let own = setting.data.join("rules/data");
    std::fs::create_dir_all(&own).unwrap();
    let file = own.join("id_card.toml");
    let more = "\n[[field]]\ncode = \"village_story\"\nlabel = \"村里的故事\"\n";
    std::fs::write(&file, format!("{shipped}{more}")).unwrap();
    appliance.run(&["rules", "check", "--data", setting.data.to_str().unwrap()]).unwrap();
    appliance.serve().unwrap();
    let api = appliance.api("admin").unwrap();
    let product = &api.list("/products").unwrap()[0];
    let draft = api.get(&format!("/products/{}/id_card", product["id"].as_str().unwrap())).unwrap();
    assert!(draft.to_string().contains("村里的故事"), "{draft}");
    appliance.stop().unwrap();

    // One that is broken stops the appliance before it applies other rules than the county's, and says
    // where.
    std::fs::write(&file, format!("{shipped}\n[[field]]\nlabel = 3\n")).unwrap();
    let refused = appliance.finish(&["serve", "--listen", "127.0.0.1:0"]).unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("id_card.toml"), "{}", refused.stderr);
}
