//! Statistics of certificates, and the sheets of figures that go out.

use axum::http::{StatusCode, header};
use tianyin_domain::Role;
use tianyin_domain::lot::Lot;

use super::{Browser, World, everything, world};

const PAGE: &str = "/certificates/statistics";

/// Another lot of the same goods, harvested on the same day; the address of its page.
async fn another_lot(world: &World, browser: &Browser<'_>, like: &str) -> String {
    let id = like.rsplit('/').next().unwrap();
    let lot = world.app.store.get::<Lot>(id).unwrap().unwrap();
    let day = lot.harvested_on.to_string();
    let fields = [
        ("operator", lot.operator.as_str()),
        ("product", lot.product.as_str()),
        ("site", lot.site.as_str()),
        ("quantity", "30"),
        ("harvested_on", day.as_str()),
    ];
    browser.done("/lots", &fields).await
}

#[tokio::test]
async fn lots_without_a_certificate_are_counted_and_listed() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let empty = admin.see(PAGE).await;
    assert_eq!(empty.status, StatusCode::OK);
    assert!(empty.text.contains("这段时间没有应当开证的批次"), "{}", empty.text);

    let made = everything(&admin).await;
    let all_issued = admin.see(PAGE).await.text;
    assert!(all_issued.contains("100.0%") && all_issued.contains("应开的都开了"), "{all_issued}");
    assert!(admin.see("/certificates").await.text.contains(&format!("href=\"{PAGE}\"")));

    let second = another_lot(&world, &admin, &made.lot).await;
    let page = admin.see(PAGE).await.text;
    assert!(page.contains("50.0%") && !page.contains("100.0%"), "{page}");
    let ways = [format!("href=\"{second}/issue\""), format!("href=\"{}/issue\"", made.lot)];
    assert_eq!(ways.map(|way| page.contains(&way)), [true, false], "{page}");

    let operator = made.operator.rsplit('/').next().unwrap();
    let own = admin.see(&format!("{PAGE}?operator={operator}")).await.text;
    assert!(own.contains("只看这一家") && own.contains(&format!("{second}/issue")), "{own}");
    let unknown = admin.see(&format!("{PAGE}?operator=opr_x")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let over = admin.see(&format!("{PAGE}?from=2020-01-01&to=2020-01-31")).await.text;
    assert!(over.contains("这段时间没有应当开证的批次"), "{over}");
    for bad in ["from=1.11.", "from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01"] {
        let refused = admin.see(&format!("{PAGE}?{bad}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
        assert!(refused.text.contains("role=\"alert\""), "{bad}");
    }

    world.add_user("grower", Role::Producer, Some(operator.to_owned())).await;
    let grower = world.browser("grower").await;
    assert!(!grower.see("/certificates").await.text.contains(PAGE));
    for path in [PAGE.to_owned(), format!("{PAGE}/export.csv"), format!("{PAGE}/export.xlsx")] {
        assert_eq!(grower.see(&path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn sheets_of_figures_go_out_with_a_note() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let made = everything(&admin).await;
    another_lot(&world, &admin, &made.lot).await;

    let csv = admin.see(&format!("{PAGE}/export.csv")).await;
    assert!(csv.text.contains("合计,,2,1,0,1,50.0%"), "{}", csv.text);
    assert!(csv.text.contains("按主体,示例合作社,2,1,0,1,50.0%"), "{}", csv.text);
    for (path, name, media) in [
        (format!("{PAGE}/export.csv"), "certificate-statistics.csv", "text/csv; charset=utf-8"),
        (
            format!("{PAGE}/export.csv?encoding=gb18030"),
            "certificate-statistics.csv",
            "text/csv; charset=gb18030",
        ),
        (
            format!("{PAGE}/export.xlsx"),
            "certificate-statistics.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        ("/tests/ledger/export.csv".to_owned(), "test-ledger.csv", "text/csv; charset=utf-8"),
        (
            "/tests/statistics/export.csv?encoding=gb18030".to_owned(),
            "test-statistics.csv",
            "text/csv; charset=gb18030",
        ),
    ] {
        let reply = admin.see(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
        let sent = |name: header::HeaderName| reply.headers[name].to_str().unwrap().to_owned();
        assert_eq!(sent(header::CONTENT_TYPE), media, "{path}");
        let wanted = format!("attachment; filename=\"{name}\"");
        assert_eq!(sent(header::CONTENT_DISPOSITION), wanted, "{path}");
        assert_eq!(sent(header::CACHE_CONTROL), "private, no-store", "{path}");
    }
    let notes = admin.see("/accesses?status=export").await.text;
    for note in [
        "certificate-statistics.csv?from=",
        "certificate-statistics.xlsx?from=",
        "test-ledger.csv?month=",
        "test-statistics.csv?from=",
    ] {
        assert!(notes.contains(note), "{note}: {notes}");
    }
}
