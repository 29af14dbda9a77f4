//! What is SQLite's own: files, backups, power cuts.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Write as _},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use musebox::db::{self, News, Store, StoreError};
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::samples::{change, file, open, with_house, write};

async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options)
        .await
        .expect("it opens")
}

async fn execute(path: &Path, statement: &'static str) {
    let mut db = raw(path).await;
    sqlx::raw_sql(statement)
        .execute(&mut db)
        .await
        .expect("it is done");
    db.close().await.expect("it closes");
}

#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("sqlite:{}/not/there/yet/house.db", folder.path().display());
    let store = open(&deep).await;
    with_house(&store, "h1").await;
    let mut seen = 0;
    for entry in fs::read_dir(folder.path().join("not/there/yet")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[tokio::test]
async fn what_was_kept_is_there_after_closing_and_nothing_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file(&folder)).await;
    with_house(&store, "h1").await;
    let epoch = store.epoch().await.unwrap();
    store.ping().await.unwrap();
    store.close().await;
    assert!(matches!(
        store.ping().await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(
        store.houses().await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(!folder.path().join("house.db-wal").exists());
    let store = open(&file(&folder)).await;
    assert_eq!(store.houses().await.unwrap(), ["h1"]);
    assert_eq!(store.epoch().await.unwrap(), epoch);
}

#[tokio::test]
async fn two_programs_share_the_file_for_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let url = file(&folder);
    let (one, other) = tokio::join!(db::open(&url), db::open(&url));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.epoch().await.unwrap(), other.epoch().await.unwrap());
    with_house(&one, "h1").await;
    for rev in 2..=41 {
        let store = if rev % 2 == 0 { &one } else { &other };
        store
            .commit("h1", rev - 1, &change(rev, vec![]))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn other_addresses_and_files_are_refused() {
    for url in ["mysql://x:secret@y", "house.db", "sqlite:", ""] {
        let refused = db::open(url).await.err().unwrap();
        assert!(matches!(refused, StoreError::Address { .. }), "{refused:?}");
        assert!(!refused.to_string().contains("secret"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("house.db");
    fs::write(
        &path,
        "this is a diary, not a database; it is long enough to be one",
    )
    .unwrap();
    let refused = db::open(&file(&folder)).await.err().unwrap();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
    fs::remove_file(&path).unwrap();
    execute(&path, "CREATE TABLE diary (day TEXT)").await;
    let refused = db::open(&file(&folder)).await.err().unwrap();
    assert!(
        matches!(refused, StoreError::NotSound { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused_in_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    open(&file(&folder)).await.close().await;
    execute(
        &folder.path().join("house.db"),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'from the future', 1, x'00', 0)",
    )
    .await;
    let refused = db::open(&file(&folder)).await.err().unwrap();
    assert!(matches!(refused, StoreError::Newer { found: 99, .. }));
    assert!(refused.to_string().contains("start the newer program"));
}

#[tokio::test]
async fn a_backup_is_put_back_with_another_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let url = file(&folder);
    let saved = folder.path().join("saved.db");
    let store = open(&url).await;
    with_house(&store, "h1").await;
    fs::write(&saved, "an older backup").unwrap();
    store.backup(&saved).await.unwrap();
    assert_eq!(saved.metadata().unwrap().permissions().mode() & 0o077, 0);
    let epoch = store.epoch().await.unwrap();
    store.commit("h1", 1, &change(2, vec![])).await.unwrap();

    let busy = db::restore(&saved, &url).await;
    assert!(matches!(busy, Err(StoreError::InUse { .. })), "{busy:?}");
    store.close().await;
    let kept = db::restore(&saved, &url).await.unwrap().unwrap();
    let store = open(&url).await;
    assert_eq!(store.load("h1").await.unwrap().unwrap().rev, 1);
    let restored = store.epoch().await.unwrap();
    assert_ne!(restored, epoch);
    store.close().await;
    let old = open(&format!("sqlite:{}", kept.display())).await;
    assert_eq!(old.load("h1").await.unwrap().unwrap().rev, 2);
    assert_eq!(old.epoch().await.unwrap(), epoch);

    let again = db::restore(&saved, &url).await.unwrap().unwrap();
    assert_ne!(again, kept);
    assert_ne!(open(&url).await.epoch().await.unwrap(), restored);
    let names = fs::read_dir(folder.path()).unwrap();
    let left = names.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        let name = name.to_string_lossy();
        name.ends_with(".partial") || name.ends_with(".restored")
    });
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_damaged_or_missing_database() {
    let folder = tempfile::tempdir().unwrap();
    let url = file(&folder);
    let (path, saved) = (
        folder.path().join("house.db"),
        folder.path().join("saved.db"),
    );
    let store = open(&url).await;
    with_house(&store, "h1").await;
    store.backup(&saved).await.unwrap();
    store.close().await;
    fs::write(&path, [7; 10_000]).unwrap();
    let kept = db::restore(&saved, &url).await.unwrap().unwrap();
    assert_eq!(fs::read(kept).unwrap(), [7; 10_000]);
    open(&url).await.close().await;
    fs::remove_file(&path).unwrap();
    assert_eq!(db::restore(&saved, &url).await.unwrap(), None);
    assert_eq!(open(&url).await.houses().await.unwrap(), ["h1"]);
}

#[tokio::test]
async fn what_root_puts_back_is_whose_it_was_or_the_folder_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let (path, saved) = (data.join("house.db"), folder.path().join("saved.db"));
    let url = format!("sqlite:{}", path.display());
    let store = open(&url).await;
    store.backup(&saved).await.unwrap();
    store.close().await;
    // Anybody else has nothing but files of their own.
    let me = nix::unistd::geteuid().as_raw();
    let [server, other] = match me {
        0 => [4711, 4712],
        me => [me, me],
    };
    chown(&data, Some(server), None).unwrap();
    for (before, after) in [(me, server), (other, other)] {
        chown(&path, Some(before), None).unwrap();
        db::restore(&saved, &url).await.unwrap();
        assert_eq!(path.metadata().unwrap().uid(), after);
    }
    fs::remove_file(&path).unwrap();
    db::restore(&saved, &url).await.unwrap();
    assert_eq!(path.metadata().unwrap().uid(), server);
}

#[tokio::test]
async fn what_is_no_sound_backup_is_not_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let url = file(&folder);
    let saved = folder.path().join("saved.db");
    let store = open(&url).await;
    with_house(&store, "h1").await;
    store.backup(&saved).await.unwrap();
    let epoch = store.epoch().await.unwrap();
    store.close().await;
    let good = fs::read(&saved).unwrap();
    let mut torn = good.clone();
    // A page in the middle.
    torn[3 * 4096..4 * 4096].fill(0xff);
    for (name, bytes) in [
        ("text", b"not a database at all".as_slice()),
        ("empty", b"".as_slice()),
        ("half", &good[..good.len() / 2]),
        ("torn", &torn),
    ] {
        fs::write(&saved, bytes).unwrap();
        let refused = db::restore(&saved, &url).await;
        assert!(
            matches!(refused, Err(StoreError::NotSound { .. })),
            "{name}: {refused:?}"
        );
    }
    fs::remove_file(&saved).unwrap();
    execute(&saved, "CREATE TABLE diary (day TEXT)").await;
    let refused = db::restore(&saved, &url).await;
    assert!(
        matches!(refused, Err(StoreError::NotSound { .. })),
        "{refused:?}"
    );
    let missing = db::restore(&folder.path().join("nothing"), &url).await;
    assert!(
        matches!(missing, Err(StoreError::File { .. })),
        "{missing:?}"
    );
    assert_eq!(open(&url).await.epoch().await.unwrap(), epoch);
}

#[tokio::test]
async fn another_epoch_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file(&folder)).await;
    let before = store.epoch().await.unwrap();
    let mut news = store.listen();
    let after = store.new_epoch().await.unwrap();
    assert_ne!(before, after);
    assert_eq!(store.epoch().await.unwrap(), after);
    assert_eq!(news.recv().await.unwrap(), News::Lost);
}

const CHILD: &str = "MUSEBOX_STORE_CHILD";
const ITEMS: usize = 12;

/// Changes all items of the house at once, again and again, and says each revision that is committed.
async fn commit_for_ever(url: &str) -> ! {
    let store = open(url).await;
    let mut rev = store.load("h1").await.unwrap().unwrap().rev;
    let mut out = std::io::stdout();
    loop {
        rev += 1;
        let writes = (0..ITEMS).map(|n| write("item", &format!("i{n}"), json!({"rev": rev})));
        let change = change(rev, writes.collect());
        store.commit("h1", rev - 1, &change).await.unwrap();
        writeln!(out, "committed {rev}").unwrap();
        out.flush().unwrap();
    }
}

/// The house's revision, after making sure that all of it is at one.
async fn whole(store: &Arc<dyn Store>) -> i64 {
    let stored = store.load("h1").await.unwrap().unwrap();
    let items: Vec<_> = stored
        .resources
        .iter()
        .filter(|one| one.kind == "item")
        .collect();
    assert!(items.len() == ITEMS || stored.rev == 1);
    for item in items {
        assert_eq!(item.rev, stored.rev);
        assert_eq!(item.body["rev"], stored.rev);
    }
    let changes = store.changes_since("h1", 0).await.unwrap();
    assert_eq!(changes.last().map_or(1, |change| change.rev), stored.rev);
    assert!(
        changes
            .windows(2)
            .all(|pair| pair[1].base_rev == pair[0].rev)
    );
    stored.rev
}

#[tokio::test]
async fn a_commit_that_is_killed_is_whole_or_not_there() {
    if let Ok(url) = env::var(CHILD) {
        commit_for_ever(&url).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = file(&folder);
    let store = open(&url).await;
    with_house(&store, "h1").await;
    store.close().await;
    for round in 0..100_u64 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "sqlite::a_commit_that_is_killed_is_whole_or_not_there",
            ])
            .args(["--nocapture", "--test-threads=1"])
            .env(CHILD, &url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = || {
            let lines = lines.by_ref().map(Result::unwrap);
            let mut revs = lines.filter_map(|line| line.strip_prefix("committed ")?.parse().ok());
            revs.next()
        };
        let mut committed: i64 = said().expect("it commits");
        // Somewhere in the next commit or in the one after: the moments are spread evenly over two milliseconds.
        let until = Instant::now() + Duration::from_micros(round * 997 % 2000);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        while let Some(rev) = said() {
            committed = rev;
        }
        child.wait().unwrap();
        let store = open(&url).await;
        assert!(
            whole(&store).await >= committed,
            "a committed change is gone"
        );
        store.close().await;
    }
    let size = File::open(folder.path().join("house.db"))
        .unwrap()
        .metadata()
        .unwrap()
        .len();
    assert!(size < 10_000_000);
}
