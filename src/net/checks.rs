//! Checking media that cannot be played: the disk may have damaged them.

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

use crate::{net::shelf::Shelf, os::durable};

/// A medium is not checked again for so long after it was found sound, or could not be checked.
const REST: Duration = Duration::from_secs(3600);
/// The same after it was damaged for the first time: it is there anew, perhaps in the same bad place. It doubles each time.
const FIRST_REST: Duration = Duration::from_secs(60);
/// The longest.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// What came of the checks of a medium.
struct Past {
    /// Not checked again before.
    until: Instant,
    /// How often it was damaged, one time after the other.
    damaged: u32,
}

/// Checks media beside everything else, one at a time: a large one keeps a small disk busy for a while.
pub struct Checks {
    shelf: Shelf,
    past: HashMap<PathBuf, Past>,
    waiting: VecDeque<PathBuf>,
    running: Option<(PathBuf, JoinHandle<io::Result<bool>>)>,
}

impl Checks {
    /// Those of the media on this shelf.
    pub fn new(shelf: Shelf) -> Self {
        Self {
            shelf,
            past: HashMap::new(),
            waiting: VecDeque::new(),
            running: None,
        }
    }

    /// A medium cannot be played: it is checked, if it was not of late.
    pub fn doubt(&mut self, file: PathBuf) {
        let rests = |past: &Past| Instant::now() < past.until;
        let is_running = self.running.iter().any(|(running, _)| *running == file);
        if !is_running && !self.waiting.contains(&file) && !self.past.get(&file).is_some_and(rests)
        {
            self.waiting.push_back(file);
        }
    }

    /// Goes on with the checks until a medium was damaged and is removed, or is gone. Nothing is removed while nobody waits
    /// for this, and nothing lost.
    pub async fn found_missing(&mut self) {
        loop {
            let Some((file, check)) = &mut self.running else {
                let Some(file) = self.waiting.pop_front() else {
                    return pending().await;
                };
                let (shelf, checked) = (self.shelf.clone(), file.clone());
                let check = spawn_blocking(move || shelf.is_damaged(&checked));
                self.running = Some((file, check));
                continue;
            };
            let found = check.await.map_err(io::Error::other).flatten();
            let file = std::mem::take(file);
            self.running = None;
            match found.and_then(|damaged| self.remove_if(damaged, &file)) {
                Ok(false) => {}
                Ok(true) => return,
                Err(err) if err.kind() == io::ErrorKind::NotFound => return,
                Err(err) => {
                    log::warn!(err = err.to_string().as_str(); "{} cannot be checked", file.display());
                    self.rest(&file, 0, REST);
                }
            }
        }
    }

    /// Removes what is damaged; answers whether it was.
    fn remove_if(&mut self, damaged: bool, file: &Path) -> io::Result<bool> {
        if !damaged {
            self.rest(file, 0, REST);
            return Ok(false);
        }
        durable::remove(file)?;
        log::warn!(
            "{} was damaged on the disk: it is fetched anew",
            file.display()
        );
        let before = self.past.get(file).map_or(0, |past| past.damaged);
        let rest = FIRST_REST * 2_u32.saturating_pow(before.min(16));
        self.rest(file, before + 1, rest.min(LONGEST_REST));
        Ok(true)
    }

    fn rest(&mut self, file: &Path, damaged: u32, rest: Duration) {
        let until = Instant::now() + rest;
        self.past.insert(file.to_owned(), Past { until, damaged });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shelf() -> (tempfile::TempDir, Shelf, PathBuf) {
        let state = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(state.path());
        shelf.make().expect("made");
        let media = state.path().join("media");
        (state, shelf, media)
    }

    impl Checks {
        /// So much time goes by.
        fn later(&mut self, time: Duration) {
            for past in self.past.values_mut() {
                past.until -= time;
            }
        }
    }

    #[tokio::test]
    async fn a_disk_that_damages_a_medium_again_and_again_has_ever_longer_rests() {
        let (_state, shelf, media) = shelf();
        let file = media.join("ab".repeat(32));
        let mut checks = Checks::new(shelf);
        let mut rest = FIRST_REST;
        for _ in 0..20 {
            fs::write(&file, "damaged").expect("written");
            checks.doubt(file.clone());
            checks.doubt(file.clone());
            assert_eq!(checks.waiting.len(), 1);
            checks.found_missing().await;
            assert!(!file.exists());
            checks.later(rest - Duration::from_secs(10));
            checks.doubt(file.clone());
            assert_eq!(checks.waiting.len(), 0);
            checks.later(Duration::from_secs(10));
            rest = (rest * 2).min(LONGEST_REST);
        }
    }

    #[tokio::test]
    async fn what_is_sound_or_cannot_be_checked_rests_and_what_is_gone_is_missing() {
        let (_state, shelf, media) = shelf();
        let [sound, locked, gone] = [
            "b5bea41b6c623f7c09f1bf24dcae58ebab3c0cdd90ad966bc43a45b44867e12b",
            &"aa".repeat(32),
            &"bb".repeat(32),
        ]
        .map(|name| media.join(name));
        fs::write(&sound, "true").expect("written");
        fs::create_dir(&locked).expect("no file can be made of it");
        let mut checks = Checks::new(shelf);
        for file in [&sound, &locked, &gone] {
            checks.doubt(file.clone());
        }
        // The last.
        checks.found_missing().await;
        assert!(sound.exists());
        fs::remove_dir(&locked).expect("removed");
        for file in [&sound, &locked] {
            fs::write(file, "damaged").expect("written");
            checks.doubt(file.clone());
        }
        assert_eq!(checks.waiting.len(), 0);
        checks.later(REST);
        for file in [sound, locked] {
            checks.doubt(file.clone());
            checks.found_missing().await;
            assert!(!file.exists());
        }
    }
}
