//! Notices when a screen goes silent or dark, and who is to be told.
//!
//! Silent is a box that nobody hears; dark is one that says itself that it can play nothing. Both must last as long as
//! the house's owner said, and both are told once, until the screen is well again. Telling is the post's work.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    db::{ReportRow, StoreError},
    house::post::{Post, Whom, Word},
    web::{
        Server,
        alerts::{Alerts, MOST_ADDRESSES},
        clock,
        hall::Hall,
        throttle::Throttle,
    },
};

/// How often it is looked.
pub const LOOK: Duration = Duration::from_secs(10);
/// A server that has not looked for so long has had a break: its database did not answer, its machine slept, or its
/// clock was set.
const BREAK_MS: i64 = 30_000;
/// How long boxes take to come back after a break: they try once a minute at the latest, and then need some seconds.
const RETURN_MS: i64 = 75_000;
/// How many words of a house go out in an hour.
const MOST_WORDS: u32 = 60;
const HOUR: Duration = Duration::from_secs(3600);

/// Who looks.
pub struct Lookout {
    post: Post,
    bound: Throttle,
    watch: Watch,
    dark: HashMap<String, Dark>,
}

/// Since when it has been looked without a break.
#[derive(Debug, PartialEq, Eq)]
struct Watch {
    since: i64,
    looked: i64,
}

impl Watch {
    fn new(now: i64) -> Self {
        Self {
            since: now,
            looked: now,
        }
    }

    /// Begins a look; answers for how long there was no break, in milliseconds.
    fn begin(&mut self, now: i64) -> i64 {
        if !(0..=BREAK_MS).contains(&(now - self.looked)) {
            self.since = now;
        }
        now - self.since
    }

    /// A look has come to its end.
    fn end(&mut self, now: i64) {
        self.looked = now;
    }
}

/// Whether a screen that was not heard for the time that its house allows is silent. A server that has just begun to
/// listen was not there to hear it.
fn has_listened(watched: i64, patience: i64) -> bool {
    watched >= patience.max(RETURN_MS)
}

/// A screen that can play nothing.
struct Dark {
    since: i64,
    told: bool,
}

/// What is wrong with a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Silent,
    Dark,
}

impl Trouble {
    fn word(self) -> &'static str {
        match self {
            Trouble::Silent => "silent",
            Trouble::Dark => "dark",
        }
    }
}

impl Lookout {
    /// A lookout that gives its words to this post.
    pub fn new(post: Post) -> Self {
        Self {
            post,
            bound: Throttle::new(MOST_WORDS, HOUR),
            watch: Watch::new(clock::now_ms()),
            dark: HashMap::new(),
        }
    }

    /// Looks once at all houses that want to be told, and has them told.
    pub async fn look(&mut self, server: &Server) -> Result<(), StoreError> {
        let now = clock::now_ms();
        let watched = self.watch.begin(now);
        for (house, settings) in server.store.all_alerts().await? {
            let Ok(alerts) = serde_json::from_value::<Alerts>(settings) else {
                continue;
            };
            let Some(hall) = server.halls.hall(&house).await? else {
                continue;
            };
            if !alerts.name_somebody() {
                // What is wrong now is told to whoever is named later.
                for (screen, _) in hall.live() {
                    self.dark.remove(&screen);
                }
                continue;
            }
            let patience = alerts.silent_after_s.saturating_mul(1000);
            if has_listened(watched, patience) {
                let silent = server.store.claim_silent(&house, now - patience);
                for row in silent.await? {
                    self.tell(&alerts, &hall, Trouble::Silent, &row);
                }
            }
            for row in self.gone_dark(&hall, now, patience) {
                self.tell(&alerts, &hall, Trouble::Dark, &row);
            }
        }
        self.watch.end(clock::now_ms());
        metrics::counter!("musebox_house_alert_looks_total").increment(1);
        Ok(())
    }

    /// The screens that have been dark for so long, each once. Only the server that a box is connected to tells.
    fn gone_dark(&mut self, hall: &Hall, now: i64, patience: i64) -> Vec<ReportRow> {
        let mut gone = Vec::new();
        for (screen, live) in hall.live() {
            let failed = live
                .state
                .as_ref()
                .is_some_and(|state| state["state"] == "failed");
            if !failed {
                self.dark.remove(&screen);
                continue;
            }
            // One that went away was dark when it was heard last, and is not well by that.
            if !hall.is_here(&screen) {
                continue;
            }
            let dark = self.dark.entry(screen.clone()).or_insert(Dark {
                since: now,
                told: false,
            });
            if !dark.told && now - dark.since >= patience {
                dark.told = true;
                gone.push(ReportRow {
                    screen,
                    house: hall.id().to_owned(),
                    state: live.state,
                    seen: live.seen,
                    online: live.online,
                });
            }
        }
        gone
    }

    fn tell(&self, alerts: &Alerts, hall: &Hall, trouble: Trouble, row: &ReportRow) {
        let word = word(hall, trouble, row);
        let subject = word.subject.as_str();
        log::warn!(screen = row.screen.as_str(), house = row.house.as_str(); "{subject}");
        self.hand_out(&row.house, alerts, &Arc::new(word));
    }

    /// Gives a word to everybody whom a house has named, unless too many have gone out.
    fn hand_out(&self, house: &str, alerts: &Alerts, word: &Arc<Word>) {
        let emails = alerts.email.iter().take(MOST_ADDRESSES).cloned();
        let webhook = alerts.webhook.iter().cloned().map(Whom::Webhook);
        let whom: Vec<Whom> = emails.map(Whom::Email).chain(webhook).collect();
        if whom.is_empty() {
            return;
        }
        if !self.bound.allows(house, clock::now_ms()) {
            let subject = &word.subject;
            metrics::counter!("musebox_house_alerts_failed_total").increment(1);
            log::error!(house; "nobody is told after {MOST_WORDS} words in an hour: {subject}");
            return;
        }
        for whom in whom {
            self.post.send(whom, Arc::clone(word));
        }
    }
}

fn word(hall: &Hall, trouble: Trouble, row: &ReportRow) -> Word {
    let (house, document) = (hall.name(), hall.document());
    let screen = document["screens"][&row.screen]["name"].as_str();
    let screen = screen.unwrap_or(&row.screen);
    let (word, seen) = (trouble.word(), clock::written(row.seen));
    let text = match trouble {
        Trouble::Silent => format!(
            "The screen “{screen}” of {house} was last heard at {seen}.\n\nIt may still play what it knows. Look \
             whether it has power and network.\n"
        ),
        Trouble::Dark => format!(
            "The screen “{screen}” of {house} can play no item of its playlist.\n\nIts card and the house's page \
             tell why.\n"
        ),
    };
    Word {
        subject: format!("{screen} is {word}"),
        text,
        document: json!({
            "event": format!("screen_{word}"),
            "house": {"id": row.house, "name": house},
            "screen": {"id": row.screen, "name": screen},
            "seen": seen,
            "state": row.state,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::webhook::Reach;

    #[tokio::test]
    async fn a_house_has_so_many_words_in_an_hour_and_so_many_addresses() {
        let post = Post::new(None, None, Reach::Public).expect("a post");
        let lookout = Lookout::new(post);
        let alerts = Alerts {
            email: vec!["ada@example.org".to_owned(); 2 * MOST_ADDRESSES],
            ..Alerts::default()
        };
        // The letters of a word hold it, and none is on its way before this test waits.
        let letters = |house: &str| {
            let word = Arc::new(Word {
                subject: "The foyer is dark".to_owned(),
                text: String::new(),
                document: json!({}),
            });
            lookout.hand_out(house, &alerts, &word);
            Arc::strong_count(&word) - 1
        };
        for _ in 0..MOST_WORDS {
            assert_eq!(letters("one"), MOST_ADDRESSES);
        }
        assert_eq!(letters("one"), 0);
        assert_eq!(letters("other"), MOST_ADDRESSES);
    }

    #[test]
    fn a_server_that_has_just_started_knows_of_no_silence() {
        let mut watch = Watch::new(0);
        for now in (0..120_000).step_by(10_000) {
            let watched = watch.begin(now);
            assert_eq!(has_listened(watched, 60_000), now >= RETURN_MS, "{now}");
            assert!(!has_listened(watched, 120_000), "{now}");
            watch.end(now);
        }
        assert!(has_listened(watch.begin(120_000), 120_000));
    }

    #[test]
    fn after_a_break_the_boxes_have_the_time_again_that_they_need() {
        let mut watch = Watch::new(0);
        watch.end(1_000_000);
        assert_eq!(watch.begin(1_010_000), 1_010_000);
        // The database did not answer: these looks came to no end.
        assert_eq!(watch.begin(1_020_000), 1_020_000);
        assert_eq!(watch.begin(1_030_001), 0);
        watch.end(1_030_001);
        assert_eq!(watch.begin(1_040_001), 10_000);
        watch.end(1_040_001);
        assert_eq!(watch.begin(900_000), 0, "a clock that was set back");
    }
}
