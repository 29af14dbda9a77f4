//! Who belongs to a house, and the API tokens of programs.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::{ApiToken, Role, StoreError},
    web::{
        Server,
        caller::Caller,
        clock, invitation,
        json::{Json, Path},
        problem::{Class, Problem},
        secrets,
        sign_in::checked_email,
    },
};

/// What an API token begins with, so that scanners of leaked secrets can find it.
pub const TOKEN_PREFIX: &str = "musebox_";

/// The members of a house.
#[derive(Serialize, ToSchema)]
pub struct Members {
    members: Vec<OneMember>,
}

#[derive(Serialize, ToSchema)]
struct OneMember {
    /// The user's id.
    id: String,
    email: String,
    name: String,
    role: String,
}

/// Somebody is to become a member, or a member is to have another role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Their address.
    email: String,
    /// owner, editor or viewer.
    role: String,
}

/// A member has another role, or somebody is invited.
#[derive(Serialize, ToSchema)]
pub struct Added {
    /// The member's id, where they were one.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// To be passed on to whoever is invited: good once, for a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// The API tokens that the asker may see, without their secrets.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    tokens: Vec<OneToken>,
}

#[derive(Serialize, ToSchema)]
struct OneToken {
    id: String,
    name: String,
    role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    house: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
    revoked: bool,
}

/// A token is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    name: String,
    /// owner, editor or viewer; it never can do more than its maker.
    role: String,
    /// The only house it is for; without it, all of its maker's.
    house: Option<String>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub struct MadeToken {
    id: String,
    /// Told only now.
    secret: String,
}

/// A role as it is written in a body.
fn role(text: &str) -> Result<Role, Problem> {
    let role = text.parse::<Role>();
    role.map_err(|err| Problem::new(Class::Invalid, err.to_string()).at("role"))
}

/// `GET /api/v1/houses/{house}/members`
#[utoipa::path(get, path = "/houses/{house}/members", tag = "people", params(("house" = String, Path)), responses((status = 200, body = Members)))]
pub async fn list(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
) -> Result<Json<Members>, Problem> {
    caller.may(&server, &house, Role::Owner).await?;
    let members = server.store.members(&house).await?;
    let members = members.into_iter().map(|member| OneMember {
        id: member.user,
        email: member.email,
        name: member.name,
        role: member.role.to_string(),
    });
    Ok(Json(Members {
        members: members.collect(),
    }))
}

/// `POST /api/v1/houses/{house}/members`
#[utoipa::path(post, path = "/houses/{house}/members", tag = "people", params(("house" = String, Path)), request_body = NewMember, responses((status = 200, body = Added)))]
pub async fn add(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
    Json(member): Json<NewMember>,
) -> Result<Json<Added>, Problem> {
    caller.may(&server, &house, Role::Owner).await?;
    let role = role(&member.role)?;
    let email = checked_email(&member.email)?;
    let members = server.store.members(&house).await?;
    let own = members.into_iter().find(|member| member.email == email);
    let Some(own) = own else {
        let link = invitation::invite(&server, &house, email, role).await?;
        let (id, link) = (None, Some(link));
        return Ok(Json(Added { id, link }));
    };
    let set = server.store.set_member(&own.user, &house, role).await;
    set.map_err(last_owner)?;
    let (id, link) = (Some(own.user), None);
    Ok(Json(Added { id, link }))
}

/// `DELETE /api/v1/houses/{house}/members/{user}`
#[utoipa::path(delete, path = "/houses/{house}/members/{user}", tag = "people", params(("house" = String, Path), ("user" = String, Path)), responses((status = 204, description = "no longer a member")))]
pub async fn remove(
    State(server): State<Server>,
    Path((house, user)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    caller.may(&server, &house, Role::Owner).await?;
    let removed = server.store.remove_member(&user, &house).await;
    removed.map_err(last_owner)?;
    Ok(StatusCode::NO_CONTENT)
}

fn last_owner(error: StoreError) -> Problem {
    match error {
        StoreError::Conflict => Problem::new(
            Class::Conflict,
            "a house needs an owner: make somebody else one first",
        ),
        other => other.into(),
    }
}

/// `GET /api/v1/tokens`
#[utoipa::path(get, path = "/tokens", tag = "people", responses((status = 200, body = Tokens)))]
pub async fn tokens(State(server): State<Server>, caller: Caller) -> Result<Json<Tokens>, Problem> {
    let rows = server.store.api_tokens(Some(caller.user()?)).await?;
    let tokens = rows.into_iter().map(|row| OneToken {
        id: row.id,
        name: row.name,
        role: row.role.to_string(),
        house: row.house,
        created_at: clock::written(row.made),
        last_used: row.last_used.map(clock::written),
        revoked: row.revoked.is_some(),
    });
    Ok(Json(Tokens {
        tokens: tokens.collect(),
    }))
}

/// `POST /api/v1/tokens`
#[utoipa::path(post, path = "/tokens", tag = "people", request_body = NewToken, responses((status = 201, body = MadeToken)))]
pub async fn make_token(
    State(server): State<Server>,
    caller: Caller,
    Json(token): Json<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let user = caller.user()?.to_owned();
    if let Some(house) = &token.house {
        caller.may(&server, house, Role::Viewer).await?;
    }
    let made = new_token(&token.name, role(&token.role)?, token.house, Some(user));
    server.store.create_api_token(&made.0).await?;
    let answer = MadeToken {
        id: made.0.id,
        secret: made.1,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// A token to be kept, and its secret, which is not.
pub fn new_token(
    name: &str,
    role: Role,
    house: Option<String>,
    user: Option<String>,
) -> (ApiToken, String) {
    let secret = format!("{TOKEN_PREFIX}{}", secrets::secret());
    let token = ApiToken {
        id: secrets::id(),
        secret_hash: secrets::hash(&secret),
        name: name.to_owned(),
        user,
        house,
        role,
        made: clock::now_ms(),
        last_used: None,
        revoked: None,
    };
    (token, secret)
}

/// `DELETE /api/v1/tokens/{id}`
#[utoipa::path(delete, path = "/tokens/{id}", tag = "people", params(("id" = String, Path)), responses((status = 204, description = "revoked")))]
pub async fn revoke_token(
    State(server): State<Server>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let own = server.store.api_tokens(Some(caller.user()?)).await?;
    if !own.iter().any(|token| token.id == id) {
        return Err(Problem::not_found("token"));
    }
    server.store.revoke_api_token(&id, clock::now_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}
