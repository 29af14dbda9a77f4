//! The houses that somebody is connected to or has asked for, and the news that reach them from the store.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use tokio::sync::{Mutex, broadcast, watch};

use crate::{
    db::{KEPT_CHANGES, News, Store, StoreError},
    web::{hall::Hall, problem::Problem},
};

/// All halls.
pub struct Halls {
    store: Arc<dyn Store>,
    halls: Mutex<HashMap<String, Arc<Hall>>>,
    farewell: watch::Sender<bool>,
}

impl Halls {
    /// The halls of a store; listens to its news.
    pub fn new(store: Arc<dyn Store>) -> Arc<Self> {
        let halls = Arc::new(Self {
            store,
            halls: Mutex::default(),
            farewell: watch::channel(false).0,
        });
        tokio::spawn(listen(halls.store.listen(), Arc::downgrade(&halls)));
        halls
    }

    /// A house's hall, if there is such a house.
    pub async fn hall(&self, house: &str) -> Result<Option<Arc<Hall>>, StoreError> {
        let mut halls = self.halls.lock().await;
        if let Some(hall) = halls.get(house) {
            return Ok(Some(Arc::clone(hall)));
        }
        let Some(stored) = self.store.load(house).await? else {
            return Ok(None);
        };
        let reports = self.store.reports(house).await?;
        let changes = self
            .store
            .changes_since(house, stored.rev - KEPT_CHANGES)
            .await?;
        let hall = Arc::new(Hall::new(
            house,
            Arc::clone(&self.store),
            stored,
            changes,
            reports,
        ));
        halls.insert(house.to_owned(), Arc::clone(&hall));
        Ok(Some(hall))
    }

    /// A house's hall, or the answer that there is no such house.
    pub async fn must(&self, house: &str) -> Result<Arc<Hall>, Problem> {
        let hall = self.hall(house).await?;
        hall.ok_or_else(|| Problem::not_found("house"))
    }

    /// A house is gone: everybody leaves.
    pub async fn close(&self, house: &str) {
        if let Some(hall) = self.halls.lock().await.remove(house) {
            hall.guests().close();
        }
    }

    /// Whether pages and programs may still be where they are is looked at again.
    pub async fn doubt_pages(&self) {
        for hall in self.all().await {
            hall.guests().doubt_pages();
        }
    }

    /// Tells every guest that the server goes.
    pub fn farewell(&self) {
        self.farewell.send_replace(true);
    }

    /// Becomes true when the server goes.
    pub fn goes(&self) -> watch::Receiver<bool> {
        self.farewell.subscribe()
    }

    /// How many boxes and pages are connected to this process.
    pub async fn guests(&self) -> (usize, usize) {
        let halls = self.halls.lock().await;
        let counts = halls.values().map(|hall| hall.guests().count());
        counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Tells pages what screens have said that are not connected to this process, and reads again what could not be
    /// read when it had to be.
    pub async fn look_around(&self) -> Result<(), StoreError> {
        for hall in self.all().await {
            if hall.is_stale() {
                self.refresh(&hall).await;
            }
            if hall.guests().has_pages() {
                hall.look_around().await?;
            }
        }
        Ok(())
    }

    async fn all(&self) -> Vec<Arc<Hall>> {
        self.halls.lock().await.values().cloned().collect()
    }

    async fn refresh(&self, hall: &Hall) {
        match hall.refresh().await {
            Ok(true) => {}
            Ok(false) => self.close(hall.id()).await,
            Err(err) => {
                log::error!(house = hall.id(), err = err.to_string().as_str(); "a house could not be read again; it is tried again")
            }
        }
    }

    async fn news(&self, news: News) {
        match news {
            News::House { house, .. } => {
                let hall = self.halls.lock().await.get(&house).cloned();
                if let Some(hall) = hall {
                    self.refresh(&hall).await;
                }
            }
            News::Command { house, screen } => {
                let hall = self.halls.lock().await.get(&house).cloned();
                if let Some(hall) = hall {
                    hall.pick_up(&screen).await;
                }
            }
            News::Revoked { screen } => {
                for hall in self.all().await {
                    hall.guests().oust(&screen);
                }
            }
            News::Answered { id, error } => {
                for hall in self.all().await {
                    hall.answered(&id, error.clone());
                }
            }
            News::People => self.doubt_pages().await,
            News::Lost => {
                metrics::counter!("musebox_house_news_lost_total").increment(1);
                for hall in self.all().await {
                    self.refresh(&hall).await;
                    hall.guests().doubt_all();
                }
            }
        }
    }
}

/// Follows the store's news until the halls are gone.
async fn listen(mut news: broadcast::Receiver<News>, halls: Weak<Halls>) {
    loop {
        let next = match news.recv().await {
            Ok(next) => next,
            Err(broadcast::error::RecvError::Lagged(_)) => News::Lost,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        match halls.upgrade() {
            Some(halls) => halls.news(next).await,
            None => return,
        }
    }
}
