//! Applying on line, without an account. Who has applied is signed in, and finds the way back with
//! the operator code as sign-in name.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use axum_extra::extract::cookie::CookieJar;
use tianyin_domain::application::WithdrawOperator;
use tianyin_domain::code;
use tianyin_domain::command::Command;
use tianyin_domain::operator::{Operator, OperatorKind};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::operators::{UsccNote, not_registered, read_operator, township_choices};
use super::page::{Page, html, refused};
use super::session::{Open, Posted, Signed, done_or_not, session_cookie, told};
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::http::limits::RateLimit;
use crate::texts::{t, tf};

/// Applications from one address in the long run: one in ten minutes.
const APPLICATIONS_PER_S: f64 = 1.0 / 600.0;
/// At once: a station's desk may help several growers in a row.
const APPLICATIONS_BURST: f64 = 10.0;
static RATE: LazyLock<RateLimit> =
    LazyLock::new(|| RateLimit::new(APPLICATIONS_PER_S, APPLICATIONS_BURST));

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/apply", get(page).post(apply))
        .route("/apply/uscc", get(uscc))
        .route("/operators/{id}/withdraw", post(withdraw))
}

#[derive(Template)]
#[template(path = "operators/apply.html")]
struct ApplyPage {
    page: Page,
    form: Form,
    kinds: Vec<Choice>,
    townships: Vec<Choice>,
    uscc: UsccNote,
    uscc_check: String,
}

async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer {
    if !app.is_set_up()? {
        return Ok(Redirect::to("/setup").into_response());
    }
    if Signed::of(&app, &headers).is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    html(&apply_page(&app, Form::default())?)
}

fn apply_page(app: &App, form: Form) -> Result<ApplyPage, ConsoleError> {
    let mut townships = township_choices(app)?;
    townships.insert(0, Choice::new("", t("forms.choose")));
    let mut kinds = Choice::words(&OperatorKind::ALL);
    kinds.insert(0, Choice::new("", t("forms.choose")));
    let form = form.of("operator");
    Ok(ApplyPage {
        page: Page::bare(app, "apply.title"),
        uscc: UsccNote::of(app, &form)?,
        uscc_check: "/apply/uscc".into(),
        form,
        kinds,
        townships,
    })
}

async fn uscc(State(app): State<Arc<App>>, Query(fields): Query<Vec<(String, String)>>) -> Answer {
    html(&UsccNote::of(&app, &Form::sent(fields))?)
}

async fn apply(
    State(app): State<Arc<App>>,
    ClientAddr(address): ClientAddr,
    Open(mut form): Open,
) -> Answer {
    let command = read_operator(&app, &mut form)?;
    form.text_of("contact_name");
    let password = form.raw("password").to_owned();
    form.text_of("password");
    if form.raw("password_again") != password {
        form.bad("password_again", "passwords_differ");
    }
    if let (Some(data), true) = (command, form.is_good()) {
        if let Err(wait) = RATE.take(address, Instant::now()) {
            let seconds = (wait.as_secs() + 1).to_string();
            let error = AppError::refused_with("throttled", vec![("seconds", seconds)]);
            form.summary = Some(error.detail());
            return refused(&apply_page(&app, form)?);
        }
        match app.apply_operator(data, password.clone(), form.once()).await {
            Ok(outcome) => {
                let operator: Operator = app
                    .store
                    .get(&outcome.id)?
                    .ok_or_else(|| ConsoleError::not_found("operator", &outcome.id))?;
                let (token, _) = app.sign_in(&operator.code, &password, address).await?;
                let text = tf("apply.sent", [("code", code::grouped(&operator.code).as_str())]);
                let to = format!("/operators/{}", operator.id);
                let jar = CookieJar::new().add(session_cookie(token));
                return Ok((jar, told(&to, true, &text)).into_response());
            }
            Err(error) => not_registered(&mut form, error)?,
        }
    }
    form.summarise();
    refused(&apply_page(&app, form)?)
}

async fn withdraw(
    State(app): State<Arc<App>>,
    axum::extract::Path(operator): axum::extract::Path<String>,
    Posted { signed, .. }: Posted,
) -> Answer {
    let to = format!("/operators/{operator}");
    let command = Command::WithdrawOperator(WithdrawOperator { operator });
    done_or_not(&to, app.submit(signed.actor(), command).await, "apply.withdrawn")
}
