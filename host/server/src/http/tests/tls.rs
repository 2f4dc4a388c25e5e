//! What differs between plain HTTP and HTTPS, and the page with the own root certificate.

use super::*;
use crate::http::Scheme;
use crate::tls::Https;

/// An appliance that serves HTTPS on port 8443, with the own CA.
async fn secure() -> World {
    let dir = tempfile::tempdir().unwrap();
    let listen = Some(([0, 0, 0, 0], 8443).into());
    let config =
        Config { data: dir.path().join("data"), https: Https { listen }, ..Config::default() };
    let app = App::open(config).unwrap();
    app.tls.as_ref().unwrap().set_https_port(8443);
    World { router: super::super::router(app.clone()), app, token: String::new(), _dir: dir }
}

impl World {
    async fn from(&self, peer: &str, scheme: Scheme, method: Method, path: &str) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "10.0.0.8:8080")
            .header("accept", "text/html")
            .body(Body::empty())
            .unwrap();
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(scheme);
        self.send(request).await
    }
}

#[tokio::test]
async fn strangers_are_sent_to_https() {
    let world = secure().await;
    let ask = async |peer, scheme, path| world.from(peer, scheme, Method::GET, path).await;
    for path in ["/", "/sign-in", "/sign-in?to=%2Flots", "/api/v1/lots", "/cat", "/tx/1"] {
        let reply = ask(VISITOR, Scheme::Http, path).await;
        assert_eq!(reply.status, StatusCode::PERMANENT_REDIRECT, "{path}");
        assert_eq!(reply.header("location"), format!("https://10.0.0.8:8443{path}"));
        let reply = ask("127.0.0.1:9", Scheme::Http, path).await;
        assert_ne!(reply.status, StatusCode::PERMANENT_REDIRECT, "{path} on this machine");
        let reply = ask(VISITOR, Scheme::Https, path).await;
        assert_ne!(reply.status, StatusCode::PERMANENT_REDIRECT, "{path} over TLS");
    }
    for path in [
        "/t/8K2M7Q4D9XPR3TWA",
        "/healthz",
        "/readyz",
        "/metrics",
        "/ca",
        "/keys/all.pem",
        "/verify",
    ] {
        let reply = ask(VISITOR, Scheme::Http, path).await;
        assert_ne!(reply.status, StatusCode::PERMANENT_REDIRECT, "{path}");
    }
    let posted = world.from(VISITOR, Scheme::Http, Method::POST, "/api/v1/session").await;
    assert_eq!(posted.status, StatusCode::PERMANENT_REDIRECT);
    // Not with a certificate that a browser does not know by itself.
    assert_eq!(posted.header("strict-transport-security"), "");
    let page = ask(VISITOR, Scheme::Https, "/sign-in").await;
    assert_eq!(page.header("strict-transport-security"), "");
}

#[tokio::test]
async fn the_root_certificate_is_offered_with_its_fingerprint() {
    let world = secure().await;
    let ca = world.app.tls.as_ref().unwrap().own_ca().unwrap();
    let page = world.from(VISITOR, Scheme::Https, Method::GET, "/ca").await;
    assert_eq!(page.status, StatusCode::OK);
    let text = page.text();
    for line in ca.fingerprint.split(':').collect::<Vec<_>>().chunks(8) {
        assert!(text.contains(&line.join(" ")), "{text}");
    }
    assert!(text.contains("https://10.0.0.8:8080/ca"), "{text}");
    assert!(!text.contains("public.ca_"), "a text is missing: {text}");
    let hash = page.header("content-security-policy");
    assert!(hash.contains("style-src 'sha256-"), "{hash}");

    let der = world.see("/ca/county-ca.crt").await;
    assert_eq!(der.header("content-type"), "application/x-x509-ca-cert");
    assert_eq!(der.body, ca.der);
    assert_eq!(world.see("/ca/county-ca.pem").await.text(), ca.pem);
}

#[tokio::test]
async fn without_an_own_ca_there_is_no_such_page() {
    let world = bare().await;
    for path in ["/ca", "/ca/county-ca.crt", "/ca/county-ca.pem"] {
        assert_eq!(world.see(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn cookies_that_were_set_over_tls_stay_there() {
    let world = world().await;
    let sign_in = async |scheme: Scheme| {
        let form = format!("username=admin&password={PASSWORD}");
        let mut request = Request::post("/sign-in")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        request.extensions_mut().insert(scheme);
        world.send(request).await
    };
    let cookies = |reply: &Reply| -> Vec<String> {
        let all = reply.headers.get_all(header::SET_COOKIE).iter();
        all.map(|v| v.to_str().unwrap().to_owned()).collect()
    };
    let secure = cookies(&sign_in(Scheme::Https).await);
    assert!(!secure.is_empty() && secure.iter().all(|c| c.ends_with("; Secure")), "{secure:?}");
    let plain = cookies(&sign_in(Scheme::Http).await);
    assert!(!plain.is_empty() && plain.iter().all(|c| !c.contains("Secure")), "{plain:?}");
}
