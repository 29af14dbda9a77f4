//! Who asks, and what they may.
//!
//! Somebody who is no member of a house is told that there is no such thing, in every route: strangers cannot even
//! tell which houses exist.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
};

use crate::{
    db::Role,
    web::{
        Server, clock,
        problem::{Class, Problem},
        secrets,
    },
};

/// The cookie that holds the session.
pub const SESSION_COOKIE: &str = "musebox_session";
/// The cookie that the page reads and sends back in a header.
pub const CSRF_COOKIE: &str = "musebox_csrf";
/// That header: another site can send our cookies, but cannot read them.
pub const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// How precisely a token's last use is noted: to the hour.
const TOUCH_MS: i64 = 3600 * 1000;

/// Whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A person with a session.
    Person {
        /// The user's id.
        user: String,
        /// The session's token for writes.
        csrf: String,
    },
    /// A program with an API token.
    Program {
        /// The token's id.
        token: String,
        /// The user who made it; none if it was made on the server's own machine.
        user: Option<String>,
        /// The only house it is for, if any.
        house: Option<String>,
        /// What it may do.
        role: Role,
    },
    /// A box.
    Box {
        /// Its screen's id.
        screen: String,
        /// Its house.
        house: String,
    },
}

impl Caller {
    /// Who is named in change rows and logs.
    pub fn name(&self) -> String {
        match self {
            Caller::Person { user, .. } => format!("user {user}"),
            Caller::Program { token, .. } => format!("token {token}"),
            Caller::Box { screen, .. } => format!("screen {screen}"),
        }
    }

    /// Whether this caller may do that in this house; answers the caller's role there. A box may only look, and only at
    /// its own house.
    pub async fn may(&self, server: &Server, house: &str, need: Role) -> Result<Role, Problem> {
        let role = self.role(server, house).await?;
        let role = role.ok_or_else(|| Problem::not_found("house"))?;
        match role >= need {
            true => Ok(role),
            false => Err(Problem::new(
                Class::Forbidden,
                "this needs more than you may do in this house: ask one of its owners",
            )),
        }
    }

    async fn role(&self, server: &Server, house: &str) -> Result<Option<Role>, Problem> {
        Ok(match self {
            Caller::Person { user, .. } => server.store.role(user, house).await?,
            Caller::Program {
                user,
                house: only,
                role,
                ..
            } => {
                if only.as_deref().is_some_and(|only| only != house) {
                    return Ok(None);
                }
                match user {
                    // A token can do no more than its maker.
                    Some(user) => {
                        let makers = server.store.role(user, house).await?;
                        makers.map(|makers| makers.min(*role))
                    }
                    None => server.halls.hall(house).await?.map(|_| *role),
                }
            }
            Caller::Box { house: own, .. } => (own == house).then_some(Role::Viewer),
        })
    }

    /// The houses that this caller may look at, with its role in each.
    pub async fn houses(&self, server: &Server) -> Result<Vec<(String, Role)>, Problem> {
        Ok(match self {
            Caller::Person { user, .. } => houses_of(server, user).await?,
            Caller::Program {
                user,
                house: only,
                role,
                ..
            } => {
                let houses = match user {
                    Some(user) => houses_of(server, user).await?,
                    None => {
                        let all = server.store.houses().await?.into_iter();
                        all.map(|id| (id, Role::Owner)).collect()
                    }
                };
                let allowed = |id: &String| only.as_ref().is_none_or(|only| only == id);
                let houses = houses.into_iter().filter(|(id, _)| allowed(id));
                houses.map(|(id, makers)| (id, makers.min(*role))).collect()
            }
            Caller::Box { house, .. } => vec![(house.clone(), Role::Viewer)],
        })
    }

    /// The user, where a person asks.
    pub fn user(&self) -> Result<&str, Problem> {
        match self {
            Caller::Person { user, .. } => Ok(user),
            Caller::Program { .. } | Caller::Box { .. } => Err(Problem::new(
                Class::Forbidden,
                "only a person who is signed in can do this",
            )),
        }
    }

    /// Finds out who asks: by `Authorization: Bearer`, else by the session's cookie. Writes by cookie need the
    /// session's own token, too.
    pub async fn of(
        server: &Server,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        if let Some(bearer) = bearer(headers) {
            return Self::of_bearer(server, bearer).await;
        }
        let cookie = cookie(headers, SESSION_COOKIE).ok_or_else(nobody)?;
        let hash = secrets::hash(cookie);
        let session = server.store.session(&hash, clock::now_ms()).await?;
        let session = session.ok_or_else(nobody)?;
        if !method.is_safe() {
            let token = headers
                .get(CSRF_HEADER)
                .and_then(|value| value.to_str().ok());
            if !token.is_some_and(|token| secrets::same(token, &session.csrf)) {
                let detail =
                    format!("send the cookie {CSRF_COOKIE} in the header X-CSRF-Token, too");
                return Err(Problem::new(Class::Csrf, detail));
            }
        }
        Ok(Caller::Person {
            user: session.user,
            csrf: session.csrf,
        })
    }

    async fn of_bearer(server: &Server, bearer: &str) -> Result<Self, Problem> {
        let hash = secrets::hash(bearer);
        let now = clock::now_ms();
        if let Some(device) = server.store.device_with_token(&hash, now).await? {
            return Ok(Caller::Box {
                screen: device.screen,
                house: device.house,
            });
        }
        let token = server.store.api_token(&hash).await?.ok_or_else(nobody)?;
        if token.last_used.is_none_or(|last| last < now - TOUCH_MS) {
            server.store.touch_api_token(&token.id, now).await?;
        }
        Ok(Caller::Program {
            token: token.id,
            user: token.user,
            house: token.house,
            role: token.role,
        })
    }
}

async fn houses_of(server: &Server, user: &str) -> Result<Vec<(String, Role)>, Problem> {
    let houses = server.store.houses_of(user).await?.into_iter();
    Ok(houses.map(|house| (house.id, house.role)).collect())
}

/// The token of `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// A cookie's value.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

fn nobody() -> Problem {
    Problem::new(
        Class::NotSignedIn,
        "sign in, or send an API token as Authorization: Bearer",
    )
}

impl FromRequestParts<Server> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        Caller::of(server, &parts.method, &parts.headers).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn cookies_and_tokens_are_found_in_their_headers() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; musebox_session=xyz"),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("musebox_csrf=t"));
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static("bearer abc"),
        );
        assert_eq!(cookie(&headers, SESSION_COOKIE), Some("xyz"));
        assert_eq!(cookie(&headers, CSRF_COOKIE), Some("t"));
        assert_eq!(cookie(&headers, "b"), None);
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(bearer(&headers), None);
    }
}
