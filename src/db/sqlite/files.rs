//! Backup and restore: whole files, put in place by renaming.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use sqlx::{
    Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteLockingMode, SqlitePoolOptions},
};

use super::{
    super::{StoreError, schema},
    APPLICATION, STEPS, identity, not_sound,
};

/// Writes a copy of an open database to a file, which is there whole or not at all. Writers are not held up.
pub(super) async fn backup(path: &Path, to: &Path) -> Result<(), StoreError> {
    let partial = beside(to, ".partial");
    empty(&partial)?;
    // A connection of its own: the readers' may not write, not even elsewhere.
    let options = SqliteConnectOptions::new().filename(path);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let target = partial.to_str().ok_or_else(|| {
        at(&partial)(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name is no text",
        ))
    })?;
    sqlx::query("VACUUM INTO $1")
        .bind(target)
        .execute(&mut db)
        .await?;
    db.close().await?;
    put_in_place(partial, to.to_owned()).await
}

/// Puts a backup in place of a database that nobody has open, and begins another epoch. The answer is where the old one
/// is kept.
pub(in super::super) async fn restore(
    backup: &Path,
    path: &Path,
) -> Result<Option<PathBuf>, StoreError> {
    let fresh = beside(path, ".restored");
    empty(&fresh)?;
    fs::copy(backup, &fresh).map_err(at(backup))?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o600)).map_err(at(&fresh))?;
    let sound = begin_again(backup, &fresh).await;
    if let Err(error) = sound {
        // It is only a copy; what it is named in is the backup.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    hand_over(&fresh, path).map_err(at(&fresh))?;
    let kept = set_aside(path).await?;
    put_in_place(fresh, path.to_owned()).await?;
    Ok(kept)
}

/// Checks the copy of a backup and gives it its new epoch.
async fn begin_again(backup: &Path, copy: &Path) -> Result<(), StoreError> {
    let unsound = |error: sqlx::Error| not_sound(backup, error.to_string());
    let options = SqliteConnectOptions::new()
        .filename(copy)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Delete);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .map_err(unsound)?;
    let (application, found) = identity(&pool).await.map_err(|error| match error {
        StoreError::Corrupt { what } => not_sound(backup, what),
        other => other,
    })?;
    if application != APPLICATION || found.is_none() {
        return Err(not_sound(backup, "it is another program's"));
    }
    schema::refuse_newer(STEPS, found)?;
    let check: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&pool)
        .await
        .map_err(unsound)?;
    if check != "ok" {
        return Err(not_sound(backup, check));
    }
    let dangling = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(&pool)
        .await
        .map_err(unsound)?;
    if dangling.is_some() {
        return Err(not_sound(
            backup,
            "rows are there whose house or user is not",
        ));
    }
    let done = sqlx::query("UPDATE meta SET epoch = $1")
        .bind(schema::random_epoch()?)
        .execute(&pool)
        .await
        .map_err(unsound)?;
    pool.close().await;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(not_sound(backup, "it has no epoch")),
    }
}

/// Gives what root has made to whoever has the file in whose place it comes, or else the folder: a server that runs as a
/// user of its own must be able to open it. A file of root's may be such a mistake of before.
fn hand_over(made: &Path, place: &Path) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let model = match fs::metadata(place) {
        Ok(file) if file.uid() != 0 => Ok(file),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => fs::metadata(folder_of(place)),
    }?;
    chown(made, Some(model.uid()), Some(model.gid()))
}

/// Gives the database a second name that stays when another takes its place, with its log if a crash has left one.
async fn set_aside(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    take_alone(path).await?;
    let kept = (1..)
        .map(|n| beside(path, &format!(".before-restore-{n}")))
        .find(|name| !name.exists())
        .expect("numbers do not run out");
    for log in ["-wal", "-shm"] {
        let (from, to) = (beside(path, log), beside(&kept, log));
        match fs::rename(&from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&from)(error)),
            Ok(()) | Err(_) => {}
        }
    }
    // The name is never without a database, as it would be between two renames.
    fs::hard_link(path, &kept)
        .or_else(|_| fs::copy(path, &kept).map(|_| ()))
        .map_err(at(&kept))?;
    Ok(Some(kept))
}

/// Opens and closes the database with nobody else in it, which writes its log back into the file.
async fn take_alone(path: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(std::time::Duration::ZERO);
    let alone = async {
        let mut db = SqliteConnection::connect_with(&options).await?;
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut db).await?;
        sqlx::query("COMMIT").execute(&mut db).await?;
        db.close().await
    };
    match alone.await.map_err(StoreError::from) {
        Ok(()) => Ok(()),
        Err(StoreError::Unavailable(_)) => Err(StoreError::InUse {
            path: path.to_owned(),
        }),
        // It may be damaged: this is why another takes its place.
        Err(_) => Ok(()),
    }
}

/// Makes an empty file for this user alone, in place of what an interrupted try may have left.
fn empty(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(path)(error)),
        Ok(()) | Err(_) => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
        .map_err(at(path))
}

/// Renames a complete file; afterwards a power cut leaves it there.
async fn put_in_place(from: PathBuf, to: PathBuf) -> Result<(), StoreError> {
    let shown = to.clone();
    let done = tokio::task::spawn_blocking(move || {
        File::open(&from)?.sync_all()?;
        fs::rename(&from, &to)?;
        File::open(folder_of(&to))?.sync_all()
    });
    done.await
        .map_err(io::Error::other)
        .flatten()
        .map_err(at(&shown))
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

/// The path with something after its name.
fn beside(path: &Path, after: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(after);
    PathBuf::from(name)
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File {
        path: path.clone(),
        source,
    }
}
