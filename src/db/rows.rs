//! Rows as both databases give them, and what they become.
//!
//! A row is a tuple in the order of the columns in the statement.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Display,
    str::FromStr,
};

use serde_json::Value;

use super::{
    ApiToken, ChangeRow, CommandRow, Device, Enrolment, HouseOf, Invitation, MediaFile, Member,
    PlayCursor, PlayFilter, PlayRow, ReportRow, Resource, Session, StoreError, Upload, User,
};

/// id, email, name, password_hash, made
pub(crate) type UserRow = (String, String, String, String, i64);

pub(crate) fn user((id, email, name, password_hash, made): UserRow) -> User {
    User {
        id,
        email,
        name,
        password_hash,
        made,
    }
}

/// id, email, name, role
pub(crate) type MemberRow = (String, String, String, String);

pub(crate) fn member((user, email, name, role): MemberRow) -> Result<Member, StoreError> {
    Ok(Member {
        user,
        email,
        name,
        role: word(&role)?,
    })
}

/// token_hash, house, email, role, expires
pub(crate) type InvitationRow = (String, String, String, String, i64);

pub(crate) fn invitation(
    (token_hash, house, email, role, expires): InvitationRow,
) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        token_hash,
        house,
        email,
        role: word(&role)?,
        expires,
    })
}

/// token_hash, member, csrf, made, expires
pub(crate) type SessionRow = (String, String, String, i64, i64);

pub(crate) fn session((token_hash, user, csrf, made, expires): SessionRow) -> Session {
    Session {
        token_hash,
        user,
        csrf,
        made,
        expires,
    }
}

/// id, secret_hash, name, member, house, role, made, last_used, revoked
pub(crate) type ApiTokenRow = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    String,
    i64,
    Option<i64>,
    Option<i64>,
);

pub(crate) fn api_token(row: ApiTokenRow) -> Result<ApiToken, StoreError> {
    let (id, secret_hash, name, user, house, role, made, last_used, revoked) = row;
    Ok(ApiToken {
        id,
        secret_hash,
        name,
        user,
        house,
        role: word(&role)?,
        made,
        last_used,
        revoked,
    })
}

/// kind, id, rev, body
pub(crate) type ResourceRow = (String, String, i64, String);

pub(crate) fn resource((kind, id, rev, body): ResourceRow) -> Result<Resource, StoreError> {
    Ok(Resource {
        kind,
        id,
        rev,
        body: json(&body)?,
    })
}

/// base_rev, rev, patch, sha256, made_by, at
pub(crate) type ChangeTuple = (i64, i64, String, String, String, i64);

pub(crate) fn change(row: ChangeTuple) -> Result<ChangeRow, StoreError> {
    let (base_rev, rev, patch, sha256, by, at) = row;
    Ok(ChangeRow {
        base_rev,
        rev,
        patch: json(&patch)?,
        sha256,
        by,
        at,
    })
}

/// screen, house, key, name, approved, revoked
pub(crate) type DeviceRow = (String, String, String, String, i64, Option<i64>);

pub(crate) fn device((screen, house, key, name, approved, revoked): DeviceRow) -> Device {
    Device {
        screen,
        house,
        key,
        name,
        approved,
        revoked,
    }
}

/// id, code, secret_hash, device_key, name, version, outputs, box_commit, box_nonce, server_nonce, spki, status, house,
/// screen, made, expires
pub(crate) type EnrolmentRow = (
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    i64,
    i64,
);

pub(crate) fn enrolment(row: EnrolmentRow) -> Result<Enrolment, StoreError> {
    let (id, code, secret_hash, device_key, name, version, outputs, commit, ..) = row;
    let (.., box_nonce, server_nonce, spki, status, house, screen, made, expires) = row;
    Ok(Enrolment {
        id,
        code,
        secret_hash,
        device_key,
        name,
        version,
        outputs: serde_json::from_str(&outputs).map_err(|error| damaged(&error))?,
        commit,
        box_nonce,
        server_nonce,
        spki,
        status: word(&status)?,
        house,
        screen,
        made,
        expires,
    })
}

/// name, house, sha256, size, mime, made
pub(crate) type MediaRow = (String, String, String, i64, String, i64);

pub(crate) fn media((name, house, sha256, size, mime, made): MediaRow) -> MediaFile {
    MediaFile {
        name,
        house,
        sha256,
        size,
        mime,
        made,
    }
}

/// id, house, name, size, sha256, received, made
pub(crate) type UploadRow = (String, String, String, i64, Option<String>, i64, i64);

pub(crate) fn upload((id, house, name, size, sha256, offset, made): UploadRow) -> Upload {
    Upload {
        id,
        house,
        name,
        size,
        sha256,
        offset,
        made,
    }
}

/// screen, house, state, seen, online
pub(crate) type ReportTuple = (String, String, Option<String>, i64, bool);

pub(crate) fn report(row: ReportTuple) -> Result<ReportRow, StoreError> {
    let (screen, house, state, seen, online) = row;
    Ok(ReportRow {
        screen,
        house,
        state: state.as_deref().map(json).transpose()?,
        seen,
        online,
    })
}

/// house, screen, seq, at, output, playlist, item, duration_ms
pub(crate) type PlayTuple = (
    String,
    String,
    i64,
    i64,
    String,
    Option<String>,
    String,
    i64,
);

pub(crate) fn play(row: PlayTuple) -> PlayRow {
    let (house, screen, seq, at, output, playlist, item, duration_ms) = row;
    PlayRow {
        house,
        screen,
        seq,
        at,
        output,
        playlist,
        item,
        duration_ms,
    }
}

/// n, id, house, screen, body, made
pub(crate) type CommandTuple = (i64, String, String, String, String, i64);

/// Those given since then, in the order in which they were given.
pub(crate) fn commands(
    mut rows: Vec<CommandTuple>,
    since: i64,
) -> Result<Vec<CommandRow>, StoreError> {
    rows.sort_unstable_by_key(|row| row.0);
    rows.into_iter()
        .filter(|row| row.5 >= since)
        .map(|(_, id, house, screen, body, made)| {
            Ok(CommandRow {
                id,
                house,
                screen,
                body: json(&body)?,
                made,
            })
        })
        .collect()
}

/// Reads a body.
pub(crate) fn json(text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

/// Reads one of a few words.
pub(crate) fn word<T: FromStr<Err: Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| damaged(&error))
}

fn damaged(error: &dyn Display) -> StoreError {
    StoreError::Corrupt {
        what: error.to_string(),
    }
}

/// What no other user's e-mail address may come to.
pub(crate) fn email_key(email: &str) -> String {
    email.to_lowercase()
}

/// One report of each screen, the newest, since a statement can write a row only once.
pub(crate) fn newest(batch: &[ReportRow]) -> Vec<ReportRow> {
    let mut newest = BTreeMap::<&str, ReportRow>::new();
    for row in batch {
        match newest.entry(&row.screen) {
            Entry::Vacant(free) => {
                free.insert(row.clone());
            }
            Entry::Occupied(mut kept) if row.seen >= kept.get().seen => {
                let before = kept.insert(row.clone());
                if kept.get().state.is_none() {
                    kept.get_mut().state = before.state;
                }
            }
            Entry::Occupied(_) => {}
        }
    }
    newest.into_values().collect()
}

/// id, rev, role, body
pub(crate) type HouseOfRow = (String, i64, String, Option<String>);

pub(crate) fn house_of((id, rev, role, body): HouseOfRow) -> Result<HouseOf, StoreError> {
    Ok(HouseOf {
        id,
        rev,
        role: word(&role)?,
        body: body.as_deref().map_or(Ok(Value::Null), json)?,
    })
}

/// A list of texts as it is stored.
pub(crate) fn texts(list: &[String]) -> String {
    Value::from(list).to_string()
}

/// Where a page of the play log begins: after everything that there can be, if it is the first.
pub(crate) fn cursor(filter: &PlayFilter) -> PlayCursor {
    filter.before.clone().unwrap_or(PlayCursor {
        at: i64::MAX,
        screen: String::new(),
        seq: i64::MIN,
    })
}
