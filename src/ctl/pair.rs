//! Pairing from the command line: asks the box, and tells the code as soon as there is one.

use std::{io::Write, time::Duration};

use anyhow::bail;
use tokio::time::{Instant, sleep};

use crate::{
    control::Client,
    ctl::report::plain,
    domain::{config::HouseUrl, protocol::HouseStatus},
};

/// How long the house may take to give a code.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the box is asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Asks the box to be paired, and prints what a person needs for it.
pub(super) async fn pair(
    client: &Client,
    url: Option<HouseUrl>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let url = client.pair(url).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let house = client.status().await?.house;
        match house.filter(|house| house.url == url) {
            Some(HouseStatus { linked: true, .. }) => {
                writeln!(out, "This box belongs to the house at {url}.")?;
                return Ok(());
            }
            Some(HouseStatus {
                code: Some(code),
                check: Some(check),
                ..
            }) => {
                let (code, check) = (plain(&code), plain(&check));
                writeln!(out, "Type this code at {url}/pair and say yes there:\n")?;
                writeln!(out, "  Code    {code}")?;
                writeln!(out, "  Number  {check}   (the page must show the same)\n")?;
                writeln!(out, "museboxctl status tells how it goes.")?;
                return Ok(());
            }
            Some(HouseStatus {
                problem: Some(problem),
                ..
            }) => bail!("{} (the box keeps trying)", plain(&problem)),
            Some(_) | None => {}
        }
        if Instant::now() >= until {
            bail!("the house at {url} gives no code (the box keeps trying)");
        }
        sleep(ASK_EVERY).await;
    }
}
