//! Sends a word when a screen goes silent or dark: by e-mail, by webhook, or both.
//!
//! Silent is a box that nobody hears; dark is one that says itself that it can play nothing. Both must last as long as
//! the house's owner said, and both are told once, until the screen is well again.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use serde_json::json;

use crate::{
    db::{ReportRow, StoreError},
    web::{Server, alerts::Alerts, clock, hall::Hall},
};

/// How often it is looked.
pub const LOOK: Duration = Duration::from_secs(10);
/// How long a webhook may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The ways by which words go out.
pub struct Sender {
    mail: Option<(AsyncSmtpTransport<Tokio1Executor>, Mailbox)>,
    web: reqwest::Client,
    dark: Mutex<HashMap<String, Dark>>,
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

impl Sender {
    /// A sender; without a mail server only webhooks work, which is said when an e-mail is due.
    pub fn new(smtp: Option<&str>, from: Option<&str>) -> anyhow::Result<Self> {
        let mail = match smtp {
            None => None,
            Some(url) => {
                let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.build();
                let from = from.unwrap_or("musebox <musebox@localhost>").parse()?;
                Some((transport, from))
            }
        };
        let web = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self {
            mail,
            web,
            dark: Mutex::default(),
        })
    }

    /// Looks once at all houses that want to be told, and tells them.
    pub async fn look(&self, server: &Server) -> Result<(), StoreError> {
        let now = clock::now_ms();
        for (house, settings) in server.store.all_alerts().await? {
            let Ok(alerts) = serde_json::from_value::<Alerts>(settings) else {
                continue;
            };
            let Some(hall) = server.halls.hall(&house).await? else {
                continue;
            };
            let patience = alerts.silent_after_s * 1000;
            for row in server.store.claim_silent(&house, now - patience).await? {
                self.tell(&alerts, &hall, Trouble::Silent, &row).await;
            }
            for row in self.gone_dark(&hall, now, patience) {
                self.tell(&alerts, &hall, Trouble::Dark, &row).await;
            }
        }
        Ok(())
    }

    /// The screens that have been dark for so long, each once. Only the server that a box is connected to tells.
    fn gone_dark(&self, hall: &Hall, now: i64, patience: i64) -> Vec<ReportRow> {
        let mut all = self
            .dark
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        let mut gone = Vec::new();
        for (screen, live) in hall.live() {
            let failed = live
                .state
                .as_ref()
                .is_some_and(|state| state["state"] == "failed");
            if !failed || !hall.is_here(&screen) {
                all.remove(&screen);
                continue;
            }
            let dark = all.entry(screen.clone()).or_insert(Dark {
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

    async fn tell(&self, alerts: &Alerts, hall: &Hall, trouble: Trouble, row: &ReportRow) {
        let (house, document) = (hall.name(), hall.document());
        let screen = document["screens"][&row.screen]["name"].as_str();
        let screen = screen.unwrap_or(&row.screen);
        let (word, seen) = (trouble.word(), clock::written(row.seen));
        log::warn!(screen = row.screen.as_str(), house = row.house.as_str(); "a screen is {word}, last heard {seen}");
        let subject = format!("{screen} is {word}");
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
        for address in &alerts.email {
            if let Err(err) = self.mail(address, &subject, &text).await {
                log::error!(err = format!("{err:#}").as_str(); "an alert to {address} could not be sent");
            }
        }
        if let Some(url) = &alerts.webhook {
            let body = json!({
                "event": format!("screen_{word}"),
                "house": {"id": row.house, "name": house},
                "screen": {"id": row.screen, "name": screen},
                "seen": seen,
                "state": row.state,
            });
            let sent = self.web.post(url).json(&body).send().await;
            if let Err(err) = sent.and_then(reqwest::Response::error_for_status) {
                log::error!(err = err.to_string().as_str(); "an alert to a webhook could not be sent");
            }
        }
    }

    async fn mail(&self, to: &str, subject: &str, text: &str) -> anyhow::Result<()> {
        let Some((transport, from)) = &self.mail else {
            anyhow::bail!("the server has no mail server: start it with --smtp");
        };
        let message = Message::builder()
            .from(from.clone())
            .to(to.parse()?)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())?;
        transport.send(message).await?;
        Ok(())
    }
}
