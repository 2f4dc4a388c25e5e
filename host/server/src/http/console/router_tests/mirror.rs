//! The page of the static mirror, and a log that is sent there.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tianyin_domain::Role;
use tianyin_domain::code::Code;

use super::{Browser, Reply, everything, world};

async fn send(browser: &Browser<'_>, name: &str, log: &str) -> Reply {
    let mut body = String::new();
    for (field, extra, value) in [
        ("form_token", "", browser.form_token.as_str()),
        ("log_name", "", name),
        ("file", "; filename=\"access.log\"", log),
    ] {
        body += &format!(
            "--X\r\nContent-Disposition: form-data; name=\"{field}\"{extra}\r\n\r\n{value}\r\n"
        );
    }
    body += "--X--\r\n";
    let request = Request::post("/mirror/import")
        .header(header::COOKIE, &browser.cookie)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=X")
        .body(Body::from(body));
    browser.world.send(request.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_counted_once_and_its_faults_are_told() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    let code = made.certificate.rsplit('/').next().unwrap();
    let page = admin.see("/mirror").await;
    assert_eq!(page.status, StatusCode::OK);
    // No folder is set here: the page says how, and that nothing can be looked at again.
    assert!(page.text.contains("[mirror]") && page.text.contains("error_page 404 /404.html;"));
    assert_eq!(admin.post("/mirror/again", &[]).await.goes_to(), "/mirror");

    let log = format!(
        "::1 - - [20/Nov/2025:16:00:01 +0800] \"GET /T/{code}/ HTTP/1.1\" 200 9 \"-\" \"x\"\nhalf\n"
    );
    let done = send(&admin, "web-1", &log).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert!(done.text.contains("不是 combined 格式"), "{}", done.text);
    let known: Code = world.app.store.get(code).unwrap().unwrap();
    assert_eq!(known.scans, 1);
    send(&admin, "web-1", &log).await;
    let known: Code = world.app.store.get(code).unwrap().unwrap();
    assert_eq!(known.scans, 1);
    assert!(admin.see("/mirror").await.text.contains("web-1"));

    for (name, log) in [("no name", log.as_str()), ("", &log), ("web-1", "")] {
        let refused = send(&admin, name, log).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
    world.add_user("clerk", Role::Clerk, None).await;
    let clerk = world.browser("clerk").await;
    assert_eq!(clerk.see("/mirror").await.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&clerk, "web-1", &log).await.status, StatusCode::FORBIDDEN);
}
