//! The thread that switches the television: the rules of [`Tv`] on a real adapter.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
};

use crate::{
    domain::{
        config::Cec,
        protocol::{Power, TvPower, TvStatus},
        tv::Tv,
        units::MediaTime,
    },
    os::{
        cec::{self, Adapter},
        clock,
        doorbell::Doorbell,
    },
};

/// How often an adapter that is not there, or cannot be used, is looked for again.
const LOOK_AGAIN: MediaTime = MediaTime::from_seconds(10);

/// The way to the television.
pub struct Remote {
    wishes: Sender<Power>,
    bell: Doorbell,
    told: Arc<Mutex<Option<TvStatus>>>,
}

impl Remote {
    /// Starts the thread, unless the television is to be left alone. It ends with the last handle.
    pub fn start(cec: &Cec, name: &str) -> std::io::Result<Option<Self>> {
        let path = match cec {
            Cec::Never => return Ok(None),
            Cec::Auto => None,
            Cec::Device(path) => Some(PathBuf::from(path)),
        };
        let (wishes, wished) = channel();
        let (bell, told) = (Doorbell::new()?, Arc::new(Mutex::new(None)));
        let mut switch = Switch {
            path,
            name: name.to_owned(),
            tv: Tv::default(),
            bell: bell.clone(),
            wished,
            told: told.clone(),
            complained: false,
        };
        std::thread::Builder::new()
            .name("cec".into())
            .spawn(move || switch.run())?;
        Ok(Some(Self { wishes, bell, told }))
    }

    /// Switches the television on or off, and sees to it that it is so.
    pub fn want(&self, power: Power) {
        // The thread ends with us, or has died: then nobody switches anything.
        let _ = self.wishes.send(power);
        self.bell.ring();
    }

    /// What is known of the television; nothing without an adapter.
    pub fn status(&self) -> Option<TvStatus> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The thread looks, and sees that nobody can wish for anything any more.
        let (nobody, _) = channel();
        self.wishes = nobody;
        self.bell.ring();
    }
}

struct Switch {
    path: Option<PathBuf>,
    name: String,
    tv: Tv,
    bell: Doorbell,
    wished: Receiver<Power>,
    told: Arc<Mutex<Option<TvStatus>>>,
    complained: bool,
}

/// Nobody can wish for anything any more.
struct Ended;

impl Switch {
    fn run(&mut self) {
        loop {
            let path = match &self.path {
                Some(path) => Some(path.clone()),
                None => cec::adapters().into_iter().next(),
            };
            if let Some(path) = path {
                match Adapter::open(&path, &self.name) {
                    Ok(adapter) => match self.switch(adapter, &path) {
                        Ok(()) => self.complain(&path, "it is gone"),
                        Err(Ended) => return,
                    },
                    Err(err) => self.complain(&path, &err.to_string()),
                }
            }
            self.tv.reach(clock::monotonic(), false);
            self.tell(None);
            self.bell.wait(Some(LOOK_AGAIN));
            if self.take_wishes().is_err() {
                return;
            }
        }
    }

    /// Says so once.
    fn complain(&mut self, path: &Path, why: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!(err = why; "the television cannot be switched by {}", path.display());
        }
    }

    /// Switches by this adapter until it is gone.
    fn switch(&mut self, mut adapter: Adapter, path: &Path) -> Result<(), Ended> {
        self.complained = false;
        log::info!("the television is reached by {}", path.display());
        let mut reached = false;
        loop {
            self.take_wishes()?;
            let now = clock::monotonic();
            if std::mem::replace(&mut reached, adapter.is_reachable()) != reached {
                self.tv.reach(now, reached);
            }
            while let Some(say) = self.tv.say(clock::monotonic()) {
                log::debug!("to the television: {say:?}");
                if let Some(heard) = adapter.say(say) {
                    log::debug!("from the television: {heard:?}");
                    self.tv.hear(clock::monotonic(), heard);
                }
            }
            self.tell(Some(path));
            let left = (self.tv.due() - clock::monotonic()).min(LOOK_AGAIN);
            match adapter.wait(&self.bell, left) {
                Ok(false) => {}
                Ok(true) => match adapter.take() {
                    Ok(Some(heard)) => self.tv.hear(clock::monotonic(), heard),
                    Ok(None) => {}
                    Err(_) => return Ok(()),
                },
                Err(_) => return Ok(()),
            }
        }
    }

    fn take_wishes(&mut self) -> Result<(), Ended> {
        loop {
            match self.wished.try_recv() {
                Ok(power) => self.tv.want(clock::monotonic(), power),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(Ended),
            }
        }
    }

    fn tell(&self, path: Option<&Path>) {
        let status = path.map(|path| TvStatus {
            adapter: path.display().to_string(),
            power: self.tv.power(),
        });
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != status {
            let power = status.as_ref().map_or(TvPower::Unknown, |tv| tv.power);
            log::info!("the television is {}", power.word());
            *told = status;
        }
    }
}
