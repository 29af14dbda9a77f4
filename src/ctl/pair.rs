//! Pairing from the command line: asks the box, and tells the code as soon as there is one.

use std::{io::Write, time::Duration};

use anyhow::bail;
use tokio::time::{Instant, sleep};

use crate::{
    control::Client,
    ctl::report::plain,
    domain::{
        config::HouseUrl,
        protocol::{HouseOffer, HouseStatus},
    },
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
        let is_asked = |house: &HouseStatus| house.url == url || !house.offers.is_empty();
        match house.filter(is_asked) {
            Some(HouseStatus { offers, .. }) if !offers.is_empty() => {
                let answered = |offer: &HouseOffer| offer.code.is_some() || offer.problem.is_some();
                let codes = offers.iter().filter(|offer| offer.code.is_some()).count();
                // One that is silent does not hold up the others for ever.
                if codes > 0 && (offers.iter().all(answered) || Instant::now() >= until) {
                    return choice(&offers, out);
                }
            }
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

/// Prints what a person needs for one of several houses.
fn choice(offers: &[HouseOffer], out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "There are several houses here. Choose one, and type its code on its page:"
    )?;
    for offer in offers {
        let (name, url) = (plain(&offer.name), &offer.url);
        writeln!(out, "\n  {name}, at {url}/pair")?;
        match (&offer.code, &offer.check, &offer.problem) {
            (Some(code), Some(check), _) => {
                let (code, check) = (plain(code), plain(check));
                writeln!(out, "  Code    {code}")?;
                writeln!(out, "  Number  {check}   (the page must show the same)")?;
            }
            (_, _, Some(problem)) => writeln!(out, "  No code yet: {}", plain(problem))?,
            (_, _, None) => writeln!(out, "  No code yet")?,
        }
    }
    writeln!(out, "\nmuseboxctl status tells how it goes.")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_house_is_told_with_its_code_or_why_it_has_none() {
        let offer = |name: &str, code: Option<&str>, problem: Option<&str>| HouseOffer {
            name: name.to_owned(),
            url: format!("{}.example", name.to_lowercase())
                .parse()
                .expect("an address"),
            code: code.map(str::to_owned),
            check: code.map(|_| "123 456".to_owned()),
            problem: problem.map(str::to_owned),
        };
        let offers = [
            offer("Gallery", Some("BCDF-GHJK"), None),
            offer("Museum", None, Some("it cannot be reached\u{7}")),
            offer("Hotel", None, None),
        ];
        let mut out = Vec::new();
        choice(&offers, &mut out).expect("written");
        let text = String::from_utf8(out).expect("text");
        for wanted in [
            "Gallery, at https://gallery.example/pair\n  Code    BCDF-GHJK\n  Number  123 456",
            "Museum, at https://museum.example/pair\n  No code yet: it cannot be reached",
            "Hotel, at https://hotel.example/pair\n  No code yet\n",
        ] {
            assert!(text.contains(wanted), "{text}");
        }
        assert!(
            !text.contains('\u{7}'),
            "what others wrote steers no terminal"
        );
    }
}
