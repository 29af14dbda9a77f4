//! The box's way to its house: enrolment, the environment over WebSocket, media by ranged GET.
//!
//! One thread, one task in it ([`client`]). What it learns goes out as [`News`], what others want of it comes in as
//! [`Ask`]. Deliberately absent: what an environment means for what is played.

mod api;
mod cache;
mod checks;
mod choice;
mod client;
mod discover;
mod fetch;
mod key;
mod link;
mod linked;
mod offers;
mod pairing;
mod plays;
mod shelf;
mod socket;
mod tls;
mod token;

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

pub use cache::Kept;
pub use discover::{Found, Search};
pub use link::Parting;
pub use pairing::{Identity, Invitation};
pub use shelf::{Shelf, Wanted, format_of};
pub use socket::config as socket_config;

use crate::domain::{
    config::HouseUrl,
    hex,
    ids::{CommandId, HouseId, HouseScreenId, ScreenName},
    protocol::sync::{BoxState, HouseCommand, Play},
};

/// How long what is under way at the end may still take.
const END_LIMIT: Duration = Duration::from_secs(1);

/// Whether a box looks for houses on its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// It does, and asks those that it finds for a code where it has no house and nothing to play.
    PairsByItself,
    /// It does when somebody wants to pair it and names no house.
    WhenAsked,
    /// It never does.
    Never,
}

/// What the way to a house is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder for what must outlive a restart.
    pub state_dir: PathBuf,
    /// The house that the configuration names.
    pub url: Option<HouseUrl>,
    /// What the box says of itself.
    pub identity: Identity,
    /// Whether it looks for houses.
    pub discovery: Discovery,
    /// Where it looks for them.
    pub search: Search,
}

/// How it stands with houses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The house in question; the first of several.
    pub url: Option<HouseUrl>,
    /// How far it is.
    pub phase: Phase,
    /// What stands in the way, in plain words.
    pub problem: Option<String>,
    /// Houses that were found; only where there is none in question.
    pub found: Vec<Found>,
}

/// How far it is with a house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    #[default]
    Alone,
    /// The box wants to be paired.
    Pairing {
        /// What to show; nothing before the house has answered.
        invitation: Option<Invitation>,
        /// Who wanted it.
        wish: Wish,
    },
    /// The box wants to be paired, and several houses are in question: the first that says yes has it.
    Choosing {
        /// What to show for each; none has any code before the first house has answered.
        offers: Vec<Offer>,
        /// Who wanted it.
        wish: Wish,
    },
    /// It belongs to one.
    Linked {
        /// The house.
        house: HouseId,
        /// What the house calls the box.
        screen: HouseScreenId,
        /// Whether there is a connection.
        line: Line,
    },
    /// It does not, or no longer.
    Parted(Parting),
}

impl Phase {
    /// Whether somebody at the box has asked for a code, and there is one.
    pub fn has_code_for_person(&self) -> bool {
        match self {
            Phase::Pairing { invitation, wish } => *wish == Wish::Person && invitation.is_some(),
            Phase::Choosing { offers, wish } => {
                let has_code = |offer: &Offer| offer.invitation.is_some();
                *wish == Wish::Person && offers.iter().any(has_code)
            }
            Phase::Alone | Phase::Linked { .. } | Phase::Parted(_) => false,
        }
    }
}

/// One of several houses that a box may be paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: HouseUrl,
    /// What to show for it; nothing before it has answered.
    pub invitation: Option<Invitation>,
    /// Why it gives no code, in plain words.
    pub problem: Option<String>,
}

impl Offer {
    /// A house that has not answered yet.
    pub fn of(house: Found) -> Self {
        Self {
            name: house.name,
            url: house.url,
            invitation: None,
            problem: None,
        }
    }

    /// The house.
    pub fn found(&self) -> Found {
        Found {
            name: self.name.clone(),
            url: self.url.clone(),
        }
    }
}

/// Who wanted a box to be paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Somebody at the box, who wants to see the code now.
    Person,
    /// The configuration, or nobody.
    Nobody,
}

/// Whether there is a connection to the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// There is.
    Up,
    /// There is none.
    Down,
}

/// Something that the way to the house tells.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// It stands like this now.
    Standing(Standing),
    /// This is the environment from now on.
    Environment(Arc<Kept>),
    /// There is no environment any more.
    Forgotten,
    /// A medium has come.
    Arrived,
    /// The house wants something done; answer with [`Ask::Done`] or [`Ask::Picture`].
    Command(CommandId, HouseCommand),
}

/// Something that the way to the house is asked for.
#[derive(Debug)]
pub enum Ask {
    /// Pair with this house, or with the one that is known, or with those that are found. The answer is which one that
    /// is, or the first of several.
    Pair(Option<HouseUrl>, oneshot::Sender<Result<HouseUrl, String>>),
    /// Leave the house.
    Unpair(oneshot::Sender<Result<(), String>>),
    /// The box is like this now.
    State(Box<BoxState>),
    /// The showing of an item of this house has ended; its number is given later.
    Played(HouseId, Play),
    /// A command is carried out, or cannot be.
    Done(CommandId, Option<String>),
    /// The picture that a command asked for.
    Picture {
        /// Which command.
        command: CommandId,
        /// The output that it named.
        output: Option<ScreenName>,
        /// The picture, or why there is none.
        jpeg: Result<Vec<u8>, String>,
    },
    /// These media are wanted, the most urgent first.
    Wanted(Vec<Wanted>),
    /// This cannot be played, which may be the disk's fault: if it is a medium of the shelf, it is checked again.
    Doubted(PathBuf),
}

/// The way to the house, while it runs. Dropping it ends it.
pub struct Way {
    asker: Asker,
    thread: Option<JoinHandle<()>>,
    shelf: Shelf,
}

impl Way {
    /// Begins. Also answers the environment that was kept, which is there before any network is.
    pub fn start(
        options: Options,
        tell: impl Fn(News) + Send + 'static,
    ) -> io::Result<(Self, Option<Arc<Kept>>)> {
        let shelf = Shelf::new(&options.state_dir);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (asks, asked) = mpsc::unbounded_channel();
        let client = client::Client::new(options, shelf.clone(), asked, Box::new(tell));
        let kept = client.kept();
        let thread = thread::Builder::new().name("house".into()).spawn(move || {
            runtime.block_on(client.run());
            runtime.shutdown_timeout(END_LIMIT);
        })?;
        let way = Self {
            asker: Asker(Some(asks)),
            thread: Some(thread),
            shelf,
        };
        Ok((way, kept))
    }

    /// The media that are on the box.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Another end to ask from, for another thread. The way ends when the last is dropped.
    pub fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// Asks for something.
    pub fn ask(&self, ask: Ask) {
        self.asker.ask(ask);
    }
}

/// Asks the way to the house for something, from any thread.
#[derive(Clone, Debug)]
pub struct Asker(Option<mpsc::UnboundedSender<Ask>>);

impl Asker {
    /// Asks.
    pub fn ask(&self, ask: Ask) {
        if let Some(asks) = &self.0 {
            // It fails at the very end only, when nothing matters any more.
            let _ = asks.send(ask);
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        drop(self.asker.0.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of the way to the house has died");
        }
    }
}
