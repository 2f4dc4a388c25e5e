//! Users, for whoever allocates accounts: the county's administrator all, another one those of its agency.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::Role;
use tianyin_domain::user::{self, User};

use super::Answer;
use super::list::{self, Filter, Listing};
use super::request::{Body, Caller, Key, RawParameters, parameter};
use super::route::{Good, Route, Shown, made_value, one};
use super::schema::Kind::{Boolean, Chars, Formed, Text};
use super::schema::{Described, Schema, filled, opt, req};
use super::shapes::{ROLE, shape};
use crate::app::App;
use crate::app::passwords::{NewUser, drawn_password};
use crate::http::Problem;

const LISTING: Listing = Listing {
    all: Some((user::ALL, "")),
    filters: &[
        Filter {
            parameter: parameter("agency", Text, "Only this agency's."),
            field: "/agency",
            index: Some(user::BY_AGENCY),
        },
        Filter {
            parameter: parameter("role", ROLE, "Only this role."),
            field: "/role",
            index: None,
        },
    ],
    switches: &[],
    search: &["/username", "/name"],
    newest_first: false,
    county_wide: false,
};

#[derive(Deserialize)]
struct Add {
    username: String,
    name: String,
    role: Role,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    agency: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

impl Described for Add {
    const SCHEMA: Schema = shape!(
        "AddUser",
        "A user to add.",
        [
            req("username", Formed("^[A-Za-z0-9._-]{2,32}$"), "Sign-in name; kept in lower case."),
            req("name", filled(32), "Person's name."),
            req("role", ROLE, "Role."),
            opt("operator", Text, "Operator; for producers, and only for them."),
            opt("agency", Text, "Agency; the caller's own when absent, none for producers."),
            opt(
                "password",
                Chars(8, 128),
                "Initial password, to be changed at the first sign-in; drawn when absent."
            ),
        ]
    );
}

const ADDED: Schema = shape!(
    "AddedUser",
    "A user that was added.",
    [
        req("id", Text, "Id."),
        req("username", Text, "Sign-in name."),
        req("name", Text, "Person's name."),
        req("role", ROLE, "Role."),
        opt("operator", Text, "Operator the user acts for."),
        opt("agency", Text, "Agency the user works for."),
        req("active", Boolean, "Whether it may sign in."),
        opt("initial_password", Text, "The password that was drawn; nobody can have it again."),
    ]
);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/users", "Lists users.", Good::Page(User::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/users", "Adds a user.", Good::Made(&ADDED), post(add)).body::<Add>(),
    ]
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    caller.allocators_only()?;
    let own = caller.session.user.agency.as_deref();
    match caller.session.user.is_county_administrator() {
        true => list::page::<User>(&app, &caller, &LISTING, query),
        false => {
            let part = (user::BY_AGENCY, own.unwrap_or_default());
            list::page_of::<User>(&app, &caller, &LISTING, query, Some(part))
        }
    }
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(body): Body<Add>,
) -> Answer {
    // Before the password is hashed, which costs.
    caller.allocators_only()?;
    let (was_drawn, drawn) = (body.password.is_none(), drawn_password());
    let new = NewUser {
        username: body.username,
        name: body.name,
        role: body.role,
        operator: body.operator,
        agency: body.agency,
        password: body.password.unwrap_or_else(|| drawn.clone()),
        initial: true,
    };
    let outcome = app.add_user(caller.actor(), new, key).await?;
    let user =
        one::<User>(&app, &caller, &outcome.id).map_err(|problem| problem.after(&outcome))?;
    let mut shown = serde_json::to_value(&user).map_err(Problem::internal)?;
    if was_drawn && outcome.written {
        shown["initial_password"] = drawn.into();
    }
    Ok(made_value::<User>(&outcome, ADDED.show(&shown)))
}
