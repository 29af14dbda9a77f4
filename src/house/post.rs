//! Delivers words by e-mail and to webhooks, so that whoever has something to tell never waits.
//!
//! Each letter is a task of its own, which tries again with growing pauses. A letter that is not delivered in the end
//! is an error in the log that says whom nobody told what, whether its receiver refused it, or too many were on their
//! way, or the server ended first.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::webhook::{self, Reach};

/// How many letters may be on their way.
const ROOM: usize = 1000;
/// How many are sent at the same moment.
const AT_ONCE: usize = 8;
/// How long a mail server may take for each of its answers.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long is waited after each failure; after one more the letter is given up.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1800),
];

/// The way by which words go out.
#[derive(Clone)]
pub struct Post(Arc<Inner>);

struct Inner {
    mail: Option<Mail>,
    reach: Reach,
    pauses: &'static [Duration],
    room: Arc<Semaphore>,
    wires: Semaphore,
}

struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// What is told.
#[derive(Debug)]
pub struct Word {
    /// In one line.
    pub subject: String,
    /// For people.
    pub text: String,
    /// For programs.
    pub document: Value,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Somebody with this address.
    Email(String),
    /// A program at this URL.
    Webhook(String),
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Email(address) => f.write_str(address),
            // Its path is often a secret.
            Whom::Webhook(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = authority.rsplit('@').next().unwrap_or_default();
                write!(f, "the webhook at {scheme}://{host}")
            }
        }
    }
}

/// Why a letter was not delivered.
#[derive(Debug)]
pub enum Failure {
    /// It may be delivered later.
    Passing(anyhow::Error),
    /// It is of no use to try again.
    Lasting(anyhow::Error),
}

impl Post {
    /// A post; without a mail server only webhooks work, which is said when an e-mail is due.
    pub fn new(smtp: Option<&str>, from: Option<&str>, reach: Reach) -> anyhow::Result<Self> {
        Self::with_pauses(smtp, from, reach, &PAUSES)
    }

    fn with_pauses(
        smtp: Option<&str>,
        from: Option<&str>,
        reach: Reach,
        pauses: &'static [Duration],
    ) -> anyhow::Result<Self> {
        let mail = smtp.map(|url| Mail::new(url, from)).transpose()?;
        Ok(Self(Arc::new(Inner {
            mail,
            reach,
            pauses,
            room: Arc::new(Semaphore::new(ROOM)),
            wires: Semaphore::new(AT_ONCE),
        })))
    }

    /// Takes a word for somebody and returns at once; must be called on a runtime.
    pub fn send(&self, whom: Whom, word: Arc<Word>) {
        let mut letter = Letter {
            whom,
            word,
            fate: Fate::Open("the server has ended".to_owned()),
        };
        let Ok(place) = Arc::clone(&self.0.room).try_acquire_owned() else {
            letter.fate = Fate::Open("too many words are on their way".to_owned());
            return;
        };
        let post = self.clone();
        tokio::spawn(async move {
            post.deliver(&mut letter).await;
            drop(place);
        });
    }

    async fn deliver(&self, letter: &mut Letter) {
        let mut pauses = self.0.pauses.iter();
        loop {
            let err = match self.attempt(letter).await {
                Ok(()) => {
                    letter.fate = Fate::Delivered;
                    metrics::counter!("musebox_house_alerts_sent_total").increment(1);
                    return;
                }
                Err(Failure::Passing(err)) => format!("{err:#}"),
                Err(Failure::Lasting(err)) => {
                    letter.fate = Fate::Open(format!("{err:#}"));
                    return;
                }
            };
            let pause = pauses.next();
            if let Some(pause) = pause {
                let (whom, seconds) = (&letter.whom, pause.as_secs());
                log::warn!(err = err.as_str(); "a word to {whom} is not delivered; the next try is in {seconds} s");
            }
            letter.fate = Fate::Open(err);
            match pause {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return,
            }
        }
    }

    async fn attempt(&self, letter: &Letter) -> Result<(), Failure> {
        let wire = self.0.wires.acquire().await;
        let _wire = wire.map_err(|err| Failure::Lasting(err.into()))?;
        match &letter.whom {
            Whom::Email(address) => match &self.0.mail {
                Some(mail) => mail.send(address, &letter.word).await,
                None => Err(Failure::Lasting(anyhow!(
                    "the server has no mail server: start it with --smtp"
                ))),
            },
            Whom::Webhook(url) => webhook::send(self.0.reach, url, &letter.word.document).await,
        }
    }
}

impl Mail {
    fn new(url: &str, from: Option<&str>) -> anyhow::Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .context("smtp")?
            .timeout(Some(PATIENCE))
            .build();
        let from = from.unwrap_or("musebox <musebox@localhost>");
        let from = from.parse().context("mail_from")?;
        Ok(Self { transport, from })
    }

    async fn send(&self, address: &str, word: &Word) -> Result<(), Failure> {
        let message = self.message(address, word).map_err(Failure::Lasting)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(err) if err.is_permanent() => Err(Failure::Lasting(err.into())),
            Err(err) => Err(Failure::Passing(err.into())),
        }
    }

    fn message(&self, address: &str, word: &Word) -> anyhow::Result<Message> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(address.parse()?)
            .subject(word.subject.as_str())
            .header(ContentType::TEXT_PLAIN)
            .body(word.text.clone())?;
        Ok(message)
    }
}

/// A word on its way to somebody.
struct Letter {
    whom: Whom,
    word: Arc<Word>,
    fate: Fate,
}

enum Fate {
    Delivered,
    /// Not delivered yet, and why.
    Open(String),
}

impl Drop for Letter {
    fn drop(&mut self) {
        match &self.fate {
            Fate::Delivered => {}
            Fate::Open(why) => {
                metrics::counter!("musebox_house_alerts_failed_total").increment(1);
                let (whom, subject) = (&self.whom, &self.word.subject);
                log::error!(err = why.as_str(); "nobody told {whom}: {subject}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    const SHORT: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(2)];
    /// How long a test waits on a loaded machine.
    const TEST_PATIENCE: Duration = Duration::from_secs(60);

    fn word() -> Arc<Word> {
        Arc::new(Word {
            subject: "The foyer is silent".to_owned(),
            text: "Look.\n".to_owned(),
            document: json!({"event": "screen_silent"}),
        })
    }

    /// A webhook that answers its requests so, one after another.
    async fn answer(sink: TcpListener, answers: &[&str]) {
        for status in answers {
            let (mut stream, _) = sink.accept().await.expect("a connection");
            let mut asked = Vec::new();
            // The document is the last of a request.
            while !asked.ends_with(b"}") {
                let read = stream.read_buf(&mut asked).await.expect("a request");
                assert_ne!(read, 0, "the request is cut");
            }
            let head = "content-length: 0\r\nlocation: /\r\nconnection: close";
            let answer = format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("answered");
        }
    }

    /// Whether a letter to a webhook that answers so, and is asked as often, is delivered.
    async fn delivered(answers: &[&str]) -> bool {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sink = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", sink.local_addr().expect("its address"));
        let post = Post::with_pauses(None, None, Reach::Anywhere, &SHORT).expect("a post");
        let mut letter = Letter {
            whom: Whom::Webhook(url),
            word: word(),
            fate: Fate::Open(String::new()),
        };
        let both = async { tokio::join!(post.deliver(&mut letter), answer(sink, answers)) };
        timeout(TEST_PATIENCE, both)
            .await
            .expect("it is asked so often");
        matches!(letter.fate, Fate::Delivered)
    }

    #[tokio::test]
    async fn a_letter_is_tried_again_until_it_is_taken_or_there_is_no_hope() {
        let busy = "503 Service Unavailable";
        assert!(delivered(&["204 No Content"]).await);
        assert!(delivered(&[busy, busy, "200 OK"]).await);
        assert!(!delivered(&[busy, busy, busy]).await);
        assert!(!delivered(&["302 Found"]).await, "it is not followed");
    }

    #[tokio::test]
    async fn whoever_has_something_to_tell_never_waits_and_what_has_no_room_is_not_kept() {
        let post = Post::new(None, None, Reach::Anywhere).expect("a post");
        let all = u32::try_from(ROOM).expect("not many");
        let _full = post.0.room.acquire_many(all).await.expect("it is open");
        let word = word();
        post.send(Whom::Email("a@example.org".to_owned()), Arc::clone(&word));
        assert_eq!(Arc::strong_count(&word), 1, "it is dropped at once");
    }

    #[tokio::test]
    async fn an_e_mail_without_a_mail_server_is_given_up_at_once() {
        let post = Post::new(None, None, Reach::Public).expect("a post");
        let mut letter = Letter {
            whom: Whom::Email("a@example.org".to_owned()),
            word: word(),
            fate: Fate::Open(String::new()),
        };
        post.deliver(&mut letter).await;
        assert!(matches!(&letter.fate, Fate::Open(why) if why.contains("--smtp")));
    }

    #[test]
    fn the_log_does_not_tell_the_secrets_of_a_webhook() {
        let hook = Whom::Webhook("https://user:pass@hooks.example/services/secret?x".to_owned());
        assert_eq!(hook.to_string(), "the webhook at https://hooks.example");
    }
}
