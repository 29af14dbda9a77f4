//! One house that somebody is connected to or has asked for, with its document in memory.
//!
//! A hall is the one place where a house is changed and told: an edit is made on the document in memory, committed to
//! the store against the revision that it builds on, and only then taken over and told to every guest (`guests`).
//! Where another server that shares the database was faster, the document is read again and the edit made anew.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout_at},
};

use crate::{
    db::{Change, ChangeRow, CommandRow, Enrolment, ReportRow, Store, StoreError, Stored, Write},
    domain::{
        house::{Edit, Editor, Kind, edit},
        ids::{CommandId, DocumentHash, Epoch, HouseScreenId, Revision, ScreenName},
        protocol::sync::{CommandFrame, HouseCommand},
        session::History,
    },
    web::{
        clock,
        dates::Dates,
        guests::{Guest, Guests, Place},
        problem::{Class, Problem},
        screens::report_frame,
        secrets,
    },
};

/// How often an edit is made anew because somebody else was faster.
const TRIES: u32 = 16;
/// How old a command may be that another server has left: whoever sent it waits no longer.
const COMMAND_MS: i64 = 10_000;

/// One house.
pub struct Hall {
    id: String,
    store: Arc<dyn Store>,
    history: RwLock<History>,
    revision: watch::Sender<Revision>,
    writing: tokio::sync::Mutex<()>,
    guests: Arc<Guests>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Option<String>>>>,
    live: Mutex<HashMap<String, Kept>>,
    dates: Dates,
    stale: AtomicBool,
}

/// What a screen has said last.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Its state; nothing before its first report.
    pub state: Option<Value>,
    /// When it was last heard, in milliseconds since 1970.
    pub seen: i64,
    /// Whether it is connected.
    pub online: bool,
}

/// The same as it is kept: as text, since a tree of JSON takes some times the room, and there is one for each screen.
struct Kept {
    state: Option<Box<str>>,
    seen: i64,
    online: bool,
}

impl From<&Live> for Kept {
    fn from(live: &Live) -> Self {
        Self {
            state: live.state.as_ref().map(|state| state.to_string().into()),
            seen: live.seen,
            online: live.online,
        }
    }
}

impl From<&Kept> for Live {
    fn from(kept: &Kept) -> Self {
        let state = kept.state.as_deref();
        Self {
            state: state.map(|text| serde_json::from_str(text).expect("it was written from JSON")),
            seen: kept.seen,
            online: kept.online,
        }
    }
}

/// The way on which a box's answer to a command comes; nobody waits for it any more once this is dropped.
pub struct Answer<'a> {
    hall: &'a Hall,
    id: CommandId,
    said: oneshot::Receiver<Option<String>>,
}

impl Answer<'_> {
    /// Waits for the answer, why the command was refused if it was; nothing where none comes in time.
    pub async fn until(mut self, end: Instant) -> Option<Result<(), String>> {
        let said = timeout_at(end, &mut self.said).await.ok()?.ok()?;
        Some(said.map_or(Ok(()), Err))
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        locked(&self.hall.waiting).remove(self.id.as_str());
    }
}

fn locked<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// A house as it is stored, as a document.
fn read(stored: Stored) -> (Epoch, Revision, Value) {
    let resources = stored.resources.into_iter().filter_map(|resource| {
        let kind = Kind::named(&resource.kind)?;
        Some((kind, resource.id, resource.body))
    });
    let rev = revision(stored.rev);
    (Epoch::new(stored.epoch), rev, edit::document(resources))
}

/// Resources as the store has them.
pub fn stored_writes(edit: &Edit) -> Vec<Write> {
    let writes = edit.writes.iter().map(|write| Write {
        kind: write.kind.name().to_owned(),
        id: write.id.clone(),
        body: write.body.clone(),
    });
    writes.collect()
}

fn revision(stored: i64) -> Revision {
    Revision(u64::try_from(stored).unwrap_or_default())
}

fn stored_rev(rev: Revision) -> i64 {
    i64::try_from(rev.0).unwrap_or(i64::MAX)
}

impl Hall {
    /// A house as it is stored, with what its screens have said last.
    pub(super) fn new(
        id: &str,
        store: Arc<dyn Store>,
        stored: Stored,
        changes: Vec<ChangeRow>,
        reports: Vec<ReportRow>,
    ) -> Self {
        let live = reports.into_iter().map(|row| {
            let live = Live {
                state: row.state,
                seen: row.seen,
                online: row.online,
            };
            (row.screen, Kept::from(&live))
        });
        let (epoch, rev, document) = read(stored);
        let mut history = History::new(epoch, rev, document);
        for change in changes.into_iter().rev() {
            let hash = DocumentHash::new(change.sha256);
            let (base, rev) = (revision(change.base_rev), revision(change.rev));
            if !history.recall(base, rev, change.patch, hash) {
                break;
            }
        }
        Self {
            id: id.to_owned(),
            store,
            revision: watch::channel(history.rev()).0,
            history: RwLock::new(history),
            writing: tokio::sync::Mutex::default(),
            guests: Arc::default(),
            waiting: Mutex::default(),
            live: Mutex::new(live.collect()),
            dates: Dates::default(),
            stale: AtomicBool::new(false),
        }
    }

    /// The house's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The house's name.
    pub fn name(&self) -> String {
        let history = self
            .history
            .read()
            .unwrap_or_else(|broken| broken.into_inner());
        let name = history.document()["house"]["name"].as_str();
        name.unwrap_or_default().to_owned()
    }

    /// The dates of entries of the play log.
    pub fn dates(&self) -> &Dates {
        &self.dates
    }

    /// Looks at the history.
    pub fn with_history<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(
            &self
                .history
                .read()
                .unwrap_or_else(|broken| broken.into_inner()),
        )
    }

    /// The whole document.
    pub fn document(&self) -> Value {
        self.with_history(|history| Value::clone(history.document()))
    }

    /// The whole document and its revision.
    pub fn document_and_rev(&self) -> (Value, u64) {
        self.with_history(|history| (Value::clone(history.document()), history.rev().0))
    }

    /// One resource, with its id.
    pub fn resource(&self, kind: Kind, id: &str) -> Result<Value, Problem> {
        self.with_history(|history| resource(history.document(), kind, id))
    }

    /// All resources of a kind, with their ids.
    pub fn resources(&self, kind: Kind) -> Vec<Value> {
        self.with_history(|history| {
            let found = edit::resources(history.document()).into_iter();
            let found = found.filter(|(found, ..)| *found == kind);
            found.map(|(_, id, body)| with_id(body, id)).collect()
        })
    }

    /// Adds a resource; answers it.
    pub async fn create(
        &self,
        kind: Kind,
        id: &str,
        body: Value,
        by: &str,
    ) -> Result<Value, Problem> {
        let edit = self
            .edit(by, |editor| Ok(editor.create(kind, id, &body)?))
            .await?;
        resource(&edit.document, kind, id)
    }

    /// Changes a resource that is at the expected revision; answers it.
    pub async fn change(
        &self,
        kind: Kind,
        id: &str,
        patch: Value,
        expected: Option<u64>,
        by: &str,
    ) -> Result<Value, Problem> {
        let change = |editor: Editor<'_>| {
            check(editor.document, kind, id, expected)?;
            Ok(editor.change(kind, id, &patch)?)
        };
        let edit = self.edit(by, change).await?;
        resource(&edit.document, kind, id)
    }

    /// Refuses where a resource is not at the expected revision; nothing is expected of whatever is there.
    pub fn check(&self, kind: Kind, id: &str, expected: Option<u64>) -> Result<(), Problem> {
        self.with_history(|history| check(history.document(), kind, id, expected))
    }

    /// Removes a resource that is at the expected revision.
    pub async fn remove(
        &self,
        kind: Kind,
        id: &str,
        expected: Option<u64>,
        by: &str,
    ) -> Result<(), Problem> {
        let remove = |editor: Editor<'_>| {
            check(editor.document, kind, id, expected)?;
            Ok(editor.remove(kind, id)?)
        };
        self.edit(by, remove).await.map(drop)
    }

    /// Whether the document has just these outputs of a box already; far cheaper than an edit that changes nothing.
    pub fn has_outputs(&self, screen: &str, outputs: &[ScreenName]) -> bool {
        self.with_history(|history| {
            let known = history.document()["screens"][screen]["outputs"].as_array();
            known.is_some_and(|known| {
                let same = known
                    .iter()
                    .zip(outputs)
                    .all(|(known, output)| known == output.as_str());
                known.len() == outputs.len() && same
            })
        })
    }

    /// Notes the outputs that a box says it has.
    pub async fn outputs(&self, screen: &str, outputs: &[ScreenName]) -> Result<(), Problem> {
        let id = HouseScreenId::new(screen);
        let by = format!("screen {screen}");
        let edit = self
            .edit(&by, |editor| Ok(editor.outputs(&id, outputs)?))
            .await;
        edit.map(drop)
    }

    /// Lets a box in: its screen and its device come into being together. A new screen has the name that a person has
    /// `said`, or else the box's own; one that is there already keeps its name unless one is said.
    pub async fn admit(
        &self,
        enrolment: &Enrolment,
        screen: &str,
        said: Option<&str>,
        by: &str,
    ) -> Result<(), Problem> {
        let id = HouseScreenId::new(screen);
        let outputs: Vec<ScreenName> = enrolment.outputs.iter().map(ScreenName::new).collect();
        let name = match said.unwrap_or(enrolment.name.trim()) {
            "" => "A screen",
            name => name,
        };
        let _turn = self.writing.lock().await;
        for _ in 0..TRIES {
            let (edit, base) = self.make(&|editor: Editor<'_>| {
                let known = edit::resource(editor.document, Kind::Screen, screen).is_some();
                Ok(match known {
                    true => editor.enrol_again(&id, said, &outputs)?,
                    false => editor.enrol(&id, name, &outputs)?,
                })
            })?;
            let change = change_row(&edit, by);
            let now = clock::now_ms();
            let approved = self
                .store
                .approve_enrolment(&enrolment.id, &self.id, screen, now, base, &change)
                .await;
            match approved {
                Ok(()) => {
                    if !edit.writes.is_empty() {
                        self.take(edit);
                    }
                    return Ok(());
                }
                // Either the house has changed, which is mended by reading it again, or the code is used up.
                Err(StoreError::Conflict) if self.is_behind(base).await? => {}
                Err(StoreError::Conflict) => {
                    let detail = "this code is used already or too old: the box shows a new one";
                    return Err(Problem::new(Class::Gone, detail));
                }
                Err(StoreError::Taken { .. }) => {
                    let detail = "this box belongs to another house of this server: remove its screen there first";
                    return Err(Problem::new(Class::Conflict, detail));
                }
                Err(err) => return Err(err.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn is_behind(&self, base: i64) -> Result<bool, Problem> {
        self.refresh().await?;
        Ok(self.with_history(|history| stored_rev(history.rev()) != base))
    }

    async fn edit(
        &self,
        by: &str,
        make: impl Fn(Editor<'_>) -> Result<Edit, Problem> + Send + Sync,
    ) -> Result<Edit, Problem> {
        let _turn = self.writing.lock().await;
        for _ in 0..TRIES {
            let (edit, base) = self.make(&make)?;
            if edit.writes.is_empty() {
                return Ok(edit);
            }
            let change = change_row(&edit, by);
            match self.store.commit(&self.id, base, &change).await {
                Ok(()) => {
                    self.take(edit.clone());
                    return Ok(edit);
                }
                Err(StoreError::Conflict) => drop(self.refresh().await?),
                Err(err) => return Err(err.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn make(
        &self,
        make: &(impl Fn(Editor<'_>) -> Result<Edit, Problem> + ?Sized),
    ) -> Result<(Edit, i64), Problem> {
        self.with_history(|history| {
            let edit = make(Editor {
                document: history.document(),
                rev: history.rev(),
                is_time_zone: &clock::is_time_zone,
            })?;
            Ok((edit, stored_rev(history.rev())))
        })
    }

    /// Takes an edit of ours over that is stored, and tells it.
    fn take(&self, edit: Edit) {
        metrics::counter!("musebox_house_commits_total").increment(1);
        let mut history = self
            .history
            .write()
            .unwrap_or_else(|broken| broken.into_inner());
        let (rev, document) = (edit.rev, edit.document.clone());
        // The store's news may have been faster, or may have been ahead by somebody else's edit.
        if !history.take(edit) {
            history.catch_up(rev, document);
        }
        self.revision.send_replace(history.rev());
    }

    /// Whether the house could not be read again when it had to be.
    pub(super) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Reads what others have changed; whether the house is still there.
    pub async fn refresh(&self) -> Result<bool, StoreError> {
        self.stale.store(true, Ordering::Relaxed);
        let Some(stored) = self.store.load(&self.id).await? else {
            return Ok(false);
        };
        self.stale.store(false, Ordering::Relaxed);
        let (epoch, rev, document) = read(stored);
        let mut history = self
            .history
            .write()
            .unwrap_or_else(|broken| broken.into_inner());
        match *history.epoch() == epoch {
            true => history.catch_up(rev, document),
            false => history.restore(epoch, rev, document),
        }
        self.revision.send_replace(history.rev());
        Ok(true)
    }

    /// Who is connected.
    pub fn guests(&self) -> &Guests {
        &self.guests
    }

    /// Whether a screen's box is connected to this process.
    pub fn is_here(&self, screen: &str) -> bool {
        self.guests.has_box(screen)
    }

    /// Lets a guest in.
    pub fn enter(&self, guest: Guest) -> Place {
        self.guests.enter(guest, self.revision.subscribe())
    }

    /// What every screen has said last; also one that is removed already, whose box was heard of as it left.
    pub fn live(&self) -> HashMap<String, Live> {
        let all = locked(&self.live);
        let live = all
            .iter()
            .map(|(screen, kept)| (screen.clone(), kept.into()));
        live.collect()
    }

    /// What every screen of the document has said last.
    pub fn reports(&self) -> Vec<(String, Live)> {
        let live = self.live().into_iter();
        self.with_history(|history| {
            let screens = &history.document()["screens"];
            let live = live.filter(|(screen, _)| screens.get(screen).is_some());
            live.collect()
        })
    }

    /// Notes what a screen has said; before pages are told, so that one that loses that finds it here.
    pub fn note(&self, screen: &str, live: &Live) {
        let mut live = Kept::from(live);
        let mut all = locked(&self.live);
        let before = all.remove(screen);
        live.state = live.state.or_else(|| before?.state);
        all.insert(screen.to_owned(), live);
    }

    /// Reads what other servers have heard of the screens that are not here.
    pub(super) async fn look_around(&self) -> Result<(), StoreError> {
        for row in self.store.reports(&self.id).await? {
            self.hear_of(row);
        }
        Ok(())
    }

    fn hear_of(&self, row: ReportRow) {
        let live = Live {
            state: row.state,
            seen: row.seen,
            online: row.online,
        };
        let news = locked(&self.live)
            .get(&row.screen)
            .is_none_or(|known| known.seen < live.seen || known.online != live.online);
        if !news || self.is_here(&row.screen) {
            return;
        }
        self.note(&row.screen, &live);
        if let Some(report) = report_frame(&row.screen, &live) {
            self.guests.tell_pages(&report);
        }
    }

    /// Sends a command to a screen's box; nothing where no server has the box, as far as was
    /// [looked](Self::look_around).
    pub async fn command(
        &self,
        screen: &str,
        command: HouseCommand,
    ) -> Result<Option<Answer<'_>>, Problem> {
        let id = CommandId::new(secrets::id());
        let (sender, said) = oneshot::channel();
        locked(&self.waiting).insert(id.as_str().to_owned(), sender);
        let answer = Answer {
            hall: self,
            id: id.clone(),
            said,
        };
        let frame = CommandFrame {
            id: id.clone(),
            command: command.clone(),
        };
        if self.guests.tell_box(screen, frame) {
            return Ok(Some(answer));
        }
        if !locked(&self.live)
            .get(screen)
            .is_some_and(|live| live.online)
        {
            return Ok(None);
        }
        // Another server that shares the database has it.
        let body = serde_json::to_value(command)
            .map_err(|err| Problem::internal("writing a command", err))?;
        let row = CommandRow {
            id: id.as_str().to_owned(),
            house: self.id.clone(),
            screen: screen.to_owned(),
            body,
            made: clock::now_ms(),
        };
        self.store.add_command(&row).await?;
        Ok(Some(answer))
    }

    /// A box has answered a command; whether somebody here waited for that.
    pub fn answered(&self, id: &str, error: Option<String>) -> bool {
        let waiting = locked(&self.waiting).remove(id);
        waiting.is_some_and(|said| said.send(error).is_ok())
    }

    /// Takes the commands that another server has left for a box that is here.
    pub(super) async fn pick_up(&self, screen: &str) {
        if !self.is_here(screen) {
            return;
        }
        let since = clock::now_ms() - COMMAND_MS;
        match self.store.take_commands(screen, since).await {
            Ok(rows) => {
                for row in rows {
                    if let Ok(command) = serde_json::from_value(row.body) {
                        let id = CommandId::new(row.id);
                        self.guests.tell_box(screen, CommandFrame { id, command });
                    }
                }
            }
            Err(err) => log::error!(err = err.to_string().as_str(); "commands could not be read"),
        }
    }
}

fn change_row(edit: &Edit, by: &str) -> Change {
    Change {
        rev: stored_rev(edit.rev),
        writes: stored_writes(edit),
        patch: edit.patch.clone(),
        sha256: edit.sha256.as_str().to_owned(),
        by: by.to_owned(),
        at: clock::now_ms(),
    }
}

fn with_id(body: &Value, id: &str) -> Value {
    let mut body = body.clone();
    body["id"] = json!(id);
    body
}

fn resource(document: &Value, kind: Kind, id: &str) -> Result<Value, Problem> {
    let found = edit::resource(document, kind, id);
    found
        .map(|body| with_id(body, id))
        .ok_or_else(|| Problem::not_found(kind.name()))
}

/// Refuses a change of something that is no longer what its asker saw.
fn check(document: &Value, kind: Kind, id: &str, expected: Option<u64>) -> Result<(), Problem> {
    let now = resource(document, kind, id)?;
    match expected {
        Some(expected) if now["rev"].as_u64() != Some(expected) => {
            let detail = format!(
                "this {} was changed meanwhile: look at it again",
                kind.name()
            );
            Err(Problem::new(Class::Stale, detail).with_current(now))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        db,
        web::{halls::Halls, sign_in::new_house},
    };

    #[tokio::test]
    async fn whoever_stops_waiting_for_an_answer_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = format!("sqlite:{}", folder.path().join("house.db").display());
        let store = db::open(&database).await.expect("a database");
        let house = new_house("Gallery", None).expect("a house");
        store.create_house(&house).await.expect("made");
        let hall = Halls::new(store).must(&house.id).await.expect("a hall");
        let waiting = || locked(&hall.waiting).len();

        let nobody = hall.command("s1", HouseCommand::Next).await;
        assert!(nobody.expect("looked").is_none());
        assert_eq!(waiting(), 0);

        let _place = hall.enter(Guest::Box("s1".to_owned()));
        let answer = hall.command("s1", HouseCommand::Next).await;
        let answer = answer.expect("sent").expect("the box is here");
        let id = answer.id.clone();
        drop(answer);
        assert_eq!(waiting(), 0);
        assert!(!hall.answered(id.as_str(), None));

        let answer = hall.command("s1", HouseCommand::Next).await;
        let answer = answer.expect("sent").expect("the box is here");
        assert!(hall.answered(answer.id.as_str(), Some("no".to_owned())));
        let long = Instant::now() + std::time::Duration::from_secs(60);
        assert_eq!(answer.until(long).await, Some(Err("no".to_owned())));
    }
}
