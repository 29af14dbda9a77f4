//! Houses, their resources and the changes of these.

use async_trait::async_trait;

use super::{Connection, Database, lock_house_for_removal};
use crate::db::{
    Change, ChangeRow, Houses, KEPT_CHANGES, NewHouse, News, Role, StoreError, Stored, Write, rows,
};

const NO_HOUSE: StoreError = StoreError::NotFound { what: "house" };

#[async_trait]
impl Houses for Database {
    async fn create_house(&self, house: &NewHouse) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_house(&mut tx, house).await?;
        let made = News::House {
            house: house.id.clone(),
            rev: 1,
        };
        self.commit_and_tell(tx, vec![made]).await
    }

    async fn houses(&self) -> Result<Vec<String>, StoreError> {
        let houses = sqlx::query_scalar("SELECT id FROM houses ORDER BY id")
            .fetch_all(self.readers())
            .await?;
        Ok(houses)
    }

    async fn delete_house(&self, house: &str, expected: Option<i64>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // First, so that no box comes in after its screens are known.
        lock_house_for_removal(&mut tx, house).await?;
        if let Some(expected) = expected {
            let rev: Option<i64> = sqlx::query_scalar(
                "SELECT rev FROM resources WHERE house = $1 AND kind = 'house' AND id = $1",
            )
            .bind(house)
            .fetch_optional(&mut *tx)
            .await?;
            if rev.ok_or(NO_HOUSE)? != expected {
                return Err(StoreError::Conflict);
            }
        }
        let screens: Vec<String> =
            sqlx::query_scalar("SELECT screen FROM devices WHERE house = $1 AND revoked IS NULL")
                .bind(house)
                .fetch_all(&mut *tx)
                .await?;
        let rev: i64 = sqlx::query_scalar("DELETE FROM houses WHERE id = $1 RETURNING rev")
            .bind(house)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(NO_HOUSE)?;
        let mut news: Vec<News> = screens
            .into_iter()
            .map(|screen| News::Revoked { screen })
            .collect();
        news.push(News::House {
            house: house.to_owned(),
            rev,
        });
        self.commit_and_tell(tx, news).await
    }

    async fn load(&self, house: &str) -> Result<Option<Stored>, StoreError> {
        // Both statements see the same moment.
        let mut tx = self.snapshot().await?;
        let found: Option<(String, i64)> =
            sqlx::query_as("SELECT meta.epoch, houses.rev FROM meta, houses WHERE houses.id = $1")
                .bind(house)
                .fetch_optional(&mut *tx)
                .await?;
        let Some((epoch, rev)) = found else {
            return Ok(None);
        };
        let resources: Vec<rows::ResourceRow> = sqlx::query_as(
            "SELECT kind, id, rev, body FROM resources WHERE house = $1 ORDER BY kind, id",
        )
        .bind(house)
        .fetch_all(&mut *tx)
        .await?;
        tx.rollback().await?;
        let resources = resources
            .into_iter()
            .map(rows::resource)
            .collect::<Result<_, _>>()?;
        Ok(Some(Stored {
            epoch,
            rev,
            resources,
        }))
    }

    async fn commit(&self, house: &str, base_rev: i64, change: &Change) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        write_change(&mut tx, house, base_rev, change).await?;
        let changed = News::House {
            house: house.to_owned(),
            rev: change.rev,
        };
        self.commit_and_tell(tx, vec![changed]).await
    }

    async fn changes_since(&self, house: &str, rev: i64) -> Result<Vec<ChangeRow>, StoreError> {
        let changes: Vec<rows::ChangeTuple> = sqlx::query_as(
            "SELECT base_rev, rev, patch, sha256, made_by, at FROM changes
             WHERE house = $1 AND rev > $2 ORDER BY rev",
        )
        .bind(house)
        .bind(rev)
        .fetch_all(self.readers())
        .await?;
        changes.into_iter().map(rows::change).collect()
    }
}

pub(super) async fn insert_house(db: &mut Connection, house: &NewHouse) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO houses (id, rev) VALUES ($1, 1)")
        .bind(&house.id)
        .execute(&mut *db)
        .await
        .map_err(|error| StoreError::from(error).or_taken("house"))?;
    write_resources(db, &house.id, 1, &house.resources).await?;
    if let Some(owner) = &house.owner {
        sqlx::query("INSERT INTO memberships (member, house, role) VALUES ($1, $2, $3)")
            .bind(owner)
            .bind(&house.id)
            .bind(Role::Owner.as_str())
            .execute(&mut *db)
            .await
            .map_err(|error| StoreError::from(error).or_not_found("user"))?;
    }
    Ok(())
}

pub(super) async fn write_change(
    db: &mut Connection,
    house: &str,
    base_rev: i64,
    change: &Change,
) -> Result<(), StoreError> {
    // One statement decides and writes: of two at once the second waits for the first and finds its revision.
    let done = sqlx::query("UPDATE houses SET rev = $3 WHERE id = $1 AND rev = $2 AND rev < $3")
        .bind(house)
        .bind(base_rev)
        .bind(change.rev)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 0 {
        let there = sqlx::query("SELECT 1 FROM houses WHERE id = $1")
            .bind(house)
            .fetch_optional(&mut *db)
            .await?;
        return Err(there.map_or(NO_HOUSE, |_| StoreError::Conflict));
    }
    write_resources(db, house, change.rev, &change.writes).await?;
    sqlx::query(
        "INSERT INTO changes (house, rev, base_rev, patch, sha256, made_by, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(house)
    .bind(change.rev)
    .bind(base_rev)
    .bind(change.patch.to_string())
    .bind(&change.sha256)
    .bind(&change.by)
    .bind(change.at)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "DELETE FROM changes WHERE house = $1 AND rev <=
         (SELECT rev FROM changes WHERE house = $1 ORDER BY rev DESC LIMIT 1 OFFSET $2)",
    )
    .bind(house)
    .bind(KEPT_CHANGES)
    .execute(&mut *db)
    .await?;
    Ok(())
}

async fn write_resources(
    db: &mut Connection,
    house: &str,
    rev: i64,
    writes: &[Write],
) -> Result<(), StoreError> {
    for write in writes {
        let query = match &write.body {
            Some(body) => sqlx::query(
                "INSERT INTO resources (house, kind, id, rev, body) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (house, kind, id) DO UPDATE SET rev = excluded.rev, body = excluded.body",
            )
            .bind(house)
            .bind(&write.kind)
            .bind(&write.id)
            .bind(rev)
            .bind(body.to_string()),
            None => sqlx::query("DELETE FROM resources WHERE house = $1 AND kind = $2 AND id = $3")
                .bind(house)
                .bind(&write.kind)
                .bind(&write.id),
        };
        query.execute(&mut *db).await?;
    }
    Ok(())
}
