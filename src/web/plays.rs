//! The play log: what was shown, where, when and for how long, as JSON or as a table (RFC 4180).

use std::{fmt::Write, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::{PlayCursor, PlayFilter, PlayRow, Role, Store, StoreError},
    web::{
        Server,
        caller::Caller,
        clock,
        json::{Json, Path, Query},
        problem::{Class, Problem},
    },
};

/// The most entries of one answer; a table has as many as there are, and is read in pages of this size.
const MOST: i64 = 1000;

/// Which entries.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// From this moment or day on.
    from: Option<String>,
    /// Before this moment or day.
    to: Option<String>,
    /// Of this screen.
    screen: Option<String>,
    /// How many at most, up to 1000.
    limit: Option<i64>,
    /// The next page: what the answer before called `next`.
    before: Option<String>,
}

/// A page of the log, newest first.
#[derive(Serialize, ToSchema)]
pub struct Plays {
    plays: Vec<Play>,
    /// To be given as `before` for the next page; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One showing.
#[derive(Serialize, ToSchema)]
struct Play {
    at: String,
    screen: String,
    screen_name: String,
    output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    playlist: Option<String>,
    playlist_name: String,
    item: String,
    title: String,
    duration_ms: i64,
}

impl Wanted {
    fn filter(&self) -> Result<PlayFilter, Problem> {
        let moment = |text: &Option<String>, key: &str| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => clock::read(text).map(Some).ok_or_else(|| {
                let detail =
                    "a moment as in 2026-11-25T10:00:00Z or a day as in 2026-11-25 is needed";
                Problem::new(Class::Invalid, detail).at(key)
            }),
        };
        let before = self.before.as_deref().map(|text| {
            let mut parts = text.splitn(3, '.');
            let number = |part: Option<&str>| part?.parse::<i64>().ok();
            let at = number(parts.next());
            let seq = number(parts.next());
            let screen = parts.next();
            match (at, seq, screen) {
                (Some(at), Some(seq), Some(screen)) => Ok(PlayCursor {
                    at,
                    seq,
                    screen: screen.to_owned(),
                }),
                _ => Err(
                    Problem::new(Class::Invalid, "take what the answer before called next")
                        .at("before"),
                ),
            }
        });
        Ok(PlayFilter {
            from: moment(&self.from, "from")?,
            to: moment(&self.to, "to")?,
            screen: self.screen.clone().filter(|screen| !screen.is_empty()),
            before: before.transpose()?,
            limit: self.limit.unwrap_or(100).clamp(1, MOST),
        })
    }
}

fn cursor(row: &PlayRow) -> PlayCursor {
    PlayCursor {
        at: row.at,
        screen: row.screen.clone(),
        seq: row.seq,
    }
}

/// `GET /api/v1/houses/{house}/plays`
#[utoipa::path(get, path = "/houses/{house}/plays", tag = "play log", params(("house" = String, Path), Wanted), responses((status = 200, body = Plays)))]
pub async fn list(
    State(server): State<Server>,
    Path(house): Path<String>,
    Query(wanted): Query<Wanted>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.starts_with("text/csv")) {
        return table_of(&server, &house, &wanted).await;
    }
    let filter = wanted.filter()?;
    let rows = server.store.plays(&house, &filter).await?;
    let full = rows.len() as i64 == filter.limit;
    let next = rows.last().filter(|_| full).map(|row| {
        let cursor = cursor(row);
        format!("{}.{}.{}", cursor.at, cursor.seq, cursor.screen)
    });
    let names = Names::of(&server, &house).await?;
    let plays = rows.into_iter().map(|row| names.play(row)).collect();
    Ok(Json(Plays { plays, next }).into_response())
}

/// `GET /api/v1/houses/{house}/plays.csv`
#[utoipa::path(get, path = "/houses/{house}/plays.csv", tag = "play log", params(("house" = String, Path), Wanted), responses((status = 200, description = "a table", content_type = "text/csv")))]
pub async fn table(
    State(server): State<Server>,
    Path(house): Path<String>,
    Query(wanted): Query<Wanted>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    table_of(&server, &house, &wanted).await
}

/// The whole table, page by page as it is read: however long it is, only a page of it is in memory.
async fn table_of(server: &Server, house: &str, wanted: &Wanted) -> Result<Response, Problem> {
    let most = wanted
        .limit
        .map_or(u64::MAX, |limit| u64::try_from(limit).unwrap_or(1).max(1));
    let mut filter = wanted.filter()?;
    filter.limit = MOST;
    let names = Names::of(server, house).await?;
    // A fault of the first page is still an answer; one of a later page cuts the table off, which a browser tells.
    let first = server.store.plays(house, &filter).await?;
    let rest = Rest {
        store: Arc::clone(&server.store),
        house: house.to_owned(),
        filter,
        names,
        left: most,
        page: Some(first),
    };
    let pages = stream::try_unfold(rest, async |rest| rest.next().await);
    let head = Bytes::from_static(b"at,screen,output,playlist,item,title,seconds\r\n");
    let head = stream::once(async { Ok::<_, StoreError>(head) });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"plays.csv\"",
        ),
    ];
    Ok((headers, Body::from_stream(head.chain(pages))).into_response())
}

/// What is still to come of a table.
struct Rest {
    store: Arc<dyn Store>,
    house: String,
    filter: PlayFilter,
    names: Names,
    /// How many rows at most.
    left: u64,
    /// The page that was read first.
    page: Option<Vec<PlayRow>>,
}

impl Rest {
    /// The next page as text; nothing at the end.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let rows = match self.page.take() {
            Some(rows) => rows,
            None if self.left == 0 => return Ok(None),
            None => self.store.plays(&self.house, &self.filter).await?,
        };
        if rows.is_empty() {
            return Ok(None);
        }
        let full = rows.len() as i64 == self.filter.limit;
        self.filter.before = rows.last().map(cursor);
        let count = self.left.min(rows.len() as u64);
        self.left = match full {
            true => self.left - count,
            false => 0,
        };
        let mut text = String::new();
        for row in rows.into_iter().take(count as usize) {
            self.names.write(row, &mut text);
        }
        Ok(Some((Bytes::from(text), self)))
    }
}

/// A cell of the table. A spreadsheet takes what begins like a formula for one, so such a text gets an apostrophe.
fn cell(text: &str) -> String {
    let harmless = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match harmless.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", harmless.replace('"', "\"\"")),
        false => harmless,
    }
}

/// What things are called now.
struct Names(serde_json::Value);

impl Names {
    async fn of(server: &Server, house: &str) -> Result<Self, Problem> {
        Ok(Self(server.halls.must(house).await?.document()))
    }

    fn name(&self, kind: &str, id: &str, key: &str) -> String {
        let name = self.0[kind][id][key].as_str();
        name.unwrap_or(id).to_owned()
    }

    /// Writes a row of the table.
    fn write(&self, row: PlayRow, table: &mut String) {
        let play = self.play(row);
        let seconds = play.duration_ms as f64 / 1000.0;
        let cells = [
            &play.at,
            &play.screen_name,
            &play.output,
            &play.playlist_name,
            &play.item,
            &play.title,
        ];
        for text in cells {
            table.push_str(&cell(text));
            table.push(',');
        }
        // Writing into a string cannot fail.
        let _ = write!(table, "{seconds:.3}\r\n");
    }

    fn play(&self, row: PlayRow) -> Play {
        Play {
            at: clock::written(row.at),
            screen_name: self.name("screens", &row.screen, "name"),
            playlist_name: row
                .playlist
                .as_deref()
                .map_or_else(String::new, |id| self.name("playlists", id, "name")),
            title: self.name("items", &row.item, "title"),
            screen: row.screen,
            output: row.output,
            playlist: row.playlist,
            item: row.item,
            duration_ms: row.duration_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_and_are_no_formulas() {
        for (text, written) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=1+1", "'=1+1"),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
