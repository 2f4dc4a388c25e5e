//! Print jobs on the pages: taken back, asked for a reason, tried again.

use axum::http::StatusCode;
use tianyin_domain::print_job::{self, BeginPrint, EndPrint, PrintJob, PrintStatus};
use tianyin_domain::state::State;
use tianyin_domain::{Actor, Command};

use super::{Browser, World, everything, world};
use crate::texts::t;

/// A certificate and a printer that is off.
async fn certificate(admin: &Browser<'_>) -> String {
    let made = everything(admin).await;
    let printer = [
        ("id", "printer-1"),
        ("name", "示例打印机"),
        ("kind", "printer"),
        ("address", "127.0.0.1:9"),
        ("dpi", "203"),
    ];
    // The page of a device shows a token once.
    assert_eq!(admin.post("/devices", &printer).await.goes_to(), "/devices/printer-1");
    made.certificate
}

/// The certificate's jobs, in the order they were made.
fn jobs(world: &World, certificate: &str) -> Vec<PrintJob> {
    let code = certificate.rsplit('/').next().unwrap();
    let state: &dyn State = &world.app.store;
    state.list(print_job::BY_CERTIFICATE, code, 10).unwrap()
}

async fn appliance(world: &World, command: Command) {
    world.app.submit(&Actor::system("test"), command).await.unwrap();
}

#[tokio::test]
async fn a_second_label_is_asked_for_its_reason() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let certificate = certificate(&admin).await;
    let form = format!("{certificate}/print");
    assert!(!admin.see(&certificate).await.text.contains("id=\"print-reason\""));
    admin.done(&form, &[("printer", "printer-1"), ("copies", "2")]).await;
    let page = admin.see(&certificate).await.text;
    assert!(page.contains(t("print_jobs.under_way")) && page.contains("id=\"print-reason\""));

    let again = [("printer", "printer-1"), ("copies", "7"), ("reason", "")];
    let refused = admin.post(&form, &again).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("示例打印机") && refused.text.contains("value=\"7\""));
    assert!(refused.text.contains("id=\"print-reason-error\""), "{}", refused.text);
    assert_eq!(jobs(&world, &certificate).len(), 1);
    let again = [("printer", "printer-1"), ("copies", "7"), ("reason", "另一箱也要贴")];
    admin.done(&form, &again).await;
    assert!(admin.see("/print-jobs").await.text.contains("另一箱也要贴"));
}

#[tokio::test]
async fn what_waits_is_taken_back() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let certificate = certificate(&admin).await;
    let print = [("printer", "printer-1"), ("copies", "1")];
    admin.done(&format!("{certificate}/print"), &print).await;
    let job = jobs(&world, &certificate).remove(0);
    let cancel = format!("/print-jobs/{}/cancel", job.id);
    for path in ["/print-jobs", "/print-jobs?status=queued", &certificate] {
        assert!(admin.see(path).await.text.contains(&cancel), "{path}");
    }
    assert_eq!(admin.done(&cancel, &[]).await, "/print-jobs");
    assert_eq!(jobs(&world, &certificate)[0].status, PrintStatus::Cancelled);
    let page = admin.see("/print-jobs?status=cancelled").await.text;
    assert!(page.contains("示例打印机") && !page.contains(&cancel));
}

#[tokio::test]
async fn who_tries_again_what_may_have_come_out_is_sent_to_the_printer_first() {
    let world = world().await;
    let admin = world.browser("admin").await;
    let certificate = certificate(&admin).await;
    let print = [("printer", "printer-1"), ("copies", "1")];
    admin.done(&format!("{certificate}/print"), &print).await;
    let job = jobs(&world, &certificate).remove(0).id;
    let path = format!("/print-jobs/{job}/retry");
    let link = format!("href=\"{path}\"");

    // Nothing was sent: one press.
    let error = "printer_unreachable|127.0.0.1:9".into();
    appliance(&world, Command::EndPrint(EndPrint { job: job.clone(), error })).await;
    let page = admin.see("/print-jobs?status=failed").await.text;
    assert!(page.contains(&format!("action=\"{path}\"")) && !page.contains(&link), "{page}");
    admin.done(&path, &[]).await;
    assert_eq!(admin.see(&path).await.goes_to(), "/print-jobs", "somebody has seen to it");

    appliance(&world, Command::BeginPrint(BeginPrint { job: job.clone() })).await;
    let error = "interrupted".into();
    appliance(&world, Command::EndPrint(EndPrint { job, error })).await;
    let page = admin.see("/print-jobs?status=failed").await.text;
    assert!(page.contains(&link) && !page.contains(&format!("action=\"{path}\"")), "{page}");
    let page = admin.see(&path).await.text;
    assert!(page.contains(t("print_jobs.look_first")) && page.contains("id=\"print-reason\""));
    let refused = admin.post(&path, &[("reason", " ")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("id=\"print-reason-error\""), "{}", refused.text);
    admin.done(&path, &[("reason", "没有出纸")]).await;
    let job = jobs(&world, &certificate).remove(0);
    assert_eq!((job.status, job.retries), (PrintStatus::Queued, 2));
    assert_eq!(job.reason, "没有出纸");
}
