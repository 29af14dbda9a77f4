//! A house that others can reach and a box, both real programs, in a network of their own: how they find each other, and
//! how the box knows the house by its certificate.
//!
//! The network is a namespace with nothing in it but its loopback interface, so that nobody outside hears of it. Making
//! it takes the right to (CAP_SYS_ADMIN), which the tests of this project have.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "support/counted/mod.rs"]
mod counted;
#[path = "support/player_box.rs"]
mod player_box;
#[allow(dead_code)] // The other tests of the house take the rest.
#[path = "support/house/mod.rs"]
mod support;

use std::{env, path::Path, process::Command};

use player_box::{PlayerBox, Running};
use serde_json::Value;
use support::{Asker, House};

/// Set for the part of a test that runs within its namespace.
const INSIDE: &str = "MUSEBOX_TEST_IN_NAMESPACE";

/// What makes a network of a new namespace: the loopback interface with an address that others could reach.
const NETWORK: &str = "set -e
ip link set lo up
ip link set lo multicast on
ip address add 10.77.0.1/24 dev lo
ip route add 224.0.0.0/4 dev lo
exec \"$@\"";

/// Runs the rest of a test in a network of its own. False outside, where that was all.
fn in_a_network_of_its_own(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let program = env::current_exe().expect("this test");
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", NETWORK, "sh"])
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare and sh: tests/setup installs them");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success() && told.contains("1 passed"),
        "no network namespace could be made (that takes root, or CAP_SYS_ADMIN, and iproute2), or the test failed in \
         it:\n{told}\n{errors}"
    );
    false
}

/// As others have to look for it.
#[test]
fn the_service_has_the_name_that_is_documented() {
    let name = "_musebox-house._tcp";
    assert_eq!(musebox::domain::protocol::SERVICE, format!("{name}.local."));
    assert!(include_str!("../docs/house.md").contains(name));
}

/// A house server that announces itself.
fn announcing(data: &Path) -> House {
    House::with(data, &["--listen", "0.0.0.0:0"])
}

/// A house server that is found by its address only, which others could reach.
fn at(address: &str, data: &Path) -> House {
    House::with(data, &["--listen", address, "--no-announce"])
}

fn has_code(status: &Value) -> bool {
    status["house"]["code"].is_string() && status["house"]["check"].is_string()
}

#[test]
fn a_box_without_an_address_finds_the_house_and_shows_its_code() {
    let test = "a_box_without_an_address_finds_the_house_and_shows_its_code";
    if !in_a_network_of_its_own(test) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let house = announcing(&folder.path().join("one"));
    let player = PlayerBox::new();
    let file = player.file("looks.toml", b"[house]\ndiscover = true\n");
    let config = file.to_string_lossy().into_owned();
    let running = Running::start(player.daemon(&["--mode", "640x360@30", "--config", &config]));
    let status = player.wait_for("there is a code", has_code);
    let url = status["house"]["url"].as_str().expect("an address");
    assert!(
        url.starts_with("https://10.77.0.1:"),
        "a name that only mDNS knows became an address: {url}"
    );
    let log = running.log();
    let told = log
        .iter()
        .any(|line| line.contains("found here, and asked for a code"));
    assert!(told, "{}", log.join("\n"));

    // The house goes, and takes its code with it.
    house.stop();
    let gone = |status: &Value| status["house"].is_null();
    player.wait_for("the house is gone", gone);
    // Another comes.
    let _house = announcing(&folder.path().join("two"));
    player.wait_for("there is a code again", |status| {
        has_code(status) && status["house"]["url"] != url
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_is_known_by_the_certificate_that_it_made_for_itself() {
    let test = "a_house_is_known_by_the_certificate_that_it_made_for_itself";
    if !in_a_network_of_its_own(test) {
        return;
    }
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let house = at("10.77.0.1:0", folders[0].path());
    let address = house.url.strip_prefix("https://").expect("TLS").to_owned();
    let ada = Asker::first_operator(&house).await;
    let player = PlayerBox::new();
    let _running = Running::start(player.daemon(&["--mode", "640x360@30", "--house", &house.url]));
    let status = player.wait_for("there is a code", has_code);
    let id = ada.only_house().await;
    ada.let_in(&id, &status["house"]["code"], &status["house"]["check"])
        .await;
    let is_online = |status: &Value| status["house"]["online"] == true;
    player.wait_for("the box is connected", is_online);

    // The house starts again, with the key that it had.
    let is_offline = |status: &Value| status["house"]["online"] == false;
    drop(house.stop());
    player.wait_for("the box has noticed", is_offline);
    let house = at(&address, folders[0].path());
    player.wait_for("the box is connected again", is_online);

    // Another house at the same address has another.
    drop(house.stop());
    player.wait_for("the box has noticed", is_offline);
    let other = at(&address, folders[1].path());
    let status = player.wait_for("the other is not believed", |status| {
        let problem = status["house"]["problem"].as_str();
        problem.is_some_and(|problem| problem.contains("certificate"))
    });
    assert_eq!(status["house"]["online"], false);
    assert_eq!(status["house"]["linked"], true);
    drop(other.stop());
    let _house = at(&address, folders[0].path());
    player.wait_for("its own house is back", is_online);
}
