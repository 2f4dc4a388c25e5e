//! The county's signing keys: their change, what is published of them, and the page that verifies with them.

use base64::Engine as _;
use sha2::Digest as _;
use tianyin_domain::Actor;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::signing_key::PublicKey;

use super::*;
use crate::app::AppError;
use crate::key_files;
use crate::keys::fingerprint;
use crate::proof::{PublishedKey, judge, read_keys};

/// Changes the key as the command line does.
fn change(app: &App, reason: &str) -> Result<PublicKey, AppError> {
    app.rotate_key(&Actor::system("cli/test(0)"), reason.to_owned(), false)
}

async fn changed(world: &World, reason: &'static str) -> Result<PublicKey, AppError> {
    let app = world.app.clone();
    tokio::task::spawn_blocking(move || change(&app, reason)).await.unwrap()
}

fn proof_of(world: &World, code: &str) -> String {
    world.app.store.get::<Certificate>(code).unwrap().unwrap().proof
}

async fn issued(world: &World, lot: &str, quantity: &str) -> String {
    let request = json!({ "lot": lot, "quantity": quantity, "basis": ["commissioned_test"] });
    let issued = world.post("/certificates", request).await.expect(201);
    proof_of(world, issued["content"]["code"].as_str().unwrap())
}

async fn published(world: &World) -> Vec<PublishedKey> {
    let all = world.see("/keys/all.pem").await;
    assert_eq!(all.header("content-type"), "application/x-pem-file");
    let keys = read_keys(&all.text()).unwrap();
    let history = world.see("/keys/history.json").await;
    assert!(history.header("content-type").starts_with("application/json"));
    let mut told = read_keys(&history.text()).unwrap();
    told.iter_mut().for_each(|key| key.reason.clear());
    assert_eq!(told, keys);
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_key_proves_what_it_signed_and_the_new_one_signs() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    let old = proof_of(&world, &world.certificate_of(&operator, &lot).await);
    let first = published(&world).await;
    let county = world.see("/keys/county.pem").await.text();
    assert_eq!((first.len(), first[0].pem.as_str(), first[0].to), (1, county.as_str(), None));
    assert!(first[0].from.is_some() && judge(&first, &old).holds());

    let made = changed(&world, "例行更换").await.unwrap();
    let new = issued(&world, &lot, "10").await;
    let keys = published(&world).await;
    assert_eq!((keys.len(), &keys[1].pem), (2, &made.pem));
    assert_eq!((keys[0].from, keys[0].to, keys[1].to), (first[0].from, keys[1].from, None));
    assert_eq!(world.see("/keys/county.pem").await.text(), made.pem);
    for (proof, key) in [(&old, &keys[0]), (&new, &keys[1])] {
        let judged = judge(&keys, proof);
        assert!(judged.holds() && judged.key == Some(key), "{judged:?}");
    }
    assert!(!judge(&keys[..1], &new).holds() && !judge(&keys[1..], &old).holds());
    let history = world.see("/keys/history.json").await.json();
    assert_eq!(history[0]["reason"], "例行更换");
    assert_eq!((&history[1]["to"], &history[1]["compromised"]), (&Value::Null, &json!(false)));

    // The old private key is nowhere, its public half is kept.
    let data = &world.app.config.data;
    let kept = std::fs::read_to_string(data.join(key_files::retired_path(&keys[0].fingerprint)));
    assert_eq!(kept.unwrap(), county);
    let known = tianyin_domain::signing_key::all(&world.app.store).unwrap();
    assert!(key_files::holds(&data.join("keys"), &known[1]));
    assert!(!key_files::holds(&data.join("keys"), &known[0]));
    assert!(!key_files::is_open(&data.join("keys")));
    // Where devices are known by the first key, they are known still.
    assert_eq!(world.app.first_key_pem().unwrap(), county);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_leaves_everything_as_it_was() {
    let world = world().await;
    let before = world.see("/keys/all.pem").await.text();
    let refused = changed(&world, " ").await.unwrap_err();
    assert_eq!(refused.code(), "invalid_fields");
    let keys = world.app.config.data.join("keys");
    assert!(!key_files::is_open(&keys));
    // One that was begun, and of which nobody knows what came.
    std::fs::write(keys.join(key_files::NEXT_KEY), "a key").unwrap();
    let refused = changed(&world, "例行更换").await.unwrap_err();
    assert_eq!(refused.code(), "key_change_open");
    assert_eq!(std::fs::read_to_string(keys.join(key_files::NEXT_KEY)).unwrap(), "a key");
    assert_eq!(world.see("/keys/all.pem").await.text(), before);
    let bare = bare().await;
    assert_eq!(changed(&bare, "例行更换").await.unwrap_err().code(), "not_set_up");
    assert_eq!(published(&bare).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_issues_while_the_key_is_changed_gets_a_proof_that_holds() {
    let world = world().await;
    let [operator, _, _, lot] = world.lot_of(cooperative()).await;
    world.test_of(&lot).await;
    let mut proofs = vec![proof_of(&world, &world.certificate_of(&operator, &lot).await)];
    let app = world.app.clone();
    let changes = tokio::task::spawn_blocking(move || {
        for _ in 0..5 {
            change(&app, "演练").unwrap();
        }
    });
    for _ in 0..20 {
        proofs.push(issued(&world, &lot, "1").await);
    }
    changes.await.unwrap();
    proofs.push(issued(&world, &lot, "1").await);
    let keys = published(&world).await;
    assert_eq!(keys.len(), 6);
    for proof in &proofs {
        let judged = judge(&keys, proof);
        assert!(judged.holds(), "{judged:?}");
    }
    assert_eq!(judge(&keys, proofs.last().unwrap()).key, keys.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_verifies_brings_what_it_needs_and_reaches_nothing() {
    let world = world().await;
    let own = fingerprint(world.app.signer.current().public_pem()).unwrap();
    for path in ["/verify", "/verify.html", "/verify.html?download"] {
        let page = world.see(path).await;
        assert_eq!(page.status, 200, "{path}");
        let text = page.text();
        assert!(text.len() < 100 * 1024 && text.contains(&own), "{} bytes", text.len());
        let inner = |tag: &str| {
            let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap();
            rest.split_once(&format!("</{tag}>")).unwrap().0
        };
        let policy = page.header("content-security-policy");
        for tag in ["style", "script"] {
            let digest = sha2::Sha256::digest(inner(tag));
            let hash = base64::engine::general_purpose::STANDARD.encode(digest);
            assert!(policy.contains(&format!("{tag}-src 'sha256-{hash}';")), "{tag}: {policy}");
        }
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("connect-src"));
        // The file that is opened from a disk says it itself.
        assert!(
            text.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src")
        );
        let markup = text.replace(inner("script"), "").replace(inner("style"), "");
        assert!(!markup.contains(" src=") && !markup.contains("public."), "{markup}");
        assert!(markup.contains("离线验真") && markup.contains("Tom Wu"));
        let is_file = path.ends_with("?download");
        let kept = page.header("content-disposition");
        assert_eq!(kept.starts_with("attachment"), is_file, "{kept}");
        let there = "href=\"https://ty.example.test/keys/all.pem\"";
        assert_eq!(markup.contains(there), is_file);
    }
    assert_eq!(bare().await.see("/verify").await.status, 200);
}
