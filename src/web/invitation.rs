//! Links by which somebody becomes a member of a house.
//!
//! A link is for one address and one house, once. Nobody becomes a member, and no account comes into being, before the
//! link is used by somebody who knows the account's password or, where the address is new, chooses one: so nobody can
//! make an account in another's name that a house is later opened to.

use axum::extract::State;
use form_urlencoded::Serializer;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::{Invitation, Role},
    web::{
        Server, clock,
        json::{Json, Query},
        problem::{Class, Problem},
        secrets,
    },
};

/// How long a link is good: a week.
const GOOD_MS: i64 = 7 * 24 * 3600 * 1000;

/// Invites an address to a house; answers the link to pass on.
pub async fn invite(
    server: &Server,
    house: &str,
    email: String,
    role: Role,
) -> Result<String, Problem> {
    let token = secrets::secret();
    let query = Serializer::new(String::new())
        .append_pair("token", &token)
        .append_pair("email", &email)
        .finish();
    let invitation = Invitation {
        token_hash: secrets::hash(&token),
        house: house.to_owned(),
        email,
        role,
        expires: clock::now_ms() + GOOD_MS,
    };
    server.store.create_invitation(&invitation).await?;
    Ok(format!("{}/setup?{query}", server.url))
}

/// The invitation of a link's token, if it is one and still good.
pub async fn find(server: &Server, token: &str) -> Result<Option<Invitation>, Problem> {
    let hash = secrets::hash(token);
    Ok(server.store.invitation(&hash, clock::now_ms()).await?)
}

/// Which link.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Held {
    /// The link's token.
    token: String,
}

/// What a link is for.
#[derive(Serialize, ToSchema)]
pub struct Offer {
    /// Whose it is.
    email: String,
    /// The name of the house.
    house: String,
    /// What they may do there.
    role: String,
    /// Whether the address has an account here, whose password is asked for; else one is chosen.
    known: bool,
}

/// `GET /api/v1/invitation`
#[utoipa::path(get, path = "/invitation", security(()), tag = "people", params(Held), responses((status = 200, body = Offer), (status = 410, description = "the link was used or is too old")))]
pub async fn look(
    State(server): State<Server>,
    Query(held): Query<Held>,
) -> Result<Json<Offer>, Problem> {
    let invitation = find(&server, &held.token).await?.ok_or_else(gone)?;
    let hall = server.halls.must(&invitation.house).await?;
    let known = server.store.user_by_email(&invitation.email).await?;
    Ok(Json(Offer {
        house: hall.name(),
        role: invitation.role.to_string(),
        known: known.is_some(),
        email: invitation.email,
    }))
}

/// The link is of no use any more.
pub fn gone() -> Problem {
    let advice = "print another with musebox-house setup-link, or ask who invited you for another";
    Problem::new(
        Class::Gone,
        format!("this link was used already or is too old: {advice}"),
    )
}
