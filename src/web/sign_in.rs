//! People: the first operator's set-up, signing in and out, and who is signed in.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::{Invitation, NewHouse, Session, StoreError, User, Write},
    domain::{
        house::edit::{self, Kind},
        ids::HouseId,
    },
    web::{
        Server,
        address::Address,
        caller::{CSRF_COOKIE, Caller, SESSION_COOKIE, cookie},
        clock, invitation,
        json::Json,
        problem::{Class, Problem},
        secrets,
    },
};

/// How long a session lasts: 30 days.
const SESSION_MS: i64 = 30 * 24 * 3600 * 1000;

/// What is said to whoever tries too often.
const TOO_MANY: &str = "too many tries to sign in: wait some minutes";

/// What the first operator's house is called at first.
const FIRST_HOUSE: &str = "My house";

/// Signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The user's address.
    email: String,
    /// The password.
    password: String,
}

/// Comes in by a one-time link: as the first operator, or as somebody who was invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// The token in the link.
    link_token: String,
    /// The first operator's address, by which they sign in; an invitation has its own.
    #[serde(default)]
    email: Option<String>,
    /// What people call them; not needed where the address has an account.
    #[serde(default)]
    name: Option<String>,
    /// A new one of at least ten characters; where the address has an account, its password.
    password: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub struct Me {
    user: Option<MyUser>,
    houses: Vec<MyHouse>,
    /// To be sent back as X-CSRF-Token with every write.
    csrf: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct MyUser {
    id: String,
    email: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
struct MyHouse {
    id: String,
    name: String,
    role: String,
}

/// `POST /api/v1/sign-in`
#[utoipa::path(post, path = "/sign-in", security(()), tag = "people", request_body = SignIn,
    responses((status = 204, description = "signed in; the cookies are set"), (status = 401, description = "wrong address or password"), (status = 429, description = "too many tries")))]
pub async fn sign_in(
    State(server): State<Server>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<SignIn>,
) -> Result<Response, Problem> {
    if !server
        .throttles
        .sign_in_address
        .allows(&address, clock::now_ms())
    {
        return Err(Problem::new(Class::TooMany, TOO_MANY));
    }
    let email = body.email.trim().to_lowercase();
    let user = server.store.user_by_email(&email).await?;
    let user = signs_in(&server, &email, user, body.password).await?;
    open_session(&server, &user.id, &headers).await
}

/// `POST /api/v1/setup`
#[utoipa::path(post, path = "/setup", security(()), tag = "people", request_body = SetUp,
    responses((status = 204, description = "made and signed in"), (status = 410, description = "the link was used or is too old")))]
pub async fn set_up(
    State(server): State<Server>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<SetUp>,
) -> Result<Response, Problem> {
    let now = clock::now_ms();
    if !server.throttles.sign_in_address.allows(&address, now) {
        return Err(Problem::new(Class::TooMany, TOO_MANY));
    }
    if let Some(invitation) = invitation::find(&server, &body.link_token).await? {
        return accept(&server, invitation, body, &headers).await;
    }
    checked_password(&body.password)?;
    let link = secrets::hash(&body.link_token);
    if !server.store.setup_link_is_good(&link, now).await? {
        return Err(invitation::gone());
    }
    let email = body.email.as_deref().unwrap_or_default();
    let user = newcomer(&server, email, &body).await?;
    let house = new_house(FIRST_HOUSE, Some(&user.id))?;
    match server.store.set_up(&link, &user, &house).await {
        Err(StoreError::Conflict) => return Err(invitation::gone()),
        done => done?,
    }
    open_session(&server, &user.id, &headers).await
}

/// Makes a member of whoever was invited.
async fn accept(
    server: &Server,
    invitation: Invitation,
    body: SetUp,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let known = server.store.user_by_email(&invitation.email).await?;
    let (user, newcomer) = match known {
        None => {
            let user = newcomer(server, &invitation.email, &body).await?;
            (user.id.clone(), Some(user))
        }
        Some(user) => {
            let user = signs_in(server, &invitation.email, Some(user), body.password).await?;
            (user.id, None)
        }
    };
    let now = clock::now_ms();
    let accepted = server
        .store
        .accept_invitation(&invitation.token_hash, now, newcomer.as_ref())
        .await;
    match accepted {
        Err(StoreError::Conflict) => return Err(invitation::gone()),
        done => done?,
    }
    open_session(server, &user, headers).await
}

/// A user to be added.
async fn newcomer(server: &Server, email: &str, body: &SetUp) -> Result<User, Problem> {
    let email = checked_email(email)?;
    checked_password(&body.password)?;
    let name = body.name.as_deref().unwrap_or_default().trim();
    if name.is_empty() {
        let detail = "say what people call you";
        return Err(Problem::new(Class::Invalid, detail).at("name"));
    }
    Ok(User {
        id: secrets::id(),
        email,
        name: name.to_owned(),
        password_hash: server.passwords.hash(body.password.clone()).await?,
        made: clock::now_ms(),
    })
}

/// Refuses a wrong password, and too many tries.
async fn signs_in(
    server: &Server,
    email: &str,
    user: Option<User>,
    password: String,
) -> Result<User, Problem> {
    if !server
        .throttles
        .sign_in_account
        .allows(email, clock::now_ms())
    {
        return Err(Problem::new(Class::TooMany, TOO_MANY));
    }
    // An unknown address takes as long as a wrong password, so that nobody can ask who is known.
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let hash = hash.unwrap_or_else(|| server.nobodys_password.clone());
    let right = server.passwords.verify(password, hash).await?;
    let user = user.filter(|_| right).ok_or_else(|| {
        let detail = "this address and password do not belong together";
        Problem::new(Class::NotSignedIn, detail)
    })?;
    server.throttles.sign_in_account.forget(email);
    Ok(user)
}

/// `POST /api/v1/sign-out`
#[utoipa::path(post, path = "/sign-out", tag = "people", responses((status = 204, description = "signed out")))]
pub async fn sign_out(
    State(server): State<Server>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.user()?;
    if let Some(session) = cookie(&headers, SESSION_COOKIE) {
        server.store.delete_session(&secrets::hash(session)).await?;
    }
    let mut answer = StatusCode::NO_CONTENT.into_response();
    for name in [SESSION_COOKIE, CSRF_COOKIE] {
        set_cookie(&mut answer, &format!("{name}=; Path=/; Max-Age=0"));
    }
    Ok(answer)
}

/// `GET /api/v1/me`
#[utoipa::path(get, path = "/me", tag = "people", responses((status = 200, body = Me)))]
pub async fn me(State(server): State<Server>, caller: Caller) -> Result<Json<Me>, Problem> {
    let (user, csrf) = match &caller {
        Caller::Person { user, csrf } => {
            let row = server.store.user(user).await?;
            let row = row.ok_or_else(|| Problem::new(Class::NotSignedIn, "this user is gone"))?;
            let user = MyUser {
                id: row.id,
                email: row.email,
                name: row.name,
            };
            (Some(user), Some(csrf.clone()))
        }
        Caller::Program { .. } | Caller::Box { .. } => (None, None),
    };
    let houses = caller.houses(&server).await?;
    let mut named = Vec::new();
    for (id, role) in houses {
        let Some(hall) = server.halls.hall(&id).await? else {
            continue;
        };
        named.push(MyHouse {
            name: hall.name(),
            role: role.as_str().to_owned(),
            id,
        });
    }
    named.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Json(Me {
        user,
        houses: named,
        csrf,
    }))
}

/// A house with its defaults, to be made.
pub fn new_house(name: &str, owner: Option<&str>) -> Result<NewHouse, Problem> {
    let id = secrets::id();
    Ok(NewHouse {
        resources: vec![Write {
            kind: Kind::House.name().to_owned(),
            id: id.clone(),
            body: Some(edit::new_house(&HouseId::new(&id), name)?),
        }],
        id,
        owner: owner.map(str::to_owned),
    })
}

async fn open_session(
    server: &Server,
    user: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (secret, csrf, now) = (secrets::secret(), secrets::secret(), clock::now_ms());
    let session = Session {
        token_hash: secrets::hash(&secret),
        user: user.to_owned(),
        csrf: csrf.clone(),
        made: now,
        expires: now + SESSION_MS,
    };
    server.store.create_session(&session).await?;
    let secure = match server.is_secure(headers) {
        true => "; Secure",
        false => "",
    };
    let age = SESSION_MS / 1000;
    let mut answer = StatusCode::NO_CONTENT.into_response();
    set_cookie(
        &mut answer,
        &format!(
            "{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}"
        ),
    );
    set_cookie(
        &mut answer,
        &format!("{CSRF_COOKIE}={csrf}; Path=/; SameSite=Lax; Max-Age={age}{secure}"),
    );
    Ok(answer)
}

fn set_cookie(answer: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// An address by which somebody can sign in.
pub fn checked_email(text: &str) -> Result<String, Problem> {
    let email = text.trim().to_lowercase();
    let parts = email.split_once('@');
    let sound = parts.is_some_and(|(name, host)| !name.is_empty() && host.contains(|c| c != '.'))
        && email.len() <= 254
        && !email.contains(char::is_whitespace);
    match sound {
        true => Ok(email),
        false => Err(Problem::new(Class::Invalid, "this is no e-mail address").at("email")),
    }
}

/// A password that is long enough, and not too long.
pub fn checked_password(password: &str) -> Result<(), Problem> {
    let (least, most) = (secrets::SHORTEST_PASSWORD, secrets::LONGEST_PASSWORD);
    match (least..=most).contains(&password.chars().count()) {
        true => Ok(()),
        false => {
            let detail = format!("the password must have {least} to {most} characters");
            Err(Problem::new(Class::Invalid, detail).at("password"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_refused_with_both_of_its_bounds() {
        for good in [10, 1024] {
            assert_eq!(checked_password(&"ä".repeat(good)), Ok(()));
        }
        for bad in [0, 9, 1025] {
            let refused = checked_password(&"ä".repeat(bad)).expect_err("refused");
            let said = refused.detail();
            assert!(said.contains("10 to 1024 characters"), "{bad}: {said}");
        }
    }
}
