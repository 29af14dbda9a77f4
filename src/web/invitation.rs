//! Links by which somebody new chooses a password.
//!
//! Nothing is stored for them: a link is signed over the user, its end and the password's hash of the moment, so it is
//! worth nothing any more as soon as a password was chosen.

use form_urlencoded::Serializer;

use crate::{
    db::User,
    web::{Server, clock, problem::Problem, secrets, signature},
};

/// How long a link is good: a week.
const GOOD_MS: i64 = 7 * 24 * 3600 * 1000;
/// What the token begins with.
const MARK: &str = "invited";

/// A link for this user.
pub fn link(server: &Server, user: &User) -> String {
    let exp = clock::now_ms() + GOOD_MS;
    let token = format!("{MARK}.{}.{exp}.{}", user.id, sign(server, user, exp));
    let query = Serializer::new(String::new())
        .append_pair("token", &token)
        .append_pair("email", &user.email)
        .finish();
    format!("{}/setup?{query}", server.url)
}

/// The user of a link's token, if it is one of these and still good.
pub async fn user(server: &Server, token: &str) -> Result<Option<User>, Problem> {
    let mut parts = token.split('.');
    let (Some(MARK), Some(id), Some(exp), Some(sig), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Ok(None);
    };
    let exp: i64 = exp.parse().unwrap_or_default();
    let user = server.store.user(id).await?;
    Ok(user.filter(|user| clock::now_ms() < exp && secrets::same(sig, &sign(server, user, exp))))
}

fn sign(server: &Server, user: &User, exp: i64) -> String {
    signature::sign(
        &server.signing_key,
        &[MARK, &user.id, &user.password_hash],
        exp,
    )
}
