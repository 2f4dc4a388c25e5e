//! Correcting what is registered of an operator, through the pages.

use axum::http::StatusCode;
use tianyin_domain::operator::{Operator, OperatorStatus};

use super::world;

const PERSON: [(&str, &str); 4] = [
    ("kind", "farmer"),
    ("name", "李示例"),
    ("area", "430321103"),
    ("contact_phone", "13812345678"),
];

#[tokio::test]
async fn a_returned_one_is_corrected_and_its_phone_stays_in_the_vault() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let path = admin.done("/operators", &PERSON).await;
    let id = path.rsplit('/').next().unwrap();
    let on_record = || world.app.store.get::<Operator>(id).unwrap().unwrap();
    let returned = [("status", "returned"), ("reason", "请写清住址")];
    admin.done(&format!("{path}/review"), &returned).await;

    let edit = format!("{path}/edit");
    let form = admin.see(&edit).await.text;
    assert!(form.contains("138****5678") && !form.contains("13812345678"), "{form}");
    assert!(!form.contains("value=\"cooperative\""), "a person stays a person");
    let masked = [
        ("kind", "farmer"),
        ("name", "李示例"),
        ("area", "430321103"),
        ("address", "荷塘组 3 号"),
        ("contact_phone", "138****5678"),
    ];
    assert_eq!(admin.done(&edit, &masked).await, path);
    let now = on_record();
    assert_eq!((now.status, now.address.as_str()), (OperatorStatus::Submitted, "荷塘组 3 号"));
    assert_eq!(world.app.contact_phone(&now).unwrap(), "13812345678", "untouched");

    // Another number: the old one is gone from the vault.
    let old = now.contact_secret.clone().unwrap();
    let mut other = masked;
    other[4].1 = "13987654321";
    admin.done(&edit, &other).await;
    let now = on_record();
    assert_eq!(now.contact_phone, "139****4321");
    assert_eq!(world.app.contact_phone(&now).unwrap(), "13987654321");
    assert_eq!(world.app.vault.get(&old).unwrap(), None);
}

#[tokio::test]
async fn the_second_of_two_sees_both() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let path = admin.done("/operators", &PERSON).await;
    let edit = format!("{path}/edit");
    let form = admin.see(&edit).await.text;
    let version = form.split("name=\"version\" value=\"").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    let with = |address, version| {
        let [kind, name, area, _] = PERSON;
        let phone = ("contact_phone", "138****5678");
        [kind, name, area, phone, ("address", address), ("version", version)]
    };
    admin.done(&edit, &with("甲处", version)).await;
    let second = admin.post(&edit, &with("乙处", version)).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.text.contains("甲处") && second.text.contains("乙处"), "{}", second.text);
    assert!(second.text.contains("修改了这个主体的登记信息"), "{}", second.text);
}
