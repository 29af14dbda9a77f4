//! Pairing with the house that says yes first: every house in question is asked for a code of its own.
//!
//! Each is asked by a task of its own, for as long as the house is in question. Deliberately absent: which houses those
//! are, and what becomes of the box then.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

use crate::{
    domain::config::HouseUrl,
    net::{
        Offer, Phase, Wish,
        discover::Found,
        key::DeviceKey,
        link::Link,
        pairing::{self, Identity, Invitation, PairingError},
    },
};

/// The most houses that are asked at the same time: a card has no room for more codes.
const MOST: usize = 3;
/// The wait after a pairing that came to nothing; it doubles with every other.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The wait before another code is asked for.
const AFTER_EXPIRY: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a house answers.
enum Word {
    /// This is the code.
    Invited(Invitation),
    /// The code's time is over: it is asked for another.
    Expired,
    /// There is no code yet, for this reason: it is asked again.
    Failed(String),
    /// Somebody said no.
    Refused,
    /// Somebody said yes.
    Approved(Box<Link>),
}

/// What has come of asking.
pub(super) enum Outcome {
    /// The offers are others than before.
    Changed,
    /// The box belongs to this house now.
    Linked(Box<Link>),
}

/// A house that is asked; dropping it ends that.
struct Asking {
    /// Tells its words from those of an asking before.
    number: u64,
    offer: Offer,
    task: JoinHandle<()>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The houses that are asked.
pub(super) struct Offers {
    identity: Identity,
    key: DeviceKey,
    tell: mpsc::UnboundedSender<(u64, Word)>,
    told: mpsc::UnboundedReceiver<(u64, Word)>,
    asked: Vec<Asking>,
    refused: Vec<HouseUrl>,
    last: u64,
}

impl Offers {
    /// Nobody is asked yet.
    pub fn new(identity: Identity, key: DeviceKey) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        Self {
            identity,
            key,
            tell,
            told,
            asked: Vec::new(),
            refused: Vec::new(),
            last: 0,
        }
    }

    /// Asks the first of these houses, and no others. Those that are asked already go on, and those that have refused
    /// are left alone.
    pub fn ask(&mut self, houses: &[Found]) {
        let wanted = |asking: &Asking| houses.iter().any(|house| house.url == asking.offer.url);
        self.asked.retain(wanted);
        for house in houses {
            let is_asked = self
                .asked
                .iter()
                .any(|asking| asking.offer.url == house.url);
            if self.asked.len() < MOST && !is_asked && !self.refused.contains(&house.url) {
                let asking = self.begin(house.clone());
                self.asked.push(asking);
            }
        }
    }

    /// Asks those anew that have given no code: somebody is there now who waits for it.
    pub fn hurry(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        let anew = asked
            .into_iter()
            .map(|asking| match asking.offer.invitation {
                Some(_) => asking,
                None => self.begin(asking.offer.found()),
            });
        let anew: Vec<Asking> = anew.collect();
        self.asked = anew;
    }

    fn begin(&mut self, house: Found) -> Asking {
        self.last += 1;
        let (number, tell) = (self.last, self.tell.clone());
        let tell = move |word| drop(tell.send((number, word)));
        let url = house.url.clone();
        let persisting = persist(url, self.identity.clone(), self.key.clone(), tell);
        Asking {
            number,
            offer: Offer::of(house),
            task: tokio::spawn(persisting),
        }
    }

    /// The house that is asked first, if any is.
    pub fn first(&self) -> Option<&HouseUrl> {
        self.asked.first().map(|asking| &asking.offer.url)
    }

    /// The house that was the last to refuse the box.
    pub fn refused(&self) -> Option<&HouseUrl> {
        self.refused.last()
    }

    /// How far it is, and what stands in the way where one house alone is asked.
    pub fn standing(&self, wish: Wish) -> (Phase, Option<String>) {
        let offers = self.asked.iter().map(|asking| asking.offer.clone());
        phase(offers.collect(), wish)
    }

    /// Waits for the next thing to happen.
    pub async fn next(&mut self) -> Outcome {
        loop {
            let Some((number, word)) = self.told.recv().await else {
                // There is always a sender: ours.
                return std::future::pending().await;
            };
            let Some(at) = self.asked.iter().position(|asking| asking.number == number) else {
                continue;
            };
            let offer = &mut self.asked[at].offer;
            let url = &offer.url;
            match word {
                Word::Invited(invitation) => {
                    log::info!(
                        "pair this box at {url}/pair with the code {}; its check number is {}",
                        invitation.code,
                        invitation.check
                    );
                    (offer.invitation, offer.problem) = (Some(invitation), None);
                }
                Word::Expired => {
                    log::info!("the code for {url} has expired: asking for another");
                    (offer.invitation, offer.problem) = (None, None);
                }
                Word::Failed(problem) => {
                    log::warn!(err = problem.as_str(); "the box cannot be paired yet");
                    (offer.invitation, offer.problem) = (None, Some(problem));
                }
                Word::Refused => {
                    log::warn!("the house {url} refused this box");
                    self.refused.push(url.clone());
                    self.asked.remove(at);
                }
                Word::Approved(link) => {
                    log::info!("the box belongs to the house at {url} now");
                    return Outcome::Linked(link);
                }
            }
            return Outcome::Changed;
        }
    }
}

/// How far it is before any of these houses has answered.
pub(super) fn unanswered(houses: &[Found], wish: Wish) -> Phase {
    let offers = houses.iter().take(MOST).cloned().map(Offer::of);
    phase(offers.collect(), wish).0
}

fn phase(mut offers: Vec<Offer>, wish: Wish) -> (Phase, Option<String>) {
    match offers.len() {
        1 => {
            let Offer {
                invitation,
                problem,
                ..
            } = offers.remove(0);
            (Phase::Pairing { invitation, wish }, problem)
        }
        _ => (Phase::Choosing { offers, wish }, None),
    }
}

/// Asks a house until somebody there has said yes or no.
async fn persist(
    url: HouseUrl,
    identity: Identity,
    key: DeviceKey,
    tell: impl Fn(Word) + Send + Sync,
) {
    let mut wait = FIRST_WAIT;
    loop {
        let invited = AtomicBool::new(false);
        let outcome = pairing::pair(&url, &identity, &key, |invitation| {
            invited.store(true, Ordering::Relaxed);
            tell(Word::Invited(invitation));
        })
        .await;
        if invited.into_inner() {
            wait = FIRST_WAIT;
        }
        match outcome {
            Ok(link) => return tell(Word::Approved(Box::new(link))),
            Err(PairingError::Refused(_)) => return tell(Word::Refused),
            Err(PairingError::Expired) => {
                tell(Word::Expired);
                sleep(AFTER_EXPIRY).await;
            }
            Err(error @ (PairingError::Api(_) | PairingError::Tampered(_))) => {
                tell(Word::Failed(error.to_string()));
                sleep(wait).await;
                wait = (2 * wait).min(LONGEST_WAIT);
            }
        }
    }
}
