//! Who may come in: users, memberships, sessions, API tokens and set-up links.

use async_trait::async_trait;

use super::{Connection, Database, houses::insert_house, lock_house, some};
use crate::db::{
    ApiToken, HouseOf, Invitation, Member, NewHouse, News, People, Role, Session, SetupLink,
    StoreError, User, rows,
};

const NO_USER: StoreError = StoreError::NotFound { what: "user" };
const NO_MEMBER: StoreError = StoreError::NotFound { what: "member" };
const NO_TOKEN: StoreError = StoreError::NotFound { what: "API token" };

#[async_trait]
impl People for Database {
    async fn create_user(&self, user: &User) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_user(&mut tx, user).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        let user: Option<rows::UserRow> =
            sqlx::query_as("SELECT id, email, name, password_hash, made FROM users WHERE id = $1")
                .bind(id)
                .fetch_optional(self.readers())
                .await?;
        Ok(user.map(rows::user))
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let user: Option<rows::UserRow> = sqlx::query_as(
            "SELECT id, email, name, password_hash, made FROM users WHERE email_key = $1",
        )
        .bind(rows::email_key(email))
        .fetch_optional(self.readers())
        .await?;
        Ok(user.map(rows::user))
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        let users: Vec<rows::UserRow> = sqlx::query_as(
            "SELECT id, email, name, password_hash, made FROM users ORDER BY email_key",
        )
        .fetch_all(self.readers())
        .await?;
        Ok(users.into_iter().map(rows::user).collect())
    }

    async fn update_user(&self, user: &User) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE users SET email = $2, email_key = $3, name = $4, password_hash = $5
             WHERE id = $1",
        )
        .bind(&user.id)
        .bind(&user.email)
        .bind(rows::email_key(&user.email))
        .bind(&user.name)
        .bind(&user.password_hash)
        .execute(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_taken("e-mail address"))?;
        some(done.rows_affected(), NO_USER)?;
        tx.commit().await?;
        Ok(())
    }

    async fn delete_user(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let houses: Vec<String> =
            sqlx::query_scalar("SELECT house FROM memberships WHERE member = $1 ORDER BY house")
                .bind(id)
                .fetch_all(&mut *tx)
                .await?;
        for house in houses {
            keep_an_owner(&mut tx, id, &house).await?;
        }
        let done = sqlx::query("DELETE FROM users WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        some(done.rows_affected(), NO_USER)?;
        self.commit_and_tell(tx, vec![News::People]).await
    }

    async fn role(&self, user: &str, house: &str) -> Result<Option<Role>, StoreError> {
        let role: Option<String> =
            sqlx::query_scalar("SELECT role FROM memberships WHERE member = $1 AND house = $2")
                .bind(user)
                .bind(house)
                .fetch_optional(self.readers())
                .await?;
        role.as_deref().map(rows::word).transpose()
    }

    async fn set_member(&self, user: &str, house: &str, role: Role) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if role < Role::Owner {
            keep_an_owner(&mut tx, user, house).await?;
        }
        sqlx::query(
            "INSERT INTO memberships (member, house, role) VALUES ($1, $2, $3)
             ON CONFLICT (member, house) DO UPDATE SET role = excluded.role",
        )
        .bind(user)
        .bind(house)
        .bind(role.as_str())
        .execute(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_not_found("user or house"))?;
        self.commit_and_tell(tx, vec![News::People]).await
    }

    async fn remove_member(&self, user: &str, house: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        keep_an_owner(&mut tx, user, house).await?;
        let done = sqlx::query("DELETE FROM memberships WHERE member = $1 AND house = $2")
            .bind(user)
            .bind(house)
            .execute(&mut *tx)
            .await?;
        some(done.rows_affected(), NO_MEMBER)?;
        self.commit_and_tell(tx, vec![News::People]).await
    }

    async fn members(&self, house: &str) -> Result<Vec<Member>, StoreError> {
        let members: Vec<rows::MemberRow> = sqlx::query_as(
            "SELECT users.id, users.email, users.name, memberships.role
             FROM memberships JOIN users ON users.id = memberships.member
             WHERE memberships.house = $1 ORDER BY users.email_key",
        )
        .bind(house)
        .fetch_all(self.readers())
        .await?;
        members.into_iter().map(rows::member).collect()
    }

    async fn houses_of(&self, user: &str) -> Result<Vec<HouseOf>, StoreError> {
        let houses: Vec<rows::HouseOfRow> = sqlx::query_as(
            "SELECT houses.id, houses.rev, memberships.role, resources.body
             FROM memberships JOIN houses ON houses.id = memberships.house
             LEFT JOIN resources ON resources.house = houses.id AND resources.kind = 'house'
             WHERE memberships.member = $1 ORDER BY houses.id",
        )
        .bind(user)
        .fetch_all(self.readers())
        .await?;
        houses.into_iter().map(rows::house_of).collect()
    }

    async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO sessions (token_hash, member, csrf, made, expires)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&session.token_hash)
        .bind(&session.user)
        .bind(&session.csrf)
        .bind(session.made)
        .bind(session.expires)
        .execute(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_not_found("user"))?;
        tx.commit().await?;
        Ok(())
    }

    async fn session(&self, token_hash: &str, now: i64) -> Result<Option<Session>, StoreError> {
        let session: Option<rows::SessionRow> = sqlx::query_as(
            "SELECT token_hash, member, csrf, made, expires FROM sessions
             WHERE token_hash = $1 AND expires > $2",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(self.readers())
        .await?;
        Ok(session.map(rows::session))
    }

    async fn delete_session(&self, token_hash: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash)
            .execute(&mut *tx)
            .await?;
        self.commit_and_tell(tx, vec![News::People]).await
    }

    async fn delete_sessions_of(&self, user: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE member = $1")
            .bind(user)
            .execute(&mut *tx)
            .await?;
        self.commit_and_tell(tx, vec![News::People]).await
    }

    async fn create_api_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO api_tokens
             (id, secret_hash, name, member, house, role, made, last_used, revoked)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&token.id)
        .bind(&token.secret_hash)
        .bind(&token.name)
        .bind(&token.user)
        .bind(&token.house)
        .bind(token.role.as_str())
        .bind(token.made)
        .bind(token.last_used)
        .bind(token.revoked)
        .execute(&mut *tx)
        .await
        .map_err(|error| {
            StoreError::from(error)
                .or_taken("API token")
                .or_not_found("user or house")
        })?;
        tx.commit().await?;
        Ok(())
    }

    async fn api_token(&self, secret_hash: &str) -> Result<Option<ApiToken>, StoreError> {
        let token: Option<rows::ApiTokenRow> = sqlx::query_as(
            "SELECT id, secret_hash, name, member, house, role, made, last_used, revoked
             FROM api_tokens WHERE secret_hash = $1 AND revoked IS NULL",
        )
        .bind(secret_hash)
        .fetch_optional(self.readers())
        .await?;
        token.map(rows::api_token).transpose()
    }

    async fn api_tokens(&self, user: Option<&str>) -> Result<Vec<ApiToken>, StoreError> {
        let tokens: Vec<rows::ApiTokenRow> = sqlx::query_as(
            "SELECT id, secret_hash, name, member, house, role, made, last_used, revoked
             FROM api_tokens WHERE member IS NOT DISTINCT FROM $1 ORDER BY made, id",
        )
        .bind(user)
        .fetch_all(self.readers())
        .await?;
        tokens.into_iter().map(rows::api_token).collect()
    }

    async fn touch_api_token(&self, id: &str, at: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE api_tokens SET last_used = $2 WHERE id = $1")
            .bind(id)
            .bind(at)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn revoke_api_token(&self, id: &str, at: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done =
            sqlx::query("UPDATE api_tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL")
                .bind(id)
                .bind(at)
                .execute(&mut *tx)
                .await?;
        some(done.rows_affected(), NO_TOKEN)?;
        self.commit_and_tell(tx, vec![News::People]).await
    }

    async fn create_invitation(&self, invitation: &Invitation) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM invitations WHERE house = $1 AND email_key = $2")
            .bind(&invitation.house)
            .bind(rows::email_key(&invitation.email))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO invitations (token_hash, house, email, email_key, role, expires)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&invitation.token_hash)
        .bind(&invitation.house)
        .bind(&invitation.email)
        .bind(rows::email_key(&invitation.email))
        .bind(invitation.role.as_str())
        .bind(invitation.expires)
        .execute(&mut *tx)
        .await
        .map_err(|error| {
            StoreError::from(error)
                .or_taken("invitation")
                .or_not_found("house")
        })?;
        tx.commit().await?;
        Ok(())
    }

    async fn invitation(
        &self,
        token_hash: &str,
        now: i64,
    ) -> Result<Option<Invitation>, StoreError> {
        let invitation: Option<rows::InvitationRow> = sqlx::query_as(
            "SELECT token_hash, house, email, role, expires FROM invitations
             WHERE token_hash = $1 AND expires > $2",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(self.readers())
        .await?;
        invitation.map(rows::invitation).transpose()
    }

    async fn accept_invitation(
        &self,
        token_hash: &str,
        now: i64,
        newcomer: Option<&User>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let accepted: Option<(String, String, String)> = sqlx::query_as(
            "DELETE FROM invitations WHERE token_hash = $1 AND expires > $2
             RETURNING house, email_key, role",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        let (house, email_key, role) = accepted.ok_or(StoreError::Conflict)?;
        if let Some(user) = newcomer {
            insert_user(&mut tx, user).await?;
        }
        // A member stays what they are.
        let done = sqlx::query(
            "INSERT INTO memberships (member, house, role)
             SELECT id, CAST($2 AS TEXT), CAST($3 AS TEXT) FROM users WHERE email_key = $1
             ON CONFLICT (member, house) DO UPDATE SET role = memberships.role",
        )
        .bind(email_key)
        .bind(house)
        .bind(role)
        .execute(&mut *tx)
        .await?;
        some(done.rows_affected(), NO_USER)?;
        self.commit_and_tell(tx, vec![News::People]).await
    }

    async fn create_setup_link(&self, link: &SetupLink) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM setup_links WHERE used IS NULL")
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO setup_links (token_hash, expires) VALUES ($1, $2)")
            .bind(&link.token_hash)
            .bind(link.expires)
            .execute(&mut *tx)
            .await
            .map_err(|error| StoreError::from(error).or_taken("set-up link"))?;
        tx.commit().await?;
        Ok(())
    }

    async fn setup_link_is_good(&self, token_hash: &str, now: i64) -> Result<bool, StoreError> {
        let good = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM setup_links
             WHERE token_hash = $1 AND used IS NULL AND expires > $2)",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_one(self.readers())
        .await?;
        Ok(good)
    }

    async fn set_up(
        &self,
        token_hash: &str,
        user: &User,
        house: &NewHouse,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE setup_links SET used = $2
             WHERE token_hash = $1 AND used IS NULL AND expires > $2",
        )
        .bind(token_hash)
        .bind(user.made)
        .execute(&mut *tx)
        .await?;
        some(done.rows_affected(), StoreError::Conflict)?;
        insert_user(&mut tx, user).await?;
        insert_house(&mut tx, house).await?;
        let made = News::House {
            house: house.id.clone(),
            rev: 1,
        };
        self.commit_and_tell(tx, vec![made]).await
    }
}

async fn insert_user(db: &mut Connection, user: &User) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO users (id, email, email_key, name, password_hash, made)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&user.id)
    .bind(&user.email)
    .bind(rows::email_key(&user.email))
    .bind(&user.name)
    .bind(&user.password_hash)
    .bind(user.made)
    .execute(db)
    .await
    .map_err(|error| StoreError::from(error).or_taken("e-mail address"))?;
    Ok(())
}

/// Refuses if the user is the only owner that the house has.
async fn keep_an_owner(db: &mut Connection, user: &str, house: &str) -> Result<(), StoreError> {
    lock_house(db, house).await?;
    let owners: Vec<String> =
        sqlx::query_scalar("SELECT member FROM memberships WHERE house = $1 AND role = 'owner'")
            .bind(house)
            .fetch_all(db)
            .await?;
    match owners.as_slice() {
        [only] if only == user => Err(StoreError::Conflict),
        _ => Ok(()),
    }
}
