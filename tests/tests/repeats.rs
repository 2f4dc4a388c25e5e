//! A device that sends its whole memory again: ten thousand records, and not one of them twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use tianyin_devices::lz4000t::{Record, frames};
use tianyin_gateway::UpKind;
use tianyin_gateway::client::{DeviceClient, Options};
use tianyin_tests::api::Api;
use tianyin_tests::{Appliance, until};

const LZ: &str = "lz4000t-hs-01";
const RECORDS: u16 = 10_000;
const WAIT: Duration = Duration::from_secs(15);
/// All of them are decoded, judged and on disk by then.
const SETTLED: Duration = Duration::from_secs(180);

#[test]
fn a_device_repeats_its_whole_memory() {
    let mut appliance = Appliance::start().unwrap();
    let api = appliance.api("admin").unwrap();
    let records: Vec<Record> = (1..=RECORDS).map(record).collect();
    let before = tests_of(&api);
    send(&appliance, &records, 250);
    settled(&api);
    assert_eq!(tests_of(&api) - before, usize::from(RECORDS));
    // The same records in other messages: their bytes are not known, what they say is.
    send(&appliance, &records, 200);
    settled(&api);
    assert_eq!(tests_of(&api) - before, usize::from(RECORDS), "nothing is there twice");
    let conflicts = api.list("/messages?status=conflict").unwrap();
    assert!(conflicts.is_empty(), "{conflicts:?}");
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
}

fn record(no: u16) -> Record {
    let second = i64::from(no) * 7;
    let midnight = jiff::civil::date(2026, 11, 20).at(0, 0, 0, 0);
    Record {
        record_no: no,
        name: "白菜".into(),
        time: midnight.checked_add(jiff::SignedDuration::from_secs(second)).unwrap(),
        inhibition_hundredths: i16::try_from(no % 4_000).unwrap(),
    }
}

fn send(appliance: &Appliance, records: &[Record], at_once: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = appliance.setting.mqtt.to_string();
        let token = appliance.demo.token(LZ);
        let client = DeviceClient::connect(&address, LZ, token, Options::default()).await.unwrap();
        for some in records.chunks(at_once) {
            client.publish_acked(UpKind::Raw, frames(some).unwrap(), WAIT).await.unwrap();
        }
        client.disconnect().await;
    });
}

fn settled(api: &Api) {
    until("all messages to be settled", SETTLED, || {
        let waiting = api.list("/messages?status=received")?;
        Ok(waiting.is_empty().then_some(()))
    })
    .unwrap();
}

/// How many tests of the device there are, page by page.
fn tests_of(api: &Api) -> usize {
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = api.get(&format!("/tests?device={LZ}&limit=200{after}")).unwrap();
        count += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = format!("&cursor={next}"),
            None => return count,
        }
    }
}
