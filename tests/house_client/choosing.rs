//! Boxes that look for a house: one is found, or several, or none. What is found is told by the test, not by a network.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
};

use musebox::net::{
    Ask, Discovery, Found, Identity, News, Offer, Options, Parting, Phase, Search, Standing, Way,
    Wish,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};

use crate::{
    fake_house::{FakeHouse, Wire, hex},
    player_box::until,
};

/// A box's way to houses, without the box.
struct Seeker {
    way: Way,
    standing: Arc<Mutex<Standing>>,
    found: watch::Sender<Vec<Found>>,
    folder: TempDir,
}

impl Seeker {
    fn start(discovery: Discovery, houses: &[&FakeHouse]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (found, list) = watch::channel(names(houses));
        let standing = Arc::new(Mutex::new(Standing::default()));
        let told = standing.clone();
        let options = Options {
            state_dir: folder.path().to_owned(),
            url: None,
            identity: Identity {
                name: "Foyer".to_owned(),
                outputs: Vec::new(),
            },
            discovery,
            search: Search::List(list),
        };
        let (way, kept) = Way::start(options, move |news| {
            if let News::Standing(standing) = news {
                *told.lock().expect("no fault within") = standing;
            }
        })
        .expect("a thread");
        assert_eq!(kept, None);
        Self {
            way,
            standing,
            found,
            folder,
        }
    }

    fn standing(&self) -> Standing {
        self.standing.lock().expect("no fault within").clone()
    }

    fn wait<T>(&self, what: &str, mut wanted: impl FnMut(&Standing) -> Option<T>) -> T {
        until(what, || wanted(&self.standing()))
    }

    /// What is shown for several houses, once each has given a code.
    fn codes(&self, count: usize) -> Vec<Offer> {
        self.wait("each house has given a code", |standing| {
            let Phase::Choosing { offers, .. } = &standing.phase else {
                return None;
            };
            let all = offers.len() == count && offers.iter().all(|it| it.invitation.is_some());
            all.then(|| offers.clone())
        })
    }

    /// What is shown for one house, once it has given a code.
    fn code_of(&self, house: &FakeHouse) -> (String, String) {
        self.wait("the house has given a code", |standing| {
            let Phase::Pairing {
                invitation: Some(invitation),
                ..
            } = &standing.phase
            else {
                return None;
            };
            let url = standing.url.as_ref()?;
            (url.as_str() == house.url())
                .then(|| (invitation.code.clone(), invitation.check.clone()))
        })
    }

    fn belongs_to(&self, house: &FakeHouse) {
        self.wait("the box belongs to the house", |standing| {
            let is_linked = matches!(standing.phase, Phase::Linked { .. });
            let url = standing.url.as_ref()?;
            (is_linked && url.as_str() == house.url()).then_some(())
        });
    }

    fn is_parted(&self, wanted: Parting) {
        self.wait("the box is alone", |standing| {
            (standing.phase == Phase::Parted(wanted)).then_some(())
        });
    }

    /// What `museboxctl pair` does; answers the house that is asked first.
    fn pair(&self, house: Option<&FakeHouse>) -> Result<String, String> {
        let (reply, answer) = oneshot::channel();
        let url = house.map(|house| house.url().parse().expect("an address"));
        self.way.ask(Ask::Pair(url, reply));
        let answer = answer.blocking_recv().expect("an answer");
        answer.map(|url| url.as_str().to_owned())
    }

    fn unpair(&self) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        self.way.ask(Ask::Unpair(reply));
        answer.blocking_recv().expect("an answer")
    }
}

/// Houses as they are found, named by their letters.
fn names(houses: &[&FakeHouse]) -> Vec<Found> {
    let found = |(letter, house): (char, &&FakeHouse)| Found {
        name: format!("House {letter}"),
        url: house.url().parse().expect("an address"),
    };
    ('A'..).zip(houses).map(found).collect()
}

fn house() -> FakeHouse {
    FakeHouse::start(Wire::Plain)
}

/// The code and the number that a house knows of the box that asked it last.
fn known_to(house: &FakeHouse) -> (String, String) {
    let known = house.known();
    let enrolment = known.enrolments.last().expect("a box has asked");
    let check = enrolment.check.clone().expect("a number");
    (enrolment.code.clone(), check)
}

fn shown(offer: &Offer) -> (String, String) {
    let invitation = offer.invitation.clone().expect("a code");
    (invitation.code, invitation.check)
}

#[test]
fn the_only_house_is_asked_by_itself() {
    let only = house();
    let seeker = Seeker::start(Discovery::PairsByItself, &[&only]);
    assert_eq!(seeker.code_of(&only), known_to(&only));
    let by_nobody = |standing: &Standing| {
        matches!(
            standing.phase,
            Phase::Pairing {
                wish: Wish::Nobody,
                ..
            }
        )
    };
    assert!(by_nobody(&seeker.standing()));
    only.decide("approved");
    seeker.belongs_to(&only);
}

#[test]
fn a_code_that_has_expired_is_followed_by_another() {
    let only = house();
    let seeker = Seeker::start(Discovery::PairsByItself, &[&only]);
    let first = seeker.code_of(&only);
    only.decide("expired");
    until("another code is shown", || {
        (only.known().enrolments.len() == 2 && seeker.code_of(&only) != first).then_some(())
    });
    assert_eq!(seeker.code_of(&only), known_to(&only));
    only.decide("approved");
    seeker.belongs_to(&only);
}

#[test]
fn of_several_houses_the_first_that_says_yes_has_the_box() {
    let [one, two, three] = [house(), house(), house()];
    let houses = [&one, &two, &three];
    let seeker = Seeker::start(Discovery::PairsByItself, &houses);
    let offers = seeker.codes(3);
    for (offer, (letter, house)) in offers.iter().zip(('A'..).zip(houses)) {
        assert_eq!(offer.name, format!("House {letter}"));
        assert_eq!(offer.url.as_str(), house.url());
        assert_eq!(shown(offer), known_to(house));
    }
    two.decide("approved");
    seeker.belongs_to(&two);
    until("the box greets its house", || {
        (!two.known().hellos.is_empty()).then_some(())
    });
    for other in [one, three] {
        assert_eq!(other.known().hellos.len(), 0);
        assert_eq!(other.known().enrolments.len(), 1, "it is asked no more");
    }
}

#[test]
fn houses_that_come_and_go_do_so_on_the_card_and_codes_stay() {
    let [one, two, three, four] = [house(), house(), house(), house()];
    let seeker = Seeker::start(Discovery::PairsByItself, &[&one]);
    let first = seeker.code_of(&one);
    seeker.found.send_replace(names(&[&one, &two]));
    let offers = seeker.codes(2);
    assert_eq!(shown(&offers[0]), first, "what is shown stays");
    let second = shown(&offers[1]);
    assert_eq!(second, known_to(&two));

    seeker.found.send_replace(names(&[&two]));
    assert_eq!(seeker.code_of(&two), second);
    seeker
        .found
        .send_replace(names(&[&two, &one, &three, &four]));
    let offers = seeker.codes(3);
    let urls: Vec<String> = offers.iter().map(|it| it.url.as_str().to_owned()).collect();
    assert_eq!(urls, [two.url(), one.url(), three.url()], "three at most");
    assert_eq!(four.known().enrolments.len(), 0);
    seeker.found.send_replace(Vec::new());
    seeker.wait("nobody is there", |standing| {
        (standing.phase == Phase::Alone).then_some(())
    });
    seeker.found.send_replace(names(&[&four]));
    seeker.code_of(&four);
    four.decide("approved");
    seeker.belongs_to(&four);
}

#[test]
fn a_house_that_refuses_leaves_the_others_and_the_last_one_ends_it() {
    let [one, two] = [house(), house()];
    let seeker = Seeker::start(Discovery::PairsByItself, &[&one, &two]);
    let second = shown(&seeker.codes(2)[1]);
    one.decide("refused");
    assert_eq!(seeker.code_of(&two), second);
    // It is still on the network, and is not asked again.
    seeker.found.send_replace(names(&[&two, &one]));
    two.decide("refused");
    seeker.is_parted(Parting::Refused);
    assert_eq!(one.known().enrolments.len(), 1);

    // Whoever wants it all the same gets new codes, without an address.
    let first = seeker.pair(None).expect("houses are found");
    assert_eq!(first, two.url());
    let offers = seeker.codes(2);
    assert_eq!(shown(&offers[0]), known_to(&two));
    assert_eq!(shown(&offers[1]), known_to(&one));
    assert!(seeker.standing().phase.has_code_for_person());
    one.decide("approved");
    seeker.belongs_to(&one);
}

#[test]
fn a_house_that_cannot_be_reached_holds_up_no_other() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let nowhere = format!("http://{}", silent.local_addr().expect("an address"));
    drop(silent);
    let one = house();
    let seeker = Seeker::start(Discovery::PairsByItself, &[]);
    let mut found = vec![Found {
        name: "Nowhere".to_owned(),
        url: nowhere.parse().expect("an address"),
    }];
    found.extend(names(&[&one]));
    seeker.found.send_replace(found);
    seeker.wait("one has a code, and the other a reason", |standing| {
        let Phase::Choosing { offers, .. } = &standing.phase else {
            return None;
        };
        let [nowhere, house] = &offers[..] else {
            return None;
        };
        (nowhere.problem.is_some() && house.invitation.is_some()).then_some(())
    });
    one.decide("approved");
    seeker.belongs_to(&one);
}

#[test]
fn a_box_with_something_to_play_looks_only_when_asked() {
    let [one, two, three] = [house(), house(), house()];
    let seeker = Seeker::start(Discovery::WhenAsked, &[]);
    let why = seeker.pair(None).expect_err("there is none");
    assert!(why.contains("no house announces itself here"), "{why}");
    assert!(seeker.unpair().is_err());

    seeker.found.send_replace(names(&[&one, &two]));
    assert_eq!(seeker.pair(None).expect("houses are found"), one.url());
    seeker.codes(2);
    assert!(seeker.standing().phase.has_code_for_person());
    // One that is named is the one.
    seeker.pair(Some(&three)).expect("it is named");
    seeker.code_of(&three);
    seeker.unpair().expect("it is ended");
    seeker.is_parted(Parting::Unpaired);

    let seeker = Seeker::start(Discovery::Never, &[&one]);
    let why = seeker.pair(None).expect_err("it does not look");
    assert!(why.contains("name one"), "{why}");
    seeker.pair(Some(&one)).expect("it is named");
    seeker.code_of(&one);
}

#[test]
fn a_box_that_was_taken_off_the_list_asks_by_itself_if_it_has_nothing_to_play() {
    let [one, two] = [house(), house()];
    let seeker = Seeker::start(Discovery::PairsByItself, &[&one]);
    seeker.code_of(&one);
    one.decide("approved");
    seeker.belongs_to(&one);
    until("the box greets its house", || {
        (!one.known().hellos.is_empty()).then_some(())
    });
    seeker.found.send_replace(names(&[&one, &two]));
    one.revoke();
    let offers = seeker.codes(2);
    assert_eq!(shown(&offers[1]), known_to(&two));
    two.decide("approved");
    seeker.belongs_to(&two);
    until("the box greets its house", || {
        (!two.known().hellos.is_empty()).then_some(())
    });

    // Now it has something to play.
    let bytes = b"a picture".to_vec();
    let sha256 = hex(&Sha256::digest(&bytes));
    let media = seeker.folder.path().join("media");
    fs::create_dir_all(&media).expect("a folder");
    fs::write(media.join(&sha256), &bytes).expect("written");
    two.change(|document| {
        let source = json!({"src": "/api/v1/media/a", "sha256": sha256, "size": bytes.len()});
        document["items"]["i1"] = json!({"kind": "image", "formats": {"source": source}});
        let tracks = json!([{"id": "t1", "items": ["i1"]}]);
        document["playlists"]["p1"] =
            json!({"name": "Summer", "montages": [{"id": "m1", "tracks": tracks}]});
    });
    let kept = seeker.folder.path().join("environment.json");
    until("the environment is kept", || {
        let text = fs::read_to_string(&kept).ok()?;
        text.contains("Summer").then_some(())
    });
    two.revoke();
    seeker.is_parted(Parting::Revoked);
    // It shows whom it has found, and asks nobody until it is told to.
    seeker.wait("both are found", |standing| {
        (standing.found.len() == 2).then_some(())
    });
    assert_eq!(two.known().enrolments.len(), 1);
    seeker.pair(None).expect("houses are found");
    seeker.codes(2);
}

#[test]
fn a_house_that_is_at_another_address_is_found_again() {
    let [own, other] = [house(), house()];
    other.rekey(7);
    let seeker = Seeker::start(Discovery::PairsByItself, &[&own]);
    seeker.code_of(&own);
    own.decide("approved");
    seeker.belongs_to(&own);
    until("the box greets its house", || {
        (!own.known().hellos.is_empty()).then_some(())
    });

    let moved = own.moved();
    let hellos = own.known().hellos.len();
    // Whoever else is there is not taken for it.
    seeker.found.send_replace(names(&[&other]));
    until("the other one is tried", || {
        (other.known().unknown > 0).then_some(())
    });
    seeker.belongs_to(&own);
    seeker.found.send_replace(names(&[&other, &moved]));
    seeker.belongs_to(&moved);
    until("the box greets it there", || {
        (moved.known().hellos.len() > hellos).then_some(())
    });
    assert_eq!(other.known().hellos.len(), 0);
    assert_eq!(other.known().enrolments.len(), 0);
    let link = fs::read_to_string(seeker.folder.path().join("link.json")).expect("a link");
    assert!(link.contains(&moved.url()), "{link}");
}

#[test]
fn who_asks_another_house_loses_nothing_until_that_one_says_yes() {
    let [own, other] = [house(), house()];
    let seeker = Seeker::start(Discovery::PairsByItself, &[&own]);
    seeker.code_of(&own);
    own.decide("approved");
    seeker.belongs_to(&own);

    seeker.pair(Some(&other)).expect("it is named");
    seeker.code_of(&other);
    seeker.unpair().expect("nobody wants it any more");
    seeker.belongs_to(&own);

    seeker.pair(Some(&other)).expect("it is named");
    seeker.code_of(&other);
    let hellos = own.known().hellos.len();
    other.decide("refused");
    seeker.belongs_to(&own);
    until("the box greets its house again", || {
        (own.known().hellos.len() > hellos).then_some(())
    });

    seeker.pair(Some(&other)).expect("it is named");
    seeker.code_of(&other);
    other.decide("approved");
    seeker.belongs_to(&other);
    seeker.unpair().expect("it belongs to it");
    seeker.is_parted(Parting::Unpaired);
}
